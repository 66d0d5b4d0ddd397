//! What drivers send and can decode: results of plain types, and one statement that takes whatever types they send.

use serde_json::json;
use tokio_postgres::types::{ToSql, Type};

use crate::support::database;

/// A driver that cannot decode a result reports a failure after the statement has taken effect.
#[tokio::test]
async fn every_public_function_returns_types_that_each_driver_decodes() {
    let (_, client) = database("types_results").await;
    let odd = "
        WITH public AS (
            SELECT p.oid, p.proname, p.prorettype, p.proallargtypes, p.proargmodes
              FROM pg_proc p
              JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
              JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'eventcore'
             WHERE p.pronamespace = 'public'::regnamespace
        ), result (function, type) AS (
            SELECT proname, prorettype FROM public WHERE prorettype <> 'record'::regtype
             UNION ALL
            SELECT proname, t FROM public, unnest(proallargtypes, proargmodes) a (t, mode) WHERE mode IN ('t', 'o', 'b')
             UNION ALL
            SELECT r.proname, a.atttypid FROM public r JOIN pg_type t ON t.oid = r.prorettype
              JOIN pg_attribute a ON a.attrelid = t.typrelid AND a.attnum > 0
        )
        SELECT (SELECT count(DISTINCT function) FROM result),
               string_agg(DISTINCT function || ': ' || type::regtype, ', ')
                   FILTER (WHERE type::regtype::text NOT IN ('bigint', 'integer', 'boolean', 'text', 'uuid', 'jsonb',
                       'timestamp with time zone', 'bigint[]', 'text[]', 'eventcore.appended', 'eventcore.executed'))
          FROM result";
    let row = client.query_one(odd, &[]).await.unwrap();
    assert!(row.get::<_, i64>(0) > 30);
    assert_eq!(row.get::<_, Option<String>>(1), None);
}

/// How drivers bind text, JSON, numbers and lists: `jsonb` or not, `bigint` for every whole number, `varchar` for text.
#[tokio::test]
async fn with_a_cast_on_each_parameter_a_statement_takes_the_types_of_every_driver() {
    let (_, client) = database("types_arguments").await;
    let event = json!([{"stream": "s", "type": "T", "payload": 1}]);
    let text = event.to_string();
    let append = "SELECT (a).* FROM eventcore_append($1::text[], $2::bigint[], $3::jsonb) a";
    for (number, (type_, events)) in [
        (Type::JSONB, &event as &(dyn ToSql + Sync)),
        (Type::JSON, &event),
        (Type::TEXT, &text),
        (Type::VARCHAR, &text),
    ]
    .into_iter()
    .enumerate()
    {
        for streams in [Type::TEXT_ARRAY, Type::VARCHAR_ARRAY] {
            let types = [streams, Type::INT8_ARRAY, type_.clone()];
            let statement = client.prepare_typed(append, &types).await.unwrap();
            let expected = vec![None::<i64>];
            let arguments: [&(dyn ToSql + Sync); 3] = [&vec!["s"], &expected, events];
            let row = client.query_one(&statement, &arguments).await.unwrap();
            assert!(row.get::<_, i64>("last_position") > number as i64);
        }
    }
    let create = "SELECT eventcore_create_subscription($1::text, lease => $2::interval, retry_limit => $3::integer)";
    let types = [Type::VARCHAR, Type::VARCHAR, Type::INT8];
    let create = client.prepare_typed(create, &types).await.unwrap();
    client
        .query_one(&create, &[&"s", &"10 seconds", &3_i64])
        .await
        .unwrap();
    let poll = "SELECT lease_id::text AS lease_id, position FROM eventcore_poll($1::text, $2::text, $3::integer, $4::interval)";
    let types = [Type::VARCHAR, Type::VARCHAR, Type::INT8, Type::VARCHAR];
    let poll = client.prepare_typed(poll, &types).await.unwrap();
    let rows = client
        .query(&poll, &[&"s", &"c", &100_i64, &"0"])
        .await
        .unwrap();
    assert_eq!(rows.len(), 8);
    let lease: String = rows[0].get("lease_id");
    let ack = "SELECT eventcore_ack($1::text, $2::uuid, $3::bigint[])";
    let types = [Type::VARCHAR, Type::VARCHAR, Type::INT8_ARRAY];
    let ack = client.prepare_typed(ack, &types).await.unwrap();
    let some = [rows[0].get::<_, i64>("position")];
    let done = client.query_one(&ack, &[&"s", &lease, &&some[..]]).await;
    assert_eq!(done.unwrap().get::<_, i64>(0), 1);
    let rest: Option<&[i64]> = None;
    let done = client.query_one(&ack, &[&"s", &lease, &rest]).await;
    assert_eq!(done.unwrap().get::<_, i64>(0), 7);
}

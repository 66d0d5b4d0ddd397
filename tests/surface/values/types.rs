//! What drivers send and can decode: results of plain types, and statements that accept all types
//! that drivers send.

use std::fmt::Write as _;

use eventcore_harness::shared;
use serde_json::json;
use tokio_postgres::types::{ToSql, Type};

use crate::support::{database, failure, major};

use super::calls::database_for_calls;

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

/// A whole number is `bigint`, which accepts what drivers send: `integer` and `bigint`. The name of
/// a function or a table is `text`, because there is no implicit cast to `regproc`.
#[tokio::test]
async fn every_public_function_takes_types_that_each_driver_sends() {
    let (_, client) = database("types_declared").await;
    let odd = "
        SELECT count(DISTINCT p.oid),
               string_agg(format('%s: %s %s', p.proname, p.proargnames[n], t::regtype), ', ')
                   FILTER (WHERE t::regtype::text NOT IN ('bigint', 'boolean', 'text', 'uuid', 'jsonb', 'interval', 'timestamp with time zone',
                       'bigint[]', 'text[]', 'uuid[]', 'jsonb[]'))
          FROM pg_proc p
          JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
          JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'eventcore'
         CROSS JOIN LATERAL unnest(p.proargtypes::oid[]) WITH ORDINALITY a (t, n)
         WHERE p.pronamespace = 'public'::regnamespace";
    let row = client.query_one(odd, &[]).await.unwrap();
    assert!(row.get::<_, i64>(0) > 30);
    assert_eq!(row.get::<_, Option<String>>(1), None);
}

/// Tables have other types: they hold state, and the views are for reading. Two views are only for
/// eventcore's own functions.
#[tokio::test]
async fn every_view_has_columns_that_each_driver_decodes() {
    let (_, client) = database("types_columns").await;
    let odd = "
        SELECT count(*),
               string_agg(format('%s.%s: %s', c.relname, a.attname, a.atttypid::regtype), ', ')
                   FILTER (WHERE a.atttypid::regtype::text NOT IN ('bigint', 'integer', 'boolean', 'text', 'uuid', 'jsonb',
                       'double precision', 'timestamp with time zone', 'bigint[]', 'text[]'))
          FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
         WHERE c.relnamespace = 'eventcore'::regnamespace AND c.relkind = 'v'
           AND c.relname NOT IN ('expected_triggers', 'granted_privileges')";
    let row = client.query_one(odd, &[]).await.unwrap();
    assert!(row.get::<_, i64>(0) > 60);
    assert_eq!(row.get::<_, Option<String>>(1), None);
}

/// In reads, a large number means "no more than this"; in what is stored, it is SE003 like any
/// other number out of range.
#[tokio::test]
async fn a_number_that_is_too_large_has_the_outcome_of_a_large_number() {
    let client = database_for_calls("types_large").await;
    let most = i64::MAX;
    for reading in [
        "eventcore_read_stream('s-1', max_count => $1)",
        "eventcore_read_streams('{s-1}', max_count => $1)",
        "eventcore_read_all(max_count => $1)",
        "eventcore_parked('sub', max_count => $1)",
        "eventcore_projection_parked('proj', max_count => $1)",
    ] {
        let sql = format!("SELECT count(*) FROM {reading}");
        let rows: i64 = client.query_one(&sql, &[&most]).await.unwrap().get(0);
        assert!(rows > 0, "{reading}");
    }
    for (argument, call) in [
        ("max_count", "eventcore_poll('sub', 'c', $1)"),
        (
            "retry_limit",
            "eventcore_create_subscription('new', retry_limit => $1)",
        ),
        (
            "retry_limit",
            "eventcore_create_projection('new', 'proj_handler', retry_limit => $1)",
        ),
        (
            "batch_size",
            "eventcore_create_projection('new', 'proj_handler', batch_size => $1)",
        ),
        (
            "max_attempts",
            "eventcore_register_command('new', 'cmd_apply', 'cmd_handle', '{/a}', max_attempts => $1)",
        ),
        (
            "snapshot_every",
            "eventcore_register_command('new', 'cmd_apply', 'cmd_handle', '{/a}', snapshot_every => $1)",
        ),
    ] {
        let sql = format!("SELECT {call}");
        for number in [most, i64::from(i32::MAX) + 1, -1] {
            let refused = failure(client.query(&sql, &[&number]).await);
            assert_eq!(refused.assert_ours("SE003")["argument"], argument, "{call}");
        }
    }
    for call in [
        "eventcore_create_subscription('new', retry_limit => $1)",
        "eventcore_create_projection('new', 'proj_handler', retry_limit => $1)",
        "eventcore_register_command('new', 'cmd_apply', 'cmd_handle', '{/a}', max_attempts => $1, snapshot_every => $1)",
    ] {
        let sql = format!("SELECT {call}");
        let row = client.query_one(&sql, &[&i64::from(i32::MAX)]).await;
        assert!(row.unwrap().get::<_, bool>(0), "{call}");
    }
}

/// `smallint` comes from psycopg, `integer` from JDBC and Npgsql, `bigint` from Ruby's pg and Prisma.
#[tokio::test]
async fn a_whole_number_of_any_size_is_taken_without_a_cast() {
    let client = database_for_calls("types_numbers").await;
    for (type_, number) in [
        (Type::INT2, &1_i16 as &(dyn ToSql + Sync)),
        (Type::INT4, &1_i32),
        (Type::INT8, &1_i64),
    ] {
        for call in [
            "eventcore_read_stream('s-1', 0, $1)",
            "eventcore_read_streams('{s-1}', NULL, $1)",
            "eventcore_read_all(0, $1)",
            "eventcore_parked('sub', 0, $1)",
            "eventcore_projection_parked('proj', 0, $1)",
        ] {
            let sql = format!("SELECT count(*) FROM {call}");
            let types = [type_.clone()];
            let statement = client.prepare_typed(&sql, &types).await.unwrap();
            let row = client.query_one(&statement, &[number]).await.unwrap();
            assert_eq!(row.get::<_, i64>(0), 1, "{call} of {type_}");
        }
    }
}

/// Found as a cast to `regproc` or `regclass` would find them, whatever the types of the parameters
/// are.
#[tokio::test]
async fn names_of_functions_and_tables_are_text_and_found_on_the_search_path_of_the_caller() {
    let client = database_for_calls("types_names").await;
    let here = "CREATE SCHEMA app;
        CREATE TABLE app.mine (n integer);
        CREATE FUNCTION app.mine(event eventcore.events) RETURNS void LANGUAGE plpgsql AS 'BEGIN END';
        CREATE FUNCTION app.clear() RETURNS void LANGUAGE plpgsql AS 'BEGIN END';
        CREATE FUNCTION app.fold(state jsonb, event eventcore.events) RETURNS jsonb LANGUAGE sql AS 'SELECT state';
        CREATE FUNCTION app.decide(state jsonb, input jsonb) RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb '[]' $$;
        SET search_path = app, public";
    client.batch_execute(here).await.unwrap();
    let project = "SELECT eventcore_create_projection($1, $2, reset => $3, tables => $4)";
    let register = "SELECT eventcore_register_command($1, $2, $3, $4, combine => $5)";
    for (text, list) in [
        (Type::TEXT, Type::TEXT_ARRAY),
        (Type::VARCHAR, Type::VARCHAR_ARRAY),
        (Type::UNKNOWN, Type::UNKNOWN),
    ] {
        let name = text.name();
        let types = [text.clone(), text.clone(), text.clone(), list.clone()];
        let project = client.prepare_typed(project, &types).await.unwrap();
        let projection: [&(dyn ToSql + Sync); 4] = [&name, &"mine", &"clear", &["mine"].as_slice()];
        client.query_one(&project, &projection).await.unwrap();
        let types = [text.clone(), text.clone(), text.clone(), list, text.clone()];
        let register = client.prepare_typed(register, &types).await.unwrap();
        let command: [&(dyn ToSql + Sync); 5] = [
            &name,
            &"fold",
            &"decide",
            &["/a"].as_slice(),
            &"jsonb_concat",
        ];
        client.query_one(&register, &command).await.unwrap();
    }
    let found = "SELECT string_agg(DISTINCT concat_ws(' ', p.handler, p.reset, p.tables, c.apply, c.handle, c.combine), ', ')
                   FROM eventcore.projections p, eventcore.commands c WHERE p.name <> 'proj' AND c.name <> 'cmd'";
    let found: String = client.query_one(found, &[]).await.unwrap().get(0);
    assert_eq!(
        found,
        "app.mine(eventcore.events) app.clear() {app.mine} app.fold(pg_catalog.jsonb,eventcore.events) \
         app.decide(pg_catalog.jsonb,pg_catalog.jsonb) pg_catalog.jsonb_concat(pg_catalog.jsonb,pg_catalog.jsonb)"
    );
    let mut outcomes = String::new();
    for (name, handler) in [
        ("unknown", "'nowhere'"),
        ("in another schema", "'proj.mine'"),
        ("one of several", "'upper'"),
        ("a regproc", "'mine'::regproc::text"),
    ] {
        let sql = format!("SELECT eventcore_create_projection('{name}', {handler})");
        let code = match client.batch_execute(&sql).await {
            Ok(()) => "created".to_owned(),
            Err(error) => error.code().unwrap().code().to_owned(),
        };
        writeln!(outcomes, "{name}: {code}").unwrap();
    }
    // From PostgreSQL 16 on, a schema that does not exist is a function that does not exist.
    let no_schema = if major(shared()) >= 16 {
        "42883"
    } else {
        "3F000"
    };
    let expected = format!(
        "unknown: 42883\nin another schema: {no_schema}\none of several: 42725\na regproc: created\n"
    );
    assert_eq!(outcomes, expected);
    let table = "SELECT eventcore_create_projection('t', 'mine', tables => '{nowhere}')";
    assert_eq!(failure(client.batch_execute(table).await).code, "42P01");
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
    let create =
        "SELECT eventcore_create_subscription($1::text, lease => $2::interval, retry_limit => $3)";
    let types = [Type::VARCHAR, Type::VARCHAR, Type::INT8];
    let create = client.prepare_typed(create, &types).await.unwrap();
    client
        .query_one(&create, &[&"s", &"10 seconds", &3_i64])
        .await
        .unwrap();
    let poll =
        "SELECT lease_id::text AS lease_id, position FROM eventcore_poll($1, $2, $3, $4::interval)";
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

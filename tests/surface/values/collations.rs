//! A name, a stream, a word or a reason means its bytes, whatever the collation and type of the
//! caller's column.

use eventcore_harness::shared;
use serde_json::json;

use super::calls::{Argument, database_for_calls, every_function, fill, outcome};
use crate::support::{append, connect, event, failure, has_icu, major};

const COLLATIONS: &str = r#"
    CREATE COLLATION caseless (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
    CREATE DOMAIN a_name AS text COLLATE caseless;
    CREATE DOMAIN a_short_name AS varchar(200);
"#;

/// A form in which a caller may pass a text: its name, and how it changes an argument, given by its
/// number.
type Form = (&'static str, fn(usize, &Argument) -> String);

const FORMS: &[Form] = &[
    ("another collation", |_, argument| {
        collated(argument, "\"de-x-icu\"")
    }),
    ("a collation that ignores case", |_, argument| {
        collated(argument, "caseless")
    }),
    ("another collation for each argument", |number, argument| {
        let collations = ["\"de-x-icu\"", "\"fr-x-icu\"", "caseless", "\"C\""];
        collated(argument, collations[number % 4])
    }),
    ("a domain with a collation", |_, argument| {
        cast(argument, "a_name")
    }),
    ("a domain over varchar", |_, argument| {
        cast(argument, "a_short_name")
    }),
    ("varchar", |_, argument| cast(argument, "varchar")),
    ("name", |_, argument| cast(argument, "name")),
    ("char without a length", |_, argument| {
        cast(argument, "bpchar")
    }),
];

fn collated(argument: &Argument, collation: &str) -> String {
    format!("({}) COLLATE {collation}", argument.value)
}

fn cast(argument: &Argument, of: &str) -> String {
    let array = if argument.of == "text[]" { "[]" } else { "" };
    format!("({})::{of}{array}", argument.value)
}

#[tokio::test]
async fn every_function_takes_a_text_by_its_bytes_whatever_its_collation_and_type() {
    if !has_icu(shared()) {
        return;
    }
    let client = database_for_calls("values_collations").await;
    client.batch_execute(COLLATIONS).await.unwrap();
    let mut functions = every_function(&client).await;
    functions.retain(|call| call.arguments.iter().any(Argument::is_text));
    assert!(functions.len() > 50, "{}", functions.len());

    let mut wrong = Vec::new();
    let mut succeed = 0;
    for call in &functions {
        let expected = outcome(&client, &call.sql("", |_, argument| argument.value.clone())).await;
        succeed += usize::from(expected.starts_with('['));
        for (form, of) in FORMS {
            // A column of a row: this way a collation applies that the call does not name.
            let columns: Vec<String> = call
                .arguments
                .iter()
                .enumerate()
                .filter(|(_, argument)| argument.is_text())
                .map(|(number, argument)| format!("{} AS a{number}", of(number, argument)))
                .collect();
            let from = format!(" FROM (SELECT {} OFFSET 0) v", columns.join(", "));
            let sql = call.sql(&from, |number, argument| {
                if argument.is_text() {
                    format!("v.a{number}")
                } else {
                    argument.value.clone()
                }
            });
            let found = outcome(&client, &sql).await;
            if found != expected {
                wrong.push(format!("{form}: {sql}\n  {found}\n  not {expected}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}\n{}", wrong.len(), wrong.join("\n"));
    // An error reveals little about a comparison that comes after it.
    assert!(succeed > 35, "{succeed} of {} succeed", functions.len());
}

#[tokio::test]
async fn a_function_of_ones_own_passes_a_name_on_with_the_collation_of_its_caller() {
    if !has_icu(shared()) {
        return;
    }
    let client = database_for_calls("values_own_function").await;
    client.batch_execute(COLLATIONS).await.unwrap();
    let own = r#"
        CREATE FUNCTION own_sql(name text) RETURNS void LANGUAGE sql
            AS 'SELECT eventcore_pause_subscription(name)';
        CREATE FUNCTION own_plpgsql(subscription text) RETURNS bigint LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM eventcore_resume_subscription(subscription);
            PERFORM eventcore_create_subscription(subscription || '-2', on_parked => lower('CONTINUE' || left(subscription, 0)));
            RETURN (SELECT count(*) FROM eventcore_nack(subscription,
                (SELECT lease_id FROM eventcore.deliveries LIMIT 1), action => 'retry' || left(subscription, 0)));
        END $$;
        CREATE TABLE settings (subscription text COLLATE caseless);
        INSERT INTO settings VALUES ('sub')"#;
    client.batch_execute(own).await.unwrap();
    let calls = "SELECT own_sql(subscription), own_plpgsql(subscription) FROM settings";
    client.query_one(calls, &[]).await.unwrap();
}

#[tokio::test]
async fn a_word_in_other_letters_is_another_word_also_where_the_collation_ignores_case() {
    if !has_icu(shared()) {
        return;
    }
    let client = database_for_calls("values_letters").await;
    client.batch_execute(COLLATIONS).await.unwrap();
    for (call, code) in [
        (
            "eventcore_pause_subscription('SUB' COLLATE caseless)",
            "SE007",
        ),
        ("eventcore_parked('SUB' COLLATE caseless)", "SE007"),
        (
            "eventcore_pause_projection('PROJ' COLLATE caseless)",
            "SE007",
        ),
        (
            "eventcore_create_subscription('a', start_from => 'NOW' COLLATE caseless)",
            "SE003",
        ),
        (
            "eventcore_create_subscription('a', on_parked => 'STOP' COLLATE caseless)",
            "SE003",
        ),
        (
            "eventcore_nack('sub', (SELECT lease_id FROM eventcore.deliveries LIMIT 1), action => 'PARK' COLLATE caseless)",
            "SE003",
        ),
        (
            "eventcore_create_projection('a', 'proj_handler', mode => 'ASYNC' COLLATE caseless)",
            "SE003",
        ),
    ] {
        let failure = failure(client.execute(&format!("SELECT {call}"), &[]).await);
        failure.assert_ours(code);
    }
    let others = "
        SELECT eventcore_drop_command('CMD' COLLATE caseless)::text
         UNION ALL SELECT eventcore_checkpoint('PROJ' COLLATE caseless)::text
         UNION ALL SELECT count(*)::text FROM eventcore_load_snapshot('SNAP' COLLATE caseless, '{s-1}')
         UNION ALL SELECT eventcore_create_subscription('SUB' COLLATE caseless)::text";
    let others = client.query(others, &[]).await.unwrap();
    let others: Vec<String> = others.iter().map(|row| row.get(0)).collect();
    assert_eq!(others, ["false", "0", "0", "true"]);
}

#[tokio::test]
async fn a_database_with_the_order_of_a_language_keeps_names_by_their_bytes() {
    if has_icu(shared()) {
        keeps_names_by_their_bytes("values_german", "icu ICU_LOCALE 'de'").await;
    }
}

/// From PostgreSQL 17 on.
#[tokio::test]
async fn a_database_with_a_built_in_locale_keeps_names_by_their_bytes() {
    for (since, database, locale) in [
        (17, "values_c", "C"),
        (17, "values_c_utf8", "C.UTF-8"),
        (18, "values_unicode", "PG_UNICODE_FAST"),
    ] {
        if major(shared()) >= since {
            let provider = format!("builtin BUILTIN_LOCALE '{locale}'");
            keeps_names_by_their_bytes(database, &provider).await;
        }
    }
}

async fn keeps_names_by_their_bytes(database: &str, locale_provider: &str) {
    let create =
        format!("CREATE DATABASE {database} TEMPLATE template0 LOCALE_PROVIDER {locale_provider}");
    shared().psql("postgres", &create).unwrap();
    shared()
        .psql(database, "CREATE EXTENSION eventcore")
        .unwrap();
    fill(database);
    let client = connect(&shared().url(database)).await;
    let written = append(&client, &[("ä", None)], json!([event("ä", 1)])).await;
    assert_eq!(written.unwrap().versions, [1]);
    let other = append(&client, &[("Ä", Some(0))], json!([event("Ä", 1)])).await;
    assert_eq!(other.unwrap().versions, [1]);
    let find = "SELECT eventcore_pause_subscription('sub'), eventcore_resume_subscription('sub')";
    client.query_one(find, &[]).await.unwrap();
    let check = "SELECT * FROM eventcore_check(thorough => true)";
    assert_eq!(shared().psql(database, check).unwrap(), "");
}

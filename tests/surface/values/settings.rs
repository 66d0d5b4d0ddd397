//! Settings that a session, a role or a database makes for its own statements change no result and
//! no error of eventcore.

use std::fmt::Write;

use tokio_postgres::Client;

use super::calls::{FunctionCall, database_for_calls, every_function, outcome};
use crate::support::database;

/// Settings that users have reasons for, each in a session.
const SETTINGS: &[&str] = &[
    "SET plpgsql.extra_errors = 'all'",
    "SET plpgsql.extra_warnings = 'all'; SET client_min_messages = debug5",
    "SET plpgsql.variable_conflict = use_column",
    "SET plpgsql.variable_conflict = use_variable; SET plpgsql.check_asserts = off; SET plpgsql.print_strict_params = on",
    "SET standard_conforming_strings = off; SET escape_string_warning = on; SET backslash_quote = off",
    "SET transform_null_equals = on; SET array_nulls = off",
    "SET default_transaction_isolation = 'read uncommitted'; SET default_transaction_deferrable = on",
    "SET row_security = off; SET check_function_bodies = off; SET session_replication_role = replica",
    "SET search_path = ''",
    "SET search_path = pg_temp, eventcore, public",
    "SET DateStyle = 'SQL, DMY'; SET IntervalStyle = sql_standard; SET TimeZone = 'Asia/Kathmandu'",
    "SET DateStyle = 'German'; SET IntervalStyle = iso_8601; SET lc_messages = 'C'; SET extra_float_digits = -15",
    "SET bytea_output = escape; SET xmloption = document; SET quote_all_identifiers = on; SET xmlbinary = hex",
    "SET client_encoding = latin1",
    "SET plan_cache_mode = force_generic_plan; SET work_mem = '64kB'; SET constraint_exclusion = on",
    "SET plan_cache_mode = force_custom_plan; SET from_collapse_limit = 1; SET join_collapse_limit = 1; SET geqo_threshold = 2",
    "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_hashagg = off; SET enable_sort = off",
    "SET enable_indexscan = off; SET enable_indexonlyscan = off; SET enable_bitmapscan = off; SET enable_nestloop = off",
    "SET enable_tidscan = off; SET enable_material = off; SET enable_mergejoin = off; SET enable_memoize = off",
    "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0",
    "SET synchronous_commit = off; SET commit_delay = 10; SET statement_timeout = '1h'; SET lock_timeout = '1h'",
];

/// Settings that a session may change and that do not concern the statement's result: what is
/// written to the log, and whether it can write at all.
const NOT_TURNED: &str = "name !~ '^(log_|debug_|trace_|ssl|is_superuser|in_hot|integer_|transaction_|zero_|ignore_|allow_)'
    AND name NOT IN ('default_transaction_read_only', 'exit_on_error')";

/// Results of functions that other functions call.
const WRITTEN_BY_STYLE: &[&str] = &[
    "interval",
    "bytea",
    "regclass",
    "eventcore.subscriptions",
    "eventcore.projections",
];

/// Functions whose results change by themselves or are the settings.
const NOT_COMPARED: &[&str] = &[
    "eventcore.announced_work",
    "eventcore.session_settings",
    "eventcore.stat_get_notifier",
];

#[tokio::test]
async fn a_setting_of_the_session_changes_no_result_and_no_error() {
    let client = database_for_calls("values_settings").await;
    let mut calls = every_function(&client).await;
    calls.retain(|call| {
        !NOT_COMPARED.contains(&call.function.as_str())
            && !WRITTEN_BY_STYLE.contains(&call.returns.as_str())
    });
    let expected = outcomes(&client, &calls).await;
    assert!(expected.len() > 90, "{}", expected.len());

    let turned = format!(
        "SELECT coalesce(string_agg(format('SET %I = %s;', name, CASE setting WHEN 'on' THEN 'off' ELSE 'on' END), ' '), '')
           FROM pg_settings WHERE vartype = 'bool' AND context IN ('user', 'superuser') AND {NOT_TURNED}"
    );
    let turned: String = client.query_one(&turned, &[]).await.unwrap().get(0);
    assert!(turned.matches("SET ").count() > 40, "{turned}");

    let mut wrong = String::new();
    for settings in SETTINGS.iter().copied().chain([turned.as_str()]) {
        client
            .batch_execute(&format!("RESET ALL; {settings}"))
            .await
            .unwrap_or_else(|error| panic!("{settings}: {error:?}"));
        let found = outcomes(&client, &calls).await;
        for ((call, found), expected) in calls.iter().zip(found).zip(&expected) {
            if found != *expected {
                writeln!(
                    wrong,
                    "{settings}\n  {}: {found}\n  not {expected}",
                    call.function
                )
                .unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

async fn outcomes(client: &Client, calls: &[FunctionCall]) -> Vec<String> {
    let mut outcomes = Vec::new();
    for call in calls {
        let sql = call.sql("", |_, argument| argument.value.clone());
        outcomes.push(outcome(client, &sql).await);
    }
    outcomes
}

#[tokio::test]
async fn several_wrong_values_are_the_error_of_one_also_under_extra_errors() {
    let client = database_for_calls("values_extra_errors").await;
    client
        .batch_execute("SET plpgsql.extra_errors = 'all'")
        .await
        .unwrap();
    for call in [
        "eventcore_replay_parked('sub', '{7,8}')",
        "eventcore_discard_parked('sub', '{7,8}')",
        "eventcore_park('sub', '{7,8}')",
        "eventcore_replay_projection_parked('proj', '{7,8}')",
        "eventcore_discard_projection_parked('proj', '{7,8}')",
        "eventcore_create_projection('two', 'proj_handler', tables => '{pg_class,pg_type,eventcore.events}')",
    ] {
        let failed = client.execute(&format!("SELECT {call}"), &[]).await;
        crate::support::failure(failed).assert_ours("SE003");
    }
}

/// A setting of PL/pgSQL is unknown to a session until it has used PL/pgSQL. What a registration records must not depend
/// on that: an executor could turn the assertions of the command off.
#[tokio::test]
async fn a_session_that_has_not_used_plpgsql_records_the_same_settings() {
    let (_, client) = database("settings_new_session").await;
    let recorded = "SELECT eventcore.session_settings()";
    let before: Vec<String> = client.query_one(recorded, &[]).await.unwrap().get(0);
    client.batch_execute("DO 'BEGIN END'").await.unwrap();
    let after: Vec<String> = client.query_one(recorded, &[]).await.unwrap().get(0);
    assert_eq!(before, after);
}

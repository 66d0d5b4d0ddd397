//! A server that runs with `RUST_BACKTRACE` reveals no more to its clients than another.

use super::*;

const SETUP: &str = r#"
    CREATE TABLE seen (position bigint CHECK (position < 0));
    CREATE FUNCTION see(event eventcore.events) RETURNS void LANGUAGE plpgsql AS
        'BEGIN INSERT INTO seen VALUES (event.position); END';
    SELECT eventcore_create_projection('inline', 'see', mode => 'inline', start_from => 'now',
                                       stream_prefixes => '{inline}');
    SELECT eventcore_create_projection('async', 'see');
"#;

#[tokio::test]
async fn no_backtrace_reaches_a_client_or_a_view() {
    let options = options()
        .environment("RUST_BACKTRACE", "1")
        .environment("RUST_LIB_BACKTRACE", "1");
    let server = own_server(options);
    let url = server.create_database("backtraces").unwrap();
    let session = connect(&url).await;
    session.batch_execute(SETUP).await.unwrap();

    // An error of the server, with or without a DETAIL of its own.
    let error = Append::one("inline", None)
        .send(&*session)
        .await
        .unwrap_err();
    let error = error.as_db_error().unwrap();
    assert_eq!(error.code().code(), "23514");
    assert!(
        error
            .detail()
            .unwrap()
            .starts_with("Failing row contains (")
    );
    assert!(!error.detail().unwrap().contains('\n'), "{error:?}");
    let missing = "SELECT eventcore_execute('none', NULL)";
    let error = session.batch_execute(missing).await.unwrap_err();
    let detail: serde_json::Value =
        serde_json::from_str(error.as_db_error().unwrap().detail().unwrap()).unwrap();
    assert_eq!(detail["argument"], "input");

    // The same in a worker.
    append_one(&*session, "s").await;
    let last =
        "SELECT coalesce(max(last_error), '') FROM eventcore.projections WHERE name = 'async'";
    let mut written = String::new();
    eventually("the failure is written down", async || {
        written = session.query_typed_one(last, &[]).await.unwrap().get(0);
        !written.is_empty()
    })
    .await;
    assert!(written.contains("seen_position_check"), "{written}");
    assert!(
        !written.contains('\n') && !written.contains("eventcore.so"),
        "{written}"
    );
    assert_alive(&server, "at the end");
}

//! A wait is cancelled inside a function that the server runs under a resource owner of its own, as
//! in nextval.

use super::*;

const SETUP: &str = r#"
    CREATE SEQUENCE invoice_no;
    CREATE FUNCTION apply(state jsonb, event eventcore.events) RETURNS jsonb LANGUAGE plpgsql AS
        'BEGIN IF event.event_type = ''Counted'' THEN PERFORM nextval(''invoice_no''); END IF; RETURN state; END';
    CREATE FUNCTION decide(state jsonb, input jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$ BEGIN
        RETURN jsonb_build_array(jsonb_build_object('stream', input->'stream', 'type', 'T',
                                                    'payload', nextval('invoice_no'))); END $$;
    CREATE FUNCTION plain(state jsonb, input jsonb) RETURNS jsonb LANGUAGE sql AS
        $$ SELECT jsonb_build_array(jsonb_build_object('stream', input->'stream', 'type', 'T', 'payload', 1)) $$;
    CREATE FUNCTION related(state jsonb, input jsonb) RETURNS text[] LANGUAGE plpgsql AS
        $$ BEGIN RETURN ARRAY['r-' || nextval('invoice_no') % 1]; END $$;
    CREATE FUNCTION number(event eventcore.events) RETURNS void LANGUAGE plpgsql AS
        $$ BEGIN PERFORM nextval('invoice_no'); END $$;
    SELECT eventcore_append('{counted}', '{NULL}', '[{"stream":"counted","type":"Counted","payload":1}]');
    SELECT eventcore_register_command('decide', 'apply', 'decide', streams => '{/stream}');
    SELECT eventcore_register_command('related', 'apply', 'plain', streams => '{/stream}', related_streams => 'related');
    SELECT eventcore_register_command('fold', 'apply', 'plain', streams => '{/stream}');
    SELECT eventcore_create_projection('inline', 'number', mode => 'inline', start_from => 'now', stream_prefixes => '{inline}');
"#;

const STATEMENTS: [&str; 5] = [
    r#"SELECT eventcore_execute('decide', '{"stream":"s"}')"#,
    r#"SELECT eventcore_execute('related', '{"stream":"s"}')"#,
    r#"SELECT eventcore_execute('fold', '{"stream":"counted"}')"#,
    r#"SELECT eventcore_append('{inline}', '{NULL}', '[{"stream":"inline","type":"T","payload":1}]')"#,
    r#"SELECT eventcore_append('{inline}', '{NULL}', '[{"stream":"inline","type":"T","payload":1},
       {"stream":"inline","type":"T","payload":2}]')"#,
];

/// How the wait ends: what the session sets first, what another session does meanwhile, and the
/// error.
const ENDS: [(&str, &str, &str); 3] = [
    ("SET statement_timeout = '300ms'", "", "57014"),
    ("SET lock_timeout = '300ms'", "", "55P03"),
    ("", "SELECT pg_cancel_backend", "57014"),
];

#[tokio::test]
async fn a_wait_that_is_cancelled_inside_nextval_ends_the_statement_and_nothing_else() {
    let server = own_server(options());
    let url = server.create_database("cancelled").unwrap();
    let (watcher, mut other) = (connect(&url).await, connect(&url).await);
    watcher.batch_execute(SETUP).await.unwrap();
    for statement in STATEMENTS {
        for (set, meanwhile, code) in ENDS {
            let session = connect(&url).await;
            session.batch_execute(set).await.unwrap();
            let blocking = other.transaction().await.unwrap();
            let restart = "ALTER SEQUENCE invoice_no RESTART";
            blocking.batch_execute(restart).await.unwrap();
            let end = async {
                if !meanwhile.is_empty() {
                    is_waiting(&watcher, session.pid).await;
                    let meanwhile = format!("{meanwhile}({})", session.pid);
                    watcher.batch_execute(&meanwhile).await.unwrap();
                }
            };
            let (done, ()) = tokio::join!(outcome(&session, statement), end);
            assert_alive(&server, &format!("at {statement} with {set}{meanwhile}"));
            assert_eq!(
                done,
                Err(code.to_owned()),
                "{statement} with {set}{meanwhile}"
            );
            blocking.commit().await.unwrap();
            assert_eq!(outcome(&session, statement).await, Ok(()), "{statement}");
        }
    }
}

#[tokio::test]
async fn a_session_that_is_terminated_inside_nextval_ends_alone() {
    let server = own_server(options());
    let url = server.create_database("terminated").unwrap();
    let (watcher, mut other) = (connect(&url).await, connect(&url).await);
    watcher.batch_execute(SETUP).await.unwrap();
    for statement in STATEMENTS {
        let session = connect(&url).await;
        let blocking = other.transaction().await.unwrap();
        let restart = "ALTER SEQUENCE invoice_no RESTART";
        blocking.batch_execute(restart).await.unwrap();
        let end = async {
            is_waiting(&watcher, session.pid).await;
            let terminate = format!("SELECT pg_terminate_backend({})", session.pid);
            watcher.batch_execute(&terminate).await.unwrap();
        };
        let (done, ()) = tokio::join!(outcome(&session, statement), end);
        assert!(done.is_err(), "{statement}");
        eventually("the session ends", async || session.is_closed()).await;
        assert_alive(&server, &format!("at {statement}"));
        blocking.commit().await.unwrap();
        assert_eq!(outcome(&watcher, statement).await, Ok(()), "{statement}");
    }
}

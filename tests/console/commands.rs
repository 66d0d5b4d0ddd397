//! Commands: their pages, the state of a stream as they see it, and trying one without a trace.

use reqwest::Method;

use crate::support::{Database, Running, SECRET, secret};

/// A bank: a command that moves money, refuses what is not there, and keeps states.
fn bank(name: &str) -> Database {
    let database = Database::new(name);
    database.sql(
        "CREATE FUNCTION bank_apply(state jsonb, event eventcore.events) RETURNS jsonb LANGUAGE sql AS
            $$ SELECT jsonb_set(state, ARRAY['cents'], to_jsonb((state->>'cents')::numeric + (event.payload->>'cents')::numeric)) $$;
         CREATE FUNCTION bank_withdraw(state jsonb, input jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
         BEGIN
            IF (state->>'cents')::numeric < (input->>'cents')::numeric THEN
                RAISE EXCEPTION 'there are only % <cents>', state->>'cents' USING HINT = 'Pay in first.';
            END IF;
            RETURN jsonb_build_array(jsonb_build_object('stream', input->>'account', 'type', 'Withdrawn',
                'payload', jsonb_build_object('cents', -(input->>'cents')::numeric)));
         END $$;
         SELECT eventcore_register_command('withdraw', 'bank_apply', 'bank_withdraw', '{/account}', initial_state => '{\"cents\": 0}',
            required_fields => '{\"/cents\": \"number\"}', snapshot_every => 2);
         SELECT eventcore_append(ARRAY['ada'], ARRAY[0]::bigint[], (SELECT jsonb_agg(
            jsonb_build_object('stream', 'ada', 'type', 'PaidIn', 'payload', jsonb_build_object('cents', n))) FROM generate_series(1, 5) n));
         SELECT eventcore_execute('withdraw', '{\"account\": \"ada\", \"cents\": 1}', idempotency_key => 'key <' || n || '>')
           FROM generate_series(1, 12) n",
    );
    database
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_shown_with_its_functions_executions_and_kept_states() {
    let database = bank("console_command");
    let console = database.console().await;
    let list = console.page("/commands").await;
    assert!(list.contains("href=\"/commands/withdraw\""), "{list}");
    let page = console.page("/commands/withdraw").await;
    for shown in [
        "there are only % &lt;cents&gt;",
        "public.bank_apply",
        "key &lt;1&gt;",
        "/account",
        "<bdi>postgres</bdi>",
        "href=\"/commands/withdraw/executions\"",
    ] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    assert!(!page.contains("Try it"), "{page}");
    let all = console.page("/commands/withdraw/executions").await;
    assert!(
        all.contains("key &lt;12&gt;") && all.contains("key &lt;9&gt;"),
        "{all}"
    );
    let one = console
        .page("/commands/withdraw/executions?key=key+%3C7%3E")
        .await;
    assert!(
        one.contains("key &lt;7&gt;") && !one.contains("key &lt;8&gt;"),
        "{one}"
    );
    let kept = console.page("/commands/withdraw/kept").await;
    assert!(kept.contains("href=\"/streams/ada\""), "{kept}");
    assert_eq!(console.browser().get("/commands/none").await.status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_state_of_a_stream_is_shown_after_any_version() {
    let database = bank("console_command_state");
    let console = database.console().await;
    let json =
        |version: &str| format!("/commands/withdraw/state.json?stream=ada&version={version}");
    for (version, cents) in [
        ("0", "0"),
        ("1", "1"),
        ("3", "6"),
        ("5", "15"),
        ("9", "11"),
        ("", "3"),
    ] {
        let text = console.page(&json(version)).await;
        assert_eq!(text, format!("{{\"cents\": {cents}}}"), "{version}");
    }
    let page = console
        .page("/commands/withdraw/state?stream=ada&version=3")
        .await;
    for shown in [
        "at version 3",
        "version=2\"",
        "version=4\"",
        "One version earlier",
        "3 events, applied",
    ] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    let browser = console.browser();
    for (path, status) in [
        ("/commands/none/state?stream=ada", 404),
        ("/commands/withdraw/state", 400),
        ("/commands/withdraw/state?stream=ada&version=-1", 400),
        ("/commands/withdraw/state?stream=ada&version=x", 400),
    ] {
        assert_eq!(browser.get(path).await.status(), status, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_tried_and_nothing_is_written() {
    let database = bank("console_try");
    let console = Running::start(&database.url, |options| options.allow_actions(true)).await;
    let browser = console.browser();
    let csrf = browser.csrf("/commands/withdraw").await;
    let before = database.sql("SELECT count(*) FROM eventcore.events");
    let tried = async |input: &str| {
        let sent = [("csrf", csrf.as_str()), ("input", input)];
        let answer = browser.post("/commands/withdraw/dry-run", &sent).await;
        assert_eq!(answer.status(), 200, "{input}");
        answer.text().await.unwrap()
    };
    let page = tried("{\"account\": \"ada\", \"cents\": 2}").await;
    for shown in [
        "It would write 1 event",
        "Withdrawn",
        "-2",
        "at version 18",
        "nothing has been written",
    ] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    // The form has what was tried.
    assert!(
        page.contains("{&quot;account&quot;: &quot;ada&quot;, &quot;cents&quot;: 2}"),
        "{page}"
    );

    let page = tried("{\"account\": \"ada\", \"cents\": 2000}").await;
    for shown in [
        "The command refuses",
        "there are only 3 &lt;cents&gt;",
        "SE006",
        "Pay in first.",
    ] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    let page = tried("{\"account\": \"ada\"}").await;
    assert!(
        page.contains("It cannot be executed") && page.contains("SE003"),
        "{page}"
    );
    let page = tried("{\"account\": ").await;
    assert!(page.contains("The input is not JSON"), "{page}");
    assert_eq!(
        database.sql("SELECT count(*) FROM eventcore.events"),
        before
    );
    assert!(
        console.log()[0].contains("/commands/withdraw/dry-run"),
        "{:?}",
        console.log()
    );
    // The message is for the log: the next page says nothing of it.
    assert!(!browser.page("/commands").await.contains("role=\"status\""));

    let none = browser
        .post(
            "/commands/none/dry-run",
            &[("csrf", &csrf), ("input", "{}")],
        )
        .await;
    assert_eq!(none.status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_sees_a_command_and_not_its_executions() {
    let database = bank("console_command_reader");
    database.sql("CREATE ROLE console_command_reader LOGIN IN ROLE eventcore_reader");
    let url = database
        .url
        .replacen("postgres@", "console_command_reader@", 1);
    let console = Running::start(&url, |options| options.allow_actions(true)).await;
    let browser = console.browser();
    let page = browser.page("/commands/withdraw").await;
    assert!(
        page.contains("may not see this") && page.contains("there are only %"),
        "{page}"
    );
    let csrf = browser.csrf("/commands/withdraw").await;
    let sent = [
        ("csrf", csrf.as_str()),
        ("input", "{\"account\": \"ada\", \"cents\": 1}"),
    ];
    let refused = browser.post("/commands/withdraw/dry-run", &sent).await;
    assert_eq!(refused.status(), 403);
}

/// Pages that run functions of a command, and what they show if they have.
const RUNNING: [(&str, &str); 3] = [
    (
        "/commands/withdraw/state?stream=ada&version=5",
        "numeral\">15<",
    ),
    (
        "/commands/withdraw/state.json?stream=ada&version=5",
        "{\"cents\": 15}",
    ),
    ("/streams/ada/5?command=withdraw", "numeral\">15<"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_link_of_another_site_runs_no_function() {
    let database = bank("console_elsewhere");
    let console = Running::start(&database.url, |options| {
        options.hosts(vec!["console.example".to_owned()])
    })
    .await;
    let browser = console.browser();
    let here = console.address.to_string();
    let referer = format!("http://{here}/commands/withdraw");
    for (path, shown) in RUNNING {
        let runs = async |headers: &[(&str, &str)]| {
            let mut request = browser.request(Method::GET, path);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let page = browser.send(request).await.text().await.unwrap();
            assert!(
                page.contains(shown) != page.contains("from elsewhere"),
                "{path}: {page}"
            );
            page.contains(shown)
        };
        for from in ["cross-site", "same-site", "unknown"] {
            assert!(!runs(&[("sec-fetch-site", from)]).await, "{path} {from}");
            // Whatever else it says.
            let headers = [("sec-fetch-site", from), ("referer", &referer)];
            assert!(!runs(&headers).await, "{path} {from}");
        }
        for from in ["same-origin", "none"] {
            assert!(runs(&[("sec-fetch-site", from)]).await, "{path} {from}");
        }
        // Without the header: a program, or a browser at an address that it does not trust.
        assert!(runs(&[]).await, "{path}");
        assert!(runs(&[("referer", &referer)]).await, "{path}");
        assert!(
            !runs(&[("referer", "http://evil.example/")]).await,
            "{path}"
        );
        let host = ("host", "console.example");
        assert!(!runs(&[host]).await, "{path}");
        assert!(runs(&[host, ("authorization", "Bearer x")]).await, "{path}");
        assert!(
            runs(&[host, ("referer", "http://console.example/a")]).await,
            "{path}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_after_signing_in_runs_no_function_before_it_has_asked() {
    let database = bank("console_led");
    let console = Running::start(&database.url, |options| options.secret(secret())).await;
    for (path, shown) in RUNNING {
        let browser = console.browser();
        let sent = [("secret", SECRET), ("next", path)];
        let response = browser.post("/sign-in", &sent).await;
        assert_eq!(response.headers()["location"], path);
        let led = browser.get(path).await.text().await.unwrap();
        assert!(
            !led.contains(shown) && led.contains("from elsewhere"),
            "{led}"
        );
        let page = browser.page(path).await;
        assert!(page.contains(shown), "{page}");
    }
}

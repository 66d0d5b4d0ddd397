//! Who may ask: names of the host, other sites, other machines, and who has not signed in.

use std::net::SocketAddr;

use eventcore_console::{Console, Options, Secret, StartError, routes};
use reqwest::Method;

use crate::support::{Database, Running, SECRET, secret, target};

#[tokio::test(flavor = "multi_thread")]
async fn a_name_of_another_site_is_not_answered() {
    let database = Database::new("console_host");
    let console = Running::start(&database.url, |options| {
        options.hosts(vec!["console.example".to_owned()])
    })
    .await;
    let browser = console.browser();
    let status = async |host: &str| {
        let request = browser.request(Method::GET, "/").header("host", host);
        browser.send(request).await.status().as_u16()
    };
    for host in [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example:8811",
        "",
    ] {
        assert_eq!(status(host).await, 421, "{host}");
    }
    for host in [
        "localhost",
        "localhost:9000",
        "127.0.0.1",
        "[::1]:8811",
        "Console.Example",
    ] {
        assert_eq!(status(host).await, 200, "{host}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_of_another_site_is_refused() {
    let database = Database::new("console_origin");
    let console = Running::start(&database.url, |options| options.secret(secret())).await;
    let browser = console.browser();
    for (name, value) in [
        ("origin", "https://evil.example"),
        ("sec-fetch-site", "cross-site"),
    ] {
        let request = browser
            .request(Method::POST, "/sign-in")
            .header(name, value)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(format!("secret={}", SECRET.replace(' ', "+")));
        assert_eq!(browser.send(request).await.status(), 403, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_machines_reach_it_only_if_people_sign_in() {
    let database = Database::new("console_bind");
    let anywhere: SocketAddr = ([0, 0, 0, 0], 0).into();
    let options = Options::new(target(&database.url)).listen(anywhere);
    let refused = Console::bind(options.clone()).await.unwrap_err();
    assert!(matches!(refused, StartError::Open(_)), "{refused}");
    Console::bind(options.secret(secret())).await.unwrap();
    assert!(Secret::new("short").is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_answered_to_who_has_not_signed_in() {
    let database = Database::new("console_auth");
    let console = Running::start(&database.url, |options| {
        options.secret(secret()).allow_actions(true)
    })
    .await;
    let stranger = console.browser();
    for route in routes::all().filter(|route| !route.is_open()) {
        let path = route.path().replace(['{', '}'], "");
        let method: Method = route.method().parse().unwrap();
        let response = stranger.send(stranger.request(method.clone(), &path)).await;
        match method {
            Method::GET => {
                assert_eq!(response.status(), 303, "{route:?}");
                let location = response.headers()["location"].to_str().unwrap();
                assert!(location.starts_with("/sign-in?next="), "{location}");
            }
            _ => assert_eq!(response.status(), 401, "{route:?}"),
        }
    }
    let page = stranger.page("/sign-in").await;
    assert!(page.contains("type=\"password\""), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_lets_in_until_signing_out() {
    let database = Database::new("console_sign_in");
    let console = Running::start(&database.url, |options| options.secret(secret())).await;
    let browser = console.browser();
    let refused = browser.post("/sign-in", &[("secret", "wrong")]).await;
    assert_eq!(refused.status(), 401);
    let response = browser
        .post(
            "/sign-in",
            &[("secret", SECRET), ("next", "//evil.example")],
        )
        .await;
    assert_eq!(
        (response.status().as_u16(), &response.headers()["location"]),
        (303, &"/".parse().unwrap())
    );
    let cookie = response.headers()["set-cookie"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"),
        "{cookie}"
    );

    let csrf = browser.csrf("/streams").await;
    assert_eq!(browser.post("/sign-out", &[]).await.status(), 403);
    assert_eq!(
        browser.post("/sign-out", &[("csrf", &csrf)]).await.status(),
        303
    );
    assert_eq!(browser.get("/streams").await.status(), 303);
    // Also with the old cookie.
    let pair = cookie.split(';').next().unwrap();
    let request = console
        .browser()
        .request(Method::GET, "/streams")
        .header("cookie", pair);
    assert_eq!(browser.send(request).await.status(), 303);
    let log = console.log();
    assert!(
        log.len() == 2 && log[0].starts_with("sign-in refused: 127.0.0.1"),
        "{log:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_guesses_is_stopped_and_who_has_signed_in_is_not() {
    let database = Database::new("console_guess");
    let console = Running::start(&database.url, |options| options.secret(secret())).await;
    let inside = console.browser();
    inside.sign_in().await;
    let guesser = console.browser();
    for _ in 0..10 {
        let response = guesser.post("/sign-in", &[("secret", "guess")]).await;
        assert_eq!(response.status(), 401);
    }
    let response = guesser.post("/sign-in", &[("secret", SECRET)]).await;
    assert_eq!(response.status(), 429);
    let bearer = guesser
        .request(Method::GET, "/streams")
        .header("authorization", format!("Bearer {SECRET}"));
    assert_eq!(guesser.send(bearer).await.status(), 429);
    inside.page("/streams").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_sends_the_secret_with_its_request() {
    let database = Database::new("console_bearer");
    let console = Running::start(&database.url, |options| options.secret(secret())).await;
    let browser = console.browser();
    for (sent, status) in [(SECRET, 200), ("wrong", 401)] {
        let request = browser
            .request(Method::GET, "/streams")
            .header("authorization", format!("Bearer {sent}"));
        assert_eq!(browser.send(request).await.status(), status);
    }
}

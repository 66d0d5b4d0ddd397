//! The Rust client over TLS, with each `sslmode`: which servers it trusts, and how it reports that
//! it trusts one not.

mod certificates;
mod server;

use std::error::Error;
use std::time::Duration;

use eventcore::postgres::{Builder, TlsMode};
use eventcore::{
    Append, EventStore, EventSubscription, EventType, ExpectedVersion, NewEvent,
    PostgresEventStore, StoreError, StreamId, Subscribe,
};
use eventcore_harness::{Server, ServerOptions};

use self::certificates::NAME;
use self::server::{TlsServer, shared};

fn builder(url: &str) -> Builder {
    PostgresEventStore::builder(url).unwrap()
}

async fn connect(url: &str) -> Result<PostgresEventStore, StoreError> {
    builder(url).connect().await
}

/// An error that is not worth another attempt, with its causes.
#[track_caller]
fn refused(connected: Result<PostgresEventStore, StoreError>) -> String {
    let error = connected.expect_err("it is connected");
    assert!(!error.is_retriable() && !error.is_timeout(), "{error:?}");
    let (mut text, mut source) = (error.to_string(), error.source());
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

#[tokio::test]
async fn a_server_that_can_is_asked_for_tls_unless_the_url_forbids_it() {
    let server = shared();
    for (parameters, encrypted) in [
        ("application_name=tls_default", "t"),
        ("application_name=tls_prefer&sslmode=prefer", "t"),
        ("application_name=tls_require&sslmode=require", "t"),
        ("application_name=tls_disable&sslmode=disable", "f"),
    ] {
        let _store = connect(&server.url(parameters)).await.unwrap();
        let name = parameters.split(['=', '&']).nth(1).unwrap();
        assert_eq!(server.encryption_of(name), encrypted, "{parameters}");
    }
}

#[tokio::test]
async fn the_builder_has_the_last_word_on_tls() {
    let server = shared();
    let url = server.url("application_name=tls_builder&sslmode=disable");
    let store = builder(&url)
        .tls(TlsMode::VerifyFull)
        .root_certificate(server.file("ca.pem"));
    refused(store.clone().connect().await);
    let _store = store.tls(TlsMode::VerifyCa).connect().await.unwrap();
    assert_eq!(server.encryption_of("tls_builder"), "t");
}

#[tokio::test]
async fn a_server_is_trusted_by_the_certificate_that_issued_its_own() {
    let server = shared();
    let (ca, other) = (server.file("ca.pem"), server.file("other-ca.pem"));
    for mode in ["require", "verify-ca"] {
        let url = |root| server.url(&format!("sslmode={mode}&sslrootcert={root}"));
        connect(&url(&ca)).await.unwrap();
        let text = refused(connect(&url(&other)).await);
        assert!(text.contains("UnknownIssuer"), "{text}");
    }
}

#[tokio::test]
async fn verify_full_wants_the_certificate_to_name_the_host_and_verify_ca_does_not() {
    let server = shared();
    let ca = server.file("ca.pem");
    let pairs = |host: &str, mode: &str| {
        format!(
            "host={host} hostaddr=127.0.0.1 port={} user=postgres dbname=tls password={} \
             sslmode={mode} sslrootcert='{ca}'",
            server.port(),
            server.password()
        )
    };
    connect(&pairs(NAME, "verify-full")).await.unwrap();
    connect(&pairs("other.example", "verify-ca")).await.unwrap();
    let text = refused(connect(&pairs("other.example", "verify-full")).await);
    assert!(text.contains("other.example"), "{text}");
}

#[tokio::test]
async fn a_client_shows_its_certificate_where_the_server_wants_one() {
    let server = shared();
    let url = |more: &str| server.url_of("by_certificate", &format!("sslmode=require{more}"));
    let text = refused(connect(&url("")).await);
    assert!(text.contains("certificate"), "{text}");
    let (certificate, key) = (server.file("client.pem"), server.file("client.key"));
    let both = format!("&sslcert={certificate}&sslkey={key}");
    connect(&url(&both)).await.unwrap();
    let store = builder(&url("")).client_certificate(certificate, key);
    store.connect().await.unwrap();
}

/// SCRAM-SHA-256-PLUS: a machine in the middle cannot log in, even with a trusted certificate.
#[tokio::test]
async fn the_password_is_bound_to_the_channel() {
    let server = shared();
    connect(&server.url("sslmode=require&channel_binding=require"))
        .await
        .unwrap();
    let text = refused(connect(&server.url("sslmode=disable&channel_binding=require")).await);
    assert!(text.contains("channel binding"), "{text}");
}

#[tokio::test]
async fn a_server_without_tls_is_refused_by_require_and_accepted_by_prefer() {
    let server = Server::start(ServerOptions::new().without_fsync().with_loopback()).unwrap();
    server.create_database("tls").unwrap();
    let url = server.loopback_url("tls").unwrap();
    connect(&url).await.unwrap();
    let text = refused(connect(&format!("{url}?sslmode=require")).await);
    assert!(text.contains("server does not support TLS"), "{text}");
}

#[tokio::test]
async fn prefer_connects_without_tls_where_the_server_accepts_the_user_only_without() {
    let server = shared();
    connect(&server.url_of("without_tls", "sslmode=prefer"))
        .await
        .unwrap();
    let text = refused(connect(&server.url_of("without_tls", "sslmode=require")).await);
    assert!(text.contains("pg_hba.conf"), "{text}");
}

#[tokio::test]
async fn a_unix_socket_never_has_tls() {
    let url = shared().socket_url();
    for mode in ["prefer", "require", "verify-ca", "verify-full"] {
        connect(&format!("{url}&sslmode={mode}")).await.unwrap();
    }
}

#[tokio::test]
async fn a_certificate_that_signed_itself_is_trusted_until_it_expires() {
    let (valid, expired) = certificates::of_their_own();
    let server = TlsServer::start(&valid);
    let root = server.file("server.pem");
    connect(&server.url(&format!("sslmode=verify-ca&sslrootcert={root}")))
        .await
        .unwrap();
    let text =
        refused(connect(&server.url(&format!("sslmode=verify-full&sslrootcert={root}"))).await);
    assert!(text.contains("127.0.0.1"), "{text}");
    let server = TlsServer::start(&expired);
    let root = server.file("server.pem");
    let url = server.url(&format!("sslmode=verify-ca&sslrootcert={root}"));
    let text = refused(connect(&url).await);
    assert!(text.contains("expired"), "{text}");
}

/// Without polling: the wake-up comes over TLS. Once through the same URL, and once through a URL
/// to listen on.
#[tokio::test]
async fn subscriptions_are_woken_over_tls() {
    let server = shared();
    let ca = server.file("ca.pem");
    let url = |name| {
        server.url(&format!(
            "application_name={name}&sslmode=verify-ca&sslrootcert={ca}"
        ))
    };
    let one = builder(&url("tls_listen"));
    let two = builder(&server.socket_url())
        .transaction_pooling(true)
        .listen_on(&url("tls_listen_on"))
        .unwrap();
    for (builder, name, connections) in [(one, "tls_listen", 2), (two, "tls_listen_on", 1)] {
        let store = builder
            .pool_size(1)
            .poll_interval(Duration::from_secs(600))
            .connect()
            .await
            .unwrap();
        let safe = store.safe_position().await.unwrap();
        let mut subscription = store.subscribe(Subscribe::after(safe));
        for _ in 0..3 {
            let next = tokio::time::timeout(Duration::from_secs(20), subscription.next_event());
            let one = append();
            let (next, appended) = tokio::join!(next, store.append(&one));
            let (next, appended) = (next.expect("it is not woken").unwrap(), appended.unwrap());
            assert_eq!(Some(next.position), appended.last_position);
        }
        assert_eq!(
            server.encryption_of(name),
            "t\n".repeat(connections).trim_end()
        );
    }
}

fn append() -> Append {
    let stream = StreamId::new("a").unwrap();
    let happened = EventType::new("Happened").unwrap();
    let event = NewEvent::new(stream.clone(), happened, serde_json::json!({"n": 1}));
    Append::new()
        .stream(stream, ExpectedVersion::Unchecked)
        .event(event)
}

//! Promises of the store on PostgreSQL that need no server.

#![cfg(feature = "postgres")]

use std::time::Duration;

use eventcore::{EventStore, PostgresEventStore};

#[test]
fn urls_of_hosts_and_of_socket_folders_are_accepted_and_others_are_not() {
    for url in [
        "postgresql://user:secret@localhost:5433/db?connect_timeout=3",
        "postgresql:///db?host=/tmp/x&port=5433&user=u",
        "postgres://%2Ftmp%2Fx/db",
        "host=/tmp/x port=5433 user=u dbname=db",
    ] {
        let builder = PostgresEventStore::builder(url).unwrap();
        assert!(!format!("{builder:?}").contains("secret"));
        assert!(builder.build().is_ok());
    }
    let error = PostgresEventStore::builder("postgresql://host:port/db").unwrap_err();
    assert!(error.is_malformed());
}

#[test]
fn an_invalid_tls_configuration_is_an_error_before_connecting() {
    let build = |parameters: &str| {
        let url = format!("postgresql://u@localhost/db?{parameters}");
        PostgresEventStore::builder(&url)?.build().map(|_| ())
    };
    assert!(build("sslmode=require&application_name=a").is_ok());
    for (parameters, argument) in [
        ("sslmode=required", "url"),
        ("sslmode=verify-ca", "sslrootcert"),
        ("sslrootcert=/no/such/file", "sslrootcert"),
        ("sslrootcert=/dev/null", "sslrootcert"),
        ("sslcert=/no/such/file&sslkey=/no/such/file", "sslcert"),
        ("sslcert=/no/such/file", "sslkey"),
        ("sslkey=/no/such/file", "sslcert"),
        ("sslmode=require&sslrootcert=system", "sslmode"),
        ("sslmode=require&host=/tmp", "sslmode"),
    ] {
        let error = build(parameters).unwrap_err();
        assert_eq!(error.argument(), Some(argument), "{parameters}");
        assert!(error.is_malformed() && std::error::Error::source(&error).is_some());
    }
    // A socket never uses TLS, so no TLS file is read.
    let socket = "postgresql:///db?host=/tmp&sslmode=verify-full&sslrootcert=/no/such/file";
    assert!(PostgresEventStore::builder(socket).unwrap().build().is_ok());
    let error = PostgresEventStore::builder(socket)
        .unwrap()
        .listen_on("host=h sslmode=none")
        .unwrap_err();
    assert_eq!(error.argument(), Some("listen_on"));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_an_error_that_may_pass() {
    let folder = std::env::temp_dir().join("eventcore-no-server-here");
    let url = format!("postgresql:///db?host={}&user=u", folder.display());
    let error = PostgresEventStore::connect(&url).await.unwrap_err();
    assert!(
        error.is_retriable() && !error.is_version_conflict(),
        "{error:?}"
    );

    let store = PostgresEventStore::builder(&url)
        .unwrap()
        .pool_size(0)
        .connect_timeout(Duration::from_secs(1))
        .statement_timeout(Duration::from_secs(1))
        .build()
        .unwrap();
    assert!(store.safe_position().await.unwrap_err().is_retriable());
}

#[test]
fn a_statement_timeout_that_other_clients_of_a_pooler_would_get_is_refused() {
    let builder = || {
        PostgresEventStore::builder("postgresql:///db?host=/tmp/x")
            .unwrap()
            .transaction_pooling(true)
    };
    assert!(builder().build().is_ok());
    let error = builder()
        .statement_timeout(Duration::from_secs(1))
        .build()
        .unwrap_err();
    assert!(error.is_malformed(), "{error:?}");
    assert!(builder().listen_on("postgresql://host:port/db").is_err());
}

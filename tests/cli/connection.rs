//! The program finds the server as psql does.

use std::fs;

use eventcore_harness::{Server, ServerOptions, shared};
use serde_json::Value;

use crate::support::{Ran, program};

/// Arguments and environment variables.
type Case<'a> = (&'a [&'a str], Vec<(&'a str, &'a str)>);

fn database(ran: Ran) -> String {
    let stats: Value = serde_json::from_str(&ran.ok()).unwrap();
    stats["database"].as_str().unwrap().to_owned()
}

#[test]
fn options_variables_services_and_urls_lead_to_the_same_database() {
    let server = shared();
    let url = server.create_database("cli_connect").unwrap();
    let folder = server.socket_folder().display().to_string();
    let port = server.port().to_string();
    let file = std::env::temp_dir().join(format!("eventcore-services-{}", std::process::id()));
    let service =
        format!("[shop]\nhost={folder}\nport={port}\nuser=postgres\ndbname=cli_connect\n");
    fs::write(&file, service).unwrap();
    let service_file = file.to_str().unwrap();

    let options = [
        "-h",
        &folder,
        "-p",
        &port,
        "-U",
        "postgres",
        "-d",
        "cli_connect",
    ];
    let pairs = format!("host={folder} port={port} user=postgres dbname=cli_connect");
    let of_libpq = [
        ("PGHOST", folder.as_str()),
        ("PGPORT", &port),
        ("PGUSER", "postgres"),
        ("PGDATABASE", "cli_connect"),
    ];
    let cases: [Case<'_>; 7] = [
        (&options, vec![]),
        (&["--url", &url], vec![]),
        (&["-d", &pairs], vec![]),
        (&[], vec![("EVENTCORE_URL", &url)]),
        (&[], of_libpq.to_vec()),
        (
            &[],
            vec![("PGSERVICE", "shop"), ("PGSERVICEFILE", service_file)],
        ),
        (&[], vec![("DATABASE_URL", &url)]),
    ];
    for (arguments, variables) in cases {
        let mut command = program();
        command.args(arguments).args(["stats", "-o", "json"]);
        command.envs(variables.iter().copied());
        let ran = Ran::of(command.output().unwrap());
        assert_eq!(database(ran), "cli_connect", "{arguments:?} {variables:?}");
    }
    fs::remove_file(&file).unwrap();
}

#[test]
fn a_password_is_taken_from_the_password_file_and_is_never_shown() {
    let server = Server::start(ServerOptions::new().with_loopback()).unwrap();
    server.create_database("cli_password").unwrap();
    let url = server.loopback_url("cli_password").unwrap();
    let (user, rest) = url.split_once("@").unwrap();
    let password = user.rsplit_once(':').unwrap().1;
    let without = format!("postgresql://postgres@{rest}");
    let file = std::env::temp_dir().join(format!("eventcore-pgpass-{}", std::process::id()));
    fs::write(
        &file,
        format!("127.0.0.1:*:cli_password:postgres:{password}\n"),
    )
    .unwrap();
    let mode = |mode: &str| {
        let changed = std::process::Command::new("chmod")
            .arg(mode)
            .arg(&file)
            .status();
        assert!(changed.unwrap().success());
    };
    let run = || {
        let mut command = program();
        command.args(["--url", &without, "-v", "stats", "-o", "json"]);
        command.env("PGPASSFILE", &file);
        Ran::of(command.output().unwrap())
    };
    mode("0600");
    let ran = run();
    assert!(
        ran.err.contains("password = ******** (password file"),
        "{ran:?}"
    );
    assert!(!ran.err.contains(password));
    assert_eq!(database(ran), "cli_password");
    mode("0644");
    let ran = run();
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.err.contains("0600"), "{ran:?}");
    fs::remove_file(&file).unwrap();
}

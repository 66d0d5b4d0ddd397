//! What the harness promises about a server. Needs `EVENTCORE_PG_BIN`, which `cargo xtask test`
//! sets; without it, each test prints that and passes.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use eventcore_harness::{PG_BIN, Server, ServerOptions};

/// The extension need not be installed here.
fn plain() -> Option<ServerOptions> {
    if env::var_os(PG_BIN).is_none() {
        eprintln!("skipped: {PG_BIN} is not set; `cargo xtask test` sets it");
        return None;
    }
    Some(ServerOptions::new().without_preload())
}

#[test]
fn a_server_starts_crashes_recovers_and_leaves_nothing_behind() {
    let Some(options) = plain() else { return };
    let mut server = Server::start(options).unwrap();
    let folder = server.socket_folder().to_owned();
    server
        .psql("postgres", "CREATE TABLE kept AS SELECT 7 AS number")
        .unwrap();

    server.crash().unwrap();
    server.start_again().unwrap();
    assert_eq!(
        server.psql("postgres", "SELECT number FROM kept").unwrap(),
        "7"
    );

    server.kill_postmaster_9().unwrap();
    server.start_again().unwrap();
    assert_eq!(
        server.psql("postgres", "SELECT number FROM kept").unwrap(),
        "7"
    );

    server.restart().unwrap();
    assert!(server.log().contains("database system was interrupted"));
    drop(server);
    assert!(!folder.exists());
}

#[test]
fn a_loopback_port_asks_for_the_password() {
    let Some(options) = plain() else { return };
    let server = Server::start(options.with_loopback().without_fsync()).unwrap();
    let url = server.loopback_url("postgres").unwrap();
    let psql = |url: &str| {
        let mut command = server.command("psql");
        command.args(["-X", "-A", "-t", "-w", "-c", "SELECT 1", "-d", url]);
        command.stderr(Stdio::null()).status().unwrap().success()
    };
    assert!(psql(&url));
    assert!(!psql(&format!(
        "postgresql://postgres@127.0.0.1:{}/postgres",
        server.port()
    )));
}

#[test]
fn an_error_from_psql_carries_its_sqlstate() {
    let Some(options) = plain() else { return };
    let server = Server::start(options.without_fsync()).unwrap();
    let error = server.psql("postgres", "SELECT 1/0").unwrap_err();
    assert!(error.to_string().contains("22012"), "{error}");
}

#[test]
fn a_server_that_cannot_start_shows_its_log() {
    let Some(options) = plain() else { return };
    let error = Server::start(options.set("max_connections", "many")).unwrap_err();
    assert!(error.to_string().contains("max_connections"), "{error}");
}

#[test]
fn a_standby_follows_and_can_be_promoted() {
    let Some(options) = plain() else { return };
    let primary = Server::start(options).unwrap();
    let standby = primary.standby().unwrap();
    primary
        .psql("postgres", "CREATE TABLE kept AS SELECT 7 AS number")
        .unwrap();
    standby.catch_up_with(&primary).unwrap();
    assert_eq!(
        standby.psql("postgres", "SELECT number FROM kept").unwrap(),
        "7"
    );
    standby.promote().unwrap();
    standby
        .psql("postgres", "INSERT INTO kept VALUES (8)")
        .unwrap();
}

#[test]
fn clients_of_a_pooler_share_the_connections_that_it_was_given() {
    let Some(options) = plain() else { return };
    let server = Server::start(options.without_fsync()).unwrap();
    let pooler = server.pgbouncer(1).unwrap();
    let (url, folder) = (pooler.url("postgres"), pooler.socket_folder().to_owned());
    let pid = || {
        let mut psql = server.command("psql");
        psql.args([
            "-X",
            "-A",
            "-t",
            "-c",
            "SELECT pg_backend_pid()",
            "-d",
            &url,
        ]);
        String::from_utf8(psql.output().unwrap().stdout).unwrap()
    };
    let (first, second) = (pid(), pid());
    assert!(first.trim().parse::<u32>().is_ok(), "{first}");
    assert_eq!(first, second);
    drop(pooler);
    assert!(!folder.exists());
}

#[test]
fn a_killed_test_process_leaves_no_server_and_no_pooler_behind() {
    if plain().is_none() {
        return;
    }
    if let Some(note) = env::var_os("EVENTCORE_HARNESS_VICTIM") {
        let server = Server::start(plain().unwrap()).unwrap();
        let pooler = server.pgbouncer(1).unwrap();
        let folders = [server.socket_folder(), pooler.socket_folder()];
        fs::write(
            note,
            folders.map(|folder| folder.to_str().unwrap()).join("\n"),
        )
        .unwrap();
        thread::sleep(Duration::from_secs(60));
        return;
    }
    let note = env::temp_dir().join(format!("eventcore-victim-{}", std::process::id()));
    let mut victim = Command::new(env::current_exe().unwrap())
        .args([
            "--exact",
            "a_killed_test_process_leaves_no_server_and_no_pooler_behind",
        ])
        .env("EVENTCORE_HARNESS_VICTIM", &note)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let folders = |limit| -> Vec<PathBuf> {
        let start = Instant::now();
        loop {
            let text = fs::read_to_string(&note).unwrap_or_default();
            if !text.is_empty() || start.elapsed() > limit {
                return text.lines().map(PathBuf::from).collect();
            }
            thread::sleep(Duration::from_millis(10));
        }
    };
    let folders = folders(Duration::from_secs(30));
    victim.kill().unwrap();
    victim.wait().unwrap();
    let _ = fs::remove_file(&note);
    assert_eq!(folders.len(), 2, "the victim's servers did not start");
    let start = Instant::now();
    while folders
        .iter()
        .any(|folder| folder.exists() || is_in_use(folder))
    {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "one is still there: {folders:?}"
        );
        thread::sleep(Duration::from_millis(50));
    }
}

/// Whether a process runs that was started with something in this folder.
fn is_in_use(folder: &Path) -> bool {
    let inside = format!("{}/", folder.display());
    fs::read_dir("/proc").unwrap().flatten().any(|process| {
        let arguments = fs::read(process.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&arguments).contains(&inside)
    })
}

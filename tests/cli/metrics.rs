//! `metrics`: the text, the server, the exporters' files, and who may read what.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use crate::support::{Database, Ran, program};

fn shop(name: &str) -> Database {
    let database = Database::new(name);
    database.sql(
        "SELECT eventcore_append(ARRAY['a'], ARRAY[0]::bigint[], '[{\"stream\":\"a\",\"type\":\"T\",\"payload\":1}]');
         SELECT eventcore_create_subscription('mails \"to\" \\all');
         SELECT eventcore_advance_checkpoint('reports', 0, 1)",
    );
    database
}

/// Has promtool check a text.
fn promtool(text: &str) {
    let child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child =
        child.expect("promtool is in Debian's prometheus: `cargo xtask setup` installs it");
    let mut input = child.stdin.take().unwrap();
    input.write_all(text.as_bytes()).unwrap();
    drop(input);
    let checked = Ran::of(child.wait_with_output().unwrap());
    assert_eq!((checked.code, checked.err.as_str()), (0, ""), "{text}");
}

#[test]
fn the_metrics_are_those_of_the_database_and_in_the_format_of_prometheus() {
    let database = shop("cli_metrics");
    let ran = database.run(&["metrics"]);
    assert_eq!(ran.err, "");
    let text = ran.ok();
    for line in [
        "eventcore_up 1",
        "# TYPE eventcore_store_events_total counter",
        "eventcore_store_events_total{datname=\"cli_metrics\"} 1",
        "eventcore_safe_position{datname=\"cli_metrics\"} 1",
        "eventcore_execute_total{datname=\"cli_metrics\",outcome=\"rejected\"} 0",
        "eventcore_events_last_position{datname=\"cli_metrics\"} 1",
        "eventcore_subscription_lag_events{datname=\"cli_metrics\",subscription=\"mails \\\"to\\\" \\\\all\"} 1",
        "eventcore_checkpoint_position{datname=\"cli_metrics\",projection=\"reports\"} 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}: {text}");
    }
    promtool(&text);
}

#[test]
fn a_role_that_only_monitors_gets_all_metrics() {
    let database = shop("cli_monitor");
    database.sql("CREATE ROLE cli_monitor LOGIN IN ROLE eventcore_monitor");
    let mut command = program();
    command.args(["--url", &database.url_of("cli_monitor"), "metrics"]);
    let ran = Ran::of(command.output().unwrap());
    assert_eq!(ran.err, "");
    let text = ran.ok();
    for name in [
        "eventcore_subscription_lag_events",
        "eventcore_checkpoint_position",
        "eventcore_events_last_position",
        "eventcore_build_info",
    ] {
        assert!(text.contains(&format!("\n{name}{{")), "{name}: {text}");
    }
    promtool(&text);
}

#[test]
fn a_role_without_rights_is_told_what_is_left_out() {
    let database = shop("cli_monitor_nobody");
    database.sql(
        "CREATE ROLE cli_monitor_nobody LOGIN; GRANT USAGE ON SCHEMA eventcore TO cli_monitor_nobody;
         GRANT SELECT ON eventcore.stat_appends TO cli_monitor_nobody;
         GRANT EXECUTE ON FUNCTION eventcore.stat_get_appends() TO cli_monitor_nobody",
    );
    let mut command = program();
    command.args(["--url", &database.url_of("cli_monitor_nobody"), "metrics"]);
    let ran = Ran::of(command.output().unwrap());
    assert!(
        ran.err.contains("left out eventcore_events: ")
            && !ran.err.contains("left out eventcore_store"),
        "{ran:?}"
    );
    let text = ran.ok();
    assert!(
        text.contains("eventcore_scrape_errors{query=\"eventcore_events\"} 1"),
        "{text}"
    );
    assert!(text.contains("eventcore_store_events_total{"), "{text}");
    promtool(&text);
}

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn prometheus_is_served_and_told_when_the_database_is_away() {
    let mut server =
        eventcore_harness::Server::start(eventcore_harness::ServerOptions::new()).unwrap();
    let url = server.create_database("served").unwrap();
    let mut command = program();
    command.args(["--url", &url, "metrics", "--listen", "127.0.0.1:0"]);
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let mut told = BufReader::new(child.stderr.take().unwrap());
    told.read_line(&mut line).unwrap();
    let address = line
        .trim()
        .trim_start_matches("metrics at http://")
        .trim_end_matches("/metrics")
        .to_owned();

    let answer = get(&address, "/metrics");
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.contains("text/plain; version=0.0.4"),
        "{answer}"
    );
    assert!(answer.contains("\neventcore_up 1\n"), "{answer}");
    assert!(get(&address, "/").starts_with("HTTP/1.1 404"));
    server.stop().unwrap();
    let answer = get(&address, "/metrics");
    assert!(answer.contains("\neventcore_up 0\n"), "{answer}");
    server.start_again().unwrap();
    let answer = get(&address, "/metrics");
    assert!(answer.contains("\neventcore_up 1\n"), "{answer}");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_file_for_node_exporter_is_replaced_at_once() {
    let database = shop("cli_textfile");
    let file = std::env::temp_dir().join(format!("eventcore-{}.prom", std::process::id()));
    std::fs::write(&file, "old").unwrap();
    database.ok(&["metrics", "--textfile", file.to_str().unwrap()]);
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("# HELP eventcore_up"), "{text}");
    std::fs::remove_file(&file).unwrap();
    let nowhere = database.run(&["metrics", "--textfile", "/no/such/folder/x.prom"]);
    assert_eq!(nowhere.code, 1, "{nowhere:?}");
}

#[test]
fn the_files_for_exporters_have_every_metric_and_their_statements_run() {
    let database = shop("cli_exporters");
    let names = |text: &str| {
        let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        types
            .map(|line| line.split(' ').next().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let own = [
        "eventcore_up",
        "eventcore_scrape_duration_seconds",
        "eventcore_scrape_errors",
    ];
    let names = names(&database.ok(&["metrics"]));
    let sql = Ran::of(
        program()
            .args(["metrics", "--exporter", "sql"])
            .output()
            .unwrap(),
    )
    .ok();
    let postgres = Ran::of(
        program()
            .args(["metrics", "--exporter", "postgres"])
            .output()
            .unwrap(),
    )
    .ok();
    for name in names.iter().filter(|name| !own.contains(&name.as_str())) {
        assert!(sql.contains(&format!("metric_name: {name}\n")), "{name}");
        // The key and the column make the name.
        let keys = postgres
            .lines()
            .filter(|line| !line.starts_with([' ', '#']) && line.ends_with(':'));
        let mut keys = keys.map(|line| line.trim_end_matches(':'));
        let has = |key: &str| {
            let column = name.strip_prefix(key)?.strip_prefix('_')?;
            postgres
                .contains(&format!("    - {column}:\n"))
                .then_some(())
        };
        assert!(keys.any(|key| has(key).is_some()), "{name}");
    }
    for block in postgres.split("  query: |\n").skip(1) {
        let lines = block.lines().take_while(|line| line.starts_with("    "));
        let statement: Vec<&str> = lines.collect();
        database.sql(&statement.join("\n"));
    }
}

#[test]
fn the_dashboard_is_printed_without_a_database() {
    let mut command = program();
    let printed = Ran::of(command.args(["metrics", "--dashboard"]).output().unwrap()).ok();
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../packaging/grafana/eventcore.json"
    );
    assert_eq!(printed, std::fs::read_to_string(file).unwrap());
}

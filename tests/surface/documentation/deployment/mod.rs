//! The files that the pages on production show are read by the programs that use them: the service,
//! systemd, Prometheus, an exporter on a server; resources of Kubernetes are checked against its types.

mod alerts;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use eventcore::PostgresEventStore;
use eventcore_harness::{Server, ServerOptions};
use orders::config::Config;

use super::page::repository;

/// What checks the resources. Their types are those of the newest versions that these have.
const PACKAGES: [&str; 6] = [
    "typescript@5",
    "yaml@2",
    "dockerfile-utils@0.16",
    "kubernetes-models@5",
    "@kubernetes-models/cloudnative-pg@2",
    "@kubernetes-models/prometheus-operator@6",
];

fn files() -> PathBuf {
    repository().join("examples/orders/deploy")
}

fn read(file: &str) -> String {
    fs::read_to_string(files().join(file)).unwrap()
}

/// A folder of a test, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = env::temp_dir().join(format!("eventcore-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Runs a program, which must succeed; its output.
#[track_caller]
fn succeed(command: &mut Command) -> String {
    let output = command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}: `cargo xtask setup` installs it"));
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}\n{text}");
    text.into_owned()
}

#[test]
fn the_service_takes_its_production_configuration_which_names_every_variable() {
    let text = read("orders.env");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let mut values: BTreeMap<&str, &str> = lines.filter_map(|line| line.split_once('=')).collect();
    // Of the traces, not of the configuration.
    assert!(values.remove("RUST_LOG").is_some());
    let asked = RefCell::new(BTreeSet::new());
    let config = Config::from_values(|name| {
        asked.borrow_mut().insert(name.to_owned());
        values.get(name).map(|value| (*value).to_owned())
    });
    let config = config.unwrap_or_else(|error| panic!("{error}"));
    let url = config.database_url.unwrap();
    assert!(PostgresEventStore::builder(&url).is_ok(), "{url}");
    let named: BTreeSet<String> = values.keys().map(ToString::to_string).collect();
    assert_eq!(named, asked.into_inner());
}

#[test]
fn the_resources_of_kubernetes_compose_and_the_dockerfiles_are_well_formed() {
    let folder = Folder::new("resources");
    fs::write(folder.0.join("package.json"), r#"{"private": true}"#).unwrap();
    let script = include_str!("validate.mjs");
    fs::write(folder.0.join("validate.mjs"), script).unwrap();
    let mut npm = Command::new("npm");
    npm.args(["install", "--silent", "--no-audit", "--no-fund"]);
    npm.arg("--ignore-scripts").args(PACKAGES);
    succeed(npm.current_dir(&folder.0));
    let mut node = Command::new("node");
    node.arg("validate.mjs")
        .args([files(), repository()])
        .current_dir(&folder.0);
    let kinds = "Cluster Deployment Namespace PodDisruptionBudget PodMonitor Service";
    assert_eq!(succeed(&mut node).trim(), kinds);
}

#[test]
fn systemd_accepts_the_unit_and_finds_it_hardened() {
    if !Path::new("/usr/bin/systemd-analyze").is_file() {
        eprintln!("not run: there is no systemd on this machine");
        return;
    }
    let folder = Folder::new("unit");
    let unit = folder.0.join("orders.service");
    // systemd looks for the program, which is not installed.
    let text = read("orders.service");
    let program = "ExecStart=/usr/local/bin/orders\n";
    assert!(text.contains(program));
    fs::write(&unit, text.replace(program, "ExecStart=/bin/true\n")).unwrap();
    let mut verify = Command::new("systemd-analyze");
    assert_eq!(succeed(verify.args(["verify", "--man=no"]).arg(&unit)), "");
    // In tenths: 0 is closed, 100 is open.
    let mut security = Command::new("systemd-analyze");
    security.args(["security", "--offline=true", "--threshold=15"]);
    succeed(security.arg(&unit));
}

#[test]
fn prometheus_accepts_its_configuration_and_the_alerts_fire_when_they_should() {
    for arguments in [
        ["check", "config", "prometheus.yml"],
        ["test", "rules", "alerts_test.yml"],
    ] {
        let mut promtool = Command::new("promtool");
        succeed(promtool.args(arguments).current_dir(files()));
    }
}

/// The words of the alerts that look like names of metrics.
fn metrics_of_the_alerts() -> Vec<String> {
    let alerts = read("alerts.yml") + &alerts::text();
    let is_no_expression = ["summary:", "runbook_url:", "#"];
    let expressions = alerts
        .lines()
        .filter(|line| !is_no_expression.iter().any(|part| line.contains(part)));
    let words = expressions.flat_map(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_'));
    let ours = ["eventcore_", "http_", "saga_", "pg_"];
    let mut metrics: Vec<String> = words
        .filter(|word| ours.iter().any(|start| word.starts_with(start)))
        .map(|word| word.trim_end_matches("_bucket").to_owned())
        .collect();
    metrics.sort();
    metrics.dedup();
    metrics
}

fn is_of_the_exporter(metric: &str) -> bool {
    let of_the_server = [
        "store_",
        "inflight_",
        "notifier_",
        "workers_",
        "subscription_",
        "projection_",
    ];
    metric.starts_with("pg_")
        || metric
            .strip_prefix("eventcore_")
            .is_some_and(|name| of_the_server.iter().any(|start| name.starts_with(start)))
}

#[test]
fn the_service_and_the_client_have_the_metrics_of_the_alerts() {
    let mut code = String::new();
    for folder in ["client/src", "examples/orders/src"] {
        collect(&repository().join(folder), &mut code);
    }
    let metrics = metrics_of_the_alerts().into_iter();
    // What the command `eventcore metrics` says of itself.
    let of_a_scrape = ["eventcore_up", "eventcore_scrape_errors"];
    let metrics = metrics.filter(|name| !of_a_scrape.contains(&name.as_str()));
    let missing: Vec<_> = metrics
        .filter(|name| !is_of_the_exporter(name) && !code.contains(&format!("\"{name}\"")))
        .collect();
    assert_eq!(missing, Vec::<String>::new());
}

fn collect(folder: &Path, code: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, code);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            *code += &fs::read_to_string(path).unwrap();
        }
    }
}

/// Things to have metrics of.
const THINGS: &str = "
    SELECT FROM eventcore_create_subscription('mails');
    CREATE FUNCTION f(event eventcore.events) RETURNS void LANGUAGE sql AS 'SELECT';
    SELECT FROM eventcore_create_projection('shop', 'f');
    SELECT FROM eventcore_append('{order-1}', '{0}', '[{\"stream\": \"order-1\", \"type\": \"Placed\", \"payload\": {}}]')";

#[test]
fn an_exporter_with_the_role_for_it_exports_the_metrics_of_the_alerts() {
    let server = Server::start(ServerOptions::new()).unwrap();
    server.create_empty_database("exported").unwrap();
    for script in [&read("extension.sql"), &read("roles.sql"), THINGS] {
        server.psql("exported", script).unwrap();
    }
    // Again, as it says that it may be.
    server.psql("exported", &read("roles.sql")).unwrap();

    let exported = export(&server, "exported");
    let metrics = metrics_of_the_alerts().into_iter();
    let missing: Vec<_> = metrics
        .filter(|name| is_of_the_exporter(name))
        .filter(|name| !exported.lines().any(|line| is_of(line, name)))
        .collect();
    assert_eq!(missing, Vec::<String>::new(), "{exported}");
    for line in [
        "pg_up 1",
        "eventcore_store_appends_total{datname=\"exported\",server=\"…\"} 1",
        "eventcore_subscription_lag_events{datname=\"exported\",server=\"…\",subscription=\"mails\"} 1",
        "eventcore_projection_failed{datname=\"exported\",projection=\"shop\",server=\"…\"} 0",
    ] {
        let (start, end) = line.split_once('…').unwrap_or((line, ""));
        let found = |line: &str| line.starts_with(start) && line.ends_with(end);
        assert!(exported.lines().any(found), "{line}\n{exported}");
    }
}

fn is_of(line: &str, metric: &str) -> bool {
    let rest = line.strip_prefix(metric);
    rest.is_some_and(|rest| rest.starts_with([' ', '{']))
}

/// Runs the exporter until it has seen the database; what it exports.
fn export(server: &Server, database: &str) -> String {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let (host, port) = (server.socket_folder().display(), server.port());
    let name = format!("host={host} port={port} user=exporter dbname={database} sslmode=disable");
    let queries = files().join("queries.yaml");
    let mut exporter = Command::new("prometheus-postgres-exporter")
        .args(["--disable-default-metrics", "--disable-settings-metrics"])
        .arg(format!("--extend.query-path={}", queries.display()))
        .arg(format!("--web.listen-address={address}"))
        .env("DATA_SOURCE_NAME", name)
        .stderr(Stdio::null())
        .spawn()
        .expect("`cargo xtask setup` installs Debian's prometheus-postgres-exporter");
    let end = Instant::now() + Duration::from_secs(60);
    let exported = loop {
        let text = get(&address.to_string()).unwrap_or_default();
        if text.contains("eventcore_projection_failed{") || Instant::now() > end {
            break text;
        }
        thread::sleep(Duration::from_millis(100));
    };
    exporter.kill().unwrap();
    exporter.wait().unwrap();
    exported
}

fn get(address: &str) -> std::io::Result<String> {
    let mut connection = std::net::TcpStream::connect(address)?;
    connection.write_all(b"GET /metrics HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    Ok(answer)
}

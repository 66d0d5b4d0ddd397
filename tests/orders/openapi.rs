//! The OpenAPI document, held against the service by Schemathesis, which comes from PyPI into a folder
//! that is deleted afterwards. The events are in memory: the document is the same on PostgreSQL.

use std::path::Path;
use std::process::{Command, id};
use std::{env, fs};

use eventcore::InMemoryEventStore;
use orders::store::Store;
use serde_json::json;

use crate::suite::support::Ground;

const VERSION: &str = "schemathesis==4.32.5";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_service_does_what_its_document_says() {
    let ground = Ground::new(Store::Memory(InMemoryEventStore::new()));
    let shop = ground.with("FULFIL_WAIT_SECONDS", "0").start().await;
    shop.post("/seed", json!({ "orders": 8 })).await.expect(200);
    let document = format!("{}/openapi.json", shop.url());
    let checked = tokio::task::spawn_blocking(move || check(&document));
    checked.await.unwrap();
}

/// Sends valid and invalid requests to every route that ends by itself, and checks the answers.
fn check(document: &str) {
    let folder = env::temp_dir().join(format!("eventcore-openapi-{}", id()));
    fs::create_dir(&folder).unwrap();
    let python = folder.join("venv/bin/python");
    succeeds(
        Command::new("python3")
            .args(["-m", "venv"])
            .arg(folder.join("venv")),
    );
    succeeds(Command::new(&python).args(["-m", "pip", "install", "--quiet", VERSION]));

    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("orders/schemathesis.toml");
    let mut run = Command::new(folder.join("venv/bin/st"));
    run.current_dir(&folder).arg("--config-file").arg(config);
    run.args(["run", document, "--exclude-path", "/live"]);
    run.args([
        "--phases",
        "examples,coverage,fuzzing",
        "--max-examples",
        "5",
    ]);
    run.args(["--seed", "1", "--continue-on-failure", "--warnings", "off"]);
    succeeds(&mut run);
    fs::remove_dir_all(&folder).unwrap();
}

/// Runs a command that succeeds.
#[track_caller]
fn succeeds(command: &mut Command) {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{command:?}\n{out}{err}");
}

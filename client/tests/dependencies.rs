//! The default dependencies of the crate: no async runtime, and only what its core types need.

use std::collections::BTreeSet;
use std::process::Command;

/// The names of the dependencies with default features, up to this depth.
fn dependencies(depth: &[&str]) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--package", "eventcore", "--edges", "normal"])
        .args(["--prefix", "none", "--format", "{p}", "--locked"])
        .args(depth)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let tree = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let names = tree.lines().filter_map(|line| line.split(' ').next());
    names
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

#[test]
fn by_default_it_depends_on_what_its_core_types_need() {
    let direct = dependencies(&["--depth", "1"]);
    let expected = [
        "eventcore",
        "eventcore-macros",
        "eventcore-rules",
        "futures-core",
        "lru",
        "serde",
        "serde_json",
        "thiserror",
        "uuid",
    ];
    assert_eq!(direct, expected.map(str::to_owned).into());
}

#[test]
fn by_default_it_brings_no_async_runtime() {
    let all = dependencies(&[]);
    assert!(all.len() > 8, "{all:?}");
    for runtime in [
        "tokio",
        "async-std",
        "smol",
        "async-executor",
        "mio",
        "futures-executor",
    ] {
        assert!(!all.contains(runtime), "{runtime} in {all:?}");
    }
}

//! How the modules of a crate depend on one another, and where `unsafe` is allowed.

use std::collections::{BTreeMap, BTreeSet};

use crate::files::{self, File};
use crate::rust::{code, names_after};

/// Where the extension may be unsafe.
const UNSAFE: [&str; 4] = [
    "extension/src/pg/",
    "extension/src/functions",
    "extension/src/load.rs",
    "extension/src/pg_tests.rs",
];

/// Modules of tests and of the installation; nothing depends on them.
const LEFT_OUT: [&str; 1] = ["pg_tests"];

type Graph = BTreeMap<String, BTreeSet<String>>;

#[test]
fn the_modules_of_the_extension_have_no_circles() {
    check_circles("extension/src");
}

#[test]
fn the_modules_of_the_client_have_no_circles() {
    check_circles("client/src");
}

fn check_circles(source: &str) {
    let graph = graph(source);
    let arrows: usize = graph.values().map(BTreeSet::len).sum();
    assert!(
        arrows > 20,
        "{source}: only {arrows} dependencies were found"
    );
    if let Some(circle) = circles(&graph).first() {
        panic!(
            "{source}: these modules depend on one another. Move the part that they share to a \
             module below them.\n{}",
            explain(&graph, circle)
        );
    }
}

/// `lib.rs` of the client lists the modules in reading order.
#[test]
fn each_module_of_the_client_uses_only_those_that_lib_rs_lists_above_it() {
    let graph = graph("client/src");
    let facade = code(&files::read("client/src/lib.rs"));
    let order: Vec<&str> = declared(&facade).collect();
    for (module, used) in &graph {
        // Documentation only.
        if module == "book" {
            continue;
        }
        let place = |name: &str| order.iter().position(|listed| *listed == name);
        for other in used {
            assert!(
                place(other) < place(module),
                "client/src/{module} uses {other}, which client/src/lib.rs lists below it"
            );
        }
    }
}

/// The modules that a file declares, in their order.
fn declared(code: &str) -> impl Iterator<Item = &str> {
    let lines = code.lines().map(str::trim);
    lines.filter_map(|line| {
        let line = line.strip_prefix("pub ").unwrap_or(line);
        line.strip_prefix("mod ")?.strip_suffix(';')
    })
}

/// For each module of a crate, the modules that it uses.
fn graph(source: &str) -> Graph {
    let files = files::below(source, &[".rs"]);
    let modules: BTreeSet<&str> = files.iter().map(|file| module(source, file)).collect();
    let facade = files
        .iter()
        .find(|file| file.path == format!("{source}/lib.rs"))
        .unwrap();
    let facade = re_exports(&code(&facade.text), &modules);
    let mut graph = Graph::new();
    for file in &files {
        let own = module(source, file);
        if own == "lib" || LEFT_OUT.contains(&own) {
            continue;
        }
        let code = code(&file.text);
        let mut names = names_after(&code, "crate");
        let inner = file.path[source.len() + 1..].matches('/').count();
        let is_root = inner == 0 || (inner == 1 && file.path.ends_with("/mod.rs"));
        match (is_root, inner) {
            // An inner module of the file may refer to the file itself: only modules count.
            (true, _) => names.extend(
                names_after(&code, "super")
                    .iter()
                    .filter(|n| modules.contains(*n)),
            ),
            (false, 1) => names.extend(names_after(&code, "super::super")),
            _ => {}
        }
        let used = names
            .into_iter()
            .filter_map(|name| match modules.contains(name) {
                true => Some(name.to_owned()),
                false => facade.get(name).cloned(),
            });
        let used = used.filter(|name| name != own && name != "lib");
        graph.entry(own.to_owned()).or_default().extend(used);
    }
    graph
}

/// The top-level module that a file belongs to.
fn module<'a>(source: &str, file: &'a File) -> &'a str {
    let inside = &file.path[source.len() + 1..];
    let first = inside.split('/').next().unwrap();
    first.trim_end_matches(".rs")
}

/// The items that `lib.rs` re-exports, each with its module.
fn re_exports(code: &str, modules: &BTreeSet<&str>) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for statement in code.split("pub use ").skip(1) {
        let statement = statement.split(';').next().unwrap();
        let Some((module, items)) = statement.split_once("::") else {
            continue;
        };
        if modules.contains(module) {
            found.extend(files::words(items).map(|item| (item.to_owned(), module.to_owned())));
        }
    }
    found
}

/// The groups of modules that can each be reached from each other.
fn circles(graph: &Graph) -> Vec<Vec<&str>> {
    let reached: BTreeMap<&str, BTreeSet<&str>> = graph
        .keys()
        .map(|from| (from.as_str(), reach(graph, from)))
        .collect();
    let mut found: Vec<Vec<&str>> = Vec::new();
    for (module, from_here) in &reached {
        let back = |other: &&str| {
            reached
                .get(other)
                .is_some_and(|there| there.contains(module))
        };
        let group: Vec<&str> = from_here.iter().copied().filter(back).collect();
        if group.len() > 1 && !found.contains(&group) {
            found.push(group);
        }
    }
    found
}

fn reach<'a>(graph: &'a Graph, from: &str) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut next: Vec<&str> = graph[from].iter().map(String::as_str).collect();
    while let Some(module) = next.pop() {
        if found.insert(module) {
            next.extend(graph.get(module).into_iter().flatten().map(String::as_str));
        }
    }
    found
}

fn explain(graph: &Graph, circle: &[&str]) -> String {
    let uses = |module: &&str| {
        let used = graph[*module]
            .iter()
            .filter(|used| circle.contains(&used.as_str()));
        let used: Vec<&str> = used.map(String::as_str).collect();
        format!("  {module} -> {}\n", used.join(", "))
    };
    format!(
        "{}  the circle: {circle:?}",
        circle.iter().map(uses).collect::<String>()
    )
}

#[test]
fn the_extension_is_unsafe_only_where_it_may_be() {
    for file in files::below("extension/src", &[".rs"]) {
        if UNSAFE.iter().any(|place| file.path.starts_with(place)) {
            continue;
        }
        let code = code(&file.text);
        assert!(
            !files::words(&code).any(|word| word == "unsafe"),
            "{} is unsafe: wrap it in extension/src/pg",
            file.path
        );
        // `lib.rs` allows it for the places above, and for no others.
        let allowed = code.matches("allow(unsafe_code)").count();
        let most = if file.path == "extension/src/lib.rs" {
            3
        } else {
            0
        };
        assert!(allowed <= most, "{} allows unsafe code", file.path);
    }
}

/// The rules are what both sides share: they name neither side, nor any other crate.
#[test]
fn the_rules_depend_on_nothing() {
    let manifest = files::read("rules/Cargo.toml");
    let own = manifest
        .split("\n[dependencies]")
        .nth(1)
        .unwrap_or_default();
    let own = own.split("\n[").next().unwrap_or_default();
    let own: Vec<&str> = own.lines().filter(|line| line.contains('=')).collect();
    assert!(own.is_empty(), "{own:?}");
}

#[test]
fn circles_are_found() {
    let arrows = [("a", "b"), ("b", "c"), ("c", "a"), ("d", "a"), ("c", "e")];
    let mut graph = Graph::new();
    for (from, to) in arrows {
        graph
            .entry(from.to_owned())
            .or_default()
            .insert(to.to_owned());
    }
    assert_eq!(circles(&graph), [["a", "b", "c"]]);
}

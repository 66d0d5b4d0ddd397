//! Every block of the book that can run is run, page by page, each page in a database of its own.
//! Its output must be what the page shows. A block that cannot run says why.

use std::sync::OnceLock;

use eventcore_harness::{Server, ServerOptions};

use super::page::{Block, Page, difference, repository};
use super::programs;

/// Languages of blocks that are not run: configuration, drawings and data.
const SHOWN_ONLY: &[&str] = &["conf", "ini", "json", "text", "toml", "yaml"];

/// The program of `start/rust.md`, as the binary that is built with the tests.
const FIRST_PROGRAM: &str = include_str!("../../documentation/first_program.rs");

/// A server for the book alone, because a page may create roles. It has slots for the workers of
/// projections.
fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let options = ServerOptions::new().set("max_worker_processes", "32");
        Server::start(options).unwrap()
    })
}

/// What is wrong with a block, if anything.
fn run(block: &Block, database: &str) -> Option<String> {
    let server = server();
    let ran = match block.language.as_str() {
        "sql" => programs::psql(server, database, &block.code),
        "sh" => programs::shell(server, database, &block.code),
        "python" => programs::python(server, database, &block.code),
        "js" => programs::node(server, database, &block.code),
        _ => return None,
    };
    // psql continues after an error: some pages show one.
    let failed = !ran.succeeded || ran.output.contains("ERROR:");
    match &block.output {
        Some(shown) => difference(shown, &ran.output),
        None if failed => Some(ran.output),
        None => None,
    }
}

#[track_caller]
fn run_pages(folder: &str) {
    let mut wrong = Vec::new();
    for page in Page::below(folder) {
        let blocks = page.blocks();
        let runs = |block: &&Block| block.not_run.is_none();
        if !blocks
            .iter()
            .filter(runs)
            .any(|block| ["sql", "sh", "python", "js"].contains(&block.language.as_str()))
        {
            continue;
        }
        let name = page.path.trim_end_matches(".md").replace(['/', '-'], "_");
        // The page that starts from nothing creates the extension itself.
        if page.text.contains("\nCREATE EXTENSION eventcore;") {
            server().create_empty_database(&name).unwrap();
        } else {
            server().create_database(&name).unwrap();
        }
        for block in blocks.iter().filter(runs) {
            if let Some(difference) = run(block, &name) {
                let line = block.line;
                wrong.push(format!("docs/{}, line {line}\n{difference}\n", page.path));
            }
        }
        let drop = format!("DROP DATABASE \"{name}\" WITH (FORCE)");
        server().psql("postgres", &drop).unwrap();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_pages_of_the_start_run_as_shown() {
    run_pages("start");
}

#[test]
fn the_pages_of_the_concepts_run_as_shown() {
    run_pages("concepts");
}

#[test]
fn the_guides_run_as_shown() {
    run_pages("guides");
    programs::remove_drivers();
}

#[test]
fn the_reference_runs_as_shown() {
    run_pages("reference");
}

#[test]
fn the_pages_on_operations_run_as_shown() {
    run_pages("operations");
}

#[test]
fn the_first_program_is_the_one_that_the_page_shows_and_prints_what_it_says() {
    let page = Page::below("start")
        .into_iter()
        .find(|page| page.path == "start/rust.md")
        .unwrap();
    let blocks = page.blocks();
    let block = blocks
        .iter()
        .find(|block| block.code.trim_end() == FIRST_PROGRAM.trim_end())
        .expect("docs/start/rust.md does not show tests/documentation/first_program.rs");
    server().create_database("first_program").unwrap();
    let ran = programs::binary(
        server(),
        "first_program",
        env!("CARGO_BIN_EXE_first_program"),
    );
    assert!(ran.succeeded, "{}", ran.output);
    let shown = block.output.as_deref().unwrap();
    assert_eq!(difference(shown, &ran.output), None);
}

/// A block is run, is a doctest, is only shown, or says why it is not run.
#[test]
fn every_block_of_the_book_has_a_runner_or_a_reason() {
    let doctests = std::fs::read_to_string(repository().join("client/src/book.rs")).unwrap();
    let mut wrong = Vec::new();
    let pages = Page::below("").into_iter();
    // Decisions quote experiments; they are not instructions.
    for page in pages.filter(|page| !page.path.starts_with("decisions/")) {
        for block in page.blocks() {
            let language = block.language.as_str();
            let accounted = match language {
                "sql" | "sh" | "python" | "js" => true,
                "rust" | "rust,no_run" => doctests.contains(&format!("docs/{}\"", page.path)),
                _ => SHOWN_ONLY.contains(&language),
            };
            let reason = block.not_run.as_deref().unwrap_or("none is needed");
            if !accounted && block.not_run.is_none() || reason.len() < 10 {
                wrong.push(format!(
                    "docs/{}, line {}: {language}",
                    page.path, block.line
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

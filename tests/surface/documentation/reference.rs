//! `P13`: the reference covers every public function, every view and its columns, every setting,
//! SQLSTATE and reason.

use std::fs;

use super::page::{Page, repository};
use crate::support::{session, sql_files};

/// The reference as one text.
fn reference() -> String {
    let pages = Page::below("reference");
    pages.iter().map(|page| page.text.as_str()).collect()
}

/// One page of it.
fn page(path: &str) -> String {
    let pages = Page::below("reference");
    let page = pages.into_iter().find(|page| page.path == path);
    page.unwrap_or_else(|| panic!("there is no docs/{path}"))
        .text
}

/// Rows of one text each.
async fn names(sql: &str) -> Vec<String> {
    let rows = session().await.query(sql, &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn every_public_function_has_a_heading_with_its_signature() {
    let functions = names(
        "SELECT DISTINCT proname::text FROM pg_proc
          WHERE proname LIKE 'eventcore\\_%' AND pronamespace = 'public'::regnamespace",
    )
    .await;
    assert!(functions.len() > 35, "{functions:?}");
    let reference = reference();
    let missing: Vec<_> = functions
        .iter()
        .filter(|name| !reference.contains(&format!("\n### {name}\n")))
        .collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

/// Every argument of a function is named in the section of that function.
#[tokio::test]
async fn every_argument_of_a_public_function_is_named_with_it() {
    let rows = session()
        .await
        .query(
            "SELECT DISTINCT proname::text, argument
               FROM pg_proc, unnest(proargnames[:pronargs]) AS argument
              WHERE proname LIKE 'eventcore\\_%' AND pronamespace = 'public'::regnamespace",
            &[],
        )
        .await
        .unwrap();
    let reference = reference();
    let mut missing = Vec::new();
    for row in rows {
        let (function, argument): (String, String) = (row.get(0), row.get(1));
        let heading = format!("\n### {function}\n");
        let section = reference.split_once(&heading).map_or("", |(_, rest)| rest);
        let section = section.split_once("\n### ").map_or(section, |(it, _)| it);
        if !section.contains(&argument) {
            missing.push(format!("{function}({argument})"));
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[tokio::test]
async fn every_view_and_every_column_of_a_view_is_in_the_page_on_views() {
    let rows = session()
        .await
        .query(
            "SELECT table_name::text, column_name::text FROM information_schema.columns
              JOIN information_schema.views USING (table_schema, table_name)
             WHERE table_schema = 'eventcore'",
            &[],
        )
        .await
        .unwrap();
    assert!(rows.len() > 60);
    let page = page("reference/views.md");
    let mut missing = Vec::new();
    for row in rows {
        let (view, column): (String, String) = (row.get(0), row.get(1));
        let heading = format!("\n## eventcore.{view}\n");
        let section = page.split_once(&heading).map_or("", |(_, rest)| rest);
        let section = section.split_once("\n## ").map_or(section, |(it, _)| it);
        if !section.contains(&format!("| `{column}` |")) {
            missing.push(format!("{view}.{column}"));
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[tokio::test]
async fn every_table_is_in_the_page_on_tables() {
    let tables =
        names("SELECT tablename::text FROM pg_tables WHERE schemaname = 'eventcore'").await;
    assert!(tables.len() >= 14);
    let page = page("reference/tables.md");
    let missing: Vec<_> = tables
        .iter()
        .filter(|table| !page.contains(&format!("| `eventcore.{table}` |")))
        .collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

#[tokio::test]
async fn every_setting_and_its_default_are_in_the_page_on_settings() {
    let rows = session()
        .await
        .query(
            "SELECT name::text, boot_val::text FROM pg_settings WHERE name LIKE 'eventcore.%'",
            &[],
        )
        .await
        .unwrap();
    assert!(rows.len() >= 4);
    let page = page("reference/settings.md");
    for row in rows {
        let (name, default): (String, String) = (row.get(0), row.get(1));
        let line = format!("| `{name}` | `{default}` |");
        assert!(page.contains(&line), "{line}");
    }
}

/// The word after each occurrence of a mark.
fn words_after(text: &str, mark: &str) -> Vec<String> {
    let rests = text.split(mark).skip(1);
    rests
        .map(|rest| {
            let end = rest.find(|c: char| !(c.is_ascii_lowercase() || c == '_'));
            rest[..end.unwrap_or(rest.len())].to_owned()
        })
        .collect()
}

#[test]
fn every_reason_of_se009_is_in_the_page_on_errors() {
    let code = repository().join("extension/src/error/unavailable.rs");
    let code = fs::read_to_string(code).unwrap();
    let function = code.split_once("fn report(").unwrap().1;
    let function = function.split_once("\n    }\n").unwrap().0;
    let mut reasons = words_after(function, "=> (\n                \"");
    for sql in sql_files() {
        reasons.extend(words_after(&sql, "fail_unavailable('"));
        reasons.extend(words_after(&sql, "{\"reason\": \""));
    }
    assert!(reasons.len() > 20, "{reasons:?}");
    let page = page("reference/errors.md");
    let missing: Vec<_> = reasons
        .iter()
        .filter(|reason| !page.contains(&format!("| `{reason}` |")))
        .collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn every_sqlstate_of_ours_is_in_the_page_on_errors() {
    let page = page("reference/errors.md");
    for code in eventcore::ErrorCode::ALL {
        let code = code.sqlstate();
        assert!(page.contains(&format!("| {code} |")), "{code}");
    }
}

//! Events as an application might write them, about 120 bytes of JSON each.

pub(crate) const PAYLOAD: &str = r#"{"from": "account-000123", "to": "account-000456", "cents": 123456, "currency": "EUR", "reference": "invoice 2026-11-001"}"#;

/// `count` events in the JSON form of `eventcore_append`; their stream is `@`.
pub(crate) fn json_events(count: usize) -> String {
    let event = format!(r#"{{"stream": "@", "type": "OrderLineAdded", "payload": {PAYLOAD}}}"#);
    format!("[{}]", vec![event; count].join(", "))
}

/// `count` types, as the text of a `text[]`.
pub(crate) fn types(count: usize) -> String {
    format!("{{{}}}", vec!["OrderLineAdded"; count].join(","))
}

/// `count` payloads, as the text of a `jsonb[]`.
pub(crate) fn payloads(count: usize) -> String {
    let quoted = format!("\"{}\"", PAYLOAD.replace('"', "\\\""));
    format!("{{{}}}", vec![quoted; count].join(","))
}

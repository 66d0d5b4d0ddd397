//! What the validated types accept and refuse.

use eventcore::{CorrelationId, EventId, EventType, Position, StreamId, StreamVersion};

#[test]
fn a_name_obeys_the_rule_of_names_however_it_is_made() {
    for bad in ["", "a\nb", &"a".repeat(256)] {
        assert!(StreamId::new(bad).is_err());
        assert!(bad.parse::<EventType>().is_err());
        assert!(StreamId::try_from(bad.to_owned()).is_err());
        let json = serde_json::to_string(bad).unwrap();
        assert!(serde_json::from_str::<StreamId>(&json).is_err());
    }
    let id: StreamId = serde_json::from_str("\"konto ü/1\"").unwrap();
    assert_eq!(id, "konto ü/1");
    assert_eq!(serde_json::to_string(&id).unwrap(), "\"konto ü/1\"");
    assert_eq!(format!("{id:>10}"), " konto ü/1");
}

#[test]
fn an_error_contains_why_a_value_is_invalid() {
    let message = StreamId::new("").unwrap_err().to_string();
    assert_eq!(message, "invalid stream id: it is empty");
    let message = "x".parse::<EventId>().unwrap_err().to_string();
    assert_eq!(message, "invalid event id: it is not a UUID");
    let message = "-1".parse::<Position>().unwrap_err().to_string();
    assert_eq!(
        message,
        format!(
            "invalid position: it is not a whole number from 0 to {}",
            u64::MAX
        )
    );
}

#[test]
fn ids_are_uuids_of_version_7_in_order() {
    let ids: Vec<_> = (0..100).map(|_| EventId::new()).collect();
    assert!(ids.is_sorted());
    assert_eq!(ids[0].as_uuid().get_version_num(), 7);
    let id = CorrelationId::new();
    assert_eq!(id.to_string().parse::<CorrelationId>().unwrap(), id);
    assert_eq!(
        serde_json::from_value::<CorrelationId>(id.to_string().into()).unwrap(),
        id
    );
}

#[test]
fn numbers_are_plain_numbers_in_json_and_text() {
    let version = StreamVersion::new(7);
    assert_eq!(serde_json::to_string(&version).unwrap(), "7");
    assert_eq!(
        version.to_string().parse::<StreamVersion>().unwrap(),
        version
    );
    assert!(Position::START < Position::new(1));
}

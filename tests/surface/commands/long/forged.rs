//! P13: rows of `eventcore.command_states` that no execution wrote.

use super::{chain, fill, folded, kept, last_payload, link, state_of};

/// Changes to a valid row, each of which makes it unusable.
const FORGERIES: [&str; 14] = [
    "last_version = 301",
    "last_version = 9223372036854775807",
    "last_version = 0",
    "last_version = -5",
    "last_version = -9223372036854775808",
    "last_version = last_version - 1",
    "first_version = 2",
    "first_version = 0",
    "first_version = -1, last_version = -1",
    "last_event_id = gen_random_uuid()",
    "made_by = 0",
    "made_by = made_by + 1",
    "stream_id = 'other'",
    "role = 10000000",
];

#[tokio::test]
async fn a_row_that_does_not_fit_is_not_used_and_is_replaced() {
    let (_, client) = chain("forged", ", snapshot_every => 3").await;
    fill(&client, "s", 300).await;
    for forgery in FORGERIES {
        link(&client, &["s"]).await;
        link(&client, &["s"]).await;
        client
            .batch_execute("SELECT eventcore_discard_command_states('chain')")
            .await
            .unwrap();
        let length = folded(&client, &["s"]).await;
        let forge = format!("UPDATE eventcore.command_states SET state = '\"forged\"', {forgery}");
        client.batch_execute(&forge).await.unwrap();
        let expected = state_of(&client, &["s"]).await;
        assert_eq!(folded(&client, &["s"]).await, length + 1, "{forgery}");
        assert_eq!(last_payload(&client, "s").await, expected, "{forgery}");
        assert!(
            kept(&client).await.contains(&("s".to_owned(), length + 1)),
            "{forgery}"
        );
        assert_eq!(folded(&client, &["s"]).await, 1, "{forgery}");
    }
}

/// A role that may write the table decides which state `apply` continues from; no value causes a
/// crash.
#[tokio::test]
async fn any_value_may_stand_for_a_state() {
    let (_, client) = chain("forged_values", "").await;
    fill(&client, "s", 300).await;
    link(&client, &["s"]).await;
    for state in ["null", "1", "[]", "{\"a\": [1, {}]}", "\"x\""] {
        let forge = format!("UPDATE eventcore.command_states SET state = '{state}'");
        client.batch_execute(&forge).await.unwrap();
        link(&client, &["s"]).await;
    }
    let large = "UPDATE eventcore.command_states
                    SET state = (SELECT jsonb_agg(gen_random_uuid()) FROM generate_series(1, 100000))";
    client.batch_execute(large).await.unwrap();
    link(&client, &["s"]).await;
}

/// The state includes events that no longer exist, or that differ from those that exist.
#[tokio::test]
async fn a_stream_that_is_not_what_it_was_is_folded_from_its_start() {
    let (_, client) = chain("forged_stream", "").await;
    fill(&client, "s", 300).await;
    assert_eq!(folded(&client, &["s"]).await, 300);
    let change = |sql: &str| {
        let triggers = ["events_are_immutable", "every_event_is_immutable"];
        let [off, on] = ["DISABLE", "ENABLE ALWAYS"].map(|how| {
            let each = triggers
                .map(|trigger| format!("ALTER TABLE eventcore.events {how} TRIGGER {trigger};"));
            each.concat()
        });
        format!("{off} {sql}; {on}")
    };
    let shorter = change("DELETE FROM eventcore.events WHERE version < 50");
    client.batch_execute(&shorter).await.unwrap();
    assert_eq!(folded(&client, &["s"]).await, 252);
    assert_eq!(folded(&client, &["s"]).await, 1);
    let other = change("UPDATE eventcore.events SET event_id = gen_random_uuid()");
    client.batch_execute(&other).await.unwrap();
    assert_eq!(folded(&client, &["s"]).await, 254);
    let shorter = change("DELETE FROM eventcore.events WHERE version > 280");
    client.batch_execute(&shorter).await.unwrap();
    assert_eq!(folded(&client, &["s"]).await, 231);
}

/// Commands then work without saved states.
#[tokio::test]
async fn a_table_that_was_altered_is_left_alone() {
    for (name, alteration) in [
        (
            "forged_type",
            "ALTER TABLE eventcore.command_states ALTER COLUMN state TYPE text",
        ),
        (
            "forged_column",
            "ALTER TABLE eventcore.command_states DROP COLUMN kept_at",
        ),
        (
            "forged_null",
            "ALTER TABLE eventcore.command_states ALTER COLUMN last_event_id DROP NOT NULL",
        ),
        (
            "forged_key",
            "ALTER TABLE eventcore.command_states DROP CONSTRAINT command_states_pkey;
             CREATE INDEX command_states_pkey ON eventcore.command_states (role)",
        ),
    ] {
        let (_, client) = chain(name, "").await;
        fill(&client, "s", 300).await;
        link(&client, &["s"]).await;
        client.batch_execute(alteration).await.unwrap();
        assert_eq!(folded(&client, &["s"]).await, 301, "{alteration}");
        assert_eq!(folded(&client, &["s"]).await, 302, "{alteration}");
    }
}

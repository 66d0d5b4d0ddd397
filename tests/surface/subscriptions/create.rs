//! Creating and dropping: definitions, filters, start positions.

use super::{create, drain, write};
use crate::support::{database, failure, value};

#[tokio::test]
async fn creating_again_with_the_same_definition_is_no_error_and_with_another_is() {
    let (_, client) = database("sub_create").await;
    let more = ", stream_prefixes => '{a,b}', event_types => '{T}', lease => '1 min', retry_limit => 3, on_parked => 'stop'";
    assert!(create(&client, "s", more).await);
    assert!(!create(&client, "s", more).await);
    // The start is not part of the definition.
    assert!(!create(&client, "s", &format!("{more}, start_from => 'now'")).await);
    for other in [
        "",
        ", stream_prefixes => '{a}', event_types => '{T}', lease => '1 min', retry_limit => 3, on_parked => 'stop'",
        ", stream_prefixes => '{a,b}', event_types => '{T}', lease => '2 min', retry_limit => 3, on_parked => 'stop'",
        ", stream_prefixes => '{a,b}', event_types => '{T}', lease => '1 min', retry_limit => 4, on_parked => 'stop'",
        ", stream_prefixes => '{a,b}', event_types => '{T}', lease => '1 min', retry_limit => 3",
    ] {
        let sql = format!("SELECT eventcore_create_subscription('s'{other})");
        let detail = failure(client.execute(&sql, &[]).await).assert_ours("SE003");
        assert_eq!(detail["argument"], "name", "{other}");
    }
}

#[tokio::test]
async fn a_subscription_starts_at_the_start_now_or_after_a_position() {
    let (_, client) = database("sub_start").await;
    let written = write(&client, &["a", "b", "c"]).await;
    create(&client, "start", "").await;
    create(&client, "now", ", start_from => 'now'").await;
    let after = format!(", start_from => '{}'", written[1]);
    create(&client, "position", &after).await;
    let later = write(&client, &["d"]).await;
    assert_eq!(
        drain(&client, "start").await,
        [written.clone(), later.clone()].concat()
    );
    assert_eq!(drain(&client, "now").await, later);
    assert_eq!(drain(&client, "position").await, [written[2], later[0]]);
}

#[tokio::test]
async fn a_filter_takes_prefixes_letter_by_letter_and_types_as_a_whole() {
    let (_, client) = database("sub_filter").await;
    let written = write(&client, &["a_1", "ab1", "a%1", "b_1", "a_2"]).await;
    create(&client, "prefix", ", stream_prefixes => '{a_}'").await;
    create(&client, "percent", ", stream_prefixes => '{a%,b}'").await;
    create(&client, "type", ", event_types => '{Count}'").await;
    create(
        &client,
        "both",
        ", stream_prefixes => '{a}', event_types => '{Counted,Other}'",
    )
    .await;
    assert_eq!(drain(&client, "prefix").await, [written[0], written[4]]);
    assert_eq!(drain(&client, "percent").await, [written[2], written[3]]);
    assert!(drain(&client, "type").await.is_empty());
    assert_eq!(
        drain(&client, "both").await,
        [written[0], written[1], written[2], written[4]]
    );
}

/// 100,000 events that do not match are read only once.
#[tokio::test]
async fn a_filter_that_lets_little_through_does_not_look_at_the_same_events_twice() {
    let (_, client) = database("sub_selective").await;
    let fill = "SELECT eventcore_append('{many}', '{NULL}', array_fill('many'::text, ARRAY[30000]),
                    array_fill('T'::text, ARRAY[30000]), array_fill('1'::jsonb, ARRAY[30000]), NULL)";
    create(&client, "few", ", stream_prefixes => '{few}'").await;
    for _ in 0..4 {
        client.execute(fill, &[]).await.unwrap();
    }
    let wanted = write(&client, &["few"]).await;
    assert_eq!(drain(&client, "few").await, wanted);
    client.execute(fill, &[]).await.unwrap();
    assert!(drain(&client, "few").await.is_empty());
    let read: i64 = value(&client, "SELECT read_position FROM eventcore.subscriptions").await;
    assert_eq!(
        read,
        value::<i64>(&client, "SELECT eventcore_safe_position()").await
    );
    // If there is nothing new, nothing is written, not even the position.
    let version = "SELECT xmin::text FROM eventcore.subscriptions";
    let before: String = value(&client, version).await;
    assert!(drain(&client, "few").await.is_empty());
    assert_eq!(value::<String>(&client, version).await, before);
}

#[tokio::test]
async fn a_dropped_subscription_is_gone_with_all_that_belongs_to_it() {
    let (_, client) = database("sub_drop").await;
    write(&client, &["a", "b"]).await;
    create(&client, "s", "").await;
    super::poll(&client, "s", "c", 10).await;
    client
        .execute("SELECT eventcore_drop_subscription('s')", &[])
        .await
        .unwrap();
    for table in ["subscriptions", "deliveries", "parked"] {
        let sql = format!("SELECT count(*) FROM eventcore.{table}");
        assert_eq!(value::<i64>(&client, &sql).await, 0);
    }
    assert!(create(&client, "s", "").await);
    assert_eq!(drain(&client, "s").await.len(), 2);
}

#[tokio::test]
async fn two_sessions_that_create_the_same_subscription_at_once_make_one() {
    let (url, client) = database("sub_create_race").await;
    let creates: Vec<_> = (0..8)
        .map(|_| {
            let url = url.clone();
            tokio::spawn(async move { create(&crate::support::connect(&url).await, "s", "").await })
        })
        .collect();
    let mut made = 0;
    for create in creates {
        made += i32::from(create.await.unwrap());
    }
    assert_eq!(made, 1);
    assert_eq!(
        value::<i64>(&client, "SELECT count(*) FROM eventcore.subscriptions").await,
        1
    );
}

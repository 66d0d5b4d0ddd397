//! What every store promises of following it: typed and with signals, by durable subscriptions, by
//! projections. Asked of the memory store here, and of PostgreSQL by the server tests.

#![allow(dead_code, reason = "what each test binary makes of it")]

pub(crate) mod consume;
pub(crate) mod consume_many;
pub(crate) mod durable;
pub(crate) mod follow;
pub(crate) mod give_back;
pub(crate) mod project;
pub(crate) mod project_many;

use std::sync::LazyLock;
use std::time::Duration;

use eventcore::ExpectedVersion::Unchecked;
use eventcore::{
    Append, ConsumerName, Event, EventError, EventStore, EventType, LeasedBatch, NewEvent, Payload,
    Position, StreamId, SubscriptionDefinition, SubscriptionName, SubscriptionStore,
};
use serde_json::{Value, json};

/// How long anything may take before the test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Runs every test of the contract on a store of its own, which `$store` makes from a name.
macro_rules! contract {
    ($store:path) => {
        contract::contract! { $store;
            follow {
                events_are_decoded_and_what_cannot_be_is_named_and_passed_over,
                caught_up_is_told_when_all_was_handed_out_and_fell_behind_when_there_is_more_than_a_page,
                a_store_without_events_of_interest_is_caught_up_with_at_once,
            }
            durable {
                a_subscription_is_created_once_and_with_one_definition,
                what_is_not_there_has_no_subscription_functions,
                events_are_leased_in_order_and_are_gone_when_they_are_acknowledged,
                a_stream_is_out_with_one_lease_at_a_time,
                a_subscription_starts_where_it_is_told_and_delivers_what_its_filter_lets_through,
                a_lease_that_runs_out_goes_to_somebody_else_and_an_extended_one_does_not,
                an_acknowledgement_counts_after_the_lease_until_somebody_else_has_the_event,
                acknowledging_what_the_lease_does_not_hold_acknowledges_nothing,
                a_paused_subscription_delivers_nothing_until_it_is_resumed,
                a_reset_takes_all_leases_and_delivers_again,
                a_poll_waits_for_an_event_and_for_a_retry_that_is_due,
            }
            give_back {
                what_is_given_back_takes_the_later_events_of_its_stream_with_it,
                a_release_is_no_failure_and_a_skipped_event_is_done,
                an_event_that_fails_too_often_is_parked_and_can_be_replayed_or_discarded,
                a_stream_that_stops_waits_for_its_parked_event,
                only_a_retry_can_be_delayed,
            }
            consume {
                a_consumer_hands_out_events_in_order_and_none_twice_that_is_done,
                what_is_given_back_is_not_handed_out_from_the_same_batch,
                a_delivery_without_an_answer_is_a_failure,
                what_cannot_be_decoded_is_an_error_and_parked_in_the_end,
                a_consumer_that_is_closed_or_dropped_gives_back_what_it_has,
                a_lease_is_kept_while_a_handler_works,
                a_handler_that_fails_gets_the_event_again_with_its_reason_on_record,
                a_delivery_is_void_when_its_lease_has_gone_to_another,
                a_consumer_of_nothing_is_told_so,
                what_a_consumer_has_is_void_after_a_reset,
                a_very_short_lease_does_not_keep_a_consumer_from_its_events,
            }
            consume_many {
                many_consumers_answer_each_event_once_and_each_stream_in_order,
            }
        }
    };
    ($store:path; $($module:ident { $($test:ident,)* })*) => {
        $($(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                let store = $store(stringify!($test)).await;
                let test = contract::$module::$test(&store);
                tokio::time::timeout(contract::PATIENCE, test).await.expect("it hangs");
            }
        )*)*
    };
}
pub(crate) use contract;

/// Runs every test of projections; `$store` has to be a [`project::Books`] too.
macro_rules! projection_contract {
    ($store:path) => {
        contract::contract! { $store;
            project {
                every_event_takes_effect_once_over_many_runs,
                an_event_that_is_refused_stops_the_projection_before_its_batch,
                an_event_that_cannot_be_decoded_stops_the_projection,
                a_projection_that_is_dropped_has_committed_whole_batches,
                a_projection_without_a_valid_name_does_not_run,
                a_checkpoint_passes_over_what_is_not_of_interest,
            }
            project_many {
                two_runners_of_a_projection_let_each_event_take_effect_once,
            }
        }
    };
}
pub(crate) use projection_contract;

/// Something with a number. Of another type, or without a number, it cannot be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counted(pub(crate) u64);

impl Event for Counted {
    fn event_type(&self) -> &str {
        "Counted"
    }

    fn encode(&self) -> Result<Payload, EventError> {
        Ok(json!(self.0).into())
    }

    fn decode(event_type: &str, payload: &Payload) -> Result<Self, EventError> {
        if event_type != "Counted" {
            return Err(EventError::unknown_type(event_type));
        }
        let number = payload.decode();
        number
            .map(Self)
            .map_err(|error| EventError::decode(event_type, error))
    }
}

pub(crate) fn stream(name: &str) -> StreamId {
    StreamId::new(name).unwrap()
}

pub(crate) fn event_type(name: &str) -> EventType {
    EventType::new(name).unwrap()
}

/// The name of the subscription of every test.
pub(crate) fn subscription() -> &'static SubscriptionName {
    static NAME: LazyLock<SubscriptionName> = LazyLock::new(|| "mails".parse().unwrap());
    &NAME
}

pub(crate) async fn create<S: SubscriptionStore>(store: &S, definition: &SubscriptionDefinition) {
    let created = store.create_subscription(subscription(), definition);
    assert!(created.await.unwrap());
}

pub(crate) fn consumer(name: &str) -> ConsumerName {
    ConsumerName::new(name).unwrap()
}

/// Appends `Counted(n)` to a stream; its position.
pub(crate) async fn add(store: &impl EventStore, name: &str, n: u64) -> Position {
    add_as(store, name, "Counted", json!(n)).await
}

pub(crate) async fn add_as(
    store: &impl EventStore,
    name: &str,
    as_type: &str,
    payload: Value,
) -> Position {
    let event = NewEvent::new(stream(name), event_type(as_type), payload);
    let append = Append::new().stream(stream(name), Unchecked).event(event);
    store.append(&append).await.unwrap().last_position.unwrap()
}

/// Polls without waiting.
pub(crate) async fn poll<S: SubscriptionStore>(store: &S, max_events: u32) -> Option<LeasedBatch> {
    let name = consumer("tester");
    let polled = store.poll_subscription(subscription(), &name, max_events, Duration::ZERO);
    polled.await.unwrap()
}

/// `stream:n#attempt` of each event.
pub(crate) fn shown(batch: &LeasedBatch) -> Vec<String> {
    let events = batch.events.iter();
    events
        .map(|delivered| {
            let (event, attempt) = (&delivered.event, delivered.attempt);
            format!("{}:{}#{attempt}", event.stream_id, event.payload)
        })
        .collect()
}

/// The same of what is polled; nothing for nothing.
pub(crate) async fn polled<S: SubscriptionStore>(store: &S) -> Vec<String> {
    let batch = poll(store, 100).await;
    batch.as_ref().map(shown).unwrap_or_default()
}

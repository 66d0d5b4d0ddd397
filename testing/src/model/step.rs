//! The steps of a random sequence.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_oneof};

/// How many streams a sequence has.
pub(super) const STREAMS: usize = 4;
/// How many event types.
pub(super) const TYPES: usize = 3;

/// One call, in which streams and types are numbers, and versions are relative to those of the
/// model.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Append(Vec<(usize, Demand)>, Vec<Event>),
    /// Repeats the nth written append, unchanged or with another payload in one of its events.
    Repeat {
        nth: usize,
        changed: Option<usize>,
    },
    ReadStream {
        stream: usize,
        after: u64,
        limit: Option<u32>,
        backward: bool,
        types: Vec<usize>,
    },
    ReadStreams {
        streams: Vec<(usize, u64)>,
        limit: Option<u32>,
        types: Vec<usize>,
    },
    /// After the nth event of the model; 0 for none.
    ReadAll {
        after: usize,
        limit: u32,
        backward: bool,
        types: Vec<usize>,
        streams: Vec<usize>,
    },
    Versions(Vec<usize>),
    Deposit {
        account: usize,
        cents: u64,
    },
    Transfer {
        from: usize,
        to: usize,
        cents: u64,
    },
}

/// The expected version of a stream.
#[derive(Debug, Clone, Copy)]
pub(super) enum Demand {
    Unchecked,
    Exists,
    /// Its version plus this number.
    Near(i8),
}

/// An event to be appended.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) stream: usize,
    pub(super) event_type: usize,
    /// `None` for null, which no store accepts.
    pub(super) payload: Option<u8>,
    /// Whether it has the id of the event before it.
    pub(super) twin: bool,
}

/// Few enough steps that a repeat is always recognised.
pub(super) fn sequence() -> impl Strategy<Value = Vec<Step>> {
    vec(step(), 1..24)
}

fn step() -> impl Strategy<Value = Step> {
    let (stream, types) = (0..STREAMS, || vec(0..TYPES, 0..3));
    let limit = || option::of(0..6_u32);
    prop_oneof![
        6 => (vec((stream.clone(), demand()), 0..4), vec(event(), 0..4))
            .prop_map(|(declared, events)| Step::Append(declared, events)),
        6 => good_append(),
        3 => (any::<usize>(), option::weighted(0.3, any::<usize>()))
            .prop_map(|(nth, changed)| Step::Repeat { nth, changed }),
        2 => (stream.clone(), 0..6_u64, limit(), any::<bool>(), types()).prop_map(
            |(stream, after, limit, backward, types)| {
                Step::ReadStream { stream, after, limit, backward, types }
            }
        ),
        2 => (vec((stream.clone(), 0..4_u64), 0..4), limit(), types())
            .prop_map(|(streams, limit, types)| Step::ReadStreams { streams, limit, types }),
        2 => (0..12_usize, 0..8_u32, any::<bool>(), types(), vec(stream.clone(), 0..3)).prop_map(
            |(after, limit, backward, types, streams)| {
                Step::ReadAll { after, limit, backward, types, streams }
            }
        ),
        1 => vec(stream.clone(), 0..4).prop_map(Step::Versions),
        1 => (stream.clone(), 1..20_u64).prop_map(|(account, cents)| Step::Deposit { account, cents }),
        2 => (stream.clone(), stream, 1..15_u64)
            .prop_map(|(from, to, cents)| Step::Transfer { from, to, cents }),
    ]
}

/// With each stream once, and events that go to these streams. Most of these appends are written.
fn good_append() -> impl Strategy<Value = Step> {
    let demand = prop_oneof![1 => Just(Demand::Unchecked), 4 => Just(Demand::Near(0))];
    let events = vec((0..STREAMS, 0..TYPES, any::<u8>()), 1..4);
    (0..STREAMS, 1..=STREAMS, demand, events).prop_map(|(first, many, demand, events)| {
        let declared = (0..many).map(|n| ((first + n) % STREAMS, demand)).collect();
        let events = events
            .into_iter()
            .map(|(stream, event_type, payload)| Event {
                stream: (first + stream % many) % STREAMS,
                event_type,
                payload: Some(payload),
                twin: false,
            });
        Step::Append(declared, events.collect())
    })
}

fn demand() -> impl Strategy<Value = Demand> {
    prop_oneof![
        2 => Just(Demand::Unchecked),
        1 => Just(Demand::Exists),
        4 => Just(Demand::Near(0)),
        1 => (-2..=2_i8).prop_map(Demand::Near),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let payload = option::weighted(0.95, any::<u8>());
    (
        0..STREAMS,
        0..TYPES,
        payload,
        proptest::bool::weighted(0.04),
    )
        .prop_map(|(stream, event_type, payload, twin)| Event {
            stream,
            event_type,
            payload,
            twin,
        })
}

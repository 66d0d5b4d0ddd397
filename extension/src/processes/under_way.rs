//! Which events a worker has handed to a handler, so that a process that ends on them leaves a trace: the next worker
//! counts it as a failure of theirs, and goes on as after any other failure.
//!
//! ```text
//! nothing ── begin ──> running ── done ──> nothing
//!                         │
//!                         ├─ the process ends by itself ──────────────> to blame ────┐
//!                         ├─ it is ended: shutdown, another's turn ───> nothing      ├─ claim ─> claimed ─ settled ─> nothing
//!                         └─ the server crashes, by itself or another > (the file) ──┘
//! ```

use super::crash_file::{self, Record};
use super::text::SharedText;
use super::{Kind, MINE, PLACES, Place, mine};
use crate::pg::catch::Caught;
use crate::pg::shared_memory::my_database;
use crate::pg::{process, signals};
use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering::SeqCst};

const NOTHING: u32 = 0;
const RUNNING: u32 = 1;
/// In the file only: the server has ended the process, because another one has crashed.
const ENDED_WITH_OTHERS: u32 = 2;
/// The process has ended by itself.
const TO_BLAME: u32 = 3;
/// It has ended with others.
const BLAMELESS: u32 = 4;
/// A worker deals with it.
const CLAIMED: u32 = 5;

/// SQLSTATE 57P02, crash_shutdown.
const CRASHED: &str = "57P02";
const BY_ITSELF: &str =
    "the worker's process was killed or crashed in the middle of this, and the server with it";
const WITH_OTHERS: &str = "the server crashed or was killed in the middle of this";

thread_local! {
    /// The last words of this process: a SQLSTATE and a message.
    static LAST_WORDS: RefCell<Option<(String, String)>> = const { RefCell::new(None) };
    /// What this process deals with: a place, and its state before.
    static CLAIM: Cell<Option<(usize, u32)>> = const { Cell::new(None) };
}

/// Part of a place in shared memory.
pub struct UnderWay {
    state: AtomicU32,
    checkpoint: AtomicI64,
    first: AtomicI64,
    last: AtomicI64,
    replay: AtomicI64,
    projection: SharedText<255>,
    /// How the process ended: its SQLSTATE and message.
    ending: SharedText<400>,
}

/// What an ended process has left under way, for this process to deal with. If this one ends first, it is left to the
/// next.
pub struct Left {
    place: usize,
    pub checkpoint: i64,
    pub events: Option<(i64, i64)>,
    pub replay: Option<i64>,
    pub error: Caught,
    /// Whether no event is to blame.
    pub blameless: bool,
}

impl UnderWay {
    pub(super) fn fresh() -> Self {
        Self {
            state: AtomicU32::new(NOTHING),
            checkpoint: AtomicI64::new(0),
            first: AtomicI64::new(0),
            last: AtomicI64::new(0),
            replay: AtomicI64::new(0),
            projection: SharedText::fresh(),
            ending: SharedText::fresh(),
        }
    }

    pub(super) fn is_nothing(&self) -> bool {
        self.state.load(SeqCst) == NOTHING
    }

    pub(super) fn clear(&self) {
        self.state.store(NOTHING, SeqCst);
    }

    pub(super) fn projection(&self) -> Option<String> {
        (!self.is_nothing()).then(|| self.projection.load())
    }

    fn store(&self, record: &Record) {
        self.checkpoint.store(record.checkpoint, SeqCst);
        self.first.store(record.first, SeqCst);
        self.last.store(record.last, SeqCst);
        self.replay.store(record.replay, SeqCst);
        self.projection.store(&record.projection);
        self.state.store(record.state, SeqCst);
    }

    fn is_left(&self) -> bool {
        [TO_BLAME, BLAMELESS, CLAIMED].contains(&self.state.load(SeqCst))
    }
}

/// To be called when the shared memory is new: what the file tells of is left to be dealt with.
pub fn find_what_was_left(places: &[Place]) {
    let (witnessed, records) = crash_file::begin_anew(places.len());
    for (number, mut record) in records {
        record.state = match record.state {
            RUNNING if witnessed => TO_BLAME,
            RUNNING | ENDED_WITH_OTHERS | BLAMELESS => BLAMELESS,
            TO_BLAME => TO_BLAME,
            _ => continue,
        };
        crash_file::write(number, &record);
        let place = &places[number];
        place.kind.store(Kind::Projections as u32, SeqCst);
        place.database.store(record.database, SeqCst);
        place.role.store(record.role, SeqCst);
        let by_itself = record.state == TO_BLAME;
        let ending = if by_itself { BY_ITSELF } else { WITH_OTHERS };
        place.under_way.ending.store(&format!("{CRASHED}{ending}"));
        place.under_way.store(&record);
    }
    process::at_postmaster_exit(crash_file::witness);
}

/// To be called by a worker once it has logged in.
pub fn watch() {
    process::at_exit(end);
}

/// This process is about to call a handler.
pub fn begin(projection: &str, checkpoint: i64, events: Option<(i64, i64)>, replay: Option<i64>) {
    let (Some(number), Some(place)) = (MINE.get(), mine()) else {
        return;
    };
    let (first, last) = events.unwrap_or((0, 0));
    let record = Record {
        state: RUNNING,
        database: my_database(),
        role: place.role.load(SeqCst),
        checkpoint,
        first,
        last,
        replay: replay.unwrap_or(0),
        projection: projection.to_owned(),
    };
    place.under_way.store(&record);
    crash_file::write(number, &record);
    if let Some((file, offset)) = crash_file::place_of_state(number) {
        signals::write_when_others_crash(file, offset, ENDED_WITH_OTHERS);
    }
}

/// The transaction in which the handler was called is over.
pub fn done() {
    let (Some(number), Some(place)) = (MINE.get(), mine()) else {
        return;
    };
    if place.under_way.state.load(SeqCst) == RUNNING {
        signals::write_nothing_when_others_crash();
        crash_file::set_state(number, NOTHING);
        place.under_way.clear();
    }
}

/// This process is about to end with this error.
pub fn ends_with(sqlstate: &str, message: &str) {
    LAST_WORDS.set(Some((sqlstate.to_owned(), message.to_owned())));
}

/// Whether an ended process has left this projection under way: it has to be dealt with before it goes on.
pub fn is_left(projection: &str) -> bool {
    let database = my_database();
    PLACES
        .get()
        .iter()
        .any(|place| is_of(place, database, projection))
}

/// Takes what has been left of this projection, to deal with it; `None` if there is nothing, or another worker does.
pub fn claim(projection: &str) -> Option<Left> {
    let database = my_database();
    let places = PLACES.get().iter().enumerate();
    for (number, place) in places.filter(|(_, place)| is_of(place, database, projection)) {
        let left = &place.under_way;
        let state = left.state.load(SeqCst);
        if ![TO_BLAME, BLAMELESS].contains(&state)
            || left
                .state
                .compare_exchange(state, CLAIMED, SeqCst, SeqCst)
                .is_err()
        {
            continue;
        }
        CLAIM.set(Some((number, state)));
        let (first, replay) = (left.first.load(SeqCst), left.replay.load(SeqCst));
        let ending = left.ending.load();
        let (sqlstate, message) = ending.split_at_checked(5).unwrap_or((CRASHED, BY_ITSELF));
        return Some(Left {
            place: number,
            checkpoint: left.checkpoint.load(SeqCst),
            events: (first != 0).then(|| (first, left.last.load(SeqCst))),
            replay: (replay != 0).then_some(replay),
            error: Caught {
                sqlstate: sqlstate.to_owned(),
                message: message.to_owned(),
            },
            blameless: state == BLAMELESS,
        });
    }
    None
}

impl Left {
    /// It has been dealt with.
    pub fn settled(self) {
        CLAIM.set(None);
        settle(self.place);
    }
}

/// Forgets what was left of projections that are not there any more.
pub fn forget_all_but(is_there: impl Fn(&str) -> bool) {
    let database = my_database();
    for (number, place) in PLACES.get().iter().enumerate() {
        let left = &place.under_way;
        if place.database.load(SeqCst) == database
            && [TO_BLAME, BLAMELESS].contains(&left.state.load(SeqCst))
            && !is_there(&left.projection.load())
        {
            settle(number);
        }
    }
}

/// Forgets what was left at a place.
pub(super) fn settle(number: usize) {
    crash_file::set_state(number, NOTHING);
    PLACES.get()[number].under_way.clear();
}

fn is_of(place: &Place, database: u32, projection: &str) -> bool {
    place.under_way.is_left()
        && place.database.load(SeqCst) == database
        && place.under_way.projection.load() == projection
}

/// At the end of this process, while it still has the lock of its projection.
fn end() {
    if let Some((number, state)) = CLAIM.take() {
        PLACES.get()[number].under_way.state.store(state, SeqCst);
    }
    let (Some(number), Some(place)) = (MINE.get(), mine()) else {
        return;
    };
    if place.under_way.state.load(SeqCst) != RUNNING {
        return;
    }
    if signals::is_ended_by_postmaster() {
        done();
        return;
    }
    let (sqlstate, message) = LAST_WORDS
        .take()
        .unwrap_or_else(|| (CRASHED.to_owned(), "the process has ended".to_owned()));
    let ending = format!("{sqlstate}the worker's process ended in the middle of this: {message}");
    signals::write_nothing_when_others_crash();
    place.under_way.ending.store(&ending);
    crash_file::set_state(number, TO_BLAME);
    place.under_way.state.store(TO_BLAME, SeqCst);
}

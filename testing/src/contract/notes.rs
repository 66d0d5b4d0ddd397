//! A process manager for tests: it records the numbers that are counted, and does what the test
//! tells it to do.

use std::sync::Mutex;
use std::time::Duration;

use eventcore::{
    AsyncCommandLogic, Command, CommandError, EventStore, Filter, NewEvents, ProcessError,
    ProcessId, ProcessManager, Reaction, StoredEvent, StreamId, Streams, Trigger, emit, require,
};

use super::shop::events;
use super::{Counted, stream};

/// Records a number, or rejects it, or fails.
#[derive(Command)]
pub(crate) struct Note {
    #[stream]
    notes: StreamId,
    number: u64,
    refuses: bool,
    fails: bool,
    /// Takes this long and blocks its thread meanwhile.
    takes: Duration,
}

impl AsyncCommandLogic for Note {
    type State = ();
    type Event = Counted;

    fn apply(&self, _: (), _: &StoredEvent<Counted>) {}

    async fn handle(&self, _: (), streams: Streams<Self>) -> Result<NewEvents<Self>, CommandError> {
        std::thread::sleep(self.takes);
        require!(!self.refuses, "{} is refused", self.number);
        if self.fails {
            return Err(CommandError::failed("the service is away"));
        }
        let mut events = NewEvents::new();
        emit!(events, streams.notes, Counted(self.number));
        Ok(events)
    }
}

type Choice = Box<dyn Fn(u64) -> Vec<u64> + Send + Sync>;

/// Records each number that is counted in a stream `counted-…`, in a stream with the manager's
/// name. All numbers belong to one process. Its state contains the triggers that it has received.
pub(crate) struct Notes {
    name: String,
    writes_to: StreamId,
    commands: Choice,
    refuses: Vec<u64>,
    fails_at: Option<u64>,
    ends_at: Option<u64>,
    takes: Duration,
    timeout: Option<Duration>,
    after_rejection: Choice,
    one_for_all: bool,
    by_state: bool,
    /// The errors that `on_error` received.
    pub(crate) told: Mutex<Vec<String>>,
}

impl Notes {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            writes_to: stream(name),
            commands: Box::new(|n| vec![n]),
            refuses: Vec::new(),
            fails_at: None,
            ends_at: None,
            takes: Duration::ZERO,
            timeout: None,
            after_rejection: Box::new(|_| Vec::new()),
            one_for_all: true,
            by_state: false,
            told: Mutex::default(),
        }
    }

    /// Records these numbers for a number.
    pub(crate) fn commands(
        mut self,
        commands: impl Fn(u64) -> Vec<u64> + Send + Sync + 'static,
    ) -> Self {
        self.commands = Box::new(commands);
        self
    }

    /// Records these numbers when a command was rejected, by its index.
    pub(crate) fn after_rejection(
        mut self,
        commands: impl Fn(u64) -> Vec<u64> + Send + Sync + 'static,
    ) -> Self {
        self.after_rejection = Box::new(commands);
        self
    }

    pub(crate) fn writes_to(mut self, name: &str) -> Self {
        self.writes_to = stream(name);
        self
    }

    pub(crate) fn refuses(mut self, numbers: &[u64]) -> Self {
        self.refuses = numbers.to_vec();
        self
    }

    pub(crate) fn fails_at(mut self, number: u64) -> Self {
        self.fails_at = Some(number);
        self
    }

    pub(crate) fn ends_at(mut self, number: u64) -> Self {
        self.ends_at = Some(number);
        self
    }

    pub(crate) fn takes(mut self, time: Duration) -> Self {
        self.takes = time;
        self
    }

    /// Asks for a timeout with every number, and records 1,000 when it arrives.
    pub(crate) fn timeout(mut self, after: Duration) -> Self {
        self.timeout = Some(after);
        self
    }

    /// One process for each counted stream.
    pub(crate) fn process_of_each_stream(mut self) -> Self {
        self.one_for_all = false;
        self
    }

    /// Also records 500 for each number that it has received so far.
    pub(crate) fn by_state(mut self) -> Self {
        self.by_state = true;
        self
    }

    fn note(&self, number: u64) -> Note {
        Note {
            notes: self.writes_to.clone(),
            number,
            refuses: self.refuses.contains(&number),
            fails: self.fails_at == Some(number),
            takes: self.takes,
        }
    }
}

impl<S: EventStore> ProcessManager<S> for Notes {
    type Event = Counted;
    /// The numbers that it has received.
    type State = Vec<u64>;

    fn name(&self) -> &str {
        &self.name
    }

    fn filter(&self) -> Filter {
        Filter::all().stream_prefix("counted-")
    }

    fn process_of(&self, event: &StoredEvent<Counted>) -> Option<ProcessId> {
        let name = match self.one_for_all {
            true => "all",
            false => event.stream_id.as_str(),
        };
        ProcessId::new(name).ok()
    }

    fn react(
        &self,
        mut told: Vec<u64>,
        trigger: Trigger<'_, Counted>,
        reaction: &mut Reaction<S>,
    ) -> Vec<u64> {
        let numbers = match trigger {
            Trigger::Event(stored) => {
                let Counted(number) = stored.event;
                told.push(number);
                if let Some(after) = self.timeout {
                    reaction.timeout("note", after);
                }
                if self.ends_at == Some(number) {
                    reaction.end();
                }
                let mut numbers = (self.commands)(number);
                if self.by_state {
                    numbers.extend(told.iter().map(|_| 500));
                }
                numbers
            }
            Trigger::Rejected { index, .. } => (self.after_rejection)(index as u64),
            _ => vec![1_000],
        };
        for number in numbers {
            reaction.execute(self.note(number));
        }
        told
    }

    fn on_error(&self, error: &ProcessError) {
        self.told.lock().unwrap().push(error.to_string());
    }
}

/// The numbers that a manager of this name has recorded.
pub(crate) async fn noted<S: EventStore>(store: &S, name: &str) -> Vec<u64> {
    let events = events(store, stream(name)).await;
    events
        .iter()
        .map(|event| event.payload.decode::<u64>().unwrap())
        .collect()
}

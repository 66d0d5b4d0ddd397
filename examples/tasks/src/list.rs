//! [`List`]: all tasks, in memory, kept up to date by a subscription.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use eventcore::{EventSubscription, Filter, FollowError, Position, Subscribe, Subscription};
use tokio::sync::watch;
use uuid::Uuid;

use crate::task::{Task, TaskEvent, TaskId};

/// How long to wait before following again after an error.
const PAUSE: Duration = Duration::from_secs(1);

/// All tasks, by id. Each process has its own list, and makes it again from the first event on when
/// it starts: right for thousands of tasks. For more, keep the list in a table by a projection.
#[derive(Clone)]
pub struct List {
    tasks: Arc<Mutex<BTreeMap<Uuid, Task>>>,
    read_to: watch::Receiver<Position>,
}

impl List {
    /// Starts to follow the tasks of a store. To be called on a tokio runtime.
    pub fn follow<S: EventSubscription + Clone + 'static>(store: &S) -> Self {
        let (sender, read_to) = watch::channel(Position::START);
        let tasks = Arc::default();
        let (list, store) = (Arc::clone(&tasks), store.clone());
        tokio::spawn(async move {
            let tasks = Filter::all().stream_prefix(TaskId::PREFIX);
            while !sender.is_closed() {
                let after = *sender.borrow();
                let subscribe = Subscribe::after(after).filter(tasks.clone());
                let Err(error) = read(store.subscribe(subscribe), &list, &sender).await;
                eprintln!("tasks: the list is read again in a moment: {error}");
                tokio::time::sleep(PAUSE).await;
            }
        });
        Self { tasks, read_to }
    }

    /// Waits until the list includes the event at this position, at most for this long. Returns
    /// whether it does.
    pub async fn reach(&self, position: Position, wait: Duration) -> bool {
        let mut read_to = self.read_to.clone();
        let reached = read_to.wait_for(|read_to| *read_to >= position);
        matches!(tokio::time::timeout(wait, reached).await, Ok(Ok(_)))
    }

    /// The tasks for which `wanted` is true, the newest first.
    pub fn tasks(&self, wanted: impl Fn(&Task) -> bool) -> Vec<Task> {
        let tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = tasks.values().rev().filter(|task| wanted(task));
        wanted.cloned().collect()
    }
}

async fn read(
    subscription: Subscription,
    tasks: &Mutex<BTreeMap<Uuid, Task>>,
    read_to: &watch::Sender<Position>,
) -> Result<std::convert::Infallible, FollowError> {
    let mut events = subscription.typed::<TaskEvent>();
    loop {
        let stored = events.next_event().await?;
        let id = stored.stream_id.as_str().trim_start_matches(TaskId::PREFIX);
        if let Ok(id) = id.parse() {
            let mut tasks = tasks.lock().unwrap_or_else(PoisonError::into_inner);
            let task = Task::after(tasks.remove(&id), id, &stored.event);
            tasks.extend(task.map(|task| (id, task)));
        }
        read_to.send_replace(stored.position);
    }
}

//! [`CreateTask`]: the first event of a task.

use eventcore::{Command, CommandError, CommandLogic, NewEvents, StoredEvent, Streams, emit};

use crate::task::{TaskEvent, TaskId, Title};

/// Creates a task. The client chooses the id, so a request that is sent again creates nothing.
#[derive(Debug, Command)]
pub struct CreateTask {
    /// The task.
    #[stream]
    pub task: TaskId,
    /// What to do.
    pub title: Title,
}

impl CommandLogic for CreateTask {
    /// Whether it exists.
    type State = bool;
    type Event = TaskEvent;

    fn apply(&self, _: bool, _: &StoredEvent<TaskEvent>) -> bool {
        true
    }

    fn handle(
        &self,
        exists: bool,
        streams: Streams<Self>,
    ) -> Result<NewEvents<Self>, CommandError> {
        let mut events = NewEvents::new();
        if !exists {
            let title = self.title.clone();
            emit!(events, streams.task, TaskEvent::TaskCreated { title });
        }
        Ok(events)
    }
}

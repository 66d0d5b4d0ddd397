//! [`Task`]: what the events of a task add up to.

use std::fmt;

use eventcore::{Event, InvalidValue, StreamField, StreamId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A task, and the stream `task-<uuid>` that its events are in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskId {
    id: Uuid,
    stream: StreamId,
}

impl TaskId {
    /// What the stream of every task starts with.
    pub const PREFIX: &str = "task-";

    /// The task of this id.
    ///
    /// # Errors
    ///
    /// None: the name of the stream is short.
    pub fn new(id: Uuid) -> Result<Self, InvalidValue> {
        let stream = StreamId::new(format!("{}{id}", Self::PREFIX))?;
        Ok(Self { id, stream })
    }

    /// The id alone.
    pub fn uuid(&self) -> Uuid {
        self.id
    }
}

/// Makes it a type for `#[stream]` fields.
impl StreamField for TaskId {
    fn stream_id(&self) -> &StreamId {
        &self.stream
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.id, f)
    }
}

/// A title: 1 to 200 characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Title(String);

impl TryFrom<String> for Title {
    type Error = String;

    fn try_from(title: String) -> Result<Self, String> {
        match title.trim().chars().count() {
            1..=200 => Ok(Self(title.trim().to_owned())),
            count => Err(format!("a title has 1 to 200 characters, not {count}")),
        }
    }
}

/// What can happen to a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub enum TaskEvent {
    /// The task exists from now on.
    TaskCreated {
        /// What to do.
        title: Title,
    },
    /// It has another title.
    TaskRenamed {
        /// The new one.
        title: Title,
    },
    /// A person works on it.
    TaskAssigned {
        /// The person.
        to: String,
    },
    /// It is done.
    TaskCompleted {},
    /// It is not done after all.
    TaskReopened {},
}

/// A task.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Task {
    /// Its id.
    pub id: Uuid,
    /// What to do.
    pub title: Title,
    /// Who works on it.
    pub assignee: Option<String>,
    /// Whether it is done.
    pub done: bool,
    /// How many events it has.
    pub version: u64,
}

impl Task {
    /// The task after one more event, if it exists: the first one creates it. The same function for
    /// the commands, for `GET /tasks/{id}` and for the list.
    #[must_use]
    pub fn after(task: Option<Self>, id: Uuid, event: &TaskEvent) -> Option<Self> {
        let Some(mut task) = task else {
            let TaskEvent::TaskCreated { title } = event else {
                return None;
            };
            return Some(Self {
                id,
                title: title.clone(),
                assignee: None,
                done: false,
                version: 1,
            });
        };
        task.version += 1;
        match event {
            TaskEvent::TaskCreated { title } | TaskEvent::TaskRenamed { title } => {
                task.title = title.clone();
            }
            TaskEvent::TaskAssigned { to } => task.assignee = Some(to.clone()),
            TaskEvent::TaskCompleted {} => task.done = true,
            TaskEvent::TaskReopened {} => task.done = false,
        }
        Some(task)
    }
}

//! [`ChangeTask`]: everything that can be asked of a task that exists.

use eventcore::{
    Command, CommandError, CommandLogic, NewEvents, StoredEvent, Streams, emit, require,
};
use serde::Deserialize;

use crate::task::{Task, TaskEvent, TaskId, Title};

/// Changes a task.
#[derive(Debug, Command)]
pub struct ChangeTask {
    /// The task.
    #[stream]
    pub task: TaskId,
    /// What to change.
    pub change: Change,
    /// The version that the client has seen: if the task has another one, nothing is changed.
    pub seen: Option<u64>,
}

/// What can be changed, as the API takes it: `{"assign": {"to": "ada"}}`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// Another title.
    Rename {
        /// The new one.
        title: Title,
    },
    /// Another person.
    Assign {
        /// The person.
        to: String,
    },
    /// It is done.
    Complete {},
    /// It is not done after all.
    Reopen {},
}

/// Why a task is not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is no such task.
    #[error("there is no such task")]
    Unknown,
    /// The client has seen another version.
    #[error("the task is at version {0}")]
    OtherVersion(u64),
    /// It is done.
    #[error("the task is done; reopen it first")]
    Done,
    /// It is not done.
    #[error("the task is not done")]
    NotDone,
    /// Nobody works on it.
    #[error("nobody works on the task; assign it first")]
    Unassigned,
}

impl CommandLogic for ChangeTask {
    type State = Option<Task>;
    type Event = TaskEvent;

    fn apply(&self, task: Option<Task>, stored: &StoredEvent<TaskEvent>) -> Option<Task> {
        Task::after(task, self.task.uuid(), &stored.event)
    }

    fn handle(
        &self,
        task: Option<Task>,
        streams: Streams<Self>,
    ) -> Result<NewEvents<Self>, CommandError> {
        let Some(task) = task else {
            return Err(CommandError::rejected(Refused::Unknown));
        };
        let seen = self.seen.unwrap_or(task.version);
        require!(seen == task.version, Refused::OtherVersion(task.version));

        let event = match self.change.clone() {
            Change::Reopen {} => {
                require!(task.done, Refused::NotDone);
                TaskEvent::TaskReopened {}
            }
            _ if task.done => return Err(CommandError::rejected(Refused::Done)),
            Change::Rename { title } => TaskEvent::TaskRenamed { title },
            Change::Assign { to } => TaskEvent::TaskAssigned { to },
            Change::Complete {} => {
                require!(task.assignee.is_some(), Refused::Unassigned);
                TaskEvent::TaskCompleted {}
            }
        };
        let mut events = NewEvents::new();
        emit!(events, streams.task, event);
        Ok(events)
    }
}

#[cfg(test)]
mod tests {
    use eventcore::StreamField;
    use eventcore_testing::Scenario;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_task_is_completed_by_the_person_who_works_on_it_and_then_only_reopened() {
        let task = TaskId::new(Uuid::nil()).unwrap();
        let stream = task.stream_id().as_str();
        let change = |change| ChangeTask {
            task: task.clone(),
            change,
            seen: None,
        };
        let assign = || Change::Assign { to: "ada".into() };
        let title = Title::try_from("write".to_owned()).unwrap();
        let created = || TaskEvent::TaskCreated {
            title: title.clone(),
        };
        let assigned = || TaskEvent::TaskAssigned { to: "ada".into() };
        let completed = || TaskEvent::TaskCompleted {};

        let new = Scenario::new().given(stream, [created()]);
        let refused = new.when(&change(Change::Complete {}));
        assert_eq!(
            refused.then_rejected_with::<Refused>(),
            &Refused::Unassigned
        );

        let given = Scenario::new().given(stream, [created(), assigned()]);
        given
            .when(&change(Change::Complete {}))
            .then([(stream, completed())]);

        let done = || Scenario::new().given(stream, [created(), assigned(), completed()]);
        done()
            .when(&change(assign()))
            .then_rejected("the task is done");
        done()
            .when(&change(Change::Reopen {}))
            .then([(stream, TaskEvent::TaskReopened {})]);
    }
}

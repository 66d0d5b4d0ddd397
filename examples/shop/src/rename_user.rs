//! [`RenameUser`]: a command that finds one of its streams while it reads.

use eventcore::{
    Command, CommandError, CommandLogic, NewEvents, StoredEvent, StreamField, StreamId,
    StreamResolver, Streams, emit, require,
};

use crate::events::ShopEvent;
use crate::ids::{UserId, UserName};
use crate::register_user::NameRefused;

/// Gives a user another name. The old name, which only the stream of the user tells, becomes free in
/// the same append.
#[derive(Debug, Command)]
pub struct RenameUser {
    /// The user.
    #[stream]
    pub user: UserId,
    /// The new name.
    #[stream]
    pub name: UserName,
}

/// What the streams say.
#[derive(Debug, Default)]
pub struct Known {
    current: Option<UserName>,
    taken: bool,
}

impl CommandLogic for RenameUser {
    type State = Known;
    type Event = ShopEvent;

    fn apply(&self, mut known: Known, stored: &StoredEvent<ShopEvent>) -> Known {
        let of_new_name = stored.stream_id == *self.name.stream_id();
        match &stored.event {
            ShopEvent::UserRegistered { name } | ShopEvent::UserRenamed { name } => {
                known.current = Some(name.clone());
            }
            ShopEvent::NameClaimed { .. } if of_new_name => known.taken = true,
            ShopEvent::NameReleased { .. } if of_new_name => known.taken = false,
            _ => {}
        }
        known
    }

    fn handle(
        &self,
        known: Known,
        streams: Streams<Self>,
    ) -> Result<NewEvents<Self>, CommandError> {
        let mut events = NewEvents::new();
        let (user, name) = (self.user.clone(), self.name.clone());
        let Some(current) = known.current else {
            return Err(CommandError::rejected(NameRefused::UnknownUser(user)));
        };
        if current == name {
            return Ok(events);
        }
        require!(!known.taken, NameRefused::Taken(name));

        let released = ShopEvent::NameReleased { user: user.clone() };
        emit!(events, streams.discovered(current.stream_id())?, released);
        emit!(events, streams.name, ShopEvent::NameClaimed { user });
        emit!(events, streams.user, ShopEvent::UserRenamed { name });
        Ok(events)
    }

    fn stream_resolver(&self) -> Option<&dyn StreamResolver<Known>> {
        Some(self)
    }
}

impl StreamResolver<Known> for RenameUser {
    fn discover_related_streams(&self, known: &Known) -> Vec<StreamId> {
        let current = known.current.iter();
        current.map(|name| name.stream_id().clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use eventcore_testing::Scenario;

    use super::*;

    #[test]
    fn the_old_name_becomes_free_and_the_own_name_changes_nothing() {
        let user = UserId::new("1").unwrap();
        let name = |name| UserName::new(name).unwrap();
        let rename = |to| RenameUser {
            user: user.clone(),
            name: name(to),
        };
        let registered = || {
            let claimed = ShopEvent::NameClaimed { user: user.clone() };
            let registered = ShopEvent::UserRegistered { name: name("ada") };
            Scenario::new()
                .given("user-1", [registered])
                .given("user-name-ada", [claimed])
        };
        let (of, to) = (user.clone(), user.clone());
        registered().when(&rename("countess")).then([
            ("user-name-ada", ShopEvent::NameReleased { user: of }),
            ("user-name-countess", ShopEvent::NameClaimed { user: to }),
            (
                "user-1",
                ShopEvent::UserRenamed {
                    name: name("countess"),
                },
            ),
        ]);
        registered().when(&rename("Ada")).then_nothing();
        let nobody = Scenario::new().when(&rename("bob"));
        nobody.then_rejected("there is no user-1");
    }
}

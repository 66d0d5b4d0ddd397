//! [`RegisterUser`]: a value that is unique, because it is a stream.

use eventcore::{
    Command, CommandError, CommandLogic, NewEvents, StoredEvent, Streams, emit, require,
};

use crate::events::ShopEvent;
use crate::ids::{UserId, UserName};

/// Registers a user under a name that nobody has. The stream of the name is checked when the events
/// are written: of two users who ask for one name at the same time, one gets it.
#[derive(Debug, Command)]
pub struct RegisterUser {
    /// The user.
    #[stream]
    pub user: UserId,
    /// The name.
    #[stream]
    pub name: UserName,
}

/// Why a name is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameRefused {
    /// Another user has it.
    #[error("the name {0} is taken")]
    Taken(UserName),
    /// The user is registered already.
    #[error("{0} is registered already")]
    Registered(UserId),
    /// There is no such user.
    #[error("there is no {0}")]
    UnknownUser(UserId),
}

/// What the two streams say.
#[derive(Debug, Default)]
pub struct Known {
    registered: bool,
    taken: bool,
}

impl CommandLogic for RegisterUser {
    type State = Known;
    type Event = ShopEvent;

    fn apply(&self, mut known: Known, stored: &StoredEvent<ShopEvent>) -> Known {
        match stored.event {
            ShopEvent::UserRegistered { .. } => known.registered = true,
            ShopEvent::NameClaimed { .. } => known.taken = true,
            ShopEvent::NameReleased { .. } => known.taken = false,
            _ => {}
        }
        known
    }

    fn handle(
        &self,
        known: Known,
        streams: Streams<Self>,
    ) -> Result<NewEvents<Self>, CommandError> {
        let (user, name) = (self.user.clone(), self.name.clone());
        require!(!known.registered, NameRefused::Registered(user));
        require!(!known.taken, NameRefused::Taken(name));

        let mut events = NewEvents::new();
        emit!(events, streams.user, ShopEvent::UserRegistered { name });
        emit!(events, streams.name, ShopEvent::NameClaimed { user });
        Ok(events)
    }
}

#[cfg(test)]
mod tests {
    use eventcore_testing::Scenario;

    use super::*;

    #[test]
    fn a_name_that_was_released_can_be_claimed() {
        let user = |id| UserId::new(id).unwrap();
        let name = UserName::new("ada").unwrap();
        let register = RegisterUser {
            user: user("2"),
            name: name.clone(),
        };
        let claimed = || ShopEvent::NameClaimed { user: user("1") };
        let released = || ShopEvent::NameReleased { user: user("1") };
        let taken = Scenario::new().given("user-name-ada", [claimed()]);
        taken.when(&register).then_rejected("the name ada is taken");
        Scenario::new()
            .given("user-name-ada", [claimed(), released()])
            .when(&register)
            .then([
                ("user-2", ShopEvent::UserRegistered { name }),
                ("user-name-ada", ShopEvent::NameClaimed { user: user("2") }),
            ]);
    }
}

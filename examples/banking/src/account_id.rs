//! [`AccountId`]: an account, and the stream that its events are in.

use std::fmt;

use eventcore::{InvalidValue, StreamField, StreamId};
use serde::{Deserialize, Serialize};

/// What the stream of every account starts with.
pub(crate) const STREAM_PREFIX: &str = "account-";

/// An account. The account `017` of the file is the stream `account-017`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct AccountId(StreamId);

impl AccountId {
    /// The account with this number, as the file writes it. Whether it exists, only the store
    /// knows.
    pub(crate) fn new(number: &str) -> Result<Self, InvalidValue> {
        StreamId::new(format!("{STREAM_PREFIX}{number}")).map(Self)
    }
}

/// Makes it a type for `#[stream]` fields.
impl StreamField for AccountId {
    fn stream_id(&self) -> &StreamId {
        &self.0
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

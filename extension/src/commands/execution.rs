//! The arguments of an execution.

use crate::arguments::json;
use crate::error::{Error, Malformed};
use crate::pg::function::Call;
use crate::pg::value::{Jsonb, Text};
use crate::registry::Outcome;
use std::cell::Cell;
use uuid::Uuid;

/// What a caller asks for.
pub struct Execution<'a> {
    /// The name of the command.
    pub command: Text<'a>,
    pub input: Jsonb<'a>,
    pub correlation_id: Option<Uuid>,
    pub causation_id: Option<Uuid>,
    pub idempotency_key: Option<Text<'a>>,
    pub metadata: Option<Jsonb<'a>>,
    /// How it ends, for the counts. What it is before anything else is known: failed.
    pub outcome: Cell<Outcome>,
}

impl<'a> Execution<'a> {
    /// Reads the arguments `(command, input, correlation_id, causation_id, idempotency_key,
    /// metadata)`.
    pub fn read(call: &Call<'a>) -> Result<Self, Error> {
        Self::read_with(call, |number, _| call.jsonb(number))
    }

    /// Reads the same arguments of the compact form, whose `input` and `metadata` are texts. A text
    /// that cannot be a jsonb raises SE003.
    pub fn read_compact(call: &Call<'a>) -> Result<Self, Error> {
        Self::read_with(call, |number, name| {
            let malformed = |reason| Malformed::argument(name, reason).into();
            let mut reader = json::Reader::new();
            call.text(number).map(|text| reader.read(text, malformed))
        })
    }

    /// `document` reads the argument with a number and a name.
    fn read_with(
        call: &Call<'a>,
        document: impl Fn(usize, &'static str) -> Option<Jsonb<'a>>,
    ) -> Result<Self, Error> {
        let null = |name| move || Malformed::argument(name, "is NULL");
        Ok(Self {
            command: call.text(0).ok_or_else(null("command"))?,
            input: document(1, "input").ok_or_else(null("input"))?,
            correlation_id: call.uuid(2),
            causation_id: call.uuid(3),
            idempotency_key: call.text(4),
            metadata: document(5, "metadata"),
            outcome: Cell::new(Outcome::Failed),
        })
    }
}

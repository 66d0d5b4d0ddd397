//! Executions with an idempotency key: executed once, then answered from the record.

use super::executed::Executed;
use crate::append::Appended;
use crate::error::{Error, Malformed, Unavailable};
use crate::locks::lock_execution;
use crate::pg::array::{bigint_array, text_array};
use crate::pg::indexes::Indexes;
use crate::pg::insert::{Columns, insert_rows};
use crate::pg::relation::Relation;
use crate::pg::scan::{Condition, Direction, IndexScan};
use crate::pg::snapshot::Snapshot;
use crate::pg::transaction;
use crate::pg::value::Text;
use crate::tables;
use crate::tables::columns::{executions as column, executions_by_key as by_key};
use eventcore_rules::check_name;
use pgrx::pg_sys::{Datum, Oid};

/// The record of an execution with a key. No other transaction executes it until this one ends.
pub struct IdempotencyRecord<'a> {
    command: Text<'a>,
    key: Text<'a>,
    executions: Relation,
    by_key: Oid,
}

impl<'a> IdempotencyRecord<'a> {
    /// Waits for other transactions that execute the command with this key.
    pub fn lock(command: Text<'a>, key: Text<'a>) -> Result<Self, Error> {
        check_name(key.bytes())
            .map_err(|error| Malformed::argument("idempotency_key", error.to_string()))?;
        let (executions, by_key) = tables::executions()?;
        lock_execution(command.bytes(), key.bytes());
        Ok(Self {
            command,
            key,
            executions,
            by_key,
        })
    }

    /// The recorded result, if there is one.
    pub fn find(&self) -> Result<Option<Executed<'a>>, Error> {
        let indexes = Indexes::open(&self.executions);
        let by_key = indexes.find(self.by_key).ok_or(Unavailable::NotInstalled)?;
        let snapshot = Snapshot::latest();
        let mut scan = IndexScan::new(&self.executions, by_key, &snapshot);
        scan.seek(
            &[
                Condition::TextEquals(by_key::COMMAND, self.command),
                Condition::TextEquals(by_key::KEY, self.key),
            ],
            Direction::Forward,
        );
        let Some(row) = scan.next() else {
            return Ok(None);
        };
        let position = |column| row.datum(column).map(|datum| datum.value() as i64);
        let versions = row.bigint_array(column::VERSIONS);
        let streams = row
            .text_array(column::STREAMS)
            .map(|streams| streams.iter().map(Text::keep).collect());
        Ok(Some(Executed {
            appended: Appended {
                positions: position(column::FIRST_POSITION).zip(position(column::LAST_POSITION)),
                versions: versions.unwrap_or_default(),
                recorded_at: row.bigint(column::RECORDED_AT),
                repeated: true,
            },
            streams: streams.ok_or(Unavailable::NotInstalled)?,
            attempts: 0,
        }))
    }

    /// Records the result, in the transaction that executed the command.
    pub fn save(&self, executed: &Executed<'_>) {
        let Executed {
            appended, streams, ..
        } = executed;
        let streams = text_array(streams.iter().copied());
        let versions = bigint_array(appended.versions.iter().copied());
        let row = |_| -> Columns<{ column::COUNT }> {
            [
                Some(Datum::from(appended.recorded_at)),
                appended.positions.map(|(first, _)| Datum::from(first)),
                appended.positions.map(|(_, last)| Datum::from(last)),
                Some(self.command.datum()),
                Some(self.key.datum()),
                Some(streams),
                Some(versions),
            ]
        };
        insert_rows(&self.executions, &Indexes::open(&self.executions), 1, row);
        transaction::end_command();
    }
}

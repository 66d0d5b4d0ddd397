//! Executes a command in the database. The call is sent once, and again if the answer is lost; its
//! idempotency key makes that safe.

use std::num::ParseIntError;
use std::pin::pin;
use std::str::FromStr;
use std::time::Instant;

use serde::Serialize;
use uuid::Uuid;

use super::super::error::store_error;
use super::super::row::from_microseconds;
use super::{ServerCall, ServerExecution};
use crate::command::CommandError;
use crate::execute::observe::{Observer, Outcome, Phase};
use crate::execute::{ExecuteError, ExecuteOptions};
use crate::execute::{Failure, until};
use crate::postgres::PostgresEventStore;
use crate::store::{EventStore, StoreError};
use crate::values::{CausationId, CorrelationId, Payload, Position, StreamId, StreamVersion};

const EXECUTE: &str = "\
SELECT eventcore_execute_compact($1::text, $2::text, $3::uuid, $4::uuid, $5::text, $6::text)";

pub(super) async fn run<I: Serialize + Sync + ?Sized>(
    store: &PostgresEventStore,
    call: &ServerCall<'_, I>,
    options: &ExecuteOptions,
) -> Result<ServerExecution, ExecuteError> {
    let (correlation_id, causation_id) = options.ids();
    let observer = Observer::new(call.command, correlation_id, causation_id);
    let made_key = || {
        options
            .retry
            .tries_again()
            .then(|| Uuid::now_v7().to_string())
    };
    let mut run = Run {
        store,
        command: call.command,
        input: Payload::encode(call.input),
        key: call.idempotency_key.clone().or_else(made_key),
        options,
        observer: &observer,
        correlation_id,
        causation_id,
        attempts: 1,
        in_doubt: false,
        last: None,
    };
    let outcome = {
        let attempts = pin!(observer.whole(run.attempts()));
        until(options.deadline, store, attempts).await
    };
    let result = outcome
        .unwrap_or_else(|| Err(Failure::Deadline(run.last.take())))
        .map_err(|failure| {
            let may_have_written = run.in_doubt;
            ExecuteError::new(
                failure,
                correlation_id,
                causation_id,
                run.attempts,
                may_have_written,
            )
        });
    observer.end(result.as_ref().map(outcome_of));
    result
}

/// One execution: its input, and the results of its attempts so far.
struct Run<'a> {
    store: &'a PostgresEventStore,
    command: &'static str,
    input: Result<Payload, serde_json::Error>,
    key: Option<String>,
    options: &'a ExecuteOptions,
    observer: &'a Observer,
    correlation_id: CorrelationId,
    causation_id: CausationId,
    attempts: u32,
    /// Whether a call is under way, or its outcome is unknown.
    in_doubt: bool,
    /// Why the last attempt failed.
    last: Option<StoreError>,
}

impl Run<'_> {
    async fn attempts(&mut self) -> Result<ServerExecution, Failure> {
        loop {
            // Check the clock, not the alarm: a timer may be late, and a call cannot be undone.
            if self
                .options
                .deadline
                .is_some_and(|deadline| deadline <= Instant::now())
            {
                return Err(Failure::Deadline(self.last.take()));
            }
            self.in_doubt = true;
            match self.observer.phase(Phase::Call, self.send()).await {
                Ok(execution) => {
                    self.in_doubt = false;
                    return Ok(execution);
                }
                Err(error) => {
                    // If the server rejects the call or knows its key, the outcome of earlier calls
                    // is known too.
                    self.in_doubt = error.is_in_doubt();
                    self.back_off(error).await?;
                }
            }
        }
    }

    async fn send(&self) -> Result<ServerExecution, StoreError> {
        let wrong =
            |error: &serde_json::Error| StoreError::malformed("input", None, error.to_string());
        let input = self.input.as_ref().map_err(wrong)?;
        let metadata = self.options.metadata.as_ref();
        let metadata = metadata.map(|metadata| metadata.as_payload().as_str());
        let row = self
            .store
            .inner
            .pool
            .query_one(
                EXECUTE,
                &[
                    &self.command,
                    &input.as_str(),
                    &self.correlation_id.as_uuid(),
                    &self.causation_id.as_uuid(),
                    &self.key,
                    &metadata,
                ],
            )
            .await?;
        let values: Vec<Option<&str>> = row.try_get(0).map_err(store_error)?;
        self.execution(&values)
    }

    /// Waits before the next attempt; returns the failure if there is none.
    async fn back_off(&mut self, error: StoreError) -> Result<(), Failure> {
        self.observer.failed(&error);
        if let Some(rejection) = error.rejection() {
            return Err(CommandError::rejected(rejection.clone()).into());
        }
        if !error.is_retriable() {
            return Err(error.into());
        }
        let Some(wait) = self.options.retry.wait_after(self.attempts) else {
            return Err(error.into());
        };
        self.observer.retry(self.attempts, wait, &error);
        self.attempts += 1;
        self.last = Some(error);
        let sleep = self.store.sleep(wait);
        self.observer.phase(Phase::BackOff, sleep).await;
        Ok(())
    }

    /// Reads the list that the server returns.
    fn execution(&self, values: &[Option<&str>]) -> Result<ServerExecution, StoreError> {
        let [
            first,
            last,
            Some(recorded_at),
            Some(repeated),
            Some(attempts),
            streams @ ..,
        ] = values
        else {
            return Err(StoreError::other("the result of the command is incomplete"));
        };
        let position = |position: &Option<&str>| position.map(number).transpose();
        let version = |pair: &[Option<&str>]| {
            let [Some(stream), Some(version)] = *pair else {
                return Err(StoreError::other("a version is missing"));
            };
            let stream = StreamId::new(stream).map_err(StoreError::other)?;
            Ok((stream, StreamVersion::new(number(version)?)))
        };
        Ok(ServerExecution {
            positions: position(first)?
                .zip(position(last)?)
                .map(|(first, last)| (Position::new(first), Position::new(last))),
            versions: streams
                .chunks(2)
                .map(version)
                .collect::<Result<_, StoreError>>()?,
            recorded_at: from_microseconds(number(recorded_at)?)?,
            repeated: *repeated != "0",
            attempts: self.attempts,
            server_attempts: number(attempts)?,
            correlation_id: self.correlation_id,
            causation_id: self.causation_id,
        })
    }
}

fn number<N: FromStr<Err = ParseIntError>>(number: &str) -> Result<N, StoreError> {
    number.parse().map_err(StoreError::other)
}

fn outcome_of(execution: &ServerExecution) -> Outcome {
    // Events that are written together have consecutive positions.
    let events = |(first, last): (Position, Position)| last.get() - first.get() + 1;
    let written = execution.positions.filter(|_| !execution.repeated);
    Outcome {
        wrote: execution.wrote(),
        events: written.map_or(0, events),
        attempts: execution.attempts,
    }
}

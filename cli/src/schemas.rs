//! `eventcore schema`: what the commands print with `-o json`.
//!
//! The schemas are made from the types that are printed, and are in the folder `schemas`, where a
//! change of them is seen.

use clap::Args;
use eventcore_inspect::append::Appended;
use eventcore_inspect::checkpoints::Checkpoint;
use eventcore_inspect::close::Closed;
use eventcore_inspect::commands::{Command, StreamState};
use eventcore_inspect::doctor::Diagnosis;
use eventcore_inspect::execute::Executed;
use eventcore_inspect::inflight::InFlight;
use eventcore_inspect::search::Found;
use eventcore_inspect::stats::Stats;
use eventcore_inspect::streams::{StreamDetail, StreamSummary};
use eventcore_inspect::{Event, projections, subscriptions};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};

use crate::commands;
use crate::context::Context;
use crate::failure::{Failure, Report};
use crate::output::{Column, Row, Show, left};

/// The arguments of `eventcore schema`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The schema [default: list them]
    name: Option<String>,
}

fn schema<T: JsonSchema>() -> Schema {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    settings.into_generator().into_root_schema_for::<T>()
}

/// A schema by its name: the words of the command.
type Named = (&'static str, fn() -> Schema);

const SCHEMAS: [Named; 32] = [
    ("append", schema::<Appended>),
    ("checkpoints", schema::<Vec<Checkpoint>>),
    ("close", schema::<Closed>),
    ("commands", schema::<Vec<Command>>),
    ("commands-show", schema::<commands::commands::Detail>),
    ("commands-state", schema::<StreamState>),
    ("dev", schema::<crate::dev::Running>),
    ("doctor", schema::<Diagnosis>),
    ("doctor-list", schema::<Vec<commands::doctor::Listed>>),
    ("error", schema::<Report<'static>>),
    ("event", schema::<Event>),
    ("execute", schema::<Executed>),
    ("import", schema::<commands::import::Summary>),
    ("inflight", schema::<Vec<InFlight>>),
    ("inflight-terminate", schema::<commands::inflight::Done>),
    ("parked", schema::<Vec<subscriptions::ParkedEvent>>),
    ("parked-change", schema::<commands::parked::Done<'static>>),
    ("parked-projection", schema::<Vec<projections::ParkedEvent>>),
    ("projections", schema::<Vec<projections::Projection>>),
    (
        "projections-change",
        schema::<commands::projections::Done<'static>>,
    ),
    ("projections-show", schema::<projections::Projection>),
    ("projections-wait", schema::<commands::projections::Waited>),
    ("search", schema::<Found>),
    ("setup", schema::<commands::setup::Report>),
    ("stats", schema::<Stats>),
    ("stream-events", schema::<Vec<Event>>),
    ("stream-show", schema::<StreamDetail>),
    ("streams", schema::<Vec<StreamSummary>>),
    ("subscriptions", schema::<Vec<subscriptions::Subscription>>),
    (
        "subscriptions-change",
        schema::<commands::subscriptions::Done<'static>>,
    ),
    (
        "subscriptions-show",
        schema::<commands::subscriptions::Detail>,
    ),
    ("trace", schema::<Found>),
];

/// The name of a schema, for the list of them.
#[derive(serde::Serialize)]
struct Name {
    name: &'static str,
}

impl Row for Name {
    fn columns() -> Vec<Column> {
        vec![left("SCHEMA")]
    }

    fn cells(&self, _: Show) -> Vec<String> {
        vec![self.name.to_owned()]
    }
}

/// Prints a schema, or the names of all.
pub(crate) fn run(arguments: &Arguments, context: &Context) -> Result<(), Failure> {
    let Some(wanted) = &arguments.name else {
        let names = SCHEMAS.iter().map(|(name, _)| Name { name });
        return context.output.rows(&names.collect::<Vec<_>>());
    };
    match SCHEMAS.iter().find(|(name, _)| name == wanted) {
        Some((_, schema)) => context.output.json(&schema()),
        None => Err(Failure::Usage(format!("there is no schema {wanted:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_schemas_are_those_in_the_folder() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
        let write = std::env::var_os("EVENTCORE_WRITE_SCHEMAS").is_some();
        for (name, schema) in SCHEMAS {
            let file = folder.join(format!("{name}.json"));
            let text = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
            if write {
                std::fs::create_dir_all(&folder).unwrap();
                std::fs::write(&file, &text).unwrap();
            }
            let found = std::fs::read_to_string(&file).unwrap_or_default();
            assert!(
                found == text,
                "{name}: write it again with EVENTCORE_WRITE_SCHEMAS=1"
            );
        }
        let files = std::fs::read_dir(&folder).unwrap().count();
        assert_eq!(files, SCHEMAS.len());
    }
}

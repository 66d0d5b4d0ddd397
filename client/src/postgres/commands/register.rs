//! Registers, drops and lists commands.

use serde_json::{Map, Value};
use tokio_postgres::Row;

use super::super::error::store_error;
use super::super::pool::Pool;
use super::super::read::count;
use super::{CommandDefinition, FieldType, RegisteredCommand};
use crate::store::StoreError;

const REGISTER: &str = "\
SELECT eventcore_register_command($1::text, $2::text, $3::text,
           streams => $4::text[], checked_streams => $5::text[], streams_function => $6::text,
           related_streams => $7::text, initial_state => $8::jsonb, required_fields => $9::jsonb,
           max_attempts => $10::bigint, replace => $11::boolean, combine => $12::text,
           snapshot_every => $13::bigint)";

/// Checks the names first: a failing cast to regprocedure would not say which argument is wrong.
const ARE_FUNCTIONS: &str = "\
SELECT pg_catalog.to_regproc(name) IS NOT NULL
  FROM unnest($1::text[]) WITH ORDINALITY AS given (name, place) ORDER BY place";

const DROP: &str = "SELECT eventcore_drop_command($1::text)";

const DISCARD: &str = "SELECT eventcore_discard_command_states($1::text)";

const LIST: &str = "\
SELECT name, apply, handle, streams, checked_streams, streams_function, related_streams, initial_state,
       required_fields, max_attempts, changed_at, combine, snapshot_every
  FROM eventcore.commands ORDER BY name";

pub(super) async fn register(pool: &Pool, command: &CommandDefinition) -> Result<(), StoreError> {
    require_functions(pool, command).await?;
    let or_null = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let pointers = |pointers: &Vec<String>| (!pointers.is_empty()).then(|| pointers.clone());
    let fields = command.required_fields.iter();
    let fields: Map<String, Value> = fields
        .map(|(pointer, field)| (pointer.clone(), field.name().into()))
        .collect();
    let fields = (!fields.is_empty()).then_some(Value::Object(fields));
    pool.query_one(
        REGISTER,
        &[
            &command.name,
            &or_null(&command.apply),
            &or_null(&command.handle),
            &pointers(&command.streams),
            &pointers(&command.checked_streams),
            &command.streams_function,
            &command.related_streams,
            &command.initial_state,
            &fields,
            &count(command.max_attempts),
            &command.replace,
            &command.combine,
            &count(command.snapshot_every),
        ],
    )
    .await?;
    Ok(())
}

/// Checks that each name names exactly one function.
async fn require_functions(pool: &Pool, command: &CommandDefinition) -> Result<(), StoreError> {
    let functions = [
        ("apply", Some(&command.apply)),
        ("handle", Some(&command.handle)),
        ("streams_function", command.streams_function.as_ref()),
        ("related_streams", command.related_streams.as_ref()),
        ("combine", command.combine.as_ref()),
    ];
    let given = |(argument, name): (_, Option<&String>)| {
        let name = name.filter(|name| !name.is_empty());
        name.map(|name| (argument, name.clone()))
    };
    let (arguments, names): (Vec<_>, Vec<_>) = functions.into_iter().filter_map(given).unzip();
    let rows = pool.query(ARE_FUNCTIONS, &[&names]).await?;
    for ((argument, name), row) in arguments.into_iter().zip(names).zip(rows) {
        if !row.try_get::<_, bool>(0).map_err(store_error)? {
            let reason = format!("{name} does not name exactly one function");
            return Err(StoreError::malformed(argument, None, reason));
        }
    }
    Ok(())
}

pub(super) async fn drop(pool: &Pool, name: &str) -> Result<bool, StoreError> {
    let row = pool.query_one(DROP, &[&name]).await?;
    row.try_get(0).map_err(store_error)
}

pub(super) async fn discard(pool: &Pool, name: &str) -> Result<bool, StoreError> {
    let row = pool.query_one(DISCARD, &[&name]).await?;
    row.try_get(0).map_err(store_error)
}

pub(super) async fn list(pool: &Pool) -> Result<Vec<RegisteredCommand>, StoreError> {
    let rows = pool.query(LIST, &[]).await?;
    rows.iter().map(registered).collect()
}

fn registered(row: &Row) -> Result<RegisteredCommand, StoreError> {
    let function = |column| row.try_get(column).map(name_of).map_err(store_error);
    let functions = |column| {
        let found: Option<&str> = row.try_get(column).map_err(store_error)?;
        Ok::<_, StoreError>(found.map(name_of))
    };
    let pointers = |column| {
        let found: Option<Vec<String>> = row.try_get(column).map_err(store_error)?;
        Ok::<_, StoreError>(found.unwrap_or_default())
    };
    let number = |column| {
        let number: i32 = row.try_get(column).map_err(store_error)?;
        u32::try_from(number).map_err(StoreError::other)
    };
    Ok(RegisteredCommand {
        definition: CommandDefinition {
            name: row.try_get(0).map_err(store_error)?,
            apply: function(1)?,
            handle: function(2)?,
            streams: pointers(3)?,
            checked_streams: pointers(4)?,
            streams_function: functions(5)?,
            related_streams: functions(6)?,
            initial_state: row.try_get(7).map_err(store_error)?,
            required_fields: fields(row.try_get(8).map_err(store_error)?)?,
            max_attempts: number(9)?,
            combine: functions(11)?,
            snapshot_every: number(12)?,
            replace: false,
        },
        changed_at: row.try_get(10).map_err(store_error)?,
    })
}

/// The name of a function from a text with its argument types, which contain no parenthesis.
fn name_of(function: &str) -> String {
    let name = function.rsplit_once('(').map_or(function, |(name, _)| name);
    name.to_owned()
}

fn fields(fields: Option<Value>) -> Result<Vec<(String, FieldType)>, StoreError> {
    let Some(Value::Object(fields)) = fields else {
        return Ok(Vec::new());
    };
    let field = |(pointer, field): (String, Value)| {
        let known = field.as_str().and_then(FieldType::named);
        let known = known.ok_or_else(|| StoreError::other(format!("unknown type {field}")))?;
        Ok((pointer, known))
    };
    fields.into_iter().map(field).collect()
}

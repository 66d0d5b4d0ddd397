//! Refuses statements that would break the tables of the extension: renaming an object that
//! functions find by its name, making a table UNLOGGED or part of another one, and creating a
//! trigger as a role that is not the owner.
//!
//! A superuser who has set `eventcore.allow_drop` may run all of them.
//!
//! [`tables`](crate::tables) notices changes that the owner may make and that matter for writing
//! beneath SQL.

use crate::error::Unavailable;
use crate::pg::altered::{self, Change};
use crate::pg::raise::raise;
use crate::pg::relation;
use crate::settings;
use pgrx::pg_sys::Oid;
use pgrx::{PgSqlErrorCode, ereport};

/// Called when a trigger has been created.
///
/// The code of a trigger would run with the rights of every role that writes the table.
pub fn after_create_trigger(trigger: Oid) {
    if let Some(table) = altered::table_of_new_trigger(trigger)
        && is_ours(table)
        && !relation::is_owner(table)
    {
        refuse_trigger(table);
    }
}

/// Called when a table, an index, a view or a sequence has been altered.
pub fn after_alter_relation(relation: Oid) {
    let change = altered::relation(relation);
    let Some(change) = change.filter(is_in_our_schema) else {
        return;
    };
    require_same_name("relation", &change);
    if change.before.permanent && !change.after.permanent && is_ours(relation) {
        let table = change.before.name();
        raise(&Unavailable::Unlogged { table }.into());
    }
}

/// Called when a column of a table has been altered.
pub fn after_alter_column(table: Oid, number: i16) {
    if is_ours(table)
        && let Some(change) = altered::column(table, number)
    {
        require_same_name("column", &change);
    }
}

/// Called when a function has been altered.
pub fn after_alter_function(function: Oid) {
    if let Some(change) = altered::function(function)
        && is_in_our_schema(&change)
    {
        require_same_name("function", &change);
    }
}

/// Called when a schema has been altered.
pub fn after_alter_schema(schema: Oid) {
    if is_our_schema(schema)
        && let Some(change) = altered::schema(schema)
    {
        require_same_name("schema", &change);
    }
}

/// Called when a table has got a parent or a child.
pub fn after_inherit(child: Oid, parent: Oid) {
    for table in [child, parent] {
        if is_ours(table) {
            let table = relation::name(table);
            raise(&Unavailable::Inherits { table }.into());
        }
    }
}

fn require_same_name(what: &'static str, change: &Change) {
    let (before, after) = (&change.before, &change.after);
    if !before.has_name_of(after) || before.schema != after.schema {
        let name = before.name();
        raise(&Unavailable::KeepsName { what, name }.into());
    }
}

fn is_ours(relation: Oid) -> bool {
    !settings::allows_drop() && relation::belongs_to_extension(relation, c"eventcore")
}

fn is_in_our_schema(change: &Change) -> bool {
    is_our_schema(change.before.schema)
}

fn is_our_schema(schema: Oid) -> bool {
    !settings::allows_drop()
        && relation::schema(c"eventcore") == Some(schema)
        && relation::schema_belongs_to_extension(schema, c"eventcore")
}

/// Raises an error because a role that does not own the table has created a trigger.
fn refuse_trigger(table: Oid) {
    ereport!(
        ERROR,
        PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
        format!(
            "permission denied to create a trigger on eventcore.{}",
            relation::name(table)
        ),
        "It would run with the rights of every role that writes the table."
    );
}

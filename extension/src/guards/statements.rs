//! Statements that would take our tables away from under us, refused as they happen: another name for what our functions find
//! by its name, a table that a crash empties or that is part of another one, a trigger of a role that is not the owner.
//!
//! A superuser who has set `eventcore.allow_drop` may do all of it.
//!
//! Whatever is left to the owner and makes writing beneath SQL wrong is noticed by [`catalog`](crate::tables).

use crate::error::Unavailable;
use crate::pg::altered::{self, Change};
use crate::pg::raise::raise;
use crate::pg::relation;
use crate::settings;
use pgrx::pg_sys::Oid;

/// Called when a trigger has been created.
///
/// A role with the privilege TRIGGER would have its code run with the rights of whoever writes the table.
pub fn after_create_trigger(trigger: Oid) {
    if let Some(table) = altered::table_of_new_trigger(trigger)
        && is_ours(table)
        && !relation::is_owner(table)
    {
        relation::refuse_trigger(table);
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

/// Called when a table has got a parent, or a child.
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

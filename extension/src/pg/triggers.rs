//! ALTER TABLE … ENABLE TRIGGER on a table of the extension enables its triggers as they were
//! created: ENABLE ALWAYS. Tools that load data disable and enable all triggers of a table, and
//! would leave them plain.

use super::relation::{self, Relation, Use};
use pgrx::PgList;
use pgrx::pg_sys::{self, AlterTableType, NodeTag, Oid};
use std::ffi::{CStr, CString};

/// Triggers with this in their names stay plain, because they are not for replicated rows.
const PLAIN: &str = "settle";

/// A statement that enables triggers of a table of the extension.
#[repr(C)]
pub struct EnableTrigger {
    /// The statement to run instead.
    pub statement: *mut pg_sys::PlannedStmt,
    /// The table.
    pub table: Oid,
}

/// The statement to run instead of one that enables triggers of a table of the extension; `None`
/// for any other statement.
///
/// # Safety
///
/// `statement` is a statement of the server.
pub unsafe fn enabling(statement: *mut pg_sys::PlannedStmt) -> Option<EnableTrigger> {
    // SAFETY: each node is read as what its tag says. What is changed is a copy: the plan may be in
    // a cache.
    unsafe {
        let utility = (*statement).utilityStmt;
        if (*utility).type_ != NodeTag::T_AlterTableStmt {
            return None;
        }
        let alter = utility.cast::<pg_sys::AlterTableStmt>();
        if !commands(alter).iter_ptr().any(|command| enables(command)) {
            return None;
        }
        let table = pg_sys::RangeVarGetRelidExtended(
            (*alter).relation,
            pg_sys::NoLock as pg_sys::LOCKMODE,
            pg_sys::RVROption::RVR_MISSING_OK,
            None,
            std::ptr::null_mut(),
        );
        if table == Oid::INVALID || !relation::belongs_to_extension(table, c"eventcore") {
            return None;
        }
        let copy = pg_sys::copyObjectImpl(statement.cast()).cast::<pg_sys::PlannedStmt>();
        enable_always((*copy).utilityStmt.cast(), table);
        Some(EnableTrigger {
            statement: copy,
            table,
        })
    }
}

/// # Safety
///
/// `alter` is an ALTER TABLE of this table.
unsafe fn enable_always(alter: *mut pg_sys::AlterTableStmt, table: Oid) {
    let always: Vec<CString> = Relation::existing_table(table, Use::Read)
        .map(|table| table.triggers())
        .unwrap_or_default()
        .into_iter()
        .map(|trigger| trigger.name)
        .filter(|name| !name.to_string_lossy().contains(PLAIN))
        .collect();
    // SAFETY: guaranteed by the caller. Nodes and names are allocated in the memory of the copy.
    unsafe {
        let mut commands = commands(alter);
        let mut wanted = Vec::new();
        for command in commands.iter_ptr().filter(|command| enables(*command)) {
            if (*command).subtype == AlterTableType::AT_EnableTrig {
                let name = CStr::from_ptr((*command).name);
                if always.iter().any(|always| always.as_c_str() == name) {
                    (*command).subtype = AlterTableType::AT_EnableAlwaysTrig;
                }
            } else {
                wanted.clone_from(&always);
            }
        }
        for name in wanted {
            let command =
                pgrx::PgBox::<pg_sys::AlterTableCmd>::alloc_node(NodeTag::T_AlterTableCmd);
            let command = command.into_pg();
            (*command).subtype = AlterTableType::AT_EnableAlwaysTrig;
            (*command).name = pg_sys::pstrdup(name.as_ptr());
            commands.push(command);
        }
        (*alter).cmds = commands.into_pg();
    }
}

/// # Safety
///
/// `alter` is an ALTER TABLE.
unsafe fn commands(alter: *mut pg_sys::AlterTableStmt) -> PgList<pg_sys::AlterTableCmd> {
    // SAFETY: guaranteed by the caller.
    unsafe { PgList::from_pg((*alter).cmds) }
}

/// # Safety
///
/// `command` is a part of an ALTER TABLE.
unsafe fn enables(command: *mut pg_sys::AlterTableCmd) -> bool {
    // SAFETY: guaranteed by the caller.
    let subtype = unsafe { (*command).subtype };
    [
        AlterTableType::AT_EnableTrig,
        AlterTableType::AT_EnableTrigAll,
        AlterTableType::AT_EnableTrigUser,
    ]
    .contains(&subtype)
}

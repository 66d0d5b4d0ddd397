//! The hooks by which the server calls an extension.

use super::raise::entry;
use super::{databases, ffi, triggers};
use pgrx::pg_sys::{self, NodeTag, ObjectAccessType, Oid};
use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::OnceLock;

/// The functions that the hooks call.
pub struct Hooks {
    /// The server asks how much shared memory to create.
    pub request_shared_memory: fn(),
    /// The shared memory exists.
    pub attach_shared_memory: fn(),
    /// A table, an index or a sequence is about to be dropped. May raise an error.
    pub before_drop_relation: fn(Oid),
    /// A trigger has been created. May raise an error, like all of the following.
    pub after_create_trigger: fn(Oid),
    /// A table, an index, a view or a sequence has been altered.
    pub after_alter_relation: fn(Oid),
    /// A column has been altered: its table and its number.
    pub after_alter_column: fn(Oid, i16),
    /// A function has been altered.
    pub after_alter_function: fn(Oid),
    /// A schema has been altered.
    pub after_alter_schema: fn(Oid),
    /// A table has become a child of another one: child and parent.
    pub after_inherit: fn(Oid, Oid),
    /// A statement needs exclusive use of this database, and its role may run it.
    pub before_exclusive_use: fn(u32),
    /// A database has been dropped.
    pub after_drop_database: fn(u32),
    /// Triggers of a table of the extension have been enabled. May raise an error.
    pub after_enabling_triggers: fn(Oid),
}

static HOOKS: OnceLock<&'static Hooks> = OnceLock::new();

static mut NEXT_REQUEST: pg_sys::shmem_request_hook_type = None;
static mut NEXT_STARTUP: pg_sys::shmem_startup_hook_type = None;
static mut NEXT_ACCESS: pg_sys::object_access_hook_type = None;
static mut NEXT_UTILITY: pg_sys::ProcessUtility_hook_type = None;

/// Whether the server is loading `shared_preload_libraries` right now.
pub fn server_is_starting() -> bool {
    // SAFETY: a variable of the server, read on its only thread.
    unsafe { pg_sys::process_shared_preload_libraries_in_progress }
}

/// Installs the hooks. To be called once, while the server is starting.
pub fn install(hooks: &'static Hooks) {
    if HOOKS.set(hooks).is_err() {
        return;
    }
    // SAFETY: variables of the server, changed on its only thread.
    unsafe {
        NEXT_REQUEST = pg_sys::shmem_request_hook;
        pg_sys::shmem_request_hook = Some(on_request);
        NEXT_STARTUP = pg_sys::shmem_startup_hook;
        pg_sys::shmem_startup_hook = Some(on_startup);
        NEXT_ACCESS = pg_sys::object_access_hook;
        pg_sys::object_access_hook = Some(on_access);
        NEXT_UTILITY = pg_sys::ProcessUtility_hook;
        pg_sys::ProcessUtility_hook = Some(on_utility);
    }
}

/// Makes the server refuse unknown settings with this prefix.
pub fn reserve_setting_prefix(prefix: &CStr) {
    // SAFETY: a C string.
    unsafe { pg_sys::MarkGUCPrefixReserved(prefix.as_ptr()) };
}

unsafe extern "C-unwind" fn on_request() {
    // SAFETY: the hook that was there before.
    unsafe {
        if let Some(next) = NEXT_REQUEST {
            next();
        }
    }
    if let Some(hooks) = HOOKS.get() {
        ours(hooks.request_shared_memory);
    }
}

unsafe extern "C-unwind" fn on_startup() {
    // SAFETY: the hook that was there before.
    unsafe {
        if let Some(next) = NEXT_STARTUP {
            next();
        }
    }
    if let Some(hooks) = HOOKS.get() {
        ours(hooks.attach_shared_memory);
    }
}

/// Runs the extension's part of a hook.
fn ours(work: impl FnOnce()) {
    entry(|| {
        work();
        Ok(())
    });
}

unsafe extern "C-unwind" fn on_access(
    access: ObjectAccessType::Type,
    class: Oid,
    object: Oid,
    part: c_int,
    argument: *mut c_void,
) {
    // SAFETY: the hook that was there before, with its own arguments.
    unsafe {
        if let Some(next) = NEXT_ACCESS {
            next(access, class, object, part, argument);
        }
        // The other kinds of access are reported for every function call and every schema search.
        let changes = [
            ObjectAccessType::OAT_DROP,
            ObjectAccessType::OAT_POST_CREATE,
            ObjectAccessType::OAT_POST_ALTER,
        ];
        if changes.contains(&access)
            && let Some(hooks) = HOOKS.get()
        {
            // The scripts of CREATE and ALTER EXTENSION may change anything.
            let by_script = pg_sys::creating_extension;
            ours(|| match access {
                ObjectAccessType::OAT_DROP => on_drop(hooks, class, object, part),
                _ if by_script => {}
                ObjectAccessType::OAT_POST_CREATE => on_create(hooks, class, object),
                _ => on_alter(hooks, class, object, part, argument),
            });
        }
    }
}

fn on_drop(hooks: &Hooks, class: Oid, object: Oid, part: c_int) {
    if class == pg_sys::RelationRelationId && part == 0 {
        (hooks.before_drop_relation)(object);
    }
}

fn on_create(hooks: &Hooks, class: Oid, object: Oid) {
    if class == pg_sys::TriggerRelationId {
        (hooks.after_create_trigger)(object);
    }
}

/// # Safety
///
/// `argument` is what the server passes after a change.
unsafe fn on_alter(hooks: &Hooks, class: Oid, object: Oid, part: c_int, argument: *mut c_void) {
    match (class, i16::try_from(part)) {
        (pg_sys::RelationRelationId, Ok(0)) => (hooks.after_alter_relation)(object),
        (pg_sys::RelationRelationId, Ok(column)) => (hooks.after_alter_column)(object, column),
        (pg_sys::ProcedureRelationId, _) => (hooks.after_alter_function)(object),
        (pg_sys::NamespaceRelationId, _) => (hooks.after_alter_schema)(object),
        (PG_INHERITS, _) if !argument.is_null() => {
            // SAFETY: guaranteed by the caller. The server names the parent beside the child.
            let parent =
                unsafe { (*argument.cast::<pg_sys::ObjectAccessPostAlter>()).auxiliary_id };
            (hooks.after_inherit)(object, parent);
        }
        _ => {}
    }
}

/// The OID of the catalog `pg_inherits`.
const PG_INHERITS: Oid = Oid::from_u32(2611);

/// An error of any statement jumps over this frame. So the frame owns nothing that could leak, and
/// code that may panic is in functions of its own.
unsafe extern "C-unwind" fn on_utility(
    statement: *mut pg_sys::PlannedStmt,
    query: *const c_char,
    read_only_tree: bool,
    context: pg_sys::ProcessUtilityContext::Type,
    parameters: pg_sys::ParamListInfo,
    environment: *mut pg_sys::QueryEnvironment,
    receiver: *mut pg_sys::DestReceiver,
    completion: *mut pg_sys::QueryCompletion,
) {
    // SAFETY: the server's own arguments, passed on to the function that would have got them
    // without this hook.
    unsafe {
        let plan = entry(|| Ok(before_utility(statement)));
        let next = NEXT_UTILITY.unwrap_or(ffi::standard_process_utility());
        next(
            plan.statement,
            query,
            read_only_tree,
            context,
            parameters,
            environment,
            receiver,
            completion,
        );
        if plan.drops
            && let Some(hooks) = HOOKS.get()
        {
            ours(|| (hooks.after_drop_database)(plan.database));
        }
        if plan.enables != 0
            && let Some(hooks) = HOOKS.get()
        {
            ours(|| (hooks.after_enabling_triggers)(Oid::from(plan.enables)));
        }
    }
}

/// What to do for a statement. No database and no table has the OID 0.
#[derive(Clone, Copy)]
struct UtilityPlan {
    /// The statement to run.
    statement: *mut pg_sys::PlannedStmt,
    /// The database that the statement needs exclusively.
    database: u32,
    drops: bool,
    /// The table of the extension whose triggers the statement enables.
    enables: u32,
}

/// # Safety
///
/// `statement` is one of the server.
unsafe fn before_utility(statement: *mut pg_sys::PlannedStmt) -> UtilityPlan {
    let mut plan = UtilityPlan {
        statement,
        database: 0,
        drops: false,
        enables: 0,
    };
    // SAFETY: guaranteed by the caller.
    unsafe {
        if let Some((database, drops)) = exclusive_use((*statement).utilityStmt) {
            (plan.database, plan.drops) = (database, drops);
            if let Some(hooks) = HOOKS.get() {
                (hooks.before_exclusive_use)(database);
            }
        }
        if let Some(enabling) = triggers::enabling(statement) {
            plan.statement = enabling.statement;
            plan.enables = enabling.table.to_u32();
        }
    }
    plan
}

/// The database that a statement needs exclusively, if any, and whether it drops it.
///
/// # Safety
///
/// `statement` is a node of the server.
unsafe fn exclusive_use(statement: *mut pg_sys::Node) -> Option<(u32, bool)> {
    // SAFETY: each node is read as what its tag says.
    unsafe {
        let mut may_use: fn(Oid) -> bool = databases::is_mine;
        let (name, drops) = match (*statement).type_ {
            NodeTag::T_DropdbStmt => ((*statement.cast::<pg_sys::DropdbStmt>()).dbname, true),
            NodeTag::T_CreatedbStmt => {
                let create = statement.cast::<pg_sys::CreatedbStmt>();
                may_use = databases::may_copy;
                let template = option((*create).options, c"template");
                match template.filter(|template| !(**template).arg.is_null()) {
                    Some(template) => (pg_sys::defGetString(template), false),
                    None => (c"template1".as_ptr().cast_mut(), false),
                }
            }
            NodeTag::T_RenameStmt => {
                let rename = statement.cast::<pg_sys::RenameStmt>();
                if (*rename).renameType != pg_sys::ObjectType::OBJECT_DATABASE {
                    return None;
                }
                ((*rename).subname, false)
            }
            NodeTag::T_AlterDatabaseStmt => {
                let alter = statement.cast::<pg_sys::AlterDatabaseStmt>();
                option((*alter).options, c"tablespace")?;
                ((*alter).dbname, false)
            }
            _ => return None,
        };
        // The look-up reads the catalog, which needs a transaction. All of these statements run in
        // one.
        let oid = pg_sys::get_database_oid(name, true);
        (oid != Oid::INVALID && may_use(oid)).then(|| (oid.to_u32(), drops))
    }
}

/// An option of a statement, if it is set.
///
/// # Safety
///
/// `options` is a list of DefElem.
unsafe fn option(options: *mut pg_sys::List, name: &CStr) -> Option<*mut pg_sys::DefElem> {
    // SAFETY: guaranteed by the caller.
    unsafe {
        let options = pgrx::PgList::<pg_sys::DefElem>::from_pg(options);
        options
            .iter_ptr()
            .find(|option| CStr::from_ptr((**option).defname) == name)
    }
}

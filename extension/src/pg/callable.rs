//! Functions of applications, in any language: found by name and called with values of the server.

use super::array::{Array, Element, TextArray, bigint_array, text_array};
use super::cache::Changes;
use super::ffi::{guarded, hash};
use super::raise::entry_without_error;
use super::relation::{Relation, Use};
use super::scan::{Condition, Direction, IndexScan};
use super::session::current_role;
use super::snapshot::{ActiveSnapshot, Snapshot};
use super::value::{Jsonb, Text};
use pgrx::pg_sys::{self, Datum, FmgrInfo, FunctionCallInfoBaseData, NullableDatum, Oid};
use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::ffi::CStr;
use std::rc::Rc;

/// `pg_proc`, its index by OID, and its columns.
const FUNCTIONS: u32 = 1255;
const FUNCTIONS_BY_OID: u32 = 2690;
const OID: i16 = 1;
const FUNCTION_OWNER: i16 = 4;

/// A function that is ready to be called, with the rights of the role that runs the statement.
pub struct Function {
    /// Procedural languages cache data about the function here, from call to call.
    info: Box<FmgrInfo>,
}

/// A value and its type; NULL is `None`.
#[derive(Clone, Copy)]
pub struct Argument {
    data_type: Oid,
    value: Option<Datum>,
}

impl Argument {
    pub fn text(text: Text<'_>) -> Self {
        Self::new(pg_sys::TEXTOID, Some(text.datum()))
    }

    pub fn boolean(value: Option<bool>) -> Self {
        Self::new(pg_sys::BOOLOID, value.map(Datum::from))
    }

    pub fn bigint(value: Option<i64>) -> Self {
        Self::new(pg_sys::INT8OID, value.map(Datum::from))
    }

    pub fn role(role: Oid) -> Self {
        Self::new(pg_sys::REGROLEOID, Some(Datum::from(role)))
    }

    pub fn texts<'a>(texts: impl Iterator<Item = Text<'a>>) -> Self {
        Self::new(pg_sys::TEXTARRAYOID, Some(text_array(texts)))
    }

    pub fn bigints(values: impl Iterator<Item = i64>) -> Self {
        Self::new(pg_sys::INT8ARRAYOID, Some(bigint_array(values)))
    }

    fn new(data_type: Oid, value: Option<Datum>) -> Self {
        Self { data_type, value }
    }
}

/// What the server passes to a function of N arguments.
#[repr(C)]
struct CallFrame<const N: usize> {
    head: FunctionCallInfoBaseData,
    arguments: [NullableDatum; N],
}

/// The owner and the types of a function.
struct Signature {
    function: Oid,
    /// How the server calls it, looked up for its first call.
    info: OnceCell<FmgrInfo>,
    owner: Oid,
    arguments: Vec<Oid>,
    /// `None` for a function that returns several rows, and for aggregates, window functions and
    /// procedures.
    result: Option<Oid>,
}

thread_local! {
    /// The signatures that were found since any function of the database changed, by name.
    static FOUND: RefCell<HashMap<Vec<u8>, Rc<Signature>>> = RefCell::new(HashMap::new());
    /// The changes of functions, languages and schemas.
    static CHANGES: Changes = const { Changes::none() };
}

impl Function {
    /// Opens the function with this name; `None` if there is none that takes and returns values of
    /// these types. Raises the server's own error if the caller may not execute it.
    ///
    /// The types are checked here, not only when a name is registered: a role that may write the
    /// table of names must not be able to have a function called with the wrong types.
    ///
    /// `owners` are the names of the roles that owned the function when it was registered. A schema
    /// may have been renamed since, and another role may have created a function with the old name.
    /// So a function that belongs to none of these roles and not to a superuser does not count.
    pub fn open<'o>(
        name: Text<'_>,
        owners: impl Iterator<Item = &'o [u8]>,
        arguments: &[Oid],
        result: Oid,
    ) -> Option<Self> {
        let found = find_typed(name, arguments, result)?;
        is_owner(found.owner, owners).then(|| Self::prepare(&found))
    }

    fn prepare(found: &Signature) -> Self {
        // SAFETY: the function exists. What is allocated for it lives as long as the current memory
        // context, in which it is called.
        unsafe {
            require_executable(found.function);
            Self {
                info: Box::new(FmgrInfo {
                    fn_mcxt: pg_sys::CurrentMemoryContext,
                    ..*found.info.get_or_init(|| fmgr_info(found.function))
                }),
            }
        }
    }

    /// A hash of its definition in `pg_proc`. It changes when the function is replaced or altered.
    pub fn definition(&self, seed: u64) -> u64 {
        let procedures = pg_sys::SysCacheIdentifier::PROCOID as _;
        // SAFETY: any OID is allowed. The row is in memory of the server's until it is released.
        unsafe {
            let row = pg_sys::SearchSysCache1(procedures, Datum::from(self.info.fn_oid));
            if row.is_null() {
                return seed;
            }
            let start = std::mem::offset_of!(pg_sys::HeapTupleHeaderData, t_bits);
            let length = ((*row).t_len as usize).saturating_sub(start);
            let bytes = std::slice::from_raw_parts((*row).t_data.cast::<u8>().add(start), length);
            let hash = hash(bytes, seed);
            pg_sys::ReleaseSysCache(row);
            hash
        }
    }

    /// The result for these arguments; `None` for NULL. A strict function is not called with NULL.
    ///
    /// # Safety
    ///
    /// The function takes arguments of the types of these values.
    unsafe fn call<const N: usize>(&mut self, arguments: [Option<Datum>; N]) -> Option<Datum> {
        if self.info.fn_strict && arguments.contains(&None) {
            return None;
        }
        let mut frame = CallFrame {
            head: FunctionCallInfoBaseData {
                flinfo: &raw mut *self.info,
                nargs: N as i16,
                ..FunctionCallInfoBaseData::default()
            },
            arguments: arguments.map(|argument| NullableDatum {
                value: argument.unwrap_or(Datum::null()),
                isnull: argument.is_none(),
            }),
        };
        let call = (&raw mut frame).cast();
        let function = self.info.fn_addr?;
        // SAFETY: guaranteed by the caller; the arguments follow the head. The function belongs to
        // `info`.
        let result = unsafe { guarded(|| function(call)) };
        (!frame.head.isnull).then_some(result)
    }

    /// Calls a function `()`.
    pub fn perform(&mut self) {
        // SAFETY: it takes nothing.
        unsafe { self.call([]) };
    }

    /// Calls a function of one argument: an event, or an array of events, as it was registered.
    pub fn perform_on(&mut self, events: Datum) {
        // SAFETY: the type that it was opened with.
        unsafe { self.call([Some(events)]) };
    }

    /// Calls the function of the extension with this name, which takes arguments of these types and returns nothing,
    /// in a snapshot of its own; `None` if there is none.
    pub fn perform_by_name<const N: usize>(name: &str, arguments: [Argument; N]) -> Option<()> {
        Self::call_by_name(name, arguments, pg_sys::VOIDOID).map(|_| ())
    }

    /// Does the same for a function that returns a `text[]`; its NULL is an empty array. `None` also for
    /// an array of more than one dimension, as if there were no function.
    pub fn texts_by_name<'r, const N: usize>(
        name: &str,
        arguments: [Argument; N],
    ) -> Option<Vec<Text<'r>>> {
        let returned = Self::call_by_name(name, arguments, pg_sys::TEXTARRAYOID)?;
        // SAFETY: the function returns a text[].
        let texts = returned.map(|array| unsafe { texts(array) });
        let texts = texts.transpose().ok()?;
        Some(texts.map_or_else(Vec::new, |texts| texts.iter().collect()))
    }

    fn call_by_name<const N: usize>(
        name: &str,
        arguments: [Argument; N],
        result: Oid,
    ) -> Option<Option<Datum>> {
        let name = Text::copy(name.as_bytes()).keep();
        let types = arguments.map(|argument| argument.data_type);
        let mut function = Self::prepare(&*find_typed(name, &types, result)?);
        let fresh = ActiveSnapshot::push();
        // SAFETY: the types that it was opened with.
        let returned = unsafe { function.call(arguments.map(|argument| argument.value)) };
        drop(fresh);
        Some(returned)
    }

    /// Calls a function `(jsonb, …)` that returns a `jsonb`. Its second argument is an event or an
    /// array of events, as it was opened.
    pub fn next_state<'r>(&mut self, state: Jsonb<'_>, events: Datum) -> Option<Jsonb<'r>> {
        // SAFETY: the types that it was opened with.
        unsafe {
            self.call([Some(state.datum()), Some(events)])
                .map(|state| Jsonb::new(state))
        }
    }

    /// Calls a function `(jsonb[])` that returns a `jsonb`.
    pub fn jsonb_of_array<'r>(&mut self, array: Datum) -> Option<Jsonb<'r>> {
        // SAFETY: the types that it was opened with.
        unsafe { self.call([Some(array)]).map(|result| Jsonb::new(result)) }
    }

    /// Calls a function `(jsonb, jsonb)` that returns a `jsonb`.
    pub fn jsonb_of_two<'r>(&mut self, one: Jsonb<'_>, other: Jsonb<'_>) -> Option<Jsonb<'r>> {
        // SAFETY: the types that it was opened with.
        unsafe {
            self.call([Some(one.datum()), Some(other.datum())])
                .map(|result| Jsonb::new(result))
        }
    }

    /// Calls a function `(jsonb, jsonb)` that returns a `text[]`. The error completes a sentence
    /// about the result.
    pub fn texts_of_two<'r>(
        &mut self,
        one: Jsonb<'_>,
        other: Jsonb<'_>,
    ) -> Result<Option<TextArray<'r>>, &'static str> {
        // SAFETY: the types that it was opened with.
        unsafe {
            let returned = self.call([Some(one.datum()), Some(other.datum())]);
            returned.map(|array| texts(array)).transpose()
        }
    }

    /// Calls a function `(jsonb)` that returns a `text[]`. The error completes a sentence about the
    /// result.
    pub fn texts_of<'r>(&mut self, one: Jsonb<'_>) -> Result<Option<TextArray<'r>>, &'static str> {
        // SAFETY: the types that it was opened with.
        unsafe {
            let returned = self.call([Some(one.datum())]);
            returned.map(|array| texts(array)).transpose()
        }
    }
}

/// A number that differs each time that this backend has heard of a change of any function.
pub fn changes() -> u64 {
    CHANGES.with(Changes::count)
}

/// # Safety
///
/// `array` is a `text[]`.
unsafe fn texts<'r>(array: Datum) -> Result<TextArray<'r>, &'static str> {
    // SAFETY: guaranteed by the caller.
    let texts = unsafe { Array::new(array, Element::Text) };
    texts.map(TextArray).ok_or("has more than one dimension")
}

fn find_typed(name: Text<'_>, arguments: &[Oid], result: Oid) -> Option<Rc<Signature>> {
    find(name).filter(|found| found.arguments == arguments && found.result == Some(result))
}

fn find(name: Text<'_>) -> Option<Rc<Signature>> {
    CHANGES.with(|changes| changes.register_once(report_changes));
    if let Some(found) = FOUND.with_borrow(|found| found.get(name.bytes()).cloned()) {
        return Some(found);
    }
    let before = changes();
    // SAFETY: the function takes a text and returns a regprocedure.
    let found: Option<Oid> =
        unsafe { pgrx::direct_function_call(pg_sys::to_regprocedure, &[Some(name.datum())]) };
    let found = found.filter(|found| *found != Oid::INVALID)?;
    // SAFETY: it has just been found.
    let found = Rc::new(unsafe { signature(found) });
    if changes() == before {
        FOUND.with_borrow_mut(|all| all.insert(name.bytes().to_vec(), Rc::clone(&found)));
    }
    Some(found)
}

/// Makes the server report changes of functions, of languages, because they tell how a function is
/// called, and of schemas, because a function is found by the name of its schema too.
fn report_changes() {
    for cache in [
        pg_sys::SysCacheIdentifier::PROCOID,
        pg_sys::SysCacheIdentifier::LANGOID,
        pg_sys::SysCacheIdentifier::NAMESPACEOID,
    ] {
        // SAFETY: the callback is a function of this module.
        unsafe {
            pg_sys::CacheRegisterSyscacheCallback(cache as i32, Some(forget), Datum::null());
        }
    }
}

unsafe extern "C-unwind" fn forget(_argument: Datum, _cache: i32, _hash: u32) {
    entry_without_error(|| {
        CHANGES.with(Changes::add);
        FOUND.with_borrow_mut(HashMap::clear);
    });
}

/// # Safety
///
/// The function exists.
unsafe fn signature(function: Oid) -> Signature {
    let (mut types, mut count) = (std::ptr::null_mut(), 0);
    // SAFETY: guaranteed by the caller; the server allocates the types and says how many there are.
    unsafe {
        let returned = pg_sys::get_func_signature(function, &mut types, &mut count);
        let is_plain = pg_sys::get_func_prokind(function) == pg_sys::PROKIND_FUNCTION as i8
            && !pg_sys::get_func_retset(function);
        let arguments = match usize::try_from(count) {
            Ok(count @ 1..) => std::slice::from_raw_parts(types, count).to_vec(),
            _ => Vec::new(),
        };
        Signature {
            function,
            info: OnceCell::new(),
            owner: owner(function),
            arguments,
            result: is_plain.then_some(returned),
        }
    }
}

/// # Safety
///
/// The function exists.
unsafe fn fmgr_info(function: Oid) -> FmgrInfo {
    let mut info = FmgrInfo::default();
    // SAFETY: guaranteed by the caller. It allocates nothing.
    unsafe { pg_sys::fmgr_info(function, &mut info) };
    info
}

/// The owner of a function, from `pg_proc`.
fn owner(function: Oid) -> Oid {
    let table = Relation::table(Oid::from(FUNCTIONS), Use::Read);
    let by_oid = Relation::index(Oid::from(FUNCTIONS_BY_OID), Use::Read);
    let snapshot = Snapshot::latest();
    let mut scan = IndexScan::new(&table, &by_oid, &snapshot);
    scan.seek(&[Condition::OidEquals(OID, function)], Direction::Forward);
    scan.next()
        .map_or(Oid::INVALID, |row| row.oid(FUNCTION_OWNER))
}

/// Whether a role is a superuser, or has one of these names.
fn is_owner<'n>(role: Oid, mut names: impl Iterator<Item = &'n [u8]>) -> bool {
    // SAFETY: any OID is allowed; the name is a copy.
    let name = unsafe {
        if pg_sys::superuser_arg(role) {
            return true;
        }
        let name = pg_sys::GetUserNameFromId(role, true);
        if name.is_null() {
            return false;
        }
        CStr::from_ptr(name).to_bytes()
    };
    names.any(|owner| owner == name)
}

/// # Safety
///
/// The function exists.
unsafe fn require_executable(function: Oid) {
    // SAFETY: guaranteed by the caller.
    unsafe {
        let user = current_role();
        #[cfg(feature = "pg15")]
        let result = pg_sys::pg_proc_aclcheck(function, user, pg_sys::ACL_EXECUTE);
        #[cfg(not(feature = "pg15"))]
        let result = pg_sys::object_aclcheck(
            pg_sys::ProcedureRelationId,
            function,
            user,
            pg_sys::ACL_EXECUTE.into(),
        );
        if result != pg_sys::AclResult::ACLCHECK_OK {
            let kind = pg_sys::ObjectType::OBJECT_FUNCTION;
            pg_sys::aclcheck_error(result, kind, pg_sys::get_func_name(function));
        }
    }
}

//! A call of a SQL function: its arguments and its result.

use super::array::{Array, BigintArray, Element, JsonbArray, TextArray, UuidArray};
use super::ffi::guarded;
use super::memory::ContextSwitch;
use super::raw;
use super::rows::RowSet;
use super::value::{Jsonb, Text, uuid};
use crate::error::{Error, Malformed};
use pgrx::pg_sys::{self, Datum, FunctionCallInfo, Oid, TupleDesc};
use std::marker::PhantomData;
use uuid::Uuid;

/// A call. Arguments are numbered from 0. Their names are for errors.
pub struct Call<'a> {
    info: FunctionCallInfo,
    memory: PhantomData<&'a ()>,
}

/// The row for which a trigger was called.
pub struct TriggerRow {
    tuple: pg_sys::HeapTuple,
    columns: Vec<Option<Datum>>,
}

impl TriggerRow {
    /// A column of type bigint or timestamptz, 0 for NULL.
    pub fn bigint(&self, column: i16) -> i64 {
        self.column(column).map_or(0, |value| value.value() as i64)
    }

    fn column(&self, column: i16) -> Option<Datum> {
        self.columns[column as usize - 1]
    }

    /// A column of type text; `None` for NULL.
    pub fn text(&self, column: i16) -> Option<Text<'_>> {
        // SAFETY: the table has a text there.
        self.column(column).map(|value| unsafe { Text::new(value) })
    }

    /// A column of type jsonb; `None` for NULL.
    pub fn jsonb(&self, column: i16) -> Option<Jsonb<'_>> {
        // SAFETY: the table has a jsonb there.
        self.column(column)
            .map(|value| unsafe { Jsonb::new(value) })
    }

    /// The row itself, which a BEFORE INSERT trigger returns.
    pub fn datum(&self) -> Datum {
        Datum::from(self.tuple)
    }
}

/// Set if the caller reads the rows of a function in any order.
const RANDOM_ACCESS: u32 = pg_sys::SetFunctionReturnMode::SFRM_Materialize_Random;

fn fail_no_set() {
    pgrx::ereport!(
        ERROR,
        pgrx::PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
        "set-valued function called in context that cannot accept a set"
    );
}

/// The result of a function; `None` is NULL.
pub type Returned = Result<Option<Datum>, Error>;

impl<'a> Call<'a> {
    /// # Safety
    ///
    /// `info` is what the server passed to the function that is being called, and the arguments
    /// have the types that the function's declaration in `sql/` says.
    pub unsafe fn new(info: FunctionCallInfo) -> Self {
        Self {
            info,
            memory: PhantomData,
        }
    }

    fn argument(&self, number: usize) -> Option<Datum> {
        // SAFETY: the declaration has this many arguments.
        unsafe {
            assert!(number < usize::try_from((*self.info).nargs).unwrap_or(0));
            let argument = *(*self.info).args.as_ptr().add(number);
            (!argument.isnull).then_some(argument.value)
        }
    }

    pub fn text(&self, number: usize) -> Option<Text<'a>> {
        // SAFETY: the declaration says text.
        self.argument(number)
            .map(|datum| unsafe { Text::new(datum) })
    }

    pub fn bigint(&self, number: usize) -> Option<i64> {
        self.argument(number).map(|datum| datum.value() as i64)
    }

    pub fn integer(&self, number: usize) -> Option<i32> {
        self.argument(number).map(|datum| datum.value() as i32)
    }

    pub fn boolean(&self, number: usize) -> Option<bool> {
        self.argument(number).map(|datum| datum.value() != 0)
    }

    pub fn uuid(&self, number: usize) -> Option<Uuid> {
        // SAFETY: the declaration says uuid.
        self.argument(number).map(|datum| unsafe { uuid(datum) })
    }

    pub fn jsonb(&self, number: usize) -> Option<Jsonb<'a>> {
        // SAFETY: the declaration says jsonb.
        self.argument(number)
            .map(|datum| unsafe { Jsonb::new(datum) })
    }

    /// An interval in microseconds, months as 30 days; `None` for NULL.
    pub fn interval(&self, number: usize) -> Option<i64> {
        // SAFETY: the declaration says interval, a pointer to these three numbers.
        self.argument(number).map(|datum| unsafe {
            let interval = &*datum.cast_mut_ptr::<pg_sys::Interval>();
            let days = i64::from(interval.month) * 30 + i64::from(interval.day);
            days.saturating_mul(86_400_000_000)
                .saturating_add(interval.time)
        })
    }

    pub fn text_array(
        &self,
        number: usize,
        name: &'static str,
    ) -> Result<Option<TextArray<'a>>, Error> {
        Ok(self.array(number, name, Element::Text)?.map(TextArray))
    }

    pub fn bigint_array(
        &self,
        number: usize,
        name: &'static str,
    ) -> Result<Option<BigintArray<'a>>, Error> {
        Ok(self.array(number, name, Element::Bigint)?.map(BigintArray))
    }

    pub fn jsonb_array(
        &self,
        number: usize,
        name: &'static str,
    ) -> Result<Option<JsonbArray<'a>>, Error> {
        Ok(self.array(number, name, Element::Jsonb)?.map(JsonbArray))
    }

    pub fn uuid_array(
        &self,
        number: usize,
        name: &'static str,
    ) -> Result<Option<UuidArray<'a>>, Error> {
        Ok(self.array(number, name, Element::Uuid)?.map(UuidArray))
    }

    fn array(
        &self,
        number: usize,
        name: &'static str,
        element: Element,
    ) -> Result<Option<Array<'a>>, Error> {
        let Some(datum) = self.argument(number) else {
            return Ok(None);
        };
        // SAFETY: the declaration says an array of `element`.
        match unsafe { Array::new(datum, element) } {
            Some(array) => Ok(Some(array)),
            None => Err(Malformed::argument(name, "has more than one dimension").into()),
        }
    }

    /// Whether a procedure was called where it must not end the transaction.
    pub fn is_atomic(&self) -> bool {
        // SAFETY: for a procedure the context is a CallContext.
        unsafe {
            let context = (*self.info).context.cast::<pg_sys::CallContext>();
            context.is_null()
                || (*context).type_ != pg_sys::NodeTag::T_CallContext
                || (*context).atomic
        }
    }

    /// The new row, if a trigger was called for one.
    pub fn trigger_row(&self, table: Oid) -> Option<TriggerRow> {
        // SAFETY: for a trigger the context is a TriggerData, whose row and table live as long as
        // the call.
        unsafe {
            let context = (*self.info).context.cast::<pg_sys::TriggerData>();
            if context.is_null() || (*context).type_ != pg_sys::NodeTag::T_TriggerData {
                return None;
            }
            let tuple = (*context).tg_trigtuple;
            if tuple.is_null() || (*(*context).tg_relation).rd_id != table {
                return None;
            }
            // The row and its descriptor belong together. The arrays have room for all columns.
            let description = (*(*context).tg_relation).rd_att;
            let count = usize::try_from((*description).natts).unwrap_or(0);
            let mut values = vec![Datum::null(); count];
            let mut nulls = vec![true; count];
            pg_sys::heap_deform_tuple(tuple, description, values.as_mut_ptr(), nulls.as_mut_ptr());
            let columns = values.into_iter().zip(nulls);
            let columns = columns.map(|(value, null)| (!null).then_some(value));
            Some(TriggerRow {
                tuple,
                columns: columns.collect(),
            })
        }
    }

    /// Begins the result of a function that returns a table. It does what the server does for its
    /// own functions, whose helper 15.0 does not have.
    pub fn rows(&self) -> RowSet {
        // SAFETY: the function is declared to return a table, so that the server passes what to
        // fill; it allows to materialise in every place where such a function may stand. What is
        // made lives in the memory of the query.
        unsafe {
            let result = (*self.info).resultinfo.cast::<pg_sys::ReturnSetInfo>();
            if result.is_null() || (*result).type_ != pg_sys::NodeTag::T_ReturnSetInfo {
                fail_no_set();
            }
            let query = ContextSwitch::switch_to((*(*result).econtext).ecxt_per_query_memory);
            let mut columns: TupleDesc = std::ptr::null_mut();
            let class = pg_sys::get_call_result_type(self.info, std::ptr::null_mut(), &mut columns);
            assert_eq!(class, pg_sys::TypeFuncClass::TYPEFUNC_COMPOSITE);
            let is_random = (*result).allowedModes as u32 & RANDOM_ACCESS != 0;
            let store = pg_sys::tuplestore_begin_heap(is_random, false, pg_sys::work_mem);
            drop(query);
            (*result).returnMode = pg_sys::SetFunctionReturnMode::SFRM_Materialize;
            (*result).setResult = store;
            (*result).setDesc = columns;
            RowSet::new(store, columns)
        }
    }

    /// A row of the function's declared columns.
    pub fn row<const N: usize>(&self, values: [Option<Datum>; N]) -> Datum {
        let nulls = values.map(|value| value.is_none());
        let values = values.map(|value| value.unwrap_or(Datum::null()));
        // SAFETY: the descriptor has N columns, as the declarations in sql/ do.
        unsafe {
            let columns = self.result_columns();
            assert_eq!(usize::try_from((*columns).natts), Ok(N));
            guarded(|| {
                let tuple = raw::heap_form_tuple(columns, values.as_ptr(), nulls.as_ptr());
                if (*columns).tdrefcount >= 0 {
                    raw::DecrTupleDescRefCount(columns);
                }
                raw::HeapTupleHeaderGetDatum((*tuple).t_data)
            })
        }
    }

    /// The columns of the declared type. If the type has a name, the descriptor is shared with the
    /// server's cache.
    fn result_columns(&self) -> TupleDesc {
        // SAFETY: a descriptor that is made for us lives in the current memory context; one of the
        // cache is counted.
        unsafe {
            let named = guarded(|| {
                let named = raw::get_fn_expr_rettype((*self.info).flinfo);
                if named == Oid::INVALID || named == pg_sys::RECORDOID {
                    return std::ptr::null_mut();
                }
                raw::lookup_rowtype_tupdesc(named, -1)
            });
            if !named.is_null() {
                return named;
            }
            let mut columns: TupleDesc = std::ptr::null_mut();
            let class = pg_sys::get_call_result_type(self.info, std::ptr::null_mut(), &mut columns);
            assert_eq!(class, pg_sys::TypeFuncClass::TYPEFUNC_COMPOSITE);
            pg_sys::BlessTupleDesc(columns)
        }
    }

    /// Sets whether the result is NULL.
    pub fn set_null(&self, null: bool) {
        // SAFETY: the call is under way.
        unsafe { (*self.info).isnull = null };
    }
}

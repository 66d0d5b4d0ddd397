//! Values of the server's types, borrowed for as long as the memory that contains them.

use super::ffi;
use pgrx::pg_sys::{self, Datum};
use std::marker::PhantomData;
use uuid::Uuid;

/// A detoasted `text`: bytes to read, and a datum to store unchanged.
#[derive(Clone, Copy)]
pub struct Text<'a> {
    datum: Datum,
    bytes: &'a [u8],
}

/// A detoasted `jsonb`. [`jsonb`](super::jsonb) looks into it.
#[derive(Clone, Copy)]
pub struct Jsonb<'a> {
    datum: Datum,
    memory: PhantomData<&'a ()>,
}

impl<'a> Text<'a> {
    /// # Safety
    ///
    /// `datum` is a `text` that is not NULL and lives for `'a`.
    pub unsafe fn new(datum: Datum) -> Self {
        // SAFETY: guaranteed by the caller. Detoasting copies into the current memory context,
        // which outlives the values made in it.
        unsafe {
            let mut varlena: *mut pg_sys::varlena = datum.cast_mut_ptr();
            if !is_plain(varlena) && !is_short(varlena) {
                varlena = pg_sys::pg_detoast_datum_packed(varlena);
            }
            Self {
                datum: Datum::from(varlena),
                bytes: pgrx::varlena::varlena_to_byte_slice(varlena),
            }
        }
    }

    /// Copies bytes into the server's memory.
    pub fn copy(bytes: &'a [u8]) -> Self {
        let length = i32::try_from(bytes.len()).unwrap_or(i32::MAX);
        // SAFETY: `length` bytes are readable; the server copies them into the current memory
        // context.
        let text = unsafe { pg_sys::cstring_to_text_with_len(bytes.as_ptr().cast(), length) };
        Self {
            datum: Datum::from(text),
            bytes,
        }
    }

    /// A copy in the current memory context, which outlives the values made in it.
    pub fn keep<'b>(self) -> Text<'b> {
        // SAFETY: a text that is not NULL.
        unsafe { Text::new(copy(self.datum)) }
    }

    pub fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    pub fn datum(self) -> Datum {
        self.datum
    }
}

impl std::fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.bytes))
    }
}

impl Jsonb<'_> {
    /// # Safety
    ///
    /// `datum` is a `jsonb` that is not NULL and lives for the lifetime of the result.
    pub unsafe fn new(datum: Datum) -> Self {
        // SAFETY: guaranteed by the caller.
        let varlena = unsafe { plain(datum) };
        Self {
            datum: Datum::from(varlena),
            memory: PhantomData,
        }
    }

    /// A copy in the current memory context, which outlives the values made in it.
    pub fn keep<'b>(self) -> Jsonb<'b> {
        // SAFETY: a jsonb that is not NULL.
        unsafe { Jsonb::new(copy(self.datum)) }
    }

    /// A hash of the value as it is stored.
    pub fn hash(self, seed: u64) -> u64 {
        // SAFETY: a jsonb in plain form.
        ffi::hash(
            unsafe { pgrx::varlena::varlena_to_byte_slice(self.datum.cast_mut_ptr()) },
            seed,
        )
    }

    pub fn datum(self) -> Datum {
        self.datum
    }
}

/// A copy of a value of variable length, detoasted.
///
/// # Safety
///
/// It is not NULL.
unsafe fn copy(datum: Datum) -> Datum {
    // SAFETY: guaranteed by the caller.
    Datum::from(unsafe { pg_sys::pg_detoast_datum_copy(datum.cast_mut_ptr()) })
}

impl PartialEq for Jsonb<'_> {
    /// Equality of jsonb: the order of keys does not matter.
    fn eq(&self, other: &Self) -> bool {
        // SAFETY: both are jsonb in plain form, whose containers follow their length words.
        unsafe {
            let (a, b): (*mut pg_sys::Jsonb, *mut pg_sys::Jsonb) =
                (self.datum.cast_mut_ptr(), other.datum.cast_mut_ptr());
            pg_sys::compareJsonbContainers(&raw mut (*a).root, &raw mut (*b).root) == 0
        }
    }
}

/// A value of variable length, detoasted.
///
/// # Safety
///
/// `datum` is one that is not NULL.
pub(super) unsafe fn plain(datum: Datum) -> *mut pg_sys::varlena {
    // SAFETY: guaranteed by the caller. Detoasting copies into the current memory context.
    unsafe {
        let varlena = datum.cast_mut_ptr();
        if is_plain(varlena) {
            varlena
        } else {
            pg_sys::pg_detoast_datum(varlena)
        }
    }
}

/// Whether a value is already detoasted.
///
/// # Safety
///
/// It points to a value of variable length.
unsafe fn is_plain(varlena: *const pg_sys::varlena) -> bool {
    // SAFETY: guaranteed by the caller.
    unsafe { pgrx::varlena::varatt_is_4b_u(varlena) }
}

/// Whether a value is detoasted, but has the short header of a column.
///
/// # Safety
///
/// It points to a value of variable length.
unsafe fn is_short(varlena: *const pg_sys::varlena) -> bool {
    // SAFETY: guaranteed by the caller.
    unsafe { pgrx::varlena::varatt_is_1b(varlena) && !pgrx::varlena::varatt_is_1b_e(varlena) }
}

/// The size of a row that was made a value, in bytes.
pub fn size(row: Datum) -> usize {
    // SAFETY: such a value begins with its length, not toasted.
    unsafe { pgrx::varlena::varsize_any(row.cast_mut_ptr()) }
}

/// A uuid in the server's memory.
///
/// # Safety
///
/// `datum` is a `uuid` that is not NULL.
pub unsafe fn uuid(datum: Datum) -> Uuid {
    // SAFETY: a uuid is a pointer to 16 bytes.
    Uuid::from_bytes(unsafe { *datum.cast_mut_ptr::<[u8; 16]>() })
}

/// A `uuid` for the server, as long as it is borrowed.
pub fn uuid_datum(uuid: &Uuid) -> Datum {
    Datum::from(uuid.as_bytes().as_ptr())
}

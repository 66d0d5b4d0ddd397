//! Arrays as arguments and results.

use super::value::{Jsonb, Text, plain, uuid};
use pgrx::pg_sys::{self, Datum, Oid};
use std::ffi::c_char;
use std::marker::PhantomData;
use uuid::Uuid;

/// An array of one dimension, whose elements have not been read yet.
pub struct Array<'a> {
    elements: Elements,
    memory: PhantomData<&'a ()>,
}

/// Where the elements are.
enum Elements {
    /// There is only one, which is not NULL. This is most arrays, and costs no call of the server.
    One(Datum),
    Several {
        elements: *const Datum,
        nulls: *const bool,
        length: usize,
    },
}

/// Where the elements of an array of one dimension without NULLs begin, in bytes: after its header,
/// the length of the dimension and its first index.
const START: usize = size_of::<pg_sys::ArrayType>() + 2 * size_of::<i32>();

// As the server aligns it, and followed by the dimension at once.
const _: () = assert!(START == 24);

/// The types of elements that functions of the extension take.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Element {
    Text,
    Bigint,
    Jsonb,
    Uuid,
}

impl Element {
    /// Type, length, passed by value, alignment: as in `pg_type`.
    fn layout(self) -> (Oid, i32, bool, c_char) {
        match self {
            Self::Text => (pg_sys::TEXTOID, -1, false, b'i' as c_char),
            Self::Bigint => (pg_sys::INT8OID, 8, true, b'd' as c_char),
            Self::Jsonb => (pg_sys::JSONBOID, -1, false, b'i' as c_char),
            Self::Uuid => (pg_sys::UUIDOID, 16, false, b'c' as c_char),
        }
    }
}

impl<'a> Array<'a> {
    /// `None` if the array has more than one dimension.
    ///
    /// # Safety
    ///
    /// `datum` is an array of `element`, not NULL, and lives for `'a`.
    pub unsafe fn new(datum: Datum, element: Element) -> Option<Self> {
        // SAFETY: guaranteed by the caller; the server copies the elements' addresses into the
        // current memory context.
        unsafe {
            let array = plain(datum).cast::<pg_sys::ArrayType>();
            if (*array).ndim > 1 {
                return None;
            }
            if let Some(only) = only_element(array, element) {
                return Some(Self {
                    elements: Elements::One(only),
                    memory: PhantomData,
                });
            }
            let (oid, length, by_value, align) = element.layout();
            let (mut elements, mut nulls, mut count) =
                (std::ptr::null_mut(), std::ptr::null_mut(), 0);
            pg_sys::deconstruct_array(
                array,
                oid,
                length,
                by_value,
                align,
                &mut elements,
                &mut nulls,
                &mut count,
            );
            let length = usize::try_from(count).unwrap_or(0);
            Some(Self {
                elements: Elements::Several {
                    elements,
                    nulls,
                    length,
                },
                memory: PhantomData,
            })
        }
    }

    pub fn len(&self) -> usize {
        match self.elements {
            Elements::One(_) => 1,
            Elements::Several { length, .. } => length,
        }
    }

    fn get(&self, index: usize) -> Option<Datum> {
        let length = self.len();
        assert!(index < length, "index {index} of an array of {length}");
        match self.elements {
            Elements::One(element) => Some(element),
            Elements::Several {
                elements, nulls, ..
            } => {
                // SAFETY: within bounds, as just checked.
                unsafe { (!*nulls.add(index)).then(|| *elements.add(index)) }
            }
        }
    }
}

/// The element of an array that has only one, which is not NULL.
///
/// # Safety
///
/// `array` is an array of `element`, and not compressed or short.
unsafe fn only_element(array: *const pg_sys::ArrayType, element: Element) -> Option<Datum> {
    // SAFETY: guaranteed by the caller. The length of the first dimension follows the header; without
    // NULLs, the elements follow the dimensions.
    unsafe {
        let has_nulls = (*array).dataoffset != 0;
        if (*array).ndim != 1 || has_nulls || *array.add(1).cast::<i32>() != 1 {
            return None;
        }
        let start = array.cast::<u8>().add(START);
        let (_, _, by_value, _) = element.layout();
        Some(if by_value {
            Datum::from(start.cast::<i64>().read_unaligned())
        } else {
            Datum::from(start)
        })
    }
}

/// An array whose elements have this type.
pub struct TextArray<'a>(pub Array<'a>);
/// See [`TextArray`].
pub struct BigintArray<'a>(pub Array<'a>);
/// See [`TextArray`].
pub struct JsonbArray<'a>(pub Array<'a>);
/// See [`TextArray`].
pub struct UuidArray<'a>(pub Array<'a>);

impl<'a> TextArray<'a> {
    /// The elements, without NULLs.
    pub fn iter(&self) -> impl Iterator<Item = Text<'a>> {
        (0..self.0.len()).filter_map(|index| self.get(index))
    }

    pub fn get(&self, index: usize) -> Option<Text<'a>> {
        // SAFETY: the elements are texts and live for `'a`.
        self.0.get(index).map(|datum| unsafe { Text::new(datum) })
    }
}

impl BigintArray<'_> {
    pub fn get(&self, index: usize) -> Option<i64> {
        self.0.get(index).map(|datum| datum.value() as i64)
    }
}

impl<'a> JsonbArray<'a> {
    pub fn get(&self, index: usize) -> Option<Jsonb<'a>> {
        // SAFETY: the elements are jsonb and live for `'a`.
        self.0.get(index).map(|datum| unsafe { Jsonb::new(datum) })
    }
}

impl UuidArray<'_> {
    pub fn get(&self, index: usize) -> Option<Uuid> {
        // SAFETY: the elements are uuids.
        self.0.get(index).map(|datum| unsafe { uuid(datum) })
    }

    /// The element as it is in the array.
    pub fn datum(&self, index: usize) -> Option<Datum> {
        self.0.get(index)
    }
}

/// A `bigint[]` of these values; `None` is NULL.
pub fn nullable_bigint_array(values: &[Option<i64>]) -> Datum {
    if !values.is_empty() && values.iter().all(Option::is_some) {
        return plain_bigint_array(values.iter().flatten());
    }
    nullable_array(
        Element::Bigint,
        values.iter().map(|value| value.map(Datum::from)),
    )
}

/// Makes the array as the server lays it out. For few values that is most of the time of its own
/// function.
fn plain_bigint_array<'v>(values: impl Iterator<Item = &'v i64> + Clone) -> Datum {
    let count = values.clone().count();
    let length = START + count * size_of::<i64>();
    // SAFETY: there is room for the header, the dimension, and this many values. The server's memory
    // is aligned for all of them.
    unsafe {
        let array = pg_sys::palloc(length).cast::<pg_sys::ArrayType>();
        pgrx::set_varsize_4b(array.cast(), i32::try_from(length).unwrap_or(i32::MAX));
        (*array).ndim = 1;
        (*array).dataoffset = 0;
        (*array).elemtype = pg_sys::INT8OID;
        let (dimension, first) = (i32::try_from(count).unwrap_or(i32::MAX), 1);
        array.add(1).cast::<[i32; 2]>().write([dimension, first]);
        let start = array.cast::<u8>().add(START).cast::<i64>();
        for (number, value) in values.enumerate() {
            start.add(number).write(*value);
        }
        Datum::from(array)
    }
}

/// A `text[]` of these values; `None` is NULL.
pub fn nullable_text_array(values: &[Option<Text<'_>>]) -> Datum {
    nullable_array(
        Element::Text,
        values.iter().map(|value| value.map(Text::datum)),
    )
}

/// A `bigint[]` of these values.
pub fn bigint_array(values: impl Iterator<Item = i64>) -> Datum {
    array(Element::Bigint, values.map(Datum::from).collect())
}

/// A `text[]` of these values.
pub fn text_array<'a>(values: impl Iterator<Item = Text<'a>>) -> Datum {
    array(Element::Text, values.map(Text::datum).collect())
}

/// A `jsonb[]` of these values.
pub fn jsonb_array<'a>(values: impl Iterator<Item = Jsonb<'a>>) -> Datum {
    array(Element::Jsonb, values.map(Jsonb::datum).collect())
}

/// An array of rows of a table.
pub fn row_array(row_type: Oid, rows: &[Datum]) -> Datum {
    let count = i32::try_from(rows.len()).unwrap_or(i32::MAX);
    let (length, by_value, align) = (-1, false, b'd' as c_char);
    let rows = rows.as_ptr().cast_mut();
    // SAFETY: `count` datums of that type; the server copies them, and changes none.
    let array = unsafe { pg_sys::construct_array(rows, count, row_type, length, by_value, align) };
    Datum::from(array)
}

fn array(element: Element, mut elements: Vec<Datum>) -> Datum {
    let (oid, length, by_value, align) = element.layout();
    let count = i32::try_from(elements.len()).unwrap_or(i32::MAX);
    // SAFETY: `count` datums of that type; the server copies them.
    let array = unsafe {
        pg_sys::construct_array(elements.as_mut_ptr(), count, oid, length, by_value, align)
    };
    Datum::from(array)
}

fn nullable_array(element: Element, values: impl Iterator<Item = Option<Datum>>) -> Datum {
    let (mut elements, mut nulls): (Vec<_>, Vec<_>) = values
        .map(|value| (value.unwrap_or(Datum::null()), value.is_none()))
        .unzip();
    let (oid, length, by_value, align) = element.layout();
    let (mut count, mut first) = (i32::try_from(elements.len()).unwrap_or(i32::MAX), 1);
    // SAFETY: `count` datums of that type in one dimension; the server copies them.
    let array = unsafe {
        pg_sys::construct_md_array(
            elements.as_mut_ptr(),
            nulls.as_mut_ptr(),
            1,
            &mut count,
            &mut first,
            oid,
            length,
            by_value,
            align,
        )
    };
    Datum::from(array)
}

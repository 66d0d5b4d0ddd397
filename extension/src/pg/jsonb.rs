//! Making a jsonb of a text, and reading one with the server's own functions, without converting it
//! to text.

use super::ffi::guarded;
use super::raw;
use super::value::{Jsonb, Text};
use pgrx::pg_sys::{self, Datum, jbvType};
use std::marker::PhantomData;

/// Makes a jsonb of a JSON text, faster than the server, if the text is ordinary. It keeps its
/// buffers for the next text.
#[derive(Default)]
pub struct Encoder(eventcore_jsonb::Encoder);

/// A JSON array inside a jsonb.
pub struct Elements<'a> {
    container: *mut pg_sys::JsonbContainer,
    memory: PhantomData<&'a ()>,
}

/// A JSON object inside a jsonb.
pub struct Object<'a> {
    container: *mut pg_sys::JsonbContainer,
    memory: PhantomData<&'a ()>,
}

/// One value inside a jsonb.
pub struct Item<'a> {
    value: pg_sys::JsonbValue,
    memory: PhantomData<&'a ()>,
}

/// The kind of a JSON value, as far as the rules need it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Object,
    Array,
    Null,
    Scalar,
}

/// The type of a value, in the terms of JSON.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Type {
    Null,
    String,
    Number,
    Boolean,
    Array,
    Object,
}

impl Encoder {
    /// How many bytes of memory it keeps.
    pub fn size(&self) -> usize {
        self.0.size()
    }

    /// `None` if the text is not ordinary: it may still be JSON.
    pub fn encode<'a>(&mut self, text: Text<'_>) -> Option<Jsonb<'a>> {
        let bytes = self.0.encode(text.bytes())?;
        // SAFETY: the bytes are a whole jsonb with its length word, in plain form. The server's
        // memory is aligned for it.
        unsafe {
            let memory = pg_sys::palloc(bytes.len()).cast::<u8>();
            memory.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
            Some(Jsonb::new(Datum::from(memory)))
        }
    }
}

impl<'a> Jsonb<'a> {
    /// Reads a JSON text by the server's own function, which raises an error if it cannot be a
    /// jsonb.
    pub fn parse(text: Text<'_>) -> Self {
        // SAFETY: the server copies the text, ends it with a zero, and the function takes that.
        unsafe {
            let json = pg_sys::text_to_cstring(text.datum().cast_mut_ptr());
            let input = [Some(Datum::from(json))];
            let value = pgrx::direct_function_call_as_datum(pg_sys::jsonb_in, &input);
            pg_sys::pfree(json.cast());
            Jsonb::new(value.unwrap_or(Datum::null()))
        }
    }

    /// The whole value.
    pub fn item(self) -> Item<'a> {
        let mut value = pg_sys::JsonbValue::default();
        // SAFETY: a jsonb in plain form; `value` then points into it.
        unsafe { pg_sys::JsonbToJsonbValue(self.datum().cast_mut_ptr(), &mut value) };
        let mut item = Item {
            value,
            memory: PhantomData,
        };
        // A scalar is stored as an array of one.
        if matches!(self.kind(), Kind::Scalar | Kind::Null) {
            let only = Elements {
                container: self.root(),
                memory: PhantomData,
            };
            item = only.get(0);
        }
        item
    }

    /// This object with the keys of another one, which replace its own.
    pub fn with<'b>(self, other: Jsonb<'_>) -> Jsonb<'b> {
        let both = [Some(self.datum()), Some(other.datum())];
        // SAFETY: the function takes two jsonb and returns one.
        unsafe {
            let merged = pgrx::direct_function_call_as_datum(pg_sys::jsonb_concat, &both);
            merged.map_or_else(|| other.keep(), |merged| Jsonb::new(merged))
        }
    }

    /// The value, if it is an object.
    pub fn object(self) -> Option<Object<'a>> {
        (self.kind() == Kind::Object).then(|| Object {
            container: self.root(),
            memory: PhantomData,
        })
    }

    /// The kind of the whole value.
    pub fn kind(self) -> Kind {
        const TYPE_MASK: u32 = 0x7000_0000;
        const IS_NULL: u32 = 0x4000_0000;
        // SAFETY: a jsonb in plain form; a scalar is stored as an array of one element, whose entry
        // is the word behind the header.
        unsafe {
            let root = self.root();
            let header = (*root).header;
            if header & pg_sys::JB_FOBJECT != 0 {
                Kind::Object
            } else if header & pg_sys::JB_FSCALAR == 0 {
                Kind::Array
            } else if (*root).children.as_ptr().read() & TYPE_MASK == IS_NULL {
                Kind::Null
            } else {
                Kind::Scalar
            }
        }
    }

    /// The elements, if the value is an array.
    pub fn elements(self) -> Option<Elements<'a>> {
        (self.kind() == Kind::Array).then(|| Elements {
            container: self.root(),
            memory: PhantomData,
        })
    }

    fn root(self) -> *mut pg_sys::JsonbContainer {
        // SAFETY: the container follows the length word.
        unsafe { &raw mut (*self.datum().cast_mut_ptr::<pg_sys::Jsonb>()).root }
    }
}

fn count(container: *mut pg_sys::JsonbContainer) -> usize {
    // SAFETY: `container` points into a jsonb.
    unsafe { ((*container).header & pg_sys::JB_CMASK) as usize }
}

impl<'a> Elements<'a> {
    pub fn len(&self) -> usize {
        count(self.container)
    }

    /// The element. It must exist.
    pub fn get(&self, index: usize) -> Item<'a> {
        assert!(index < self.len(), "element {index} of {}", self.len());
        // SAFETY: within bounds; the server allocates the value, which is copied and given back.
        unsafe {
            let value = pg_sys::getIthJsonbValueFromContainer(self.container, index as u32);
            let item = Item {
                value: *value,
                memory: PhantomData,
            };
            pg_sys::pfree(value.cast());
            item
        }
    }
}

impl<'a> Object<'a> {
    pub fn len(&self) -> usize {
        count(self.container)
    }

    pub fn get(&self, key: &str) -> Option<Item<'a>> {
        let [item] = self.get_all([key]);
        item
    }

    /// The values of these keys.
    pub fn get_all<const N: usize>(&self, keys: [&str; N]) -> [Option<Item<'a>>; N] {
        let mut values = [pg_sys::JsonbValue::default(); N];
        let mut found = [false; N];
        // SAFETY: the keys are readable; the server fills the values, which point into the jsonb.
        unsafe {
            guarded(|| {
                for (number, key) in keys.iter().enumerate() {
                    let value = raw::getKeyJsonValueFromContainer(
                        self.container,
                        key.as_ptr().cast(),
                        i32::try_from(key.len()).unwrap_or(i32::MAX),
                        &mut values[number],
                    );
                    found[number] = !value.is_null();
                }
            });
        }
        std::array::from_fn(|number| {
            found[number].then_some(Item {
                value: values[number],
                memory: PhantomData,
            })
        })
    }

    /// The keys, in the order of jsonb.
    pub fn keys(&self) -> Vec<String> {
        let mut keys = Vec::with_capacity(self.len());
        // SAFETY: the iterator walks this container; a key is a string that points into it.
        unsafe {
            let mut iterator = pg_sys::JsonbIteratorInit(self.container);
            let mut value = pg_sys::JsonbValue::default();
            loop {
                match pg_sys::JsonbIteratorNext(&mut iterator, &mut value, true) {
                    pg_sys::JsonbIteratorToken::WJB_DONE => break,
                    pg_sys::JsonbIteratorToken::WJB_KEY => {
                        keys.push(String::from_utf8_lossy(string(&value)).into_owned());
                    }
                    _ => {}
                }
            }
        }
        keys
    }
}

/// # Safety
///
/// `value` is a string or a key, and what it points into lives for `'a`.
unsafe fn string<'a>(value: &pg_sys::JsonbValue) -> &'a [u8] {
    // SAFETY: guaranteed by the caller.
    unsafe {
        let string = value.val.string;
        std::slice::from_raw_parts(string.val.cast(), usize::try_from(string.len).unwrap_or(0))
    }
}

impl<'a> Item<'a> {
    pub fn object(&self) -> Option<Object<'a>> {
        self.container(pg_sys::JB_FOBJECT).map(|container| Object {
            container,
            memory: PhantomData,
        })
    }

    pub fn elements(&self) -> Option<Elements<'a>> {
        self.container(pg_sys::JB_FARRAY).map(|container| Elements {
            container,
            memory: PhantomData,
        })
    }

    /// The address of an object or array, depending on the flag; `None` for any other value.
    fn container(&self, flag: u32) -> Option<*mut pg_sys::JsonbContainer> {
        if self.value.type_ != jbvType::jbvBinary {
            return None;
        }
        // SAFETY: a binary value holds the address of a container.
        let container = unsafe { self.value.val.binary.data };
        // SAFETY: as above.
        unsafe { (*container).header & flag != 0 }.then_some(container)
    }

    pub fn json_type(&self) -> Type {
        match self.value.type_ {
            jbvType::jbvNull => Type::Null,
            jbvType::jbvNumeric => Type::Number,
            jbvType::jbvBool => Type::Boolean,
            jbvType::jbvBinary if self.object().is_some() => Type::Object,
            jbvType::jbvBinary => Type::Array,
            _ => Type::String,
        }
    }

    /// The bytes, if it is a string.
    pub fn bytes(&self) -> Option<&'a [u8]> {
        // SAFETY: it is a string.
        (self.value.type_ == jbvType::jbvString).then(|| unsafe { string(&self.value) })
    }

    /// A copy as `text`, if it is a string.
    pub fn text(&self) -> Option<Text<'a>> {
        self.bytes().map(Text::copy)
    }

    pub fn is_null(&self) -> bool {
        self.value.type_ == jbvType::jbvNull
    }

    /// A copy as a separate jsonb.
    pub fn to_jsonb(&self) -> Jsonb<'a> {
        let mut value = self.value;
        // SAFETY: the server copies the value into the current memory context.
        unsafe { Jsonb::new(Datum::from(pg_sys::JsonbValueToJsonb(&mut value))) }
    }
}

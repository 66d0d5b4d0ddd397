//! The derive's model of an event: its type, the names under which it is stored, its stream, and
//! the functions that convert older versions of it.

use syn::{Attribute, Data, DeriveInput, Error, Field, Fields, Generics, Ident, LitStr};
use syn::{Member, Path, Type};

use crate::attributes::{Errors, crate_path, is_marked, named, ungrouped};

pub(super) struct Event<'a> {
    pub(super) name: &'a Ident,
    pub(super) generics: &'a Generics,
    pub(super) body: Body<'a>,
    pub(super) upcasts: Vec<Upcast>,
    /// The path of the crate `eventcore`.
    pub(super) eventcore: Path,
}

pub(super) enum Body<'a> {
    Struct(Shape<'a>),
    Enum(Vec<Variant<'a>>),
}

pub(super) struct Variant<'a> {
    pub(super) name: &'a Ident,
    pub(super) shape: Shape<'a>,
}

/// A struct, or a variant of an enum.
pub(super) struct Shape<'a> {
    pub(super) stored_as: LitStr,
    pub(super) unit: bool,
    /// The fields marked `#[stream]`: at most one in a valid event.
    pub(super) streams: Vec<StreamField<'a>>,
}

pub(super) struct StreamField<'a> {
    pub(super) field: &'a Field,
    pub(super) member: Member,
    pub(super) ty: &'a Type,
}

/// An old event type, and the function that converts it to the current event.
pub(super) struct Upcast {
    pub(super) from: LitStr,
    pub(super) with: Path,
}

impl<'a> Shape<'a> {
    /// The field that names the event's stream.
    pub(super) fn stream(&self) -> Option<&StreamField<'a>> {
        self.streams
            .first()
            .filter(|field| !field.is_option_or_vec())
    }
}

impl StreamField<'_> {
    pub(super) fn is_option_or_vec(&self) -> bool {
        let Type::Path(path) = ungrouped(self.ty) else {
            return false;
        };
        let last = path.path.segments.last();
        last.is_some_and(|segment| segment.ident == "Option" || segment.ident == "Vec")
    }
}

impl<'a> Event<'a> {
    /// Makes the model of an item. Invalid parts are left out and reported.
    pub(super) fn of(input: &'a DeriveInput, errors: &mut Errors) -> Self {
        let mut upcasts = upcasts(&input.attrs, errors);
        let body = match &input.data {
            Data::Struct(data) => {
                Body::Struct(shape(&input.attrs, &input.ident, &data.fields, errors))
            }
            Data::Enum(data) => {
                for attribute in named(&input.attrs, "event") {
                    let message = "#[event] belongs on the variants of an enum";
                    errors.push(Error::new_spanned(attribute, message));
                }
                for variant in &data.variants {
                    for attribute in named(&variant.attrs, "stream") {
                        let message = "#[stream] belongs on a field of the variant: the one with the stream's id";
                        errors.push(Error::new_spanned(attribute, message));
                    }
                    upcasts.extend(self::upcasts(&variant.attrs, errors));
                }
                let variants = data.variants.iter().map(|variant| Variant {
                    name: &variant.ident,
                    shape: shape(&variant.attrs, &variant.ident, &variant.fields, errors),
                });
                Body::Enum(variants.collect())
            }
            Data::Union(data) => {
                let message = "#[derive(Event)] works on enums and structs";
                errors.push(Error::new_spanned(data.union_token, message));
                Body::Enum(Vec::new())
            }
        };
        Self {
            name: &input.ident,
            generics: &input.generics,
            body,
            upcasts,
            eventcore: crate_path(&input.attrs, errors),
        }
    }

    /// The struct, or each variant.
    pub(super) fn shapes(&self) -> impl Iterator<Item = &Shape<'a>> {
        let (one, many) = match &self.body {
            Body::Struct(shape) => (Some(shape), &[][..]),
            Body::Enum(variants) => (None, variants.as_slice()),
        };
        one.into_iter()
            .chain(many.iter().map(|variant| &variant.shape))
    }
}

fn shape<'a>(
    attributes: &[Attribute],
    ident: &Ident,
    fields: &'a Fields,
    errors: &mut Errors,
) -> Shape<'a> {
    let marked = fields
        .members()
        .zip(fields)
        .filter(|(_, field)| is_marked(&field.attrs, "stream", errors));
    let streams = marked.map(|(member, field)| StreamField {
        field,
        member,
        ty: &field.ty,
    });
    Shape {
        streams: streams.collect(),
        stored_as: stored_as(attributes, ident, errors),
        unit: matches!(fields, Fields::Unit),
    }
}

/// The name of `#[event(name = "…")]`, or that of the item.
fn stored_as(attributes: &[Attribute], ident: &Ident, errors: &mut Errors) -> LitStr {
    let mut given = None;
    for attribute in named(attributes, "event") {
        let result = attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("name") {
                return Err(meta.error("unknown argument: write #[event(name = \"…\")]"));
            }
            if given.is_some() {
                return Err(meta.error("the name is given twice: remove one"));
            }
            given = Some(meta.value()?.parse::<LitStr>()?);
            Ok(())
        });
        if let Err(error) = result {
            errors.push(error);
        }
    }
    given.unwrap_or_else(|| LitStr::new(ident.to_string().trim_start_matches("r#"), ident.span()))
}

/// The arguments of each `#[upcast(from = "…", with = …)]`.
fn upcasts(attributes: &[Attribute], errors: &mut Errors) -> Vec<Upcast> {
    let mut upcasts = Vec::new();
    for attribute in named(attributes, "upcast") {
        match upcast(attribute) {
            Ok(upcast) => upcasts.push(upcast),
            Err(error) => errors.push(error),
        }
    }
    upcasts
}

fn upcast(attribute: &Attribute) -> Result<Upcast, Error> {
    const FORM: &str = "write #[upcast(from = \"OldName\", with = function)]";
    let (mut from, mut with) = (None, None);
    attribute.parse_nested_meta(|meta| {
        let given = if meta.path.is_ident("from") {
            from.replace(meta.value()?.parse::<LitStr>()?).is_some()
        } else if meta.path.is_ident("with") {
            with.replace(meta.value()?.parse::<Path>()?).is_some()
        } else {
            return Err(meta.error(format!("unknown argument of #[upcast]: {FORM}")));
        };
        if given {
            return Err(meta.error("#[upcast] has this argument twice: remove one"));
        }
        Ok(())
    })?;
    match (from, with) {
        (Some(from), Some(with)) => Ok(Upcast { from, with }),
        (None, _) => Err(Error::new_spanned(
            attribute,
            format!("#[upcast] does not say which name the old events have: {FORM}"),
        )),
        (_, None) => Err(Error::new_spanned(
            attribute,
            format!("#[upcast] does not say which function takes the old event: {FORM}"),
        )),
    }
}

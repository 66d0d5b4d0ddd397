//! What an event is to the derive: a type, and the names that it is stored under.

use syn::{Attribute, Data, DeriveInput, Error, Fields, Generics, Ident, LitStr};

use crate::attributes::{Errors, named};

pub(super) struct Event<'a> {
    pub(super) name: &'a Ident,
    pub(super) generics: &'a Generics,
    pub(super) body: Body<'a>,
}

pub(super) enum Body<'a> {
    Struct { stored_as: LitStr, unit: bool },
    Enum(Vec<Variant<'a>>),
}

pub(super) struct Variant<'a> {
    pub(super) name: &'a Ident,
    pub(super) stored_as: LitStr,
    pub(super) unit: bool,
}

impl<'a> Event<'a> {
    /// The model of an item. What cannot be part of it is left out and reported.
    pub(super) fn of(input: &'a DeriveInput, errors: &mut Errors) -> Self {
        let body = match &input.data {
            Data::Struct(data) => Body::Struct {
                stored_as: stored_as(&input.attrs, &input.ident, errors),
                unit: matches!(data.fields, Fields::Unit),
            },
            Data::Enum(data) => {
                for attribute in named(&input.attrs, "event") {
                    let message = "#[event] belongs on the variants of an enum";
                    errors.push(Error::new_spanned(attribute, message));
                }
                let variants = data.variants.iter().map(|variant| Variant {
                    name: &variant.ident,
                    stored_as: stored_as(&variant.attrs, &variant.ident, errors),
                    unit: matches!(variant.fields, Fields::Unit),
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
        }
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

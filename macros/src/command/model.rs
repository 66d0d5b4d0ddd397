//! The derive's model of a command: its name, its generics, and the fields marked `#[stream]`.

use syn::spanned::Spanned;
use syn::{
    Data, DeriveInput, Error, Field, Fields, GenericArgument, Generics, Ident, Path, PathArguments,
    Type, Visibility,
};

use crate::attributes::{Errors, crate_path, is_marked, ungrouped};

pub(super) struct Command<'a> {
    pub(super) visibility: &'a Visibility,
    pub(super) name: &'a Ident,
    pub(super) generics: &'a Generics,
    pub(super) streams: Vec<StreamField<'a>>,
    /// The path of the crate `eventcore`.
    pub(super) eventcore: Path,
}

pub(super) struct StreamField<'a> {
    pub(super) name: &'a Ident,
    pub(super) shape: Shape,
    /// The type of the stream id, without the `Option` or `Vec` around it.
    pub(super) id: &'a Type,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Shape {
    One,
    Optional,
    Many,
}

impl<'a> Command<'a> {
    /// Makes the model of an item. Invalid parts are left out and reported.
    pub(super) fn of(input: &'a DeriveInput, errors: &mut Errors) -> Self {
        let mut streams = Vec::new();
        for field in fields(input, errors) {
            if let (true, Some(name)) = (is_marked(&field.attrs, "stream", errors), &field.ident) {
                let (shape, id) = shape(&field.ty);
                streams.push(StreamField { name, shape, id });
            }
        }
        Self {
            visibility: &input.vis,
            name: &input.ident,
            generics: &input.generics,
            streams,
            eventcore: crate_path(&input.attrs, errors),
        }
    }
}

fn fields<'a>(
    input: &'a DeriveInput,
    errors: &mut Errors,
) -> impl Iterator<Item = &'a Field> + use<'a> {
    let fields = match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => Some(&fields.named),
            Fields::Unnamed(fields) => {
                let message = "#[derive(Command)] needs named fields: a stream's handle has the name \
                               of its field";
                errors.push(Error::new(fields.span(), message));
                None
            }
            Fields::Unit => None,
        },
        Data::Enum(data) => {
            let message =
                "#[derive(Command)] works on structs: make each command a struct of its own";
            errors.push(Error::new(data.enum_token.span(), message));
            None
        }
        Data::Union(data) => {
            let message = "#[derive(Command)] works on structs";
            errors.push(Error::new(data.union_token.span(), message));
            None
        }
    };
    fields.into_iter().flatten()
}

fn shape(ty: &Type) -> (Shape, &Type) {
    match argument_of(ty, "Option") {
        Some(id) => (Shape::Optional, id),
        None => match argument_of(ty, "Vec") {
            Some(id) => (Shape::Many, id),
            None => (Shape::One, ty),
        },
    }
}

/// `T` of a type that is written `Wrapper<T>`.
fn argument_of<'a>(ty: &'a Type, wrapper: &str) -> Option<&'a Type> {
    let Type::Path(path) = ungrouped(ty) else {
        return None;
    };
    let segment = path
        .path
        .segments
        .last()
        .filter(|segment| segment.ident == wrapper)?;
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else {
        return None;
    };
    match arguments.args.first() {
        Some(GenericArgument::Type(argument)) if arguments.args.len() == 1 => Some(argument),
        _ => None,
    }
}

//! Checks an event beyond its syntax: its names are valid and distinct, each event has one stream
//! or none, and no serde attribute changes where the fields are stored.

use std::collections::HashSet;

use syn::punctuated::Punctuated;
use syn::{Attribute, Data, DeriveInput, Error, LitStr, Meta, Token};

use super::model::{Body, Event, Shape};
use crate::attributes::{Errors, named};

/// The same as in `eventcore-rules`; a dependency for one number is not worth it.
const MAX_NAME_BYTES: usize = 255;

pub(super) fn validate(input: &DeriveInput, event: &Event<'_>, errors: &mut Errors) {
    names(event, errors);
    event.shapes().for_each(|shape| stream(shape, errors));
    all_or_none(event, errors);
    if let Data::Enum(data) = &input.data {
        let other_form = ["tag", "content", "untagged", "from", "into", "try_from"];
        refuse(&input.attrs, &other_form, errors);
        for variant in &data.variants {
            let moved = [
                "skip",
                "skip_serializing",
                "skip_deserializing",
                "other",
                "untagged",
            ];
            refuse(&variant.attrs, &moved, errors);
        }
    }
}

/// Checks all names, including old ones.
fn names(event: &Event<'_>, errors: &mut Errors) {
    let mut names = HashSet::new();
    for shape in event.shapes() {
        check_name(&shape.stored_as, errors);
        if !names.insert(shape.stored_as.value()) {
            let message = "another variant is stored under this name";
            errors.push(Error::new(shape.stored_as.span(), message));
        }
    }
    let mut upcast = HashSet::new();
    for from in event.upcasts.iter().map(|upcast| &upcast.from) {
        check_name(from, errors);
        let problem = if names.contains(&from.value()) {
            "#[upcast] from a name that events are stored under today: give today's event another \
             one with #[event(name = \"…\")]"
        } else if !upcast.insert(from.value()) {
            "another #[upcast] is from this name: remove one"
        } else {
            continue;
        };
        errors.push(Error::new(from.span(), problem));
    }
}

/// Checks that at most one field names the event's stream.
fn stream(shape: &Shape<'_>, errors: &mut Errors) {
    for second in shape.streams.iter().skip(1) {
        let message = "a second #[stream] in one event, which is in one stream: remove one";
        errors.push(Error::new_spanned(second.field, message));
    }
    for field in &shape.streams {
        if field.is_option_or_vec() {
            let message = "a #[stream] field of an event is a `StreamId`, or a type that implements \
                           `eventcore::StreamField`: an event is in one stream";
            errors.push(Error::new_spanned(field.ty, message));
        }
    }
}

/// Checks that in an enum either every variant has a stream, or none.
fn all_or_none(event: &Event<'_>, errors: &mut Errors) {
    let Body::Enum(variants) = &event.body else {
        return;
    };
    if variants
        .iter()
        .all(|variant| variant.shape.streams.is_empty())
    {
        return;
    }
    for variant in variants {
        if variant.shape.streams.is_empty() {
            let message = "other variants have a #[stream] field and this one has none: mark a field \
                           in every variant with #[stream], or in none";
            errors.push(Error::new_spanned(variant.name, message));
        }
    }
}

fn check_name(name: &LitStr, errors: &mut Errors) {
    let text = name.value();
    let problem = if text.is_empty() {
        "is empty"
    } else if text.len() > MAX_NAME_BYTES {
        "has more than 255 bytes"
    } else if text.bytes().any(|byte| byte.is_ascii_control()) {
        "has a control character"
    } else {
        return;
    };
    errors.push(Error::new(
        name.span(),
        format!("this event type {problem}"),
    ));
}

fn refuse(attributes: &[Attribute], refused: &[&str], errors: &mut Errors) {
    for attribute in named(attributes, "serde") {
        // serde itself reports attributes that it cannot parse.
        let parse = Punctuated::<Meta, Token![,]>::parse_terminated;
        for meta in attribute.parse_args_with(parse).into_iter().flatten() {
            if let Some(name) = refused.iter().find(|name| meta.path().is_ident(name)) {
                let message = format!(
                    "#[derive(Event)] cannot work with #[serde({name})]: it stores a variant's fields \
                     under the event type"
                );
                errors.push(Error::new_spanned(&meta, message));
            }
        }
    }
}

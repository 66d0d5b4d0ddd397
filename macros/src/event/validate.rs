//! What must hold of an event beyond its form: names that can be stored and told apart, and no serde
//! attribute that changes where the fields are.

use std::collections::HashSet;

use syn::punctuated::Punctuated;
use syn::{Attribute, Data, DeriveInput, Error, LitStr, Meta, Token};

use super::model::{Body, Event};
use crate::attributes::{Errors, named};

/// The rule of `eventcore-rules`, which a macro crate does not depend on for one number.
const MAX_NAME_BYTES: usize = 255;

pub(super) fn validate(input: &DeriveInput, event: &Event<'_>, errors: &mut Errors) {
    match &event.body {
        Body::Struct { stored_as, .. } => check_name(stored_as, errors),
        Body::Enum(variants) => {
            let mut names = HashSet::new();
            for variant in variants {
                check_name(&variant.stored_as, errors);
                if !names.insert(variant.stored_as.value()) {
                    let message = "another variant is stored under this name";
                    errors.push(Error::new(variant.stored_as.span(), message));
                }
            }
        }
    }
    if let Data::Enum(data) = &input.data {
        refuse(&input.attrs, &["tag", "content", "untagged"], errors);
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
        // What serde cannot parse, serde reports.
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

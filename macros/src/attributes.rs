//! Attribute handling for both derives.

use syn::{Attribute, Error, LitStr, Meta, Path, Type, parse_quote};

/// Collects errors, so that a user sees all of them at once.
#[derive(Default)]
pub(crate) struct Errors(Option<Error>);

impl Errors {
    pub(crate) fn push(&mut self, error: Error) {
        match &mut self.0 {
            Some(first) => first.combine(error),
            None => self.0 = Some(error),
        }
    }

    pub(crate) fn into_compile_errors(self) -> proc_macro2::TokenStream {
        self.0
            .map(|error| error.into_compile_error())
            .unwrap_or_default()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

/// The type itself, if a macro has put it in a group.
pub(crate) fn ungrouped(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => ungrouped(&group.elem),
        Type::Paren(paren) => ungrouped(&paren.elem),
        ty => ty,
    }
}

/// The attributes with this name.
pub(crate) fn named<'a>(
    attributes: &'a [Attribute],
    name: &'a str,
) -> impl Iterator<Item = &'a Attribute> {
    attributes
        .iter()
        .filter(move |attribute| attribute.path().is_ident(name))
}

/// The path of the crate `eventcore`: that of `#[eventcore(crate = "…")]`, otherwise `::eventcore`.
pub(crate) fn crate_path(attributes: &[Attribute], errors: &mut Errors) -> Path {
    let mut given = None;
    for attribute in named(attributes, "eventcore") {
        let result = attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("crate") {
                return Err(meta.error("unknown argument: write #[eventcore(crate = \"…\")]"));
            }
            if given.is_some() {
                return Err(meta.error("the crate is given twice: remove one"));
            }
            given = Some(meta.value()?.parse::<LitStr>()?.parse()?);
            Ok(())
        });
        if let Err(error) = result {
            errors.push(error);
        }
    }
    given.unwrap_or_else(|| parse_quote!(::eventcore))
}

/// Whether an item is marked with this attribute: once, and without arguments.
pub(crate) fn is_marked(attributes: &[Attribute], name: &str, errors: &mut Errors) -> bool {
    let mut found = false;
    for attribute in named(attributes, name) {
        if found {
            let message = format!("this field is marked #[{name}] twice: remove one");
            errors.push(Error::new_spanned(attribute, message));
        }
        if !matches!(attribute.meta, Meta::Path(_)) {
            let message = format!("#[{name}] takes no arguments");
            errors.push(Error::new_spanned(attribute, message));
        }
        found = true;
    }
    found
}

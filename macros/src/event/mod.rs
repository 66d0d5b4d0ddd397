//! `#[derive(Event)]`.

mod expand;
mod model;
mod validate;

use proc_macro2::TokenStream;
use syn::DeriveInput;

use crate::attributes::Errors;

pub(crate) fn derive(input: DeriveInput) -> TokenStream {
    let mut errors = Errors::default();
    let event = model::Event::of(&input, &mut errors);
    validate::validate(&input, &event, &mut errors);
    let code = expand::expand(&event);
    let errors = errors.into_compile_errors();
    quote::quote! { #errors #code }
}

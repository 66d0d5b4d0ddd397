//! `#[derive(Command)]`.

mod expand;
mod model;
mod validate;

use proc_macro2::TokenStream;
use syn::DeriveInput;

use crate::attributes::Errors;

pub(crate) fn derive(input: DeriveInput) -> TokenStream {
    let mut errors = Errors::default();
    let command = model::Command::of(&input, &mut errors);
    if errors.is_empty() {
        validate::validate(&command, &mut errors);
    }
    let code = expand::expand(&command);
    let errors = errors.into_compile_errors();
    quote::quote! { #errors #code }
}

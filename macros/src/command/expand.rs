//! The code for a command: the struct of handles, and the declaration that fills it.
//!
//! The code is also generated after an error, so that the error is the only one.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::Path;
use syn::spanned::Spanned;

use super::model::{Command, Shape, StreamField};

pub(super) fn expand(command: &Command<'_>) -> TokenStream {
    let Command {
        visibility,
        name,
        generics,
        streams,
        eventcore,
    } = command;
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    let set = format_ident!("{name}Streams");
    let command_name = name.to_string();
    let doc = format!("A handle for each stream that [`{name}`] declares.");

    // Without a stream nothing would use the type parameters. This happens only after an error.
    let (set_generics, set_type) = if streams.is_empty() {
        (quote!(), quote!(#set))
    } else {
        (quote!(#generics), quote!(#set #type_generics))
    };
    let set_where = (!streams.is_empty()).then_some(where_clause);
    let command_type = quote!(#name #type_generics);
    let handles = streams
        .iter()
        .map(|field| handle(field, &command_type, eventcore));
    let field_docs = streams.iter().map(|field| {
        format!(
            "The handle of the command's `{}`.",
            field.name.to_string().trim_start_matches("r#")
        )
    });
    let names = streams.iter().map(|field| field.name);
    let names_again = names.clone();
    let declared = streams.iter().map(|field| declare(field, eventcore));

    quote! {
        #[doc = #doc]
        #[allow(dead_code)]
        #[derive(::core::fmt::Debug, ::core::clone::Clone)]
        #visibility struct #set #set_generics #set_where {
            #(
                #[doc = #field_docs]
                #visibility #names: #handles,
            )*
        }

        #[automatically_derived]
        impl #impl_generics #eventcore::CommandStreams for #name #type_generics #where_clause {
            type StreamSet = #set_type;

            #[allow(unused_variables)]
            fn declare(
                &self,
                declaration: &mut #eventcore::Declaration<Self>,
            ) -> Self::StreamSet {
                #set {
                    #(#names_again: {
                        declaration.field();
                        #declared
                    },)*
                }
            }

            fn command_name(&self) -> &'static str {
                #command_name
            }
        }
    }
}

fn handle(field: &StreamField<'_>, command: &TokenStream, eventcore: &Path) -> TokenStream {
    let one = quote!(#eventcore::Stream<#command>);
    match field.shape {
        Shape::One => one,
        Shape::Optional => quote!(::core::option::Option<#one>),
        Shape::Many => quote!(::std::vec::Vec<#one>),
    }
}

fn declare(field: &StreamField<'_>, eventcore: &Path) -> TokenStream {
    let StreamField { name, shape, id } = field;
    // With the span of the type, so that the compiler reports errors there.
    let stream_id = quote_spanned!(id.span()=> <#id as #eventcore::StreamField>::stream_id);
    match shape {
        Shape::One => quote!(declaration.stream(#stream_id(&self.#name))),
        Shape::Optional => quote! {
            match &self.#name {
                ::core::option::Option::Some(id) => {
                    ::core::option::Option::Some(declaration.stream(#stream_id(id)))
                }
                ::core::option::Option::None => ::core::option::Option::None,
            }
        },
        Shape::Many => quote! {
            self.#name.iter().map(|id| declaration.stream(#stream_id(id))).collect()
        },
    }
}

//! The code for an event: its type's name, and its payload in both directions.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Generics, Ident, parse_quote};

use super::model::{Body, Event, Variant};

pub(super) fn expand(event: &Event<'_>) -> TokenStream {
    let Event {
        name,
        generics,
        body,
    } = event;
    let generics = bounded(name, generics);
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    let Functions {
        event_type,
        encode,
        decode,
    } = match body {
        Body::Struct { stored_as, unit } => of_struct(&quote!(#stored_as), *unit),
        Body::Enum(variants) => of_enum(variants),
    };
    quote! {
        #[automatically_derived]
        #[allow(unreachable_patterns)]
        impl #impl_generics ::eventcore::Event for #name #type_generics #where_clause {
            fn event_type(&self) -> &str {
                #event_type
            }

            fn encode(
                &self,
            ) -> ::core::result::Result<
                ::eventcore::Payload,
                ::eventcore::EventError,
            > {
                #encode
            }

            fn decode(
                event_type: &str,
                payload: &::eventcore::Payload,
            ) -> ::core::result::Result<Self, ::eventcore::EventError> {
                #decode
            }
        }
    }
}

/// With what serde and `Event` ask of the whole type, which depends on its parameters.
fn bounded(name: &Ident, generics: &Generics) -> Generics {
    let mut bounded = generics.clone();
    if generics.type_params().next().is_some() {
        let (_, type_generics, _) = generics.split_for_impl();
        bounded.make_where_clause().predicates.push(parse_quote! {
            #name #type_generics: ::eventcore::derive_support::Serialize
                + ::eventcore::derive_support::DeserializeOwned
                + ::core::marker::Send
                + ::core::marker::Sync
                + 'static
        });
    }
    bounded
}

struct Functions {
    event_type: TokenStream,
    encode: TokenStream,
    decode: TokenStream,
}

fn of_struct(stored_as: &TokenStream, unit: bool) -> Functions {
    let support = quote!(::eventcore::derive_support);
    let (encode, decode) = if unit {
        (
            quote!(::core::result::Result::Ok(#support::empty_payload())),
            quote!(#support::decode_unit_struct(event_type, payload)),
        )
    } else {
        (
            quote!(#support::encode_struct(#stored_as, self)),
            quote!(#support::decode_struct(event_type, payload)),
        )
    };
    Functions {
        event_type: quote!(#stored_as),
        encode,
        decode: quote! {
            match event_type {
                #stored_as => #decode,
                _ => ::core::result::Result::Err(::eventcore::EventError::unknown_type(event_type)),
            }
        },
    }
}

fn of_enum(variants: &[Variant<'_>]) -> Functions {
    let support = quote!(::eventcore::derive_support);
    let names: Vec<_> = variants.iter().map(|variant| variant.name).collect();
    let stored_as: Vec<_> = variants.iter().map(|variant| &variant.stored_as).collect();
    let index = 0_u32..;
    let encoded = variants.iter().map(|variant| {
        let stored_as = &variant.stored_as;
        if variant.unit {
            quote!(::core::result::Result::Ok(#support::empty_payload()))
        } else {
            quote!(#support::encode_variant(#stored_as, self))
        }
    });
    Functions {
        event_type: quote! {
            match *self {
                #(Self::#names { .. } => #stored_as,)*
            }
        },
        encode: quote! {
            match *self {
                #(Self::#names { .. } => #encoded,)*
            }
        },
        decode: quote! {
            match event_type {
                #(#stored_as => #support::decode_variant(event_type, #index, payload),)*
                _ => ::core::result::Result::Err(::eventcore::EventError::unknown_type(event_type)),
            }
        },
    }
}

//! The code for an event: its type's name, its payload in both directions, and its stream.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Generics, Ident, LitStr, Path, parse_quote};

use super::model::{Body, Event, Shape, StreamField, Variant};

pub(super) fn expand(event: &Event<'_>) -> TokenStream {
    let Event {
        name,
        generics,
        eventcore,
        ..
    } = event;
    let generics = bounded(name, generics, eventcore);
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    let Functions {
        event_type,
        encode,
        decode,
        stream_id,
    } = match &event.body {
        Body::Struct(shape) => of_struct(shape, eventcore),
        Body::Enum(variants) => of_enum(variants, eventcore),
    };
    let stream_id = stream_id.map(|stream_id| {
        quote! {
            fn stream_id(&self) -> ::core::option::Option<&#eventcore::StreamId> {
                ::core::option::Option::Some(#stream_id)
            }
        }
    });
    let (old, upcast) = (old_names(event), upcasts(event));
    let names = event.shapes().map(|shape| &shape.stored_as);
    quote! {
        #[automatically_derived]
        #[allow(unreachable_patterns)]
        impl #impl_generics #eventcore::Event for #name #type_generics #where_clause {
            fn event_type(&self) -> &str {
                #event_type
            }

            fn encode(
                &self,
            ) -> ::core::result::Result<#eventcore::Payload, #eventcore::EventError> {
                #encode
            }

            fn decode(
                event_type: &str,
                payload: &#eventcore::Payload,
            ) -> ::core::result::Result<Self, #eventcore::EventError> {
                match event_type {
                    #decode
                    #upcast
                    _ => ::core::result::Result::Err(
                        #eventcore::EventError::unknown_type(event_type),
                    ),
                }
            }

            #stream_id

            fn event_types() -> &'static [&'static str] {
                &[#(#names,)* #(#old,)*]
            }
        }
    }
}

/// The generics, with a bound for the whole type: serde and `Event` require it, and it depends on
/// the parameters.
fn bounded(name: &Ident, generics: &Generics, eventcore: &Path) -> Generics {
    let mut bounded = generics.clone();
    if generics.type_params().next().is_some() {
        let (_, type_generics, _) = generics.split_for_impl();
        bounded.make_where_clause().predicates.push(parse_quote! {
            #name #type_generics: #eventcore::derive_support::Serialize
                + #eventcore::derive_support::DeserializeOwned
                + ::core::marker::Send
                + ::core::marker::Sync
                + 'static
        });
    }
    bounded
}

/// The parts that differ between structs and enums: expressions, and match arms by event type.
struct Functions {
    event_type: TokenStream,
    encode: TokenStream,
    decode: TokenStream,
    /// For an event that names its stream.
    stream_id: Option<TokenStream>,
}

fn of_struct(shape: &Shape<'_>, eventcore: &Path) -> Functions {
    let support = quote!(#eventcore::derive_support);
    let stored_as = &shape.stored_as;
    let (encode, decode) = if shape.unit {
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
        decode: quote!(#stored_as => #decode,),
        stream_id: shape.stream().map(|field| {
            let member = &field.member;
            stream_id(field, &quote!(&self.#member), eventcore)
        }),
    }
}

fn of_enum(variants: &[Variant<'_>], eventcore: &Path) -> Functions {
    let support = quote!(#eventcore::derive_support);
    let names: Vec<_> = variants.iter().map(|variant| variant.name).collect();
    let shapes = || variants.iter().map(|variant| &variant.shape);
    let stored_as: Vec<_> = shapes().map(|shape| &shape.stored_as).collect();
    let index = 0_u32..;
    let encoded = shapes().zip(0_u32..).map(|(shape, index)| {
        let stored_as = &shape.stored_as;
        if shape.unit {
            quote!(::core::result::Result::Ok(#support::empty_payload()))
        } else {
            quote!(#support::encode_variant(#stored_as, #index, self))
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
            #(#stored_as => #support::decode_variant(event_type, #index, payload),)*
        },
        stream_id: of_variants(variants, eventcore),
    }
}

/// The stream of each variant; `None` unless all have one.
fn of_variants(variants: &[Variant<'_>], eventcore: &Path) -> Option<TokenStream> {
    let arms = variants.iter().map(|variant| {
        let (name, field) = (variant.name, variant.shape.stream()?);
        let member = &field.member;
        let stream_id = stream_id(field, &quote!(stream), eventcore);
        Some(quote!(Self::#name { #member: stream, .. } => #stream_id,))
    });
    let arms = arms.collect::<Option<Vec<_>>>()?;
    (!arms.is_empty()).then(|| quote!(match self { #(#arms)* }))
}

fn stream_id(field: &StreamField<'_>, value: &TokenStream, eventcore: &Path) -> TokenStream {
    let ty = field.ty;
    // With the span of the type, so that the compiler reports errors there.
    let stream_id = quote_spanned!(ty.span()=> <#ty as #eventcore::StreamField>::stream_id);
    quote!(#stream_id(#value))
}

fn old_names<'a>(event: &'a Event<'_>) -> impl Iterator<Item = &'a LitStr> {
    event.upcasts.iter().map(|upcast| &upcast.from)
}

/// A match arm for each old event type.
fn upcasts(event: &Event<'_>) -> TokenStream {
    let (from, eventcore) = (old_names(event), &event.eventcore);
    let upcast = event.upcasts.iter().map(|upcast| {
        let with = &upcast.with;
        // With the span of the function, so that the compiler reports errors there.
        quote_spanned!(with.span()=> #eventcore::derive_support::upcast::<_, Self, _>)
    });
    let with = event.upcasts.iter().map(|upcast| &upcast.with);
    quote! {
        #(#from => #upcast(event_type, payload, #with),)*
    }
}

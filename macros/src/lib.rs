//! The derives of eventcore, re-exported by the crate `eventcore`, which is the one to depend on.
//!
//! Each derive takes the same steps: parse the item, make a model of it, validate the model, and
//! expand it.

mod attributes;
mod command;
mod event;

use proc_macro::TokenStream;

/// Declares the streams of a command: the fields marked `#[stream]`.
///
/// For a command `TransferMoney` it writes a struct `TransferMoneyStreams`, which has a handle for
/// each of these fields under the field's name, and implements `CommandStreams` with it:
///
/// | field | handle |
/// |---|---|
/// | `StreamId` | `Stream<TransferMoney>` |
/// | `Option<StreamId>` | `Option<Stream<TransferMoney>>` |
/// | `Vec<StreamId>` | `Vec<Stream<TransferMoney>>` |
///
/// A type of yours that implements `StreamField` may be used instead of `StreamId`.
///
/// `#[eventcore(crate = "…")]` on the struct gives the path of the crate `eventcore` where it is
/// not `::eventcore`.
#[proc_macro_derive(Command, attributes(stream, eventcore))]
pub fn derive_command(input: TokenStream) -> TokenStream {
    command::derive(syn::parse_macro_input!(input)).into()
}

/// Makes an enum or a struct an `Event`, on top of serde's `Serialize` and `Deserialize`.
///
/// Each variant of an enum is stored under its own name, a struct under the name of its type, or
/// under the name in `#[event(name = "…")]`. The payload consists of the fields.
///
/// `#[stream]` marks the field that names the event's stream: a `StreamId`, or a type of yours that
/// implements `StreamField`. Each event may have at most one. In an enum, either every variant has
/// one or none.
///
/// `#[upcast(from = "OldName", with = function)]` on a variant or on the whole type, once for each
/// old name: an event stored under the old name is decoded as the function's argument, and the
/// function returns the event.
///
/// `#[eventcore(crate = "…")]` on the type gives the path of the crate `eventcore` where it is not
/// `::eventcore`.
#[proc_macro_derive(Event, attributes(event, stream, upcast, eventcore))]
pub fn derive_event(input: TokenStream) -> TokenStream {
    event::derive(syn::parse_macro_input!(input)).into()
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    #[test]
    fn the_path_of_the_crate_can_be_given() {
        let command = super::command::derive(parse_quote! {
            #[eventcore(crate = "crate::es")]
            struct Deposit {
                #[stream]
                account: crate::es::StreamId,
                #[stream]
                others: Vec<crate::es::StreamId>,
            }
        });
        let event = super::event::derive(parse_quote! {
            #[eventcore(crate = "crate::es")]
            #[upcast(from = "Old", with = old)]
            enum AccountEvent<T> {
                Opened { #[stream] account: crate::es::StreamId },
                Deposited { #[stream] account: crate::es::StreamId, cents: T },
            }
        });
        for code in [command, event].map(|code| code.to_string()) {
            assert!(code.contains("crate :: es ::"), "{code}");
            assert!(!code.contains(":: eventcore"), "{code}");
        }
    }
}

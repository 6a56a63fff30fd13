//! `derive(Records)`: the kinds of an enum, and how each is written and read.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Data, DeriveInput, Error, Fields, Variant};

pub(crate) fn expand(input: &DeriveInput) -> syn::Result<TokenStream> {
    let name = &input.ident;
    let variants = variants(input)?;
    let idents: Vec<_> = variants.iter().map(|variant| &variant.ident).collect();
    let types = variants.iter().map(|variant| only_field(variant)).collect::<syn::Result<Vec<_>>>()?;
    // Names that nobody writes: the discriminants are expressions of the user's.
    let constants: Vec<_> = (0..variants.len()).map(|index| format_ident!("__FEED_RING_KIND_{index}")).collect();
    // As rustc counts: a discriminant that is not given is one more than the one before it.
    let kinds = variants.iter().enumerate().map(|(index, variant)| match &variant.discriminant {
        Some((_, kind)) => quote!(#kind),
        None if index == 0 => quote!(0),
        None => {
            let before = &constants[index - 1];
            quote!(#before + 1)
        }
    });
    Ok(quote! {
        const _: () = {
            #(const #constants: u8 = #kinds;)*
            #[automatically_derived]
            impl ::feed_ring::Records for #name {
                fn kinds() -> ::std::vec::Vec<(u8, ::feed_ring::raw::MessageFormat)> {
                    ::std::vec![#((#constants, ::feed_ring::raw::MessageFormat::of::<#types>())),*]
                }

                fn kind(&self) -> u8 {
                    match self { #(#name::#idents(_) => #constants),* }
                }

                fn bytes(&self) -> &[u8] {
                    match self { #(#name::#idents(message) => ::feed_ring::__private::bytes_of::<#types>(message)),* }
                }

                fn read(kind: u8, bytes: &[u8]) -> ::core::option::Option<Self> {
                    match kind {
                        #(#constants => ::feed_ring::__private::from_bytes::<#types>(bytes).map(#name::#idents),)*
                        _ => ::core::option::Option::None,
                    }
                }
            }
        };
    })
}

fn variants(input: &DeriveInput) -> syn::Result<Vec<&Variant>> {
    let Data::Enum(data) = &input.data else {
        let text =
            "records of one kind are messages: derive Payload for the struct, and Records for an enum of such structs";
        return Err(Error::new_spanned(&input.ident, text));
    };
    if !input.generics.params.is_empty() {
        let text = "the kinds of records are concrete types: write an enum without generic parameters";
        return Err(Error::new_spanned(&input.generics, text));
    }
    if data.variants.is_empty() {
        return Err(Error::new_spanned(&input.ident, "an enum without variants has no records: give it one"));
    }
    Ok(data.variants.iter().collect())
}

/// The type of a variant's only field.
fn only_field(variant: &Variant) -> syn::Result<&syn::Type> {
    match &variant.fields {
        Fields::Unnamed(fields) if fields.unnamed.len() == 1 => Ok(&fields.unnamed[0].ty),
        _ => {
            let name = &variant.ident;
            let text =
                format!("a kind of record is one message: write {name}(Message), with a struct that derives Payload");
            Err(Error::new_spanned(variant, text))
        }
    }
}

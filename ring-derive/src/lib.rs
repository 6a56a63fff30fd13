//! `#[derive(Payload)]` for `feed-ring`: generates a message's schema from its definition.
//!
//! Use it as `feed_ring::Payload`, not through this crate.

use proc_macro::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Fields, parse_macro_input};

/// Derives `feed_ring::Payload` and `feed_ring::Field` for a `#[repr(C)]` struct with named fields.
///
/// The schema has the struct's name, and each field's name, type and offset in bytes. Derive zerocopy's `FromBytes,
/// IntoBytes, Immutable, KnownLayout` beside it: they check that a message has no padding, no invalid bit pattern and
/// no pointer.
///
/// # Errors
/// A compile error for a generic struct, a struct without `#[repr(C)]` or `#[repr(transparent)]`, an enum, a union, or
/// a struct without named fields.
#[proc_macro_derive(Payload)]
pub fn derive_payload(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    match expand(&input) {
        Ok(tokens) => tokens.into(),
        Err(error) => error.to_compile_error().into(),
    }
}

fn expand(input: &DeriveInput) -> syn::Result<proc_macro2::TokenStream> {
    if !input.generics.params.is_empty() {
        return Err(syn::Error::new_spanned(
            &input.generics,
            "a message is one concrete type: Payload cannot be derived for a generic struct",
        ));
    }
    let repr_c = input.attrs.iter().filter(|attribute| attribute.path().is_ident("repr")).any(|attribute| {
        let mut found = false;
        let _ = attribute.parse_nested_meta(|meta| {
            found |= meta.path.is_ident("C") || meta.path.is_ident("transparent");
            if meta.input.peek(syn::token::Paren) {
                let content;
                syn::parenthesized!(content in meta.input);
                let _: proc_macro2::TokenStream = content.parse()?;
            }
            Ok(())
        });
        found
    });
    if !repr_c {
        return Err(syn::Error::new_spanned(
            &input.ident,
            "a message is read by other programs: add #[repr(C)], so that its fields stand where they are written",
        ));
    }
    let Data::Struct(data) = &input.data else {
        return Err(syn::Error::new_spanned(&input.ident, "Payload can only be derived for a struct"));
    };
    let Fields::Named(fields) = &data.fields else {
        return Err(syn::Error::new_spanned(
            &input.ident,
            "Payload needs named fields: the schema carries their names",
        ));
    };
    let name = &input.ident;
    let text = name.to_string();
    let entries = fields.named.iter().map(|field| {
        let ident = field.ident.as_ref().expect("a named field has a name");
        let (label, ty) = (ident.to_string(), &field.ty);
        quote! {
            ::feed_ring::SchemaField {
                name: #label,
                ty: <#ty as ::feed_ring::Field>::TYPE,
                offset: ::core::mem::offset_of!(#name, #ident),
            }
        }
    });
    Ok(quote! {
        impl ::feed_ring::Payload for #name {
            const SCHEMA: ::feed_ring::Schema = ::feed_ring::Schema {
                name: #text,
                fields: &[#(#entries),*],
            };
        }
        impl ::feed_ring::Field for #name {
            const TYPE: ::feed_ring::FieldType = ::feed_ring::FieldType::Struct(&<#name as ::feed_ring::Payload>::SCHEMA);
        }
    })
}

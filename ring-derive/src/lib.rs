//! `#[derive(Payload)]` for `feed-ring`: checks that a struct is plain data, and generates its schema. `#[derive(Records)]`: an
//! enum of such structs.
//!
//! Use them as `feed_ring::Payload` and `feed_ring::Records`, not through this crate.

mod records;

use proc_macro::TokenStream;
use quote::{quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::{Attribute, Data, DeriveInput, Error, Fields, FieldsNamed, parse_macro_input};

/// Derives `feed_ring::Payload` and `feed_ring::Field` for a `#[repr(C)]` struct with named fields, which is `Copy`.
///
/// The schema has the struct's name, and each field's name, type and offset in bytes.
///
/// # Errors
/// A compile error for
/// - a field whose type is not a `feed_ring::Field`, such as a `bool`, a reference, or a struct that does not derive
///   `Payload`;
/// - padding: bytes of the struct that belong to no field;
/// - a struct without `#[repr(C)]` or `#[repr(transparent)]`, without `Copy`, without named fields, or with generic
///   parameters; an enum; a union.
#[proc_macro_derive(Payload)]
pub fn derive_payload(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand(&input).unwrap_or_else(|error| error.to_compile_error()).into()
}

/// Derives `feed_ring::Records` for an enum whose variants have one field each, which derives `feed_ring::Payload`. The kind of a
/// variant is its discriminant.
///
/// # Errors
/// A compile error for
/// - a variant without a field, with several, or with a field whose type is not a `feed_ring::Payload`;
/// - a discriminant beyond 255, or more than 256 variants;
/// - a struct, a union, an enum without variants or with generic parameters.
#[proc_macro_derive(Records)]
pub fn derive_records(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    records::expand(&input).unwrap_or_else(|error| error.to_compile_error()).into()
}

fn expand(input: &DeriveInput) -> syn::Result<proc_macro2::TokenStream> {
    let fields = named_fields(input)?;
    let name = &input.ident;
    let text = name.to_string();
    let idents: Vec<_> = fields.named.iter().flat_map(|field| &field.ident).collect();
    let labels: Vec<_> = idents.iter().map(|ident| ident.unraw().to_string()).collect();
    let types: Vec<_> = fields.named.iter().map(|field| &field.ty).collect();
    // Reported beside what follows, so that the uses of the struct cause no further errors.
    let repr = (!has_fixed_layout(&input.attrs)).then(|| {
        let text =
            format!("add #[repr(C)] to `{name}`: other programs read it, so the order of its fields must be fixed");
        Error::new_spanned(name, text).to_compile_error()
    });
    // `Payload` demands it anyway. Said here, its lack is reported once.
    let copy = quote_spanned!(name.span()=> where #name: ::core::marker::Copy);
    let no_padding = quote_spanned! {name.span()=>
        ::feed_ring::__private::assert_no_padding(
            #text,
            ::core::mem::size_of::<#name>(),
            &[#((#labels, ::core::mem::offset_of!(#name, #idents), ::core::mem::size_of::<#types>())),*],
        )
    };
    // `Field` is sound to implement: every field's type is a `Field` (the schema names it as one), they are all fields
    // and have these types (the closure), and they fill the struct (the assertion), whose layout is fixed (`repr`).
    // `unsafe` has the macro's own span, so that crates that forbid unsafe code accept it.
    Ok(quote! {
        #repr
        #[automatically_derived]
        unsafe impl ::feed_ring::Field for #name {
            const TYPE: ::feed_ring::FieldType = ::feed_ring::FieldType::Struct(&::feed_ring::Schema {
                name: #text,
                fields: &[#(
                    ::feed_ring::SchemaField {
                        name: #labels,
                        ty: <#types as ::feed_ring::Field>::TYPE,
                        offset: ::core::mem::offset_of!(#name, #idents),
                    }
                ),*],
            });
        }
        #[automatically_derived]
        impl ::feed_ring::Payload for #name #copy {
            const SCHEMA: ::feed_ring::Schema = match <#name as ::feed_ring::Field>::TYPE {
                ::feed_ring::FieldType::Struct(schema) => *schema,
                _ => ::core::unreachable!(),
            };
        }
        const _: () = {
            // An attribute below the derive may change the struct after the derive has seen it.
            let _: fn(#name) -> (#(#types,)*) = |#name { #(#idents),* }| (#(#idents,)*);
            #no_padding
        };
    })
}

/// The fields of a struct that can be a message.
fn named_fields(input: &DeriveInput) -> syn::Result<&FieldsNamed> {
    let name = &input.ident;
    let text = match &input.data {
        Data::Enum(_) => {
            "an enum cannot be a message: another program may write a number that is none of its variants. Use a \
             struct with the number as a field"
        }
        Data::Union(_) => "a union cannot be a message: its schema could not say which field is there. Use a struct",
        Data::Struct(_) if !input.generics.params.is_empty() => {
            let text = "a message is one concrete type: write a struct without generic parameters for each";
            return Err(Error::new_spanned(&input.generics, text));
        }
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => return Ok(fields),
            _ => "a message needs fields with names: its schema carries them",
        },
    };
    Err(Error::new_spanned(name, text))
}

/// Whether a `repr` attribute fixes where the fields are.
fn has_fixed_layout(attributes: &[Attribute]) -> bool {
    attributes.iter().filter(|attribute| attribute.path().is_ident("repr")).any(|attribute| {
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
    })
}

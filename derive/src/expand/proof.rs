//! The proof that the types in the expansion are the fields' own.
//!
//! `__Types` has the tokens of each field's type as an associated type. `__fields_agree` takes a value apart, so that
//! the compiler infers the type of each field, and compiles only if that is the associated type. It is never called.

use super::path::type_name;
use crate::parse::{Field, Input};
use proc_macro2::TokenStream;
use quote::quote;
use syn::Ident;

/// The trait `__Types` with the types of these fields, which are all fields of the input, and its implementation.
pub fn types<'a>(input: &Input, fields: impl Iterator<Item = &'a Field<'a>>) -> TokenStream {
    let Input { ident, vis, .. } = input;
    let (impl_generics, ty_generics, where_clause) = input.bounded.split_for_impl();
    let types: Vec<_> = fields.map(|field| field.ty).collect();
    let names: Vec<Ident> = (0..types.len()).map(type_name).collect();
    quote! {
        #[doc(hidden)]
        #[allow(dead_code, missing_docs, unreachable_pub)]
        #vis trait __Types { #(type #names;)* }
        #[automatically_derived]
        impl #impl_generics __Types for #ident #ty_generics #where_clause { #(type #names = #types;)* }

        /// The type of a value, by inference. No path, because a path can lead elsewhere.
        #[allow(dead_code)]
        fn __of<__F>(_: &__F) -> [*const __F; 0] { [] }
        #[allow(dead_code)]
        fn __is<__F>(_: [*const __F; 0]) {}
    }
}

/// The function `__fields_agree`. Its body takes `__value` apart with patterns that name every field.
pub fn fields_agree(input: &Input, body: TokenStream) -> TokenStream {
    let ident = input.ident;
    let (impl_generics, ty_generics, where_clause) = input.bounded.split_for_impl();
    quote! {
        #[automatically_derived]
        #[allow(dead_code, clippy::extra_unused_type_parameters)]
        fn __fields_agree #impl_generics (__value: &#ident #ty_generics) #where_clause {
            #body
        }
    }
}

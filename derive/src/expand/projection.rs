//! [`Projection`]: the struct `__Fields`, as which `Pm::fields` shows a `Dirty` object.
//!
//! It has the fields of the user's struct, with their names, visibility and docs, and one more that borrows the object.

use super::path::Path;
use crate::parse::{Field, Input};
use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{Generics, Ident, Member, parse_quote};

pub struct Projection<'a> {
    input: &'a Input<'a>,
    fields: &'a [Field<'a>],
    /// The paths of the fields' types.
    paths: &'a [Path],
    /// The generics of the user's struct, with `'__a` before them.
    generics: Generics,
}

impl<'a> Projection<'a> {
    pub fn new(input: &'a Input<'a>, fields: &'a [Field<'a>], paths: &'a [Path]) -> Self {
        let mut generics = input.bounded.clone();
        generics.params.insert(0, parse_quote!('__a));
        Projection { input, fields, paths, generics }
    }

    /// The definition of the struct, in the style of the user's: with names or without.
    pub fn definition(&self) -> TokenStream {
        let Projection { input, generics, .. } = self;
        let (ident, vis, where_clause) = (input.ident, input.vis, &generics.where_clause);
        let (_, ty_generics, _) = input.bounded.split_for_impl();
        let fields = self.fields.iter().zip(self.paths).map(|(Field { member, vis, docs, .. }, path)| {
            let ty = path.projected();
            match member {
                Member::Named(ident) => quote!(#(#docs)* #vis #ident: #ty),
                Member::Unnamed(_) => quote!(#(#docs)* #vis #ty),
            }
        });
        let borrow = quote!([&'__a mut #ident #ty_generics; 0]);
        let body = match self.is_tuple() {
            true => quote!((#(#fields,)* #borrow) #where_clause;),
            false => quote!(#where_clause { #(#fields,)* __borrow: #borrow }),
        };
        let name = name();
        quote! {
            #[doc = "The fields of a `Dirty` object, one by one."]
            #[allow(dead_code, non_snake_case, missing_docs, clippy::type_complexity)]
            #vis struct #name #generics #body
        }
    }

    /// The struct as a type.
    pub fn ty(&self) -> TokenStream {
        let name = name();
        let (_, ty_generics, _) = self.generics.split_for_impl();
        quote!(#name #ty_generics)
    }

    /// The projection of the object at `__this`.
    pub fn value(&self) -> TokenStream {
        let name = name();
        let members = self.fields.iter().map(|field| &field.member);
        let places = self.fields.iter().zip(self.paths).map(|(Field { member, .. }, path)| {
            let project = path.item("project_field");
            quote!(unsafe { #project::<'__a>(&raw mut (*__this).#member) })
        });
        let borrow = match self.is_tuple() {
            true => Member::Unnamed(self.fields.len().into()),
            false => Member::Named(Ident::new("__borrow", Span::call_site())),
        };
        quote! {
            #name {
                #(#members: #places,)*
                #borrow: [],
            }
        }
    }

    fn is_tuple(&self) -> bool {
        matches!(self.fields.first(), Some(Field { member: Member::Unnamed(_), .. }))
    }
}

fn name() -> Ident {
    Ident::new("__Fields", Span::call_site())
}

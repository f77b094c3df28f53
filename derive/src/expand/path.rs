//! [`Path`]: the beginning `<F as Persistent>::…` of the expansion's paths, for the type `F` of one field.
//!
//! The tokens of a field's type stand in the expansion once, as an associated type of `__Types` (see
//! [`proof`](super::proof)), because the same tokens may mean another type elsewhere (`Self`, macros with a memory of
//! their own). Everything else names that associated type.
//!
//! A path has the spans of the field's type, from its first token to its last. So what the compiler says about a field
//! that is not persistent points at its type; and messages that are equal are shown once.

use crate::parse::{Field, Input};
use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::Ident;

pub struct Path {
    /// `<S as __Types>::__F0`: the field's type.
    ty: TokenStream,
    /// Where the tokens of the field's type begin.
    first: Span,
    /// Where they end.
    last: Span,
    /// The path of the crate, shown at `last`.
    krate: TokenStream,
}

impl Path {
    /// The paths for these fields, which are all fields of the input, in order.
    pub fn all<'a>(input: &Input, fields: impl Iterator<Item = &'a Field<'a>>) -> Vec<Path> {
        let ident = input.ident;
        let (_, ty_generics, _) = input.bounded.split_for_impl();
        let path = |(index, field): (usize, &Field)| {
            let span = |token: Option<TokenTree>| token.map_or_else(Span::call_site, |token| token.span());
            let first = span(field.ty.to_token_stream().into_iter().next());
            let last = span(field.ty.to_token_stream().into_iter().last());
            let name = type_name(index);
            let open = quote_spanned!(first=> <);
            let rest = at(quote!(#ident #ty_generics as __Types>::#name), last);
            let krate = shown_at(input.krate.to_token_stream(), last);
            Path { ty: quote!(#open #rest), first, last, krate }
        };
        fields.enumerate().map(path).collect()
    }

    /// `<F as Persistent>::name`
    pub fn item(&self, name: &str) -> TokenStream {
        let Path { ty, last, krate, .. } = self;
        let name = Ident::new(name, *last);
        let open = quote_spanned!(self.first=> <);
        quote_spanned!(*last=> #open #ty as #krate::Persistent>::#name)
    }

    /// `<<F as Persistent>::Links as Flag>::Field<'__a, F>`: what the projection shows the field as.
    pub fn projected(&self) -> TokenStream {
        let Path { ty, last, krate, .. } = self;
        let links = self.item("Links");
        let open = quote_spanned!(self.first=> <);
        quote_spanned!(*last=> #open #links as #krate::Flag>::Field<'__a, #ty>)
    }

    /// Statements that compile only if `value`, a reference to the field, refers to an `F`.
    pub fn proof(&self, value: &Ident) -> TokenStream {
        let ty = &self.ty;
        // In two steps. In one the call would coerce the reference to the expected type.
        quote! {
            let __found = __of(#value);
            __is::<#ty>(__found);
        }
    }
}

/// The name of the associated type of `__Types` that is the type of the field with this index.
pub fn type_name(index: usize) -> Ident {
    format_ident!("__F{index}")
}

/// The tokens with the place of `span` for messages, and with their own span's meaning.
///
/// The meaning includes the edition. In that of 2015 `::indelible` is a module of the user's crate. If a macro of an old
/// crate has spelled the field's type, its span would lead there, to another trait than the one that is implemented.
fn shown_at(tokens: TokenStream, span: Span) -> TokenStream {
    let shown = |mut token: TokenTree| {
        token.set_span(span.resolved_at(token.span()));
        token
    };
    tokens.into_iter().map(shown).collect()
}

/// The tokens with this span, for messages and for their meaning.
pub fn at(tokens: TokenStream, span: Span) -> TokenStream {
    let mut tokens: Vec<TokenTree> = tokens.into_iter().collect();
    tokens.iter_mut().for_each(|token| token.set_span(span));
    tokens.into_iter().collect()
}

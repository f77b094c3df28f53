//! The paths of the expansion that begin with a field's type: `<F as Persistent>::…`.
//!
//! They stand where the field's type does, from its first token to its last. So the compiler's messages about a
//! field that is not persistent point there; and being equal, they are shown once.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, quote_spanned};
use syn::{Ident, Type};

/// A field's type `F`, to be named in such paths.
pub struct Path<'a> {
    ty: &'a Type,
    first: Span,
    last: Span,
    /// Where the crate is, at `last`.
    krate: TokenStream,
}

impl<'a> Path<'a> {
    pub fn new(ty: &'a Type, krate: &syn::Path) -> Self {
        let span = |token: Option<TokenTree>| token.map_or_else(Span::call_site, |token| token.span());
        let first = span(ty.to_token_stream().into_iter().next());
        let last = span(ty.to_token_stream().into_iter().last());
        let mut krate: Vec<TokenTree> = krate.to_token_stream().into_iter().collect();
        krate.iter_mut().for_each(|token| token.set_span(last));
        Path { ty, first, last, krate: krate.into_iter().collect() }
    }

    /// Where the type begins.
    pub fn first(&self) -> Span {
        self.first
    }

    /// `<F as Persistent>::name`
    pub fn item(&self, name: &str) -> TokenStream {
        let Path { ty, last, krate, .. } = self;
        let name = Ident::new(name, *last);
        let open = quote_spanned!(self.first=> <);
        quote_spanned!(*last=> #open #ty as #krate::Persistent>::#name)
    }

    /// `<<F as Persistent>::Links as Flag>::Field<'__a, F>`
    pub fn projected(&self) -> TokenStream {
        let Path { ty, last, krate, .. } = self;
        let links = self.item("Links");
        let open = quote_spanned!(self.first=> <);
        quote_spanned!(*last=> #open #links as #krate::Flag>::Field<'__a, #ty>)
    }
}

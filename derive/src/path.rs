//! The paths of the expansion that begin with a field's type: `<F as Persistent>::…`.
//!
//! The tokens of a field's type stand in the expansion once, as an associated type of `__Types`, because the
//! same tokens may mean another type elsewhere (`Self`, macros with a memory of their own). Everything else
//! names that; [`Path::proof`] shows that it is the field's own type.
//!
//! The paths stand where the field's type does, from its first token to its last. So the compiler's messages
//! about a field that is not persistent point there; and being equal, they are shown once.

use crate::parse::{Field, Input, bounded};
use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::Ident;

/// A field's type `F`, to be named in such paths.
pub struct Path {
    /// `<S as __Types>::__F0`, from `first` to `last`.
    ty: TokenStream,
    first: Span,
    last: Span,
    /// Where the crate is, at `last`.
    krate: TokenStream,
}

impl Path {
    /// The paths for all fields of the input, in order.
    pub fn all<'a>(input: &Input, fields: impl Iterator<Item = &'a Field<'a>>) -> Vec<Path> {
        let ident = input.ident;
        let generics = bounded(input);
        let (_, ty_generics, _) = generics.split_for_impl();
        let path = |(index, field): (usize, &Field)| {
            let span = |token: Option<TokenTree>| token.map_or_else(Span::call_site, |token| token.span());
            let first = span(field.ty.to_token_stream().into_iter().next());
            let last = span(field.ty.to_token_stream().into_iter().last());
            let name = format_ident!("__F{index}");
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

    /// `<<F as Persistent>::Links as Flag>::Field<'__a, F>`
    pub fn projected(&self) -> TokenStream {
        let Path { ty, last, krate, .. } = self;
        let links = self.item("Links");
        let open = quote_spanned!(self.first=> <);
        quote_spanned!(*last=> #open #links as #krate::Flag>::Field<'__a, #ty>)
    }

    /// Statements that compile only if `value`, a reference to the field, is of this type.
    pub fn proof(&self, value: &Ident) -> TokenStream {
        let ty = &self.ty;
        // In two steps, or the call would coerce the reference to what is expected.
        quote! {
            let __found = __of(#value);
            __is::<#ty>(__found);
        }
    }
}

/// `__Types`, with the type of each field.
pub fn types<'a>(input: &Input, fields: impl Iterator<Item = &'a Field<'a>>) -> TokenStream {
    let Input { ident, vis, .. } = input;
    let generics = bounded(input);
    let (impl_generics, ty_generics, where_clause) = generics.split_for_impl();
    let types: Vec<_> = fields.map(|field| field.ty).collect();
    let names: Vec<Ident> = (0..types.len()).map(|index| format_ident!("__F{index}")).collect();
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

/// These tokens, shown as if they stood there, and meaning what they mean here. A span says the edition too, and in that
/// of 2015 `::indelible` is a module of the user's crate: so it would be for a field whose type a macro of an old crate
/// has spelled, and the field's trait would not be the one that is implemented.
fn shown_at(tokens: TokenStream, span: Span) -> TokenStream {
    let shown = |mut token: TokenTree| {
        token.set_span(span.resolved_at(token.span()));
        token
    };
    tokens.into_iter().map(shown).collect()
}

/// These tokens, as if they stood there.
pub fn at(tokens: TokenStream, span: Span) -> TokenStream {
    let mut tokens: Vec<TokenTree> = tokens.into_iter().collect();
    tokens.iter_mut().for_each(|token| token.set_span(span));
    tokens.into_iter().collect()
}

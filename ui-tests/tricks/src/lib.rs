//! Macros that show a derive something else than the compiler gets.

use proc_macro::{Group, Punct, Spacing, TokenStream, TokenTree};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Replaces `f32` by `u32` in what stands below it. Listed after a derive, it changes what the derive has seen.
#[proc_macro_attribute]
pub fn rewrite(_: TokenStream, item: TokenStream) -> TokenStream {
    item.to_string().replace("f32", "u32").parse().expect("still Rust")
}

/// Swaps the order of the words `first` and `second`.
#[proc_macro_attribute]
pub fn swap(_: TokenStream, item: TokenStream) -> TokenStream {
    let text = item.to_string();
    text.replace("first", "third")
        .replace("second", "first")
        .replace("third", "second")
        .parse()
        .expect("still Rust")
}

/// A type that is `u32` once and `f32` after that.
#[proc_macro]
pub fn moody(_: TokenStream) -> TokenStream {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    let ty = if CALLS.fetch_add(1, Ordering::Relaxed) == 0 { "u32" } else { "f32" };
    ty.parse().expect("a type")
}

/// Puts a link where the derive has seen a `u64`, which has the same bytes.
#[proc_macro_attribute]
pub fn smuggle(_: TokenStream, item: TokenStream) -> TokenStream {
    item.to_string().replace("u64", "indelible::Link<Reading>").parse().expect("still Rust")
}

/// Puts the first field after the second.
#[proc_macro_attribute]
pub fn second_first(_: TokenStream, item: TokenStream) -> TokenStream {
    let mut tokens: Vec<TokenTree> = item.into_iter().collect();
    if let Some(TokenTree::Group(fields)) = tokens.last() {
        let all: Vec<TokenTree> = fields.stream().into_iter().collect();
        let is_comma = |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',');
        let mut parts: Vec<TokenStream> =
            all.split(is_comma).map(|field| field.iter().cloned().collect()).collect();
        parts.swap(0, 1);
        let comma = || TokenStream::from(TokenTree::from(Punct::new(',', Spacing::Alone)));
        parts.retain(|field| !field.is_empty());
        let swapped = parts.into_iter().flat_map(|field| [field, comma()]).collect();
        *tokens.last_mut().expect("it was there") = Group::new(fields.delimiter(), swapped).into();
    }
    tokens.into_iter().collect()
}

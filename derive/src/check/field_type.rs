//! The types that a field can't have, recognised by their tokens.
//!
//! The compiler would refuse them too; here the message can say what to use instead. A type that hides behind an alias
//! is left to the compiler. So is a path that leads elsewhere than to std: another module may have a type of its own by
//! such a name.

use crate::parse::Input;
use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Error, GenericArgument, PathArguments, PathSegment, Type, TypeParam, TypePath};

/// The first mistake in the type of a field.
pub fn mistake(input: &Input, ty: &Type) -> Option<Error> {
    let mut search = Search { input, unsized_here: false, error: None };
    search.visit_type(ty);
    search.error
}

/// A walk over a type and all types inside it, which notes the first mistake.
struct Search<'a> {
    input: &'a Input<'a>,
    /// Whether the type stands in the brackets of `Link<…>` or of a map, which take `str` and slices as they are.
    unsized_here: bool,
    error: Option<Error>,
}

impl<'ast> Visit<'ast> for Search<'_> {
    fn visit_type(&mut self, ty: &'ast Type) {
        if self.error.is_none() && self.grows(ty) {
            self.error = Some(Error::new(
                ty.span(),
                "a type that links to a larger type of its own kind has no end, and no schema: link to the same type, or to one with fixed arguments",
            ));
            return;
        }
        match self.advice(ty) {
            Some(advice) => {
                self.error.get_or_insert_with(|| Error::new(ty.span(), advice));
            }
            None => {
                let outside = self.unsized_here;
                self.unsized_here = takes_unsized(ty);
                visit::visit_type(self, ty);
                self.unsized_here = outside;
            }
        }
    }
}

impl Search<'_> {
    /// Whether this names the type itself with arguments that are larger than its own parameters, as in
    /// `struct Nest<T> { next: Link<Nest<[T; 2]>> }`: its schema would never end.
    fn grows(&self, ty: &Type) -> bool {
        let Type::Path(path) = ty else { return false };
        let Some(last) = path.path.segments.last().filter(|last| last.ident == *self.input.ident) else {
            return false;
        };
        let PathArguments::AngleBracketed(arguments) = &last.arguments else { return false };
        arguments.args.iter().any(|argument| {
            let GenericArgument::Type(argument) = argument else { return false };
            let is =
                |param: &TypeParam| matches!(argument, Type::Path(path) if path.path.is_ident(&param.ident));
            let inside = |param: &TypeParam| mentions(argument.to_token_stream(), &param.ident);
            let params = || self.input.generics.type_params();
            !params().any(is) && params().any(inside)
        })
    }

    /// What is wrong with this type, not counting the types inside it, and what to write instead.
    fn advice(&self, ty: &Type) -> Option<String> {
        let advice = match ty {
            Type::Reference(_) => "a reference points nowhere after a restart: use `Link<T>`",
            Type::Ptr(_) => "a pointer points nowhere after a restart: use `Link<T>`",
            Type::BareFn(_) => {
                "a function's address changes with every build: store an enum or a number that names it"
            }
            Type::Tuple(tuple) if !tuple.elems.is_empty() => {
                "a tuple has no fixed layout: use a struct with `#[repr(C)]` and `#[derive(Persistent)]`"
            }
            Type::Path(path) => return self.advice_on_path(path),
            _ => return None,
        };
        Some(advice.to_string())
    }

    fn advice_on_path(&self, path: &TypePath) -> Option<String> {
        if path.qself.is_some() || !may_be_of_std(&path.path) {
            return None;
        }
        let last = path.path.segments.last()?;
        let advice = self.advice_on_name(last)?;
        let certain = ["usize", "isize", "Option"].iter().any(|name| last.ident == name);
        // A name without a path may be a type of the user's own. Not these three: they are taken to be std's.
        let own = match path.path.segments.len() == 1 && !certain {
            true => format!(
                "; a type of your own by this name is let through with a path, like `self::{}`",
                last.ident
            ),
            false => String::new(),
        };
        Some(format!("{advice}{own}"))
    }

    /// What to write instead of std's type by this name.
    fn advice_on_name(&self, last: &PathSegment) -> Option<&'static str> {
        match last.ident.to_string().as_str() {
            "usize" => Some("`usize` differs between machines: use `u64`"),
            "isize" => Some("`isize` differs between machines: use `i64`"),
            "Box" | "Rc" | "Arc" => {
                Some("std's pointers to the heap are lost with the process: use `Link<T>`")
            }
            "Vec" if self.unsized_here => Some("std's `Vec` lives on the process's heap: write `[T]` here"),
            "Vec" => Some("std's `Vec` lives on the process's heap: use `Link<[T]>`"),
            "String" if self.unsized_here => {
                Some("std's `String` lives on the process's heap: write `str` here")
            }
            "String" => Some("std's `String` lives on the process's heap: use `Link<str>`"),
            "Option" => advice_on_option(&last.arguments),
            "Cell" | "RefCell" | "UnsafeCell" | "OnceCell" => Some(
                "a cell of std can be changed without a transaction, and torn by a power failure: use `Word<T>`",
            ),
            "Mutex" | "RwLock" | "OnceLock" => Some(
                "a lock of std that is held when the power fails stays locked for ever: put the `Region` into a lock instead",
            ),
            name if name.starts_with("Atomic") && name.len() > "Atomic".len() => Some(
                "an atomic of std can be changed without a transaction, and is not flushed: use `Word<T>`",
            ),
            _ => None,
        }
    }
}

/// What to write instead of an `Option` of this, where that is certain.
fn advice_on_option(arguments: &PathArguments) -> Option<&'static str> {
    let PathArguments::AngleBracketed(arguments) = arguments else { return None };
    let Some(GenericArgument::Type(Type::Path(path))) = arguments.args.first() else { return None };
    match path.path.segments.last()?.ident.to_string().as_str() {
        "Link" => Some("a link may be null, and so is optional already: use `Link<T>` without the `Option`"),
        "u8" | "u16" | "u32" | "u64" | "u128" | "i8" | "i16" | "i32" | "i64" | "i128" => Some(
            "an `Option` of a number needs room beside it, and has padding: use `Option` of a non-zero one, like `Option<NonZeroU64>`",
        ),
        _ => None,
    }
}

/// Whether `str` or a slice may stand in the brackets of this type.
fn takes_unsized(ty: &Type) -> bool {
    let Type::Path(path) = ty else { return false };
    let last = path.path.segments.last();
    last.is_some_and(|last| ["Link", "BTreeMap", "HashMap"].iter().any(|name| last.ident == name))
}

/// Whether this path may lead into std: it begins there, or it is a name that the prelude or an import may have
/// brought into scope. Any other path leads to another module.
fn may_be_of_std(path: &syn::Path) -> bool {
    let first = path.segments.first().map(|first| first.ident.to_string());
    let modules = ["std", "alloc", "core"];
    // `rc::Rc`, after `use std::rc`.
    let imported = ["boxed", "rc", "sync", "vec", "string", "cell", "option", "atomic"];
    let first = first.as_deref().unwrap_or_default();
    path.segments.len() == 1 || modules.contains(&first) || imported.contains(&first)
}

/// Whether the identifier stands anywhere in these tokens.
fn mentions(tokens: TokenStream, ident: &Ident) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(found) => found == *ident,
        TokenTree::Group(group) => mentions(group.stream(), ident),
        _ => false,
    })
}

//! What tokens alone can tell to be wrong.

use crate::parse::{Input, Shape};
use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{
    Error, Expr, ExprLit, ExprUnary, GenericArgument, Lit, PathArguments, Result, Type, TypeParam, UnOp,
};

pub fn check(input: &Input) -> Result<()> {
    let mut errors: Option<Error> = None;
    let mut refuse = |error: Error| match &mut errors {
        None => errors = Some(error),
        Some(errors) => errors.combine(error),
    };
    if let Some(lifetime) = input.generics.lifetimes().next() {
        refuse(Error::new(
            lifetime.lifetime.span(),
            "a persistent type has no lifetime: a reference would point nowhere after a restart; use `Link<T>`",
        ));
    }
    if let Some(span) = input.repr.packed {
        refuse(Error::new(
            span,
            "a packed type can't be persistent: its links and words must be aligned to be stored whole; reorder the fields instead",
        ));
    }
    match &input.shape {
        Shape::Struct(fields) => {
            if !input.repr.c && !input.repr.transparent {
                refuse(Error::new(
                    input.ident.span(),
                    format!(
                        "`{0}` needs `#[repr(C)]`: without it the next build may lay out its fields differently",
                        input.ident
                    ),
                ));
            }
            for field in fields {
                let mut types = Types { input, unsized_here: false, error: None };
                types.visit_type(field.ty);
                if let Some(error) = types.error {
                    refuse(error);
                }
            }
        }
        Shape::Enum(variants) => {
            let with_fields = variants.iter().any(|variant| !variant.fields.is_empty());
            if input.repr.primitive.is_none() && !(input.repr.c && with_fields) {
                refuse(Error::new(
                    input.ident.span(),
                    format!(
                        "`{}` needs a `repr` with an integer, like `#[repr(u8)]`: without it the next build may number its variants differently",
                        input.ident
                    ),
                ));
            }
            if let (true, Some(primitive)) = (input.repr.c, &input.repr.primitive) {
                // Without fields `repr(C)` is refused as well; the compiler has a message of its own for both.
                let or_c = if with_fields { " or `#[repr(C)]`" } else { "" };
                refuse(Error::new(
                    primitive.span(),
                    format!("an enum has one layout here: write `#[repr({primitive})]`{or_c}"),
                ));
            }
            if variants.is_empty() {
                refuse(Error::new(input.ident.span(), "an enum without variants has no value to store"));
            }
            for field in variants.iter().flat_map(|variant| &variant.fields) {
                let mut types = Types { input, unsized_here: false, error: None };
                types.visit_type(field.ty);
                if let Some(error) = types.error {
                    refuse(error);
                }
            }
            // The numbers of such an enum can't be compared with `as`.
            let numbers = variants.iter().filter_map(|variant| variant.discriminant);
            if with_fields && let Some(number) = numbers.into_iter().find(|expr| literal(expr).is_none()) {
                refuse(Error::new(
                    number.span(),
                    "where a variant has fields, give its number as a plain integer",
                ));
            }
        }
    }
    errors.map_or(Ok(()), Err)
}

/// The value of an integer literal, with a sign or without.
pub fn literal(expr: &Expr) -> Option<i128> {
    match expr {
        Expr::Lit(ExprLit { lit: Lit::Int(int), .. }) => int.base10_parse().ok(),
        Expr::Unary(ExprUnary { op: UnOp::Neg(_), expr, .. }) => literal(expr).map(|value| -value),
        Expr::Group(group) => literal(&group.expr),
        _ => None,
    }
}

/// Field types that can never be persistent, recognised by their tokens so that the message can say what to
/// use. What hides behind an alias is left to the compiler, and so is what another module than one of std's has under
/// such a name.
struct Types<'a> {
    input: &'a Input<'a>,
    /// Inside of `Link<…>` or a map, which take `str` and slices as they are.
    unsized_here: bool,
    error: Option<Error>,
}

impl Types<'_> {
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
}

/// What to write instead of an `Option` of this, where that is certain.
fn optional(arguments: &PathArguments) -> Option<&'static str> {
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

/// Whether what stands in the brackets of this type may be `str` or a slice.
fn takes_unsized(ty: &Type) -> bool {
    let Type::Path(path) = ty else { return false };
    let last = path.path.segments.last();
    last.is_some_and(|last| ["Link", "BTreeMap", "HashMap"].iter().any(|name| last.ident == name))
}

/// Whether this path may lead into std: a name that the prelude or an import may have brought in, or a path that begins
/// there. Another path leads to another module.
fn may_be_of_std(path: &syn::Path) -> bool {
    let first = path.segments.first().map(|first| first.ident.to_string());
    let modules = ["std", "alloc", "core"];
    // `rc::Rc`, after `use std::rc`.
    let imported = ["boxed", "rc", "sync", "vec", "string", "cell", "option", "atomic"];
    let first = first.as_deref().unwrap_or_default();
    path.segments.len() == 1 || modules.contains(&first) || imported.contains(&first)
}

fn mentions(tokens: TokenStream, ident: &Ident) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(found) => found == *ident,
        TokenTree::Group(group) => mentions(group.stream(), ident),
        _ => false,
    })
}

impl<'ast> Visit<'ast> for Types<'_> {
    fn visit_type(&mut self, ty: &'ast Type) {
        if self.error.is_none() && self.grows(ty) {
            self.error = Some(Error::new(
                ty.span(),
                "a type that links to a larger type of its own kind has no end, and no schema: link to the same type, or to one with fixed arguments",
            ));
            return;
        }
        let unsized_here = self.unsized_here;
        // A name that may be of a type in scope.
        let mut own = None;
        let advice = match ty {
            Type::Reference(_) => Some("a reference points nowhere after a restart: use `Link<T>`"),
            Type::Ptr(_) => Some("a pointer points nowhere after a restart: use `Link<T>`"),
            Type::BareFn(_) => Some("a function's address changes with every build: store an enum or a number that names it"),
            Type::Tuple(tuple) if !tuple.elems.is_empty() => {
                Some("a tuple has no fixed layout: use a struct with `#[repr(C)]` and `#[derive(Persistent)]`")
            }
            Type::Path(path) if path.qself.is_none() && may_be_of_std(&path.path) => path.path.segments.last().and_then(|last| {
                let certain = ["usize", "isize", "Option"].iter().any(|name| last.ident == name);
                own = (path.path.segments.len() == 1 && !certain).then_some(&last.ident);
                match last.ident.to_string().as_str() {
                    "usize" => Some("`usize` differs between machines: use `u64`"),
                    "isize" => Some("`isize` differs between machines: use `i64`"),
                    "Box" | "Rc" | "Arc" => Some("std's pointers to the heap are lost with the process: use `Link<T>`"),
                    "Vec" if unsized_here => Some("std's `Vec` lives on the process's heap: write `[T]` here"),
                    "Vec" => Some("std's `Vec` lives on the process's heap: use `Link<[T]>`"),
                    "String" if unsized_here => Some("std's `String` lives on the process's heap: write `str` here"),
                    "String" => Some("std's `String` lives on the process's heap: use `Link<str>`"),
                    "Option" => optional(&last.arguments),
                    "Cell" | "RefCell" | "UnsafeCell" | "OnceCell" => {
                        Some("a cell of std can be changed without a transaction, and torn by a power failure: use `Word<T>`")
                    }
                    "Mutex" | "RwLock" | "OnceLock" => {
                        Some("a lock of std that is held when the power fails stays locked for ever: put the `Region` into a lock instead")
                    }
                    name if name.starts_with("Atomic") && name.len() > 6 => {
                        Some("an atomic of std can be changed without a transaction, and is not flushed: use `Word<T>`")
                    }
                    _ => None,
                }
            }),
            _ => None,
        };
        match advice {
            Some(advice) if self.error.is_none() => {
                let own = own.map_or_else(String::new, |name| {
                    format!(
                        "; a type of your own by this name is let through with a path, like `self::{name}`"
                    )
                });
                self.error = Some(Error::new(ty.span(), format!("{advice}{own}")));
            }
            Some(_) => {}
            None => {
                self.unsized_here = takes_unsized(ty);
                visit::visit_type(self, ty);
                self.unsized_here = unsized_here;
            }
        }
    }
}

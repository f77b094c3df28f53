//! The checks of what the tokens alone show to be wrong. Each error points at the token and says what to write.

mod field_type;

use crate::parse::{Field, Input, Shape, Variant, literal};
use proc_macro2::Span;
use std::fmt::Display;
use syn::spanned::Spanned;
use syn::{Error, Result};

/// Checks everything, so that all mistakes of a type are reported at once.
pub fn check(input: &Input) -> Result<()> {
    let mut errors = Errors(None);
    check_type(input, &mut errors);
    match &input.shape {
        Shape::Struct(fields) => check_struct(input, fields, &mut errors),
        Shape::PlainEnum(variants) => check_enum(input, variants, false, &mut errors),
        Shape::DataEnum(variants) => check_enum(input, variants, true, &mut errors),
    }
    errors.0.map_or(Ok(()), Err)
}

/// The errors so far, in the order in which they were found.
struct Errors(Option<Error>);

impl Errors {
    fn add(&mut self, error: Error) {
        match &mut self.0 {
            None => self.0 = Some(error),
            Some(errors) => errors.combine(error),
        }
    }

    fn at(&mut self, span: Span, message: impl Display) {
        self.add(Error::new(span, message));
    }
}

/// What structs and enums have in common.
fn check_type(input: &Input, errors: &mut Errors) {
    if let Some(lifetime) = input.generics.lifetimes().next() {
        errors.at(
            lifetime.lifetime.span(),
            "a persistent type has no lifetime: a reference would point nowhere after a restart; use `Link<T>`",
        );
    }
    if let Some(span) = input.repr.packed {
        errors.at(
            span,
            "a packed type can't be persistent: its links and words must be aligned to be stored whole; reorder the fields instead",
        );
    }
}

fn check_struct(input: &Input, fields: &[Field], errors: &mut Errors) {
    if !input.repr.c && !input.repr.transparent {
        errors.at(
            input.ident.span(),
            format!(
                "`{0}` needs `#[repr(C)]`: without it the next build may lay out its fields differently",
                input.ident
            ),
        );
    }
    check_fields(input, fields, errors);
}

fn check_enum(input: &Input, variants: &[Variant], with_fields: bool, errors: &mut Errors) {
    if input.repr.primitive.is_none() && !(input.repr.c && with_fields) {
        errors.at(
            input.ident.span(),
            format!(
                "`{}` needs a `repr` with an integer, like `#[repr(u8)]`: without it the next build may number its variants differently",
                input.ident
            ),
        );
    }
    if let (true, Some(primitive)) = (input.repr.c, &input.repr.primitive) {
        // Without fields `repr(C)` alone is refused too. (For both at once the compiler has a message of its own.)
        let or_c = if with_fields { " or `#[repr(C)]`" } else { "" };
        errors
            .at(primitive.span(), format!("an enum has one layout here: write `#[repr({primitive})]`{or_c}"));
    }
    if variants.is_empty() {
        errors.at(input.ident.span(), "an enum without variants has no value to store");
    }
    check_fields(input, variants.iter().flat_map(|variant| &variant.fields), errors);
    // An enum with fields has no `as` with which the expansion could ask for the number.
    let mut numbers = variants.iter().filter_map(|variant| variant.discriminant);
    if with_fields && let Some(number) = numbers.find(|expr| literal(expr).is_none()) {
        errors.at(number.span(), "where a variant has fields, give its number as a plain integer");
    }
}

fn check_fields<'a>(input: &Input, fields: impl IntoIterator<Item = &'a Field<'a>>, errors: &mut Errors) {
    for field in fields {
        if let Some(error) = field_type::mistake(input, field.ty) {
            errors.add(error);
        }
    }
}

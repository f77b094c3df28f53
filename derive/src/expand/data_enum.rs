//! What an enum with fields expands to.
//!
//! The compiler itself says where the fields are. For each variant the expansion writes the variant's number to the tag
//! of a zeroed place, matches the place as the variant that it then is, and measures the offsets of the fields. It
//! reports what it finds; whether tag and fields leave a gap is for the crate to check.

use super::parts::Parts;
use super::variants::{self, Arm};
use crate::parse::{Input, Variant};
use proc_macro2::{Literal, TokenStream};
use quote::quote;

pub fn parts(input: &Input, variants: &[Variant]) -> Parts {
    let arms = Arm::all(input, variants);
    let described =
        arms.iter().map(|arm| arm.described(input, number(arm.variant.number, ""), measured(input, arm)));
    variants::parts(input, &arms, described, None)
}

/// A number as a literal. Its type is said by a suffix, because any item may be in scope by the name of a type.
fn number(value: i128, suffix: &str) -> TokenStream {
    let digits: Literal = format!("{}{suffix}", value.unsigned_abs()).parse().expect("digits are a literal");
    let sign = (value < 0).then(|| quote!(-));
    quote!(#sign #digits)
}

/// Whether a place with the variant's number is the variant, and the variant's fields with their offsets in it.
fn measured(input: &Input, arm: &Arm) -> TokenStream {
    let krate = &input.krate;
    let tag = input.repr.tag();
    // `c_int` is an `i32` on every platform that the crate compiles for.
    let number = number(arm.variant.number, if tag == "C" { "i32" } else { &tag });
    let found = if arm.values.is_empty() { found_alone(arm) } else { found_with_fields(arm) };
    // Evaluated at compile time only; nothing but the tag is read.
    quote! {
        const {
            let mut __place = <Self as #krate::Persistent>::ZEROED;
            unsafe { __put(&raw mut __place, #number) };
            let __start = &raw const __place as *const Self;
            #found
        }
    }
}

/// [`measured`], for a variant without fields.
fn found_alone(arm: &Arm) -> TokenStream {
    let variant = arm.variant.ident;
    quote! {
        #[allow(unreachable_patterns)]
        let __seen = match unsafe { &*__start } {
            Self::#variant { .. } => true,
            _ => false,
        };
        (__seen, &[])
    }
}

/// [`measured`], for a variant with fields.
fn found_with_fields(arm: &Arm) -> TokenStream {
    let (variant, members, values) = (arm.variant.ident, arm.members(), &arm.values);
    let fields = arm.paths.iter().zip(&arm.variant.fields).enumerate().map(|(index, (path, field))| {
        let (part, name, index) = (path.item("PART"), &field.name, Literal::usize_unsuffixed(index));
        quote!(#part.at(#name, __at[#index]))
    });
    let nowhere = values.iter().map(|_| quote!(-1));
    quote! {
        #[allow(unreachable_patterns)]
        let (__seen, __at) = match unsafe { &*__start } {
            Self::#variant { #(#members: #values,)* } => {
                (true, [#(unsafe { (&raw const *#values).byte_offset_from(__start) }),*])
            }
            _ => (false, [#(#nowhere),*]),
        };
        (__seen, &[#(#fields),*])
    }
}

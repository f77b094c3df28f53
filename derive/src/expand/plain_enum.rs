//! What an enum without fields expands to. Nothing is measured: `as` gives the number that the compiler uses, and the
//! crate looks at the values themselves.

use super::parts::Parts;
use super::variants::{self, Arm};
use crate::parse::{Input, Variant};
use quote::quote;

pub fn parts(input: &Input, variants: &[Variant]) -> Parts {
    let arms = Arm::all(input, variants);
    let described = arms.iter().map(|arm| {
        let ident = arm.variant.ident;
        arm.described(input, quote!(Self::#ident {} as _), quote!((true, &[])))
    });
    let idents = variants.iter().map(|variant| variant.ident);
    let values = quote!(const VALUES: &'static [Self] = &[#(Self::#idents {}),*];);
    variants::parts(input, &arms, described, Some(values))
}

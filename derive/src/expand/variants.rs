//! What enums have in common, with fields or without: [`Arm`]s, and the parts made from them.

use super::parts::{Parts, links};
use super::path::Path;
use super::proof;
use crate::parse::{Input, Variant};
use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Ident, Member};

/// A variant, and what its fields are called in the expansion.
pub struct Arm<'a> {
    pub variant: &'a Variant<'a>,
    /// The paths of the fields' types.
    pub paths: Vec<Path>,
    /// What a pattern binds the fields to.
    pub values: Vec<Ident>,
}

impl<'a> Arm<'a> {
    /// The arms of all variants. Fields are numbered through the whole enum.
    pub fn all(input: &Input, variants: &'a [Variant<'a>]) -> Vec<Arm<'a>> {
        let fields = variants.iter().flat_map(|variant| &variant.fields);
        let mut named = Path::all(input, fields)
            .into_iter()
            .enumerate()
            .map(|(index, path)| (path, format_ident!("__value{index}")));
        let arm = |variant: &'a Variant<'a>| {
            let (paths, values) = named.by_ref().take(variant.fields.len()).unzip();
            Arm { variant, paths, values }
        };
        variants.iter().map(arm).collect()
    }

    pub fn members(&self) -> Vec<&Member> {
        self.variant.fields.iter().map(|field| &field.member).collect()
    }

    /// An element of `VARIANTS`: the variant's number, and what was found in a place with that number.
    pub fn described(&self, input: &Input, number: TokenStream, found: TokenStream) -> TokenStream {
        let (krate, name) = (&input.krate, &self.variant.name);
        quote!(<Self as #krate::Persistent>::VARIANT.of(#name, #number, #found))
    }
}

/// The parts of an enum. `described` are the elements of `VARIANTS`; `values` is the constant `VALUES`, for an enum
/// that has it.
pub fn parts(
    input: &Input,
    arms: &[Arm],
    described: impl Iterator<Item = TokenStream>,
    values: Option<TokenStream>,
) -> Parts {
    let (krate, tag) = (&input.krate, input.repr.tag());
    Parts {
        links: links(input, arms.iter().flat_map(|arm| &arm.paths)),
        // The enum as a whole, because which fields there are depends on the value.
        fields_type: quote!(<<Self as #krate::Persistent>::Links as #krate::Flag>::Field<'__a, Self>),
        layout: quote! {
            const TAG: &'static str = #tag;
            #values
            const VARIANTS: &'static [#krate::__private::Variant] = &[#(#described),*];
        },
        project: quote! { unsafe { <Self as #krate::Persistent>::project_field::<'__a>(__this) } },
        items: items(input, arms),
    }
}

/// The proof for the fields of all variants, and `__put`, which [`data_enum`](super::data_enum) measures with.
fn items(input: &Input, arms: &[Arm]) -> TokenStream {
    let ident = input.ident;
    let types = proof::types(input, arms.iter().flat_map(|arm| &arm.variant.fields));
    let agree = arms.iter().map(|arm| {
        let (variant, members, values) = (arm.variant.ident, arm.members(), &arm.values);
        let proofs = arm.paths.iter().zip(values).map(|(path, value)| path.proof(value));
        quote! { #ident::#variant { #(#members: #values,)* } => { #(#proofs)* } }
    });
    let fields_agree = proof::fields_agree(input, quote!(match __value { #(#agree)* }));
    quote! {
        #types

        /// Writes a tag to the start of a place.
        #[allow(dead_code)]
        const unsafe fn __put<__P, __T>(__place: *mut __P, __tag: __T) {
            unsafe { __place.cast::<__T>().write(__tag) }
        }

        #fields_agree
    }
}

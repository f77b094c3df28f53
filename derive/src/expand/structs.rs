//! What a struct expands to: its projection, and the offsets of its fields.

use super::parts::{Parts, links};
use super::path::Path;
use super::projection::Projection;
use super::proof;
use crate::parse::{Field, Input};
use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Ident, Member};

pub fn parts(input: &Input, fields: &[Field]) -> Parts {
    let paths = Path::all(input, fields.iter());
    let projection = Projection::new(input, fields, &paths);
    let types = proof::types(input, fields.iter());
    let definition = projection.definition();
    let fields_agree = fields_agree(input, fields, &paths);
    Parts {
        links: links(input, paths.iter()),
        fields_type: projection.ty(),
        layout: layout(input, fields, &paths),
        project: projection.value(),
        items: quote!(#types #definition #fields_agree),
    }
}

fn fields_agree(input: &Input, fields: &[Field], paths: &[Path]) -> TokenStream {
    let ident = input.ident;
    let members: Vec<&Member> = fields.iter().map(|field| &field.member).collect();
    let values: Vec<Ident> = (0..fields.len()).map(|index| format_ident!("__value{index}")).collect();
    let proofs = paths.iter().zip(&values).map(|(path, value)| path.proof(value));
    proof::fields_agree(
        input,
        quote! {
            let #ident { #(#members: #values,)* } = __value;
            #(#proofs)*
        },
    )
}

/// The constant `FIELDS`: the name, type and offset of each field, measured in a place that is never read.
fn layout(input: &Input, fields: &[Field], paths: &[Path]) -> TokenStream {
    let krate = &input.krate;
    let described = fields.iter().zip(paths).map(|(Field { member, name, .. }, path)| {
        let part = path.item("PART");
        quote!(#part.at(#name, unsafe { (&raw const (*__start).#member).byte_offset_from(__start) }))
    });
    quote! {
        const FIELDS: &'static [#krate::__private::Field] = {
            let __place = <Self as #krate::Persistent>::PLACE;
            let __start = &raw const __place as *const Self;
            let _ = __start;
            &[#(#described),*]
        };
    }
}

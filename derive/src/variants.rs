//! Enums.
//!
//! The compiler itself says where their fields are: for each variant with fields, the expansion writes its number to
//! the tag of a place, looks at the place as the variant that it then is, and measures. What it finds is told as it is
//! found; whether tag and fields leave a gap is for the crate to say.

use crate::check::literal;
use crate::expand::{Parts, assemble, links};
use crate::parse::{Input, Variant, bounded};
use crate::path::{self, Path};
use proc_macro2::{Literal, TokenStream};
use quote::{format_ident, quote};
use syn::{Ident, Member};

/// The expansion's names for one variant.
struct Names<'a> {
    variant: &'a Variant<'a>,
    discriminant: i128,
    /// Each field's type, for paths, and what the field is bound to in a pattern.
    paths: Vec<Path>,
    values: Vec<Ident>,
}

impl Names<'_> {
    fn members(&self) -> Vec<&Member> {
        self.variant.fields.iter().map(|field| &field.member).collect()
    }

    fn name(&self) -> String {
        self.variant.ident.to_string().trim_start_matches("r#").to_string()
    }
}

pub fn expand(input: &Input, variants: &[Variant]) -> TokenStream {
    let Input { ident, krate, repr, .. } = input;
    let generics = bounded(input);
    let (impl_generics, ty_generics, where_clause) = generics.split_for_impl();
    let all = names(input, variants);
    let with_fields = variants.iter().any(|variant| !variant.fields.is_empty());
    let tag = repr.primitive.as_ref().map_or_else(|| "C".to_string(), Ident::to_string);
    let types = path::types(input, variants.iter().flat_map(|variant| &variant.fields));

    let agrees = all.iter().map(|names| {
        let (variant, members, values) = (names.variant.ident, names.members(), &names.values);
        let proofs = names.paths.iter().zip(values).map(|(path, value)| path.proof(value));
        quote! { #ident::#variant { #(#members: #values,)* } => { #(#proofs)* } }
    });
    let items = quote! {
        #types

        /// Writes a tag to the start of a place.
        #[allow(dead_code)]
        const unsafe fn __put<__P, __T>(__place: *mut __P, __tag: __T) {
            unsafe { __place.cast::<__T>().write(__tag) }
        }

        #[automatically_derived]
        #[allow(dead_code, clippy::extra_unused_type_parameters)]
        fn __fields_agree #impl_generics (__value: &#ident #ty_generics) #where_clause {
            match __value { #(#agrees)* }
        }
    };

    let described = all.iter().map(|names| {
        let (name, variant) = (names.name(), names.variant.ident);
        let (number, found) = match with_fields {
            // Never lied about: `as` shows the enum's own number, and the crate looks at the value.
            false => (quote!(Self::#variant {} as _), quote!((true, &[]))),
            true => (number(names.discriminant, ""), measured(input, names, &tag)),
        };
        quote!(<Self as #krate::Persistent>::VARIANT.of(#name, #number, #found))
    });
    let values = (!with_fields).then(|| {
        let idents = all.iter().map(|names| names.variant.ident);
        quote!(const VALUES: &'static [Self] = &[#(Self::#idents {}),*];)
    });
    let paths: Vec<&Path> = all.iter().flat_map(|names| &names.paths).collect();
    let parts = Parts {
        links: links(input, &paths),
        fields_type: quote!(<<Self as #krate::Persistent>::Links as #krate::Flag>::Field<'__a, Self>),
        layout: quote! {
            const TAG: &'static str = #tag;
            #values
            const VARIANTS: &'static [#krate::__private::Variant] = &[#(#described),*];
        },
        project: quote! { unsafe { <Self as #krate::Persistent>::project_field::<'__a>(__this) } },
        items,
    };
    assemble(input, parts)
}

fn names<'a>(input: &Input, variants: &'a [Variant<'a>]) -> Vec<Names<'a>> {
    let (mut next, mut field) = (0, 0);
    let mut paths = Path::all(input, variants.iter().flat_map(|variant| &variant.fields)).into_iter();
    variants
        .iter()
        .map(|variant| {
            let discriminant = variant.discriminant.and_then(literal).unwrap_or(next);
            next = discriminant.wrapping_add(1);
            let first = field;
            field += variant.fields.len();
            Names {
                variant,
                discriminant,
                paths: paths.by_ref().take(variant.fields.len()).collect(),
                values: (first..field).map(|i| format_ident!("__value{i}")).collect(),
            }
        })
        .collect()
}

/// A literal, of a type that a suffix says: no item in scope can have that name.
fn number(value: i128, suffix: &str) -> TokenStream {
    let digits: Literal = format!("{}{suffix}", value.unsigned_abs()).parse().expect("digits are a literal");
    let sign = (value < 0).then(|| quote!(-));
    quote!(#sign #digits)
}

/// Whether a place with the variant's number is the variant, and its fields with their offsets in it.
fn measured(input: &Input, names: &Names, tag: &str) -> TokenStream {
    let krate = &input.krate;
    let (variant, members, values) = (names.variant.ident, names.members(), &names.values);
    // `c_int` is that on every platform that the crate compiles for.
    let number = number(names.discriminant, if tag == "C" { "i32" } else { tag });
    let found = match values.is_empty() {
        true => quote! {
            #[allow(unreachable_patterns)]
            let __seen = match unsafe { &*__start } {
                Self::#variant { .. } => true,
                _ => false,
            };
            (__seen, &[])
        },
        false => {
            let fields =
                names.paths.iter().zip(&names.variant.fields).enumerate().map(|(index, (path, field))| {
                    let (part, name, index) =
                        (path.item("PART"), &field.name, Literal::usize_unsuffixed(index));
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
    };
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

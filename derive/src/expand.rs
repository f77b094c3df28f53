//! The expansion: the table of fields, the projection, the implementation, and the proof that the table's types are
//! the fields' own.
//!
//! Where the crate is, the user says, so that every path in the expansion may lead to a module of theirs. What is true
//! whatever stands there is said in three ways only: by items of the trait that the expansion implements
//! (`<F as …::Persistent>::PART`), whichever it is; by methods of the types that those have, and of raw pointers, which
//! take `self` by value, so that no trait's come before; and by the language itself: literals, `&raw const`, `as _`,
//! patterns. Even `u8` may be an item of the user's. What else is named has to be of the types that the trait fixes, or
//! it is checked there (`Links`), or it is for messages and names (`check`, `Target::TARGET_ARG`): docs/design.md, 13.6.

use crate::parse::{self, Field, Input, Shape, bounded};
use crate::path::{self, Path};
use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::{DeriveInput, GenericParam, Generics, Ident, Member, Visibility, parse_quote};

/// A message beside an implementation that is never used.
pub fn stub(input: &DeriveInput) -> TokenStream {
    let ident = &input.ident;
    let mut generics = input.generics.clone();
    for param in &mut generics.params {
        match param {
            GenericParam::Type(param) => {
                param.default = None;
                param.bounds.push(parse_quote!(::core::marker::Send));
                param.bounds.push(parse_quote!(::core::marker::Sync));
                param.bounds.push(parse_quote!('static));
            }
            GenericParam::Lifetime(param) => param.bounds.push(parse_quote!('static)),
            GenericParam::Const(param) => param.default = None,
        }
    }
    // Where the option itself is wrong, this is as good as any.
    let krate = parse::krate(&input.attrs).unwrap_or_else(|_| parse_quote!(::indelible));
    let (impl_generics, ty_generics, where_clause) = generics.split_for_impl();
    quote! {
        const _: () = {
            // Required by `Persistent`: without these a pointer would be complained about five times.
            #[automatically_derived]
            unsafe impl #impl_generics ::core::marker::Send for #ident #ty_generics #where_clause {}
            #[automatically_derived]
            unsafe impl #impl_generics ::core::marker::Sync for #ident #ty_generics #where_clause {}
            #[automatically_derived]
            unsafe impl #impl_generics #krate::Persistent for #ident #ty_generics #where_clause {
                type Links = #krate::No;
                type Fields<'__a> = ();
                const NAME: &'static str = "";
                // Given here and nowhere else: the size of a type with such a field may not be known.
                const BROKEN: bool = true;
                const FINGERPRINT: u64 = 0;
                const SIZE: usize = 0;
                const SOUND: () = ();
                unsafe fn project<'__a>(_: *mut Self) -> <Self as #krate::Persistent>::Fields<'__a> {}
            }
        };
    }
}

pub fn expand(input: &Input) -> TokenStream {
    match &input.shape {
        Shape::Struct(fields) => expand_struct(input, fields),
        Shape::Enum(variants) => crate::variants::expand(input, variants),
    }
}

/// The parts that structs and enums share.
pub struct Parts {
    pub links: TokenStream,
    pub fields_type: TokenStream,
    pub layout: TokenStream,
    pub project: TokenStream,
    pub items: TokenStream,
}

/// `Yes` if one of the fields has links.
pub fn links(input: &Input, paths: &[&Path]) -> TokenStream {
    let krate = &input.krate;
    paths.iter().rev().fold(quote!(#krate::No), |rest, path| {
        let links = path.item("Links");
        quote!(<#links as #krate::Flag>::Or<#rest>)
    })
}

pub fn assemble(input: &Input, parts: Parts) -> TokenStream {
    let Input { ident, krate, .. } = input;
    let generics = bounded(input);
    let (impl_generics, ty_generics, where_clause) = generics.split_for_impl();
    let Parts { links, fields_type, layout, project, items } = parts;
    let name = ident.to_string();
    let name = name.trim_start_matches("r#");
    let args = arguments(&generics, krate);
    // Where a message about the layout points to.
    let check = path::at(quote!(#krate::__private::check::<Self>()), ident.span());
    // A type without parameters is checked where it stands, others where they are used.
    let eager = generics.params.is_empty().then(|| {
        quote! {
            const _: () = {
                // First, because it shows the type's place.
                let () = <#ident as #krate::Persistent>::CHECKED;
                <#ident as #krate::Persistent>::SOUND
            };
        }
    });
    quote! {
        // Lints about the user's own code, in whose place much of this stands.
        #[allow(clippy::multiple_bound_locations, clippy::type_complexity)]
        const _: () = {
            #items

            #[automatically_derived]
            unsafe impl #impl_generics #krate::Persistent for #ident #ty_generics #where_clause {
                type Links = #links;
                type Fields<'__a> = #fields_type;
                const NAME: &'static str = #name;
                const ARGS: &'static [#krate::__private::Arg] = &[#(#args),*];
                #layout
                const CHECKED: () = #check;
                unsafe fn project<'__a>(__this: *mut Self) -> <Self as #krate::Persistent>::Fields<'__a> {
                    #project
                }
            }
            #eager
        };
    }
}

/// The generic arguments.
fn arguments(generics: &Generics, krate: &syn::Path) -> Vec<TokenStream> {
    generics
        .params
        .iter()
        .filter_map(|param| match param {
            GenericParam::Lifetime(_) => None,
            GenericParam::Type(param) => {
                let ident = &param.ident;
                Some(quote!(<#ident as #krate::Target>::TARGET_ARG))
            }
            GenericParam::Const(param) => {
                let ident = &param.ident;
                Some(quote!(<Self as #krate::Persistent>::NUMBER.number(#ident as _)))
            }
        })
        .collect()
}

fn expand_struct(input: &Input, fields: &[Field]) -> TokenStream {
    let Input { ident, krate, .. } = input;
    let generics = bounded(input);
    let (impl_generics, ty_generics, where_clause) = generics.split_for_impl();
    let members: Vec<&Member> = fields.iter().map(|field| &field.member).collect();
    let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
    let paths = Path::all(input, fields.iter());
    let types = path::types(input, fields.iter());
    let items = |name: &str| -> Vec<TokenStream> { paths.iter().map(|path| path.item(name)).collect() };
    let [described, projects] = ["PART", "project_field"].map(items);

    // The projection of `Pm::fields`.
    let projected: Vec<TokenStream> = paths.iter().map(Path::projected).collect();
    let mut projection_generics = generics.clone();
    projection_generics.params.insert(0, parse_quote!('__a));
    let projection_fields: Vec<TokenStream> = fields
        .iter()
        .zip(&projected)
        .map(|(Field { member, vis, docs, .. }, ty)| match member {
            Member::Named(ident) => quote!(#(#docs)* #vis #ident: #ty),
            Member::Unnamed(_) => quote!(#(#docs)* #vis #ty),
        })
        .chain([match fields.first().map(|field| &field.member) {
            Some(Member::Unnamed(_)) => {
                quote!([&'__a mut #ident #ty_generics; 0])
            }
            _ => {
                quote!(__borrow: [&'__a mut #ident #ty_generics; 0])
            }
        }])
        .collect();
    let marker: Member = match fields.first().map(|field| &field.member) {
        Some(Member::Unnamed(_)) => Member::Unnamed(fields.len().into()),
        _ => Member::Named(Ident::new("__borrow", Span::call_site())),
    };
    let projection =
        definition(input.vis, &format_ident!("__Fields"), &projection_generics, fields, projection_fields);
    let (_, projection_ty, _) = projection_generics.split_for_impl();

    // The proof that these are the fields: inference over all of them, exhaustively destructured.
    let values: Vec<Ident> = (0..fields.len()).map(|i| format_ident!("__value{i}")).collect();
    let proofs = paths.iter().zip(&values).map(|(path, value)| path.proof(value));
    let items = quote! {
        #types

        #[doc = "The fields of a `Dirty` object, one by one."]
        #[allow(dead_code, non_snake_case, missing_docs, clippy::type_complexity)]
        #projection

        #[automatically_derived]
        #[allow(dead_code, clippy::extra_unused_type_parameters)]
        fn __fields_agree #impl_generics (__value: &#ident #ty_generics) #where_clause {
            let #ident { #(#members: #values,)* } = __value;
            #(#proofs)*
        }
    };

    let parts = Parts {
        links: links(input, &paths.iter().collect::<Vec<_>>()),
        fields_type: quote!(__Fields #projection_ty),
        layout: quote! {
            const FIELDS: &'static [#krate::__private::Field] = {
                let __place = <Self as #krate::Persistent>::PLACE;
                let __start = &raw const __place as *const Self;
                let _ = __start;
                &[#(
                    #described.at(#names, unsafe { (&raw const (*__start).#members).byte_offset_from(__start) })
                ),*]
            };
        },
        project: quote! {
            __Fields {
                #(#members: unsafe { #projects::<'__a>(&raw mut (*__this).#members) },)*
                #marker: [],
            }
        },
        items,
    };
    assemble(input, parts)
}

/// A struct with these fields, in the style of the user's.
fn definition(
    vis: &Visibility,
    name: &Ident,
    generics: &Generics,
    fields: &[Field],
    inner: Vec<TokenStream>,
) -> TokenStream {
    let where_clause = &generics.where_clause;
    match fields.first().map(|field| &field.member) {
        Some(Member::Unnamed(_)) => quote!(#vis struct #name #generics (#(#inner),*) #where_clause;),
        _ => quote!(#vis struct #name #generics #where_clause { #(#inner),* }),
    }
}

//! [`Parts`]: what structs and enums expand to differently, put together to the implementation.

use super::path;
use super::path::Path;
use crate::parse::Input;
use proc_macro2::TokenStream;
use quote::quote;
use syn::GenericParam;

pub struct Parts {
    /// The type `Links`.
    pub links: TokenStream,
    /// The type `Fields<'__a>`.
    pub fields_type: TokenStream,
    /// The constants that say where the fields lie.
    pub layout: TokenStream,
    /// The body of `project`.
    pub project: TokenStream,
    /// What stands before the implementation.
    pub items: TokenStream,
}

impl Parts {
    pub fn assemble(self, input: &Input) -> TokenStream {
        let Input { ident, name, krate, .. } = input;
        let Parts { links, fields_type, layout, project, items } = self;
        let (impl_generics, ty_generics, where_clause) = input.bounded.split_for_impl();
        let args = arguments(input);
        let check = check(input);
        let eager = eager_check(input);
        quote! {
            // These lints would be about the user's code: much of the expansion has its spans.
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
}

/// The type `Links`: `Yes` if one of the fields has links.
pub fn links<'a>(input: &Input, paths: impl DoubleEndedIterator<Item = &'a Path>) -> TokenStream {
    let krate = &input.krate;
    paths.rev().fold(quote!(#krate::No), |rest, path| {
        let links = path.item("Links");
        quote!(<#links as #krate::Flag>::Or<#rest>)
    })
}

/// The check of the layout. What it finds is shown at the type's name.
fn check(input: &Input) -> TokenStream {
    let krate = &input.krate;
    path::at(quote!(#krate::__private::check::<Self>()), input.ident.span())
}

/// For a type without parameters, a constant that checks it where it is defined. A type with parameters is checked
/// where it is used.
fn eager_check(input: &Input) -> Option<TokenStream> {
    let Input { ident, krate, .. } = input;
    input.bounded.params.is_empty().then(|| {
        quote! {
            const _: () = {
                // First, because its message points at the type.
                let () = <#ident as #krate::Persistent>::CHECKED;
                <#ident as #krate::Persistent>::SOUND
            };
        }
    })
}

/// The elements of `ARGS`: one for each generic parameter but lifetimes.
fn arguments(input: &Input) -> Vec<TokenStream> {
    let krate = &input.krate;
    let argument = |param: &GenericParam| match param {
        GenericParam::Lifetime(_) => None,
        GenericParam::Type(param) => {
            let ident = &param.ident;
            Some(quote!(<#ident as #krate::Target>::TARGET_ARG))
        }
        GenericParam::Const(param) => {
            let ident = &param.ident;
            Some(quote!(<Self as #krate::Persistent>::NUMBER.number(#ident as _)))
        }
    };
    input.bounded.params.iter().filter_map(argument).collect()
}

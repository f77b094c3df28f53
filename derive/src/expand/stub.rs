//! The stub: an implementation that stands beside an error of the derive, and is never used.
//!
//! Without it every use of the type would be one more error, that the type is not `Persistent`.

use crate::attr;
use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, GenericParam, Generics, parse_quote};

pub fn stub(input: &DeriveInput) -> TokenStream {
    let ident = &input.ident;
    let generics = unlimited(&input.generics);
    // If the option itself is wrong, the usual path is as good as any.
    let krate = attr::krate(&input.attrs).unwrap_or_else(|_| parse_quote!(::indelible));
    let (impl_generics, ty_generics, where_clause) = generics.split_for_impl();
    quote! {
        const _: () = {
            // Supertraits of `Persistent`. Without them a pointer in a field would be five errors.
            #[automatically_derived]
            unsafe impl #impl_generics ::core::marker::Send for #ident #ty_generics #where_clause {}
            #[automatically_derived]
            unsafe impl #impl_generics ::core::marker::Sync for #ident #ty_generics #where_clause {}
            #[automatically_derived]
            unsafe impl #impl_generics #krate::Persistent for #ident #ty_generics #where_clause {
                type Links = #krate::No;
                type Fields<'__a> = ();
                const NAME: &'static str = "";
                // Set here and nowhere else: the size of a type with such a field may not be known.
                const BROKEN: bool = true;
                const FINGERPRINT: u64 = 0;
                const SIZE: usize = 0;
                const SOUND: () = ();
                unsafe fn project<'__a>(_: *mut Self) -> <Self as #krate::Persistent>::Fields<'__a> {}
            }
        };
    }
}

/// The generics with bounds that make the type `Send`, `Sync` and `'static`, whatever its fields are.
fn unlimited(generics: &Generics) -> Generics {
    let mut generics = generics.clone();
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
    generics
}

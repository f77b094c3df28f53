//! The type's generics as the expansion uses them, with a bound on each type parameter.

use syn::punctuated::Punctuated;
use syn::{
    GenericParam, Generics, Path, Token, TraitBoundModifier, Type, TypeParam, TypeParamBound, WherePredicate,
    parse_quote,
};

/// The generics with the bound that each type parameter needs, and without defaults, which an `impl` can't have.
pub fn bounded(generics: &Generics, krate: &Path) -> Generics {
    let mut bounded = generics.clone();
    for param in &mut bounded.params {
        if let GenericParam::Type(param) = param {
            param.default = None;
            match is_unsized(param, generics) {
                true => param.bounds.push(parse_quote!(#krate::Target)),
                false => param.bounds.push(parse_quote!(#krate::Persistent)),
            }
        }
    }
    bounded
}

/// Whether a type parameter has the bound `?Sized`. It can be used as the target of a link only.
fn is_unsized(param: &TypeParam, generics: &Generics) -> bool {
    let maybe = |bounds: &Punctuated<TypeParamBound, Token![+]>| {
        bounds.iter().any(|bound| {
            matches!(bound, TypeParamBound::Trait(bound) if matches!(bound.modifier, TraitBoundModifier::Maybe(_)))
        })
    };
    let mut predicates = generics.where_clause.iter().flat_map(|clause| &clause.predicates);
    maybe(&param.bounds)
        || predicates.any(|predicate| match predicate {
            WherePredicate::Type(predicate) => {
                matches!(&predicate.bounded_ty, Type::Path(path) if path.path.is_ident(&param.ident))
                    && maybe(&predicate.bounds)
            }
            _ => false,
        })
}

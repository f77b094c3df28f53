//! What the derive needs of the input, in its own words.

use proc_macro2::Span;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{
    Attribute, Data, DeriveInput, Error, Expr, Fields, GenericParam, Generics, Ident, LitStr, Member, Path,
    Result, Token, TraitBoundModifier, Type, TypeParam, TypeParamBound, Visibility, WherePredicate,
    parse_quote,
};

pub struct Input<'a> {
    pub ident: &'a Ident,
    pub vis: &'a Visibility,
    pub generics: &'a Generics,
    pub shape: Shape<'a>,
    pub repr: Repr,
    /// Where the crate is.
    pub krate: Path,
}

pub enum Shape<'a> {
    Struct(Vec<Field<'a>>),
    Enum(Vec<Variant<'a>>),
}

pub struct Field<'a> {
    pub member: Member,
    pub name: String,
    pub ty: &'a Type,
    pub vis: &'a Visibility,
    pub docs: Vec<&'a Attribute>,
}

pub struct Variant<'a> {
    pub ident: &'a Ident,
    pub discriminant: Option<&'a Expr>,
    pub fields: Vec<Field<'a>>,
}

/// The `repr` attributes, as far as they matter.
#[derive(Default)]
pub struct Repr {
    pub c: bool,
    pub transparent: bool,
    pub primitive: Option<Ident>,
    pub packed: Option<Span>,
}

impl<'a> Input<'a> {
    pub fn parse(input: &'a DeriveInput) -> Result<Self> {
        let shape = match &input.data {
            Data::Struct(data) => Shape::Struct(fields(&data.fields)),
            Data::Enum(data) => Shape::Enum(
                data.variants
                    .iter()
                    .map(|variant| Variant {
                        ident: &variant.ident,
                        discriminant: variant.discriminant.as_ref().map(|(_, expr)| expr),
                        fields: fields(&variant.fields),
                    })
                    .collect(),
            ),
            Data::Union(data) => {
                return Err(Error::new(
                    data.union_token.span(),
                    "a union can't be persistent: its bytes don't say which field is valid; use an enum",
                ));
            }
        };
        Ok(Input {
            ident: &input.ident,
            vis: &input.vis,
            generics: &input.generics,
            shape,
            repr: Repr::parse(&input.attrs)?,
            krate: krate(&input.attrs)?,
        })
    }
}

fn fields(fields: &Fields) -> Vec<Field<'_>> {
    fields
        .iter()
        .zip(fields.members())
        .map(|(field, member)| Field {
            name: match &member {
                Member::Named(ident) => ident.to_string().trim_start_matches("r#").to_string(),
                Member::Unnamed(index) => index.index.to_string(),
            },
            member,
            ty: &field.ty,
            vis: &field.vis,
            docs: field.attrs.iter().filter(|attr| attr.path().is_ident("doc")).collect(),
        })
        .collect()
}

impl Repr {
    fn parse(attrs: &[Attribute]) -> Result<Self> {
        let mut repr = Repr::default();
        for attr in attrs.iter().filter(|attr| attr.path().is_ident("repr")) {
            attr.meta.require_list()?;
            attr.parse_nested_meta(|meta| {
                let name = meta.path.require_ident()?.clone();
                match name.to_string().as_str() {
                    "C" => repr.c = true,
                    "transparent" => repr.transparent = true,
                    "packed" => repr.packed = Some(name.span()),
                    "align" => {}
                    _ => repr.primitive = Some(name),
                }
                if meta.input.peek(syn::token::Paren) {
                    let content;
                    syn::parenthesized!(content in meta.input);
                    content.parse::<proc_macro2::TokenStream>()?;
                }
                Ok(())
            })?;
        }
        Ok(repr)
    }
}

pub fn krate(attrs: &[Attribute]) -> Result<Path> {
    let mut krate: Path = parse_quote!(::indelible);
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("persistent")) {
        attr.parse_nested_meta(|meta| {
            if meta.path.is_ident("crate") {
                krate = meta.value()?.parse::<LitStr>()?.parse_with(Path::parse_mod_style)?;
                return Ok(());
            }
            Err(meta.error("the only option is `crate = \"path\"`"))
        })?;
    }
    Ok(krate)
}

/// Whether a type parameter may be unsized, and so can stand in a link only.
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

/// The generics with the bound that each type parameter needs.
pub fn bounded(input: &Input) -> Generics {
    let krate = &input.krate;
    let mut generics = input.generics.clone();
    for param in &mut generics.params {
        if let GenericParam::Type(param) = param {
            param.default = None;
            match is_unsized(param, input.generics) {
                true => param.bounds.push(parse_quote!(#krate::Target)),
                false => param.bounds.push(parse_quote!(#krate::Persistent)),
            }
        }
    }
    generics
}

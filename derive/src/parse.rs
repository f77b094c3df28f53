//! [`Input`]: the type that the derive is given, reduced to what checks and expansion need of it.

use crate::attr::{self, Repr};
use crate::generics::bounded;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{
    Attribute, Data, DeriveInput, Error, Expr, ExprLit, ExprUnary, Fields, Generics, Ident, Lit, Member,
    Path, Result, Token, Type, UnOp, Visibility,
};

pub struct Input<'a> {
    pub ident: &'a Ident,
    /// The identifier as the schema has it: without `r#`.
    pub name: String,
    pub vis: &'a Visibility,
    /// The generics as they were written.
    pub generics: &'a Generics,
    /// The generics with the bounds that the expansion adds.
    pub bounded: Generics,
    pub shape: Shape<'a>,
    pub repr: Repr,
    /// The path of the `indelible` crate.
    pub krate: Path,
}

pub enum Shape<'a> {
    Struct(Vec<Field<'a>>),
    /// An enum none of whose variants has fields.
    PlainEnum(Vec<Variant<'a>>),
    /// An enum of which at least one variant has fields.
    DataEnum(Vec<Variant<'a>>),
}

pub struct Field<'a> {
    pub member: Member,
    /// The field's identifier without `r#`, or its index.
    pub name: String,
    pub ty: &'a Type,
    pub vis: &'a Visibility,
    pub docs: Vec<&'a Attribute>,
}

pub struct Variant<'a> {
    pub ident: &'a Ident,
    /// The identifier without `r#`.
    pub name: String,
    /// What stands behind `=`.
    pub discriminant: Option<&'a Expr>,
    /// The variant's number, counted as the compiler counts. Wrong if one so far is no literal.
    pub number: i128,
    pub fields: Vec<Field<'a>>,
}

impl<'a> Input<'a> {
    pub fn parse(input: &'a DeriveInput) -> Result<Self> {
        let shape = match &input.data {
            Data::Struct(data) => Shape::Struct(fields(&data.fields)),
            Data::Enum(data) => {
                let variants = variants(&data.variants);
                match variants.iter().all(|variant| variant.fields.is_empty()) {
                    true => Shape::PlainEnum(variants),
                    false => Shape::DataEnum(variants),
                }
            }
            Data::Union(data) => {
                return Err(Error::new(
                    data.union_token.span(),
                    "a union can't be persistent: its bytes don't say which field is valid; use an enum",
                ));
            }
        };
        let repr = Repr::parse(&input.attrs)?;
        let krate = attr::krate(&input.attrs)?;
        Ok(Input {
            ident: &input.ident,
            name: name(&input.ident),
            vis: &input.vis,
            generics: &input.generics,
            bounded: bounded(&input.generics, &krate),
            shape,
            repr,
            krate,
        })
    }
}

fn fields(fields: &Fields) -> Vec<Field<'_>> {
    fields
        .iter()
        .zip(fields.members())
        .map(|(field, member)| Field {
            name: match &member {
                Member::Named(ident) => name(ident),
                Member::Unnamed(index) => index.index.to_string(),
            },
            member,
            ty: &field.ty,
            vis: &field.vis,
            docs: field.attrs.iter().filter(|attr| attr.path().is_ident("doc")).collect(),
        })
        .collect()
}

fn variants(variants: &Punctuated<syn::Variant, Token![,]>) -> Vec<Variant<'_>> {
    let mut next = 0;
    variants
        .iter()
        .map(|variant| {
            let discriminant = variant.discriminant.as_ref().map(|(_, expr)| expr);
            let number = discriminant.and_then(literal).unwrap_or(next);
            next = number.wrapping_add(1);
            Variant {
                ident: &variant.ident,
                name: name(&variant.ident),
                discriminant,
                number,
                fields: fields(&variant.fields),
            }
        })
        .collect()
}

/// An identifier without `r#`.
fn name(ident: &Ident) -> String {
    ident.to_string().trim_start_matches("r#").to_string()
}

/// The value of an integer literal, with or without a sign.
pub fn literal(expr: &Expr) -> Option<i128> {
    match expr {
        Expr::Lit(ExprLit { lit: Lit::Int(int), .. }) => int.base10_parse().ok(),
        Expr::Unary(ExprUnary { op: UnOp::Neg(_), expr, .. }) => literal(expr).map(|value| -value),
        Expr::Group(group) => literal(&group.expr),
        _ => None,
    }
}

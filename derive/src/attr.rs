//! The attributes that the derive reads: `#[repr(…)]` as [`Repr`], and `#[persistent(crate = "…")]` as a path.

use proc_macro2::Span;
use syn::{Attribute, Ident, LitStr, Path, Result, parse_quote};

/// What the `repr` attributes say that matters here.
#[derive(Default)]
pub struct Repr {
    pub c: bool,
    pub transparent: bool,
    /// `u8` in `repr(u8)`. A name that is unknown here counts as one: the compiler refuses it.
    pub primitive: Option<Ident>,
    /// Where `packed` stands.
    pub packed: Option<Span>,
}

impl Repr {
    pub fn parse(attrs: &[Attribute]) -> Result<Self> {
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

    /// The type of an enum's tag, by name: a primitive's, or `C` for a tag as C chooses it.
    pub fn tag(&self) -> String {
        self.primitive.as_ref().map_or_else(|| "C".to_string(), Ident::to_string)
    }
}

/// The path of the crate: `::indelible`, unless `#[persistent(crate = "…")]` gives another.
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

//! Enums whose variants have fields.
//!
//! Their layout is what the Rust reference says of `repr(u8)` and its kin (a union of structs that begin with
//! the tag) and of `repr(C)` (a struct of the tag and a union of structs). The expansion spells these structs
//! out, takes offsets from them, and proves at compile time that the user's enum has each field there.

use crate::check::literal;
use crate::expand::{Parts, assemble, core_path, zerocopy_path};
use crate::parse::{Input, Variant, bounded};
use crate::path::{self, Path};
use proc_macro2::{Literal, TokenStream};
use quote::{format_ident, quote};
use syn::{Ident, Member};

/// The expansion's names for one variant.
struct Names<'a> {
    variant: &'a Variant<'a>,
    number: TokenStream,
    discriminant: i128,
    /// Each field's type, for paths; its parameter of the mirror; what it is bound to in a pattern.
    paths: Vec<Path>,
    params: Vec<Ident>,
    values: Vec<Ident>,
    mirrored: Vec<Ident>,
    /// The struct that the reference says it is laid out as.
    layout: Ident,
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
    let Input { ident, vis, krate, repr, .. } = input;
    let generics = bounded(input);
    let (impl_generics, ty_generics, where_clause) = generics.split_for_impl();
    let all = names(input, variants);
    let (core, zerocopy) = (core_path(krate), zerocopy_path(krate));
    let repr_tokens = &repr.tokens;
    let tag = match &repr.primitive {
        Some(primitive) => quote!(#primitive),
        None => quote!(#core::ffi::c_int),
    };

    let params: Vec<&Ident> = all.iter().flat_map(|names| &names.params).collect();
    let paths: Vec<&Path> = all.iter().flat_map(|names| &names.paths).collect();
    let items = |name: &str| -> Vec<TokenStream> { paths.iter().map(|path| path.item(name)).collect() };
    let [bits, checked, cells, linked] = ["Bits", "SOUND", "CELLS", "LINKED"].map(items);

    let definitions = all.iter().map(|names| {
        let (ident, params, members) = (names.variant.ident, &names.params, names.members());
        let number = names.variant.discriminant.map(|number| quote!(= #number));
        match (names.variant.braces, params.is_empty()) {
            (true, _) => quote!(#ident { #(#members: #params),* } #number),
            (false, true) => quote!(#ident #number),
            (false, false) => quote!(#ident(#(#params),*) #number),
        }
    });
    let mirror = quote! {
        #[derive(
            #krate::__private::zerocopy::TryFromBytes,
            #krate::__private::zerocopy::KnownLayout,
            #krate::__private::zerocopy::Immutable
        )]
        #[zerocopy(crate = #zerocopy)]
        #(#[repr(#repr_tokens)])*
        #[doc(hidden)]
        #[allow(missing_docs, dead_code)]
        #vis enum __Bits<#(#params),*> { #(#definitions),* }
    };

    // In `repr(C)` the tag stands before the union; otherwise it is each struct's first field.
    let layouts = all.iter().map(|names| {
        let (layout, params) = (&names.layout, &names.params);
        let first = (!repr.c).then(|| quote!(#tag,));
        quote! {
            #[repr(C)]
            #[allow(dead_code)]
            struct #layout<#(#params),*>(#first #(#params),*);
        }
    });
    let laid_out = |names: &Names| {
        let (layout, bits) = (&names.layout, names.paths.iter().map(|path| path.item("Bits")));
        quote!(#layout<#(#bits),*>)
    };
    // Where the union begins.
    let union_at = match repr.c {
        false => quote!(0_usize),
        true => {
            let layouts: Vec<TokenStream> = all.iter().map(laid_out).collect();
            quote! {{
                let mut __align = 1;
                #(if #core::mem::align_of::<#layouts>() > __align {
                    __align = #core::mem::align_of::<#layouts>();
                })*
                #core::mem::size_of::<#tag>().next_multiple_of(__align)
            }}
        }
    };
    let offset = |names: &Names, index: usize| {
        let layout = laid_out(names);
        let place = Literal::usize_unsuffixed(index + usize::from(!repr.c));
        quote!((#union_at + #core::mem::offset_of!(#layout, #place)))
    };

    let agrees = all.iter().map(|names| {
        let (variant, members) = (names.variant.ident, names.members());
        let (values, mirrored) = (&names.values, &names.mirrored);
        let fields = names.paths.iter().zip(values).zip(mirrored);
        let proofs = fields.map(|((path, value), bits)| path.proof(value, bits));
        quote! {
            #ident::#variant { #(#members: #values,)* } => match __bits {
                __Bits::#variant { #(#members: #mirrored,)* } => { #(#proofs)* }
                #[allow(unreachable_patterns)]
                _ => {}
            }
        }
    });
    let types = path::types(input, variants.iter().flat_map(|variant| &variant.fields));
    let items = quote! {
        #types
        #(#layouts)*

        #[automatically_derived]
        #[allow(dead_code, clippy::extra_unused_type_parameters)]
        fn __mirror_agrees #impl_generics (
            __value: &#ident #ty_generics,
            __bits: &<#ident #ty_generics as #krate::Persistent>::Bits,
        ) #where_clause {
            match __value { #(#agrees)* }
        }
    };

    let parts = Parts {
        bits: quote!(__Bits<#(#bits),*>),
        mirror,
        links: paths.iter().rev().fold(quote!(#krate::No), |rest, path| {
            let links = path.item("Links");
            quote!(<#links as #krate::Flag>::Or<#rest>)
        }),
        fields_type: quote!(<<Self as #krate::Persistent>::Links as #krate::Flag>::Field<'__a, Self>),
        cells: quote!(false #(|| #cells)*),
        linked: quote!(false #(|| #linked)*),
        filled: {
            let sums = all.iter().map(|names| {
                let sizes = names.paths.iter().map(|path| path.item("SIZE"));
                quote!(<#tag as #krate::Persistent>::SIZE #(+ #sizes)*)
            });
            quote! {{
                let __size = <Self as #krate::Persistent>::SIZE;
                if true #(&& #sums == __size)* { __size } else { 0 }
            }}
        },
        fingerprint: fingerprint(input, &all, &offset),
        kind: kind(input, &all, &offset),
        checks: {
            let variants = all.iter().map(|names| variant_checks(input, names, &tag, &union_at, &offset));
            quote! {
                #(let () = #checked;)*
                #krate::__private::require(
                    #core::mem::size_of::<Self>() == #core::mem::size_of::<<Self as #krate::Persistent>::Bits>()
                        && #core::mem::align_of::<Self>() == #core::mem::align_of::<<Self as #krate::Persistent>::Bits>(),
                    "the enum's layout is not that of the tokens the derive was given: another macro changed it"
                );
                #(#variants)*
            }
        },
        trace: {
            let arms = all.iter().map(|names| {
                let (variant, members, mirrored) = (names.variant.ident, names.members(), &names.mirrored);
                let traces = names.paths.iter().map(|path| path.item("trace"));
                quote! {
                    __Bits::#variant { #(#members: #mirrored,)* } => {
                        #(#traces(#mirrored, __visitor);)*
                    }
                }
            });
            quote! { match __bits { #(#arms)* } }
        },
        project: quote! { unsafe { <Self as #krate::Persistent>::project_field(__this) } },
        items,
    };
    assemble(input, parts)
}

fn names<'a>(input: &Input, variants: &'a [Variant<'a>]) -> Vec<Names<'a>> {
    let (mut next, mut field) = (0, 0);
    let mut paths = Path::all(input, variants.iter().flat_map(|variant| &variant.fields)).into_iter();
    variants
        .iter()
        .enumerate()
        .map(|(index, variant)| {
            let discriminant = variant.discriminant.and_then(literal).unwrap_or(next);
            next = discriminant.wrapping_add(1);
            let first = field;
            field += variant.fields.len();
            let numbered = |name: &str| (first..field).map(|i| format_ident!("{name}{i}")).collect();
            Names {
                variant,
                number: {
                    let value = Literal::i128_unsuffixed(discriminant);
                    quote!(#value)
                },
                discriminant,
                paths: paths.by_ref().take(variant.fields.len()).collect(),
                params: numbered("__B"),
                values: numbered("__value"),
                mirrored: numbered("__bits"),
                layout: format_ident!("__Variant{index}"),
            }
        })
        .collect()
}

fn fingerprint(input: &Input, all: &[Names], offset: &impl Fn(&Names, usize) -> TokenStream) -> TokenStream {
    let krate = &input.krate;
    let variants = all.iter().map(|names| {
        let (name, number) = (names.name(), names.discriminant as u64);
        let fields = names.variant.fields.iter().enumerate().map(|(index, field)| {
            let (name, offset) = (&field.name, offset(names, index));
            let print = names.paths[index].item("FINGERPRINT");
            quote! {
                let __id = #krate::__private::fold_id(__id, #krate::__private::name_id(#name));
                let __id = #krate::__private::fold_id(__id, #offset as u64);
                let __id = #krate::__private::fold_id(__id, #print);
            }
        });
        quote! {
            let __id = #krate::__private::fold_id(__id, #krate::__private::name_id(#name));
            let __id = #krate::__private::fold_id(__id, #number);
            #(#fields)*
        }
    });
    quote!(#(#variants)*)
}

fn kind(input: &Input, all: &[Names], offset: &impl Fn(&Names, usize) -> TokenStream) -> TokenStream {
    let krate = &input.krate;
    let variants = all.iter().map(|names| {
        let (name, number) = (names.name(), &names.number);
        let fields = names.variant.fields.iter().enumerate().map(|(index, field)| {
            let (name, offset) = (&field.name, offset(names, index));
            let info = names.paths[index].item("type_info");
            quote!(#krate::__private::Field { name: #name, offset: #offset, info: #info })
        });
        quote! {
            #krate::__private::Variant { name: #name, discriminant: #number, fields: const { &[#(#fields),*] } }
        }
    });
    quote!(#krate::__private::Kind::Enum(const { &[#(#variants),*] }))
}

/// That a variant has no padding and fills the enum, and that the user's enum has its number and its fields
/// where the mirror has them.
fn variant_checks(
    input: &Input,
    names: &Names,
    tag: &TokenStream,
    union_at: &TokenStream,
    offset: &impl Fn(&Names, usize) -> TokenStream,
) -> TokenStream {
    let Input { ident, krate, repr, .. } = input;
    let core = core_path(krate);
    let (variant, name) = (names.variant.ident, names.name());
    let mut checks = TokenStream::new();
    let mut end = quote!(#core::mem::size_of::<#tag>());
    if repr.c {
        let message = format!(
            "`{ident}` has padding behind its tag: padding has no defined value in memory; use an integer `repr` as large as the alignment of its fields, like `#[repr(u64)]`"
        );
        checks.extend(quote! { #krate::__private::require(#union_at == #end, #message); });
    }
    for (index, field) in names.variant.fields.iter().enumerate() {
        let (offset, ty) = (offset(names, index), names.paths[index].ty());
        let message = format!(
            "`{ident}::{name}` has padding before its field `{}`: padding has no defined value in memory; give the enum a larger integer `repr`, put larger fields first, or fill the gap with a field of your own",
            field.name
        );
        checks.extend(quote! { #krate::__private::require(#offset == #end, #message); });
        end = quote!(#offset + #core::mem::size_of::<#ty>());
    }
    let before = format!("variant `{ident}::{name}` is shorter than the enum by ");
    let after = " bytes, which would be padding without a defined value: fill them with a field of your own, like `[u8; N]`, or put the large variant's fields behind a `Link`";
    checks.extend(quote! {
        if #end < #core::mem::size_of::<Self>() {
            #krate::__private::short_variant(#before, #core::mem::size_of::<Self>() - (#end), #after);
        }
    });

    // A place with this variant's tag is seen as this variant, with its fields at these offsets. Evaluated at
    // compile time only; nothing but the tag is read.
    let number = &names.number;
    let members = names.members();
    let values = &names.values;
    let offsets: Vec<TokenStream> = (0..members.len()).map(|index| offset(names, index)).collect();
    checks.extend(quote! {
        {
            let mut __place = #core::mem::MaybeUninit::<Self>::zeroed();
            unsafe { __place.as_mut_ptr().cast::<#tag>().write(#number) };
            let __start = __place.as_ptr();
            #[allow(unreachable_patterns)]
            let __same = match unsafe { &*__start } {
                Self::#variant { #(#members: #values,)* } => {
                    true #(&& unsafe {
                        #core::ptr::from_ref(#values).cast::<u8>().offset_from(__start.cast::<u8>())
                    } == (#offsets) as isize)*
                }
                _ => false,
            };
            #krate::__private::require(
                __same,
                "the enum's variants are not those of the tokens the derive was given: another macro changed them"
            );
        }
    });
    checks
}

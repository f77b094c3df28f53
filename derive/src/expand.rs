//! The expansion: the mirror of untrusted bytes, the projection, the implementation, and the proof that
//! mirror and type agree.

use crate::parse::{Field, Input, Shape, Variant, bounded};
use crate::path::{self, Path};
use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{DeriveInput, GenericParam, Generics, Ident, Member, Visibility, parse_quote};

/// A message beside an implementation that is never used.
pub fn stub(input: &DeriveInput) -> TokenStream {
    let ident = &input.ident;
    let mut generics = input.generics.clone();
    for param in &mut generics.params {
        if let GenericParam::Type(param) = param {
            param.bounds.push(parse_quote!(::core::marker::Send));
            param.bounds.push(parse_quote!(::core::marker::Sync));
            param.bounds.push(parse_quote!('static));
        }
    }
    if generics.lifetimes().next().is_some() {
        return TokenStream::new();
    }
    let (impl_generics, ty_generics, where_clause) = generics.split_for_impl();
    quote! {
        const _: () = {
            // Required by `Persistent`: without these a pointer would be complained about five times.
            #[automatically_derived]
            unsafe impl #impl_generics ::core::marker::Send for #ident #ty_generics #where_clause {}
            #[automatically_derived]
            unsafe impl #impl_generics ::core::marker::Sync for #ident #ty_generics #where_clause {}
            #[automatically_derived]
            unsafe impl #impl_generics ::indelible::Persistent for #ident #ty_generics #where_clause {
                type Bits = ();
                type Links = ::indelible::No;
                type Fields<'__a> = ();
                const NAME_ID: u64 = 0;
                const FINGERPRINT: u64 = 0;
                const CELLS: bool = false;
                const LINKED: bool = false;
                const FILLED: usize = 0;
                const CHECKED: () = ();
                // Given here and nowhere else: the size of a type with such a field may not be known.
                const SIZE: usize = 0;
                const SOUND: () = ();
                fn type_info() -> &'static ::indelible::__private::TypeInfo {
                    ::core::unreachable!()
                }
                fn trace(_: &(), _: &mut ::indelible::__private::Visitor<'_>) {}
                unsafe fn project<'__a>(_: ::core::ptr::NonNull<Self>) -> <Self as ::indelible::Persistent>::Fields<'__a> {}
            }
        };
    }
}

pub fn expand(input: &Input) -> TokenStream {
    match &input.shape {
        Shape::Struct(fields) => expand_struct(input, fields),
        Shape::Enum(variants) if variants.iter().all(|variant| variant.fields.is_empty()) => {
            expand_enum(input, variants)
        }
        Shape::Enum(variants) => crate::data_enum::expand(input, variants),
    }
}

/// The parts that structs and enums share.
pub struct Parts {
    pub bits: TokenStream,
    pub mirror: TokenStream,
    pub links: TokenStream,
    pub fields_type: TokenStream,
    pub cells: TokenStream,
    pub linked: TokenStream,
    pub filled: TokenStream,
    pub fingerprint: TokenStream,
    pub kind: TokenStream,
    pub checks: TokenStream,
    pub trace: TokenStream,
    pub project: TokenStream,
    pub items: TokenStream,
}

pub fn assemble(input: &Input, parts: Parts) -> TokenStream {
    let Input { ident, krate, .. } = input;
    let core = core_path(krate);
    let generics = bounded(input);
    let (impl_generics, ty_generics, where_clause) = generics.split_for_impl();
    let Parts {
        bits,
        mirror,
        links,
        fields_type,
        cells,
        linked,
        filled,
        fingerprint,
        kind,
        checks,
        trace,
        project,
        items,
    } = parts;
    let name = ident.to_string();
    let name = name.trim_start_matches("r#");
    let (ids, args) = arguments(&generics, krate);
    let drop_message = format!(
        "`{name}` has drop glue: nothing in persistent memory is ever dropped; remove the `Drop` implementation or the field that has one"
    );
    let align_message =
        format!("`{name}` is aligned to more than 4096 bytes, a page: lower its `repr(align)`");
    // A type without parameters is checked where it stands, others where they are used.
    let eager = generics.params.is_empty().then(|| {
        quote! {
            const _: () = {
                // First, because it knows the fields' names.
                let () = <#ident as #krate::Persistent>::CHECKED;
                <#ident as #krate::Persistent>::SOUND
            };
        }
    });
    quote! {
        // Lints about the user's own code, in whose place much of this stands.
        #[allow(clippy::multiple_bound_locations, clippy::type_complexity)]
        const _: () = {
            #mirror
            #items

            #[automatically_derived]
            unsafe impl #impl_generics #krate::Persistent for #ident #ty_generics #where_clause {
                type Bits = #bits;
                type Links = #links;
                type Fields<'__a> = #fields_type;
                const NAME_ID: u64 = {
                    let __id = #krate::__private::name_id(#name);
                    #(let __id = #krate::__private::fold_id(__id, #ids);)*
                    __id
                };
                const FINGERPRINT: u64 = {
                    let __id = <Self as #krate::Persistent>::NAME_ID;
                    let __id = #krate::__private::fold_id(__id, #core::mem::size_of::<Self>() as u64);
                    let __id = #krate::__private::fold_id(__id, #core::mem::align_of::<Self>() as u64);
                    #fingerprint
                    __id & #krate::__private::FINGERPRINT_MASK
                };
                const CELLS: bool = #cells;
                const LINKED: bool = #linked;
                const FILLED: usize = #filled;
                const CHECKED: () = {
                    #krate::__private::require(!#core::mem::needs_drop::<Self>(), #drop_message);
                    #krate::__private::require(#core::mem::align_of::<Self>() <= 4096, #align_message);
                    #checks
                };
                fn type_info() -> &'static #krate::__private::TypeInfo {
                    const {
                        &#krate::__private::TypeInfo::new::<Self>(#name, &[#(#args),*], #kind)
                    }
                }
                fn trace(__bits: &<Self as #krate::Persistent>::Bits, __visitor: &mut #krate::__private::Visitor<'_>) {
                    let _ = (&__bits, &__visitor);
                    #trace
                }
                unsafe fn project<'__a>(__this: #core::ptr::NonNull<Self>) -> <Self as #krate::Persistent>::Fields<'__a> {
                    #project
                }
            }
            #eager
        };
    }
}

/// Ids of the generic arguments, and their descriptions.
fn arguments(generics: &Generics, krate: &syn::Path) -> (Vec<TokenStream>, Vec<TokenStream>) {
    generics
        .params
        .iter()
        .filter_map(|param| match param {
            GenericParam::Lifetime(_) => None,
            GenericParam::Type(param) => {
                let ident = &param.ident;
                Some((
                    quote!(<#ident as #krate::Target>::TARGET_ID),
                    quote!(#krate::__private::Arg::Type(<#ident as #krate::Target>::target_info)),
                ))
            }
            GenericParam::Const(param) => {
                let ident = &param.ident;
                Some((quote!(#ident as u64), quote!(#krate::__private::Arg::Const(#ident as i128))))
            }
        })
        .unzip()
}

fn expand_struct(input: &Input, fields: &[Field]) -> TokenStream {
    let Input { ident, krate, .. } = input;
    let generics = bounded(input);
    let (impl_generics, ty_generics, where_clause) = generics.split_for_impl();
    let members: Vec<&Member> = fields.iter().map(|field| &field.member).collect();
    let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
    let (core, zerocopy) = (core_path(krate), zerocopy_path(krate));
    let repr = &input.repr.tokens;

    let paths = Path::all(input, fields.iter());
    let types = path::types(input, fields.iter());
    let items = |name: &str| -> Vec<TokenStream> { paths.iter().map(|path| path.item(name)).collect() };
    let [bits, checked, cells, linked, sizes, prints, infos, traces, projects] =
        ["Bits", "SOUND", "CELLS", "LINKED", "SIZE", "FINGERPRINT", "type_info", "trace", "project_field"]
            .map(items);

    // The mirror has a parameter for each field's bits, so that what zerocopy derives for it says nothing
    // of the field's own type.
    let params: Vec<Ident> = (0..fields.len()).map(|i| format_ident!("__B{i}")).collect();
    let mirror_fields = members.iter().zip(&params).map(|(member, param)| match member {
        Member::Named(ident) => quote!(#ident: #param),
        Member::Unnamed(_) => quote!(#param),
    });
    let mirror = definition(
        input.vis,
        &format_ident!("__Bits"),
        &parse_quote!(<#(#params),*>),
        fields,
        mirror_fields.collect(),
    );
    let mirror = quote! {
        #[derive(
            #krate::__private::zerocopy::TryFromBytes,
            #krate::__private::zerocopy::KnownLayout,
            #krate::__private::zerocopy::Immutable
        )]
        #[zerocopy(crate = #zerocopy)]
        #(#[repr(#repr)])*
        #[doc(hidden)]
        #[allow(missing_docs, dead_code, non_snake_case, clippy::type_complexity)]
        #mirror
    };

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
                quote!(#core::marker::PhantomData<&'__a mut #ident #ty_generics>)
            }
            _ => {
                quote!(__borrow: #core::marker::PhantomData<&'__a mut #ident #ty_generics>)
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

    // The proof that mirror and struct agree: inference over both, exhaustively destructured.
    let values: Vec<Ident> = (0..fields.len()).map(|i| format_ident!("__value{i}")).collect();
    let mirrored: Vec<Ident> = (0..fields.len()).map(|i| format_ident!("__bits{i}")).collect();
    let proofs =
        paths.iter().zip(&values).zip(&mirrored).map(|((path, value), bits)| path.proof(value, bits));
    let items = quote! {
        #types

        #[doc = "The fields of a `Dirty` object, one by one."]
        #[allow(dead_code, non_snake_case, missing_docs, clippy::type_complexity)]
        #projection

        #[automatically_derived]
        #[allow(dead_code, clippy::extra_unused_type_parameters)]
        fn __mirror_agrees #impl_generics (
            __value: &#ident #ty_generics,
            __bits: &<#ident #ty_generics as #krate::Persistent>::Bits,
        ) #where_clause {
            let #ident { #(#members: #values,)* } = __value;
            let __Bits { #(#members: #mirrored,)* } = __bits;
            #(#proofs)*
        }
    };

    let mut end = quote!(0);
    let mut checks = quote! {
        #(let () = #checked;)*
        #krate::__private::require(
            #core::mem::size_of::<Self>() == #core::mem::size_of::<<Self as #krate::Persistent>::Bits>()
                && #core::mem::align_of::<Self>() == #core::mem::align_of::<<Self as #krate::Persistent>::Bits>()
                #(&& #core::mem::offset_of!(Self, #members) == #core::mem::offset_of!(<Self as #krate::Persistent>::Bits, #members))*,
            "the struct's layout is not that of the tokens the derive was given: another macro changed it"
        );
    };
    for (field, path) in fields.iter().zip(&paths) {
        let (member, ty) = (&field.member, path.ty());
        let message = format!(
            "`{ident}` has padding before its field `{}`: padding has no defined value in memory; put larger fields first, or fill the gap with a field of your own",
            field.name
        );
        let (krate, core) = (path::at(quote!(#krate), path.first()), path::at(core.clone(), path.first()));
        checks.extend(quote_spanned! {path.first()=>
            #krate::__private::require(#core::mem::offset_of!(Self, #member) == #end, #message);
        });
        end = quote!(#core::mem::offset_of!(Self, #member) + #core::mem::size_of::<#ty>());
    }
    let message = format!(
        "`{ident}` has padding at its end: padding has no defined value in memory; fill the gap with a field of your own, like `_rest: [u8; N]`"
    );
    checks.extend(quote! { #krate::__private::require(#core::mem::size_of::<Self>() == #end, #message); });

    let parts = Parts {
        bits: quote!(__Bits<#(#bits),*>),
        mirror,
        links: paths.iter().rev().fold(quote!(#krate::No), |rest, path| {
            let links = path.item("Links");
            quote!(<#links as #krate::Flag>::Or<#rest>)
        }),
        fields_type: quote!(__Fields #projection_ty),
        cells: quote!(false #(|| #cells)*),
        linked: quote!(false #(|| #linked)*),
        filled: quote!(0 #(+ #sizes)*),
        fingerprint: quote! {
            #(
                let __id = #krate::__private::fold_id(__id, #krate::__private::name_id(#names));
                let __id = #krate::__private::fold_id(__id, #core::mem::offset_of!(Self, #members) as u64);
                let __id = #krate::__private::fold_id(__id, #prints);
            )*
        },
        kind: quote! {
            #krate::__private::Kind::Struct(&[#(
                #krate::__private::Field {
                    name: #names,
                    offset: #core::mem::offset_of!(Self, #members),
                    info: #infos,
                }
            ),*])
        },
        checks,
        trace: quote! { #(#traces(&__bits.#members, __visitor);)* },
        project: quote! {
            let __this = __this.as_ptr();
            __Fields {
                #(
                    #members: unsafe {
                        #projects(#krate::__private::not_null(&raw mut (*__this).#members))
                    },
                )*
                #marker: #core::marker::PhantomData,
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

fn expand_enum(input: &Input, variants: &[Variant]) -> TokenStream {
    let Input { ident, vis, krate, .. } = input;
    let (core, zerocopy) = (core_path(krate), zerocopy_path(krate));
    let repr = &input.repr.tokens;
    let idents: Vec<&Ident> = variants.iter().map(|variant| variant.ident).collect();
    let names: Vec<String> =
        idents.iter().map(|ident| ident.to_string().trim_start_matches("r#").to_string()).collect();
    let definitions = variants.iter().map(|Variant { ident, discriminant, .. }| match discriminant {
        Some(value) => quote!(#ident = #value),
        None => quote!(#ident),
    });
    let mirror = quote! {
        #[derive(
            #krate::__private::zerocopy::TryFromBytes,
            #krate::__private::zerocopy::KnownLayout,
            #krate::__private::zerocopy::Immutable
        )]
        #[zerocopy(crate = #zerocopy)]
        #(#[repr(#repr)])*
        #[doc(hidden)]
        #[allow(missing_docs, dead_code)]
        #vis enum __Bits { #(#definitions),* }
    };
    let parts = Parts {
        bits: quote!(__Bits),
        mirror,
        links: quote!(#krate::No),
        fields_type: quote!(&'__a mut Self),
        cells: quote!(false),
        linked: quote!(false),
        filled: quote!(<Self as #krate::Persistent>::SIZE),
        fingerprint: quote! {
            #(
                let __id = #krate::__private::fold_id(__id, #krate::__private::name_id(#names));
                let __id = #krate::__private::fold_id(__id, #ident::#idents as i128 as u64);
            )*
        },
        kind: quote! {
            #krate::__private::Kind::Enum(&[#(
                #krate::__private::Variant {
                    name: #names,
                    discriminant: #ident::#idents as i128,
                    fields: &[],
                }
            ),*])
        },
        checks: quote! {
            #krate::__private::require(
                #core::mem::size_of::<Self>() == #core::mem::size_of::<__Bits>()
                    #(&& #ident::#idents as i128 == __Bits::#idents as i128)*,
                "the enum's discriminants are not those of the tokens the derive was given"
            );
        },
        trace: TokenStream::new(),
        project: quote! {
            let mut __this = __this;
            unsafe { __this.as_mut() }
        },
        items: quote! {
            #[automatically_derived]
            #[allow(dead_code)]
            fn __mirror_agrees(__value: &#ident) {
                match __value {
                    #(#ident::#idents => {})*
                }
            }
        },
    };
    assemble(input, parts)
}

/// Where core is. By the crate, because `::core` may be a crate of the user's own.
pub fn core_path(krate: &syn::Path) -> TokenStream {
    quote!(#krate::__private::core)
}

/// Where zerocopy is, in the form that its derives take.
pub fn zerocopy_path(krate: &syn::Path) -> String {
    let path = quote!(#krate::__private::zerocopy).to_string();
    path.chars().filter(|c| !c.is_whitespace()).collect()
}

#[allow(clippy::multiple_bound_locations, clippy::type_complexity)]
const _: () = {
    #[derive(
        ::indelible::__private::zerocopy::TryFromBytes,
        ::indelible::__private::zerocopy::KnownLayout,
        ::indelible::__private::zerocopy::Immutable
    )]
    #[zerocopy(crate = "::indelible::__private::zerocopy")]
    #[repr(u64)]
    #[doc(hidden)]
    #[allow(missing_docs, dead_code)]
    enum __Bits<__B0, __B1> {
        Circle { radius: __B0 } = 1,
        Named(__B1),
    }
    #[doc(hidden)]
    #[allow(dead_code, missing_docs, unreachable_pub)]
    trait __Types {
        type __F0;
        type __F1;
    }
    #[automatically_derived]
    impl __Types for Shape {
        type __F0 = u64;
        type __F1 = Link<str>;
    }
    /// The type of a value, by inference. No path, because a path can lead elsewhere.
    #[allow(dead_code)]
    fn __of<__F>(_: &__F) -> [*const __F; 0] {
        []
    }
    #[allow(dead_code)]
    fn __is<__F>(_: [*const __F; 0]) {}
    #[repr(C)]
    #[allow(dead_code)]
    struct __Variant0<__B0>(u64, __B0);
    #[repr(C)]
    #[allow(dead_code)]
    struct __Variant1<__B1>(u64, __B1);
    #[automatically_derived]
    #[allow(dead_code, clippy::extra_unused_type_parameters)]
    fn __mirror_agrees(
        __value: &Shape,
        __bits: &<Shape as ::indelible::Persistent>::Bits,
    ) {
        match __value {
            Shape::Circle { radius: __value0 } => {
                match __bits {
                    __Bits::Circle { radius: __bits0 } => {
                        let __found = __of(__value0);
                        __is::<<Shape as __Types>::__F0>(__found);
                        let __found = __of(__bits0);
                        __is::<
                            <<Shape as __Types>::__F0 as ::indelible::Persistent>::Bits,
                        >(__found);
                    }
                    #[allow(unreachable_patterns)]
                    _ => {}
                }
            }
            Shape::Named { 0: __value1 } => {
                match __bits {
                    __Bits::Named { 0: __bits1 } => {
                        let __found = __of(__value1);
                        __is::<<Shape as __Types>::__F1>(__found);
                        let __found = __of(__bits1);
                        __is::<
                            <<Shape as __Types>::__F1 as ::indelible::Persistent>::Bits,
                        >(__found);
                    }
                    #[allow(unreachable_patterns)]
                    _ => {}
                }
            }
        }
    }
    #[automatically_derived]
    unsafe impl ::indelible::Persistent for Shape {
        type Bits = __Bits<
            <<Shape as __Types>::__F0 as ::indelible::Persistent>::Bits,
            <<Shape as __Types>::__F1 as ::indelible::Persistent>::Bits,
        >;
        type Links = <<<Shape as __Types>::__F0 as ::indelible::Persistent>::Links as ::indelible::Flag>::Or<
            <<<Shape as __Types>::__F1 as ::indelible::Persistent>::Links as ::indelible::Flag>::Or<
                ::indelible::No,
            >,
        >;
        type Fields<'__a> = <<Self as ::indelible::Persistent>::Links as ::indelible::Flag>::Field<
            '__a,
            Self,
        >;
        const NAME_ID: u64 = {
            let __id = ::indelible::__private::name_id("Shape");
            __id
        };
        const FINGERPRINT: u64 = {
            let __id = <Self as ::indelible::Persistent>::NAME_ID;
            let __id = ::indelible::__private::fold_id(
                __id,
                ::indelible::__private::core::mem::size_of::<Self>() as u64,
            );
            let __id = ::indelible::__private::fold_id(
                __id,
                ::indelible::__private::core::mem::align_of::<Self>() as u64,
            );
            let __id = ::indelible::__private::fold_id(
                __id,
                ::indelible::__private::name_id("Circle"),
            );
            let __id = ::indelible::__private::fold_id(__id, 1u64);
            let __id = ::indelible::__private::fold_id(
                __id,
                ::indelible::__private::name_id("radius"),
            );
            let __id = ::indelible::__private::fold_id(
                __id,
                (0_usize
                    + ::indelible::__private::core::mem::offset_of!(
                        __Variant0 < < < Shape as __Types > ::__F0 as
                        ::indelible::Persistent > ::Bits >, 1
                    )) as u64,
            );
            let __id = ::indelible::__private::fold_id(
                __id,
                <<Shape as __Types>::__F0 as ::indelible::Persistent>::FINGERPRINT,
            );
            let __id = ::indelible::__private::fold_id(
                __id,
                ::indelible::__private::name_id("Named"),
            );
            let __id = ::indelible::__private::fold_id(__id, 2u64);
            let __id = ::indelible::__private::fold_id(
                __id,
                ::indelible::__private::name_id("0"),
            );
            let __id = ::indelible::__private::fold_id(
                __id,
                (0_usize
                    + ::indelible::__private::core::mem::offset_of!(
                        __Variant1 < < < Shape as __Types > ::__F1 as
                        ::indelible::Persistent > ::Bits >, 1
                    )) as u64,
            );
            let __id = ::indelible::__private::fold_id(
                __id,
                <<Shape as __Types>::__F1 as ::indelible::Persistent>::FINGERPRINT,
            );
            __id & ::indelible::__private::FINGERPRINT_MASK
        };
        const CELLS: bool = false
            || <<Shape as __Types>::__F0 as ::indelible::Persistent>::CELLS
            || <<Shape as __Types>::__F1 as ::indelible::Persistent>::CELLS;
        const LINKED: bool = false
            || <<Shape as __Types>::__F0 as ::indelible::Persistent>::LINKED
            || <<Shape as __Types>::__F1 as ::indelible::Persistent>::LINKED;
        const FILLED: usize = {
            let __size = <Self as ::indelible::Persistent>::SIZE;
            if true
                && <u64 as ::indelible::Persistent>::SIZE
                    + <<Shape as __Types>::__F0 as ::indelible::Persistent>::SIZE
                    == __size
                && <u64 as ::indelible::Persistent>::SIZE
                    + <<Shape as __Types>::__F1 as ::indelible::Persistent>::SIZE
                    == __size
            {
                __size
            } else {
                0
            }
        };
        const CHECKED: () = {
            ::indelible::__private::require(
                !::indelible::__private::core::mem::needs_drop::<Self>(),
                "`Shape` has drop glue: nothing in persistent memory is ever dropped; remove the `Drop` implementation or the field that has one",
            );
            ::indelible::__private::require(
                ::indelible::__private::core::mem::align_of::<Self>() <= 4096,
                "`Shape` is aligned to more than 4096 bytes, a page: lower its `repr(align)`",
            );
            let () = <<Shape as __Types>::__F0 as ::indelible::Persistent>::SOUND;
            let () = <<Shape as __Types>::__F1 as ::indelible::Persistent>::SOUND;
            ::indelible::__private::require(
                ::indelible::__private::core::mem::size_of::<Self>()
                    == ::indelible::__private::core::mem::size_of::<
                        <Self as ::indelible::Persistent>::Bits,
                    >()
                    && ::indelible::__private::core::mem::align_of::<Self>()
                        == ::indelible::__private::core::mem::align_of::<
                            <Self as ::indelible::Persistent>::Bits,
                        >(),
                "the enum's layout is not that of the tokens the derive was given: another macro changed it",
            );
            ::indelible::__private::require(
                (0_usize
                    + ::indelible::__private::core::mem::offset_of!(
                        __Variant0 < < < Shape as __Types > ::__F0 as
                        ::indelible::Persistent > ::Bits >, 1
                    )) == ::indelible::__private::core::mem::size_of::<u64>(),
                "`Shape::Circle` has padding before its field `radius`: padding has no defined value in memory; give the enum a larger integer `repr`, put larger fields first, or fill the gap with a field of your own",
            );
            if (0_usize
                + ::indelible::__private::core::mem::offset_of!(
                    __Variant0 < < < Shape as __Types > ::__F0 as ::indelible::Persistent
                    > ::Bits >, 1
                ))
                + ::indelible::__private::core::mem::size_of::<
                    <Shape as __Types>::__F0,
                >() < ::indelible::__private::core::mem::size_of::<Self>()
            {
                ::indelible::__private::short_variant(
                    "variant `Shape::Circle` is shorter than the enum by ",
                    ::indelible::__private::core::mem::size_of::<Self>()
                        - ((0_usize
                            + ::indelible::__private::core::mem::offset_of!(
                                __Variant0 < < < Shape as __Types > ::__F0 as
                                ::indelible::Persistent > ::Bits >, 1
                            ))
                            + ::indelible::__private::core::mem::size_of::<
                                <Shape as __Types>::__F0,
                            >()),
                    " bytes, which would be padding without a defined value: fill them with a field of your own, like `[u8; N]`, or put the large variant's fields behind a `Link`",
                );
            }
            {
                let mut __place = ::indelible::__private::core::mem::MaybeUninit::<
                    Self,
                >::zeroed();
                unsafe { __place.as_mut_ptr().cast::<u64>().write(1) };
                let __start = __place.as_ptr();
                #[allow(unreachable_patterns)]
                let __same = match unsafe { &*__start } {
                    Self::Circle { radius: __value0 } => {
                        true
                            && unsafe {
                                ::indelible::__private::core::ptr::from_ref(__value0)
                                    .cast::<u8>()
                                    .offset_from(__start.cast::<u8>())
                            }
                                == ((0_usize
                                    + ::indelible::__private::core::mem::offset_of!(
                                        __Variant0 < < < Shape as __Types > ::__F0 as
                                        ::indelible::Persistent > ::Bits >, 1
                                    ))) as isize
                    }
                    _ => false,
                };
                ::indelible::__private::require(
                    __same,
                    "the enum's variants are not those of the tokens the derive was given: another macro changed them",
                );
            }
            ::indelible::__private::require(
                (0_usize
                    + ::indelible::__private::core::mem::offset_of!(
                        __Variant1 < < < Shape as __Types > ::__F1 as
                        ::indelible::Persistent > ::Bits >, 1
                    )) == ::indelible::__private::core::mem::size_of::<u64>(),
                "`Shape::Named` has padding before its field `0`: padding has no defined value in memory; give the enum a larger integer `repr`, put larger fields first, or fill the gap with a field of your own",
            );
            if (0_usize
                + ::indelible::__private::core::mem::offset_of!(
                    __Variant1 < < < Shape as __Types > ::__F1 as ::indelible::Persistent
                    > ::Bits >, 1
                ))
                + ::indelible::__private::core::mem::size_of::<
                    <Shape as __Types>::__F1,
                >() < ::indelible::__private::core::mem::size_of::<Self>()
            {
                ::indelible::__private::short_variant(
                    "variant `Shape::Named` is shorter than the enum by ",
                    ::indelible::__private::core::mem::size_of::<Self>()
                        - ((0_usize
                            + ::indelible::__private::core::mem::offset_of!(
                                __Variant1 < < < Shape as __Types > ::__F1 as
                                ::indelible::Persistent > ::Bits >, 1
                            ))
                            + ::indelible::__private::core::mem::size_of::<
                                <Shape as __Types>::__F1,
                            >()),
                    " bytes, which would be padding without a defined value: fill them with a field of your own, like `[u8; N]`, or put the large variant's fields behind a `Link`",
                );
            }
            {
                let mut __place = ::indelible::__private::core::mem::MaybeUninit::<
                    Self,
                >::zeroed();
                unsafe { __place.as_mut_ptr().cast::<u64>().write(2) };
                let __start = __place.as_ptr();
                #[allow(unreachable_patterns)]
                let __same = match unsafe { &*__start } {
                    Self::Named { 0: __value1 } => {
                        true
                            && unsafe {
                                ::indelible::__private::core::ptr::from_ref(__value1)
                                    .cast::<u8>()
                                    .offset_from(__start.cast::<u8>())
                            }
                                == ((0_usize
                                    + ::indelible::__private::core::mem::offset_of!(
                                        __Variant1 < < < Shape as __Types > ::__F1 as
                                        ::indelible::Persistent > ::Bits >, 1
                                    ))) as isize
                    }
                    _ => false,
                };
                ::indelible::__private::require(
                    __same,
                    "the enum's variants are not those of the tokens the derive was given: another macro changed them",
                );
            }
        };
        fn type_info() -> &'static ::indelible::__private::TypeInfo {
            const {
                &::indelible::__private::TypeInfo::new::<
                    Self,
                >(
                    "Shape",
                    &[],
                    ::indelible::__private::Kind::Enum(const {
                        &[
                            ::indelible::__private::Variant {
                                name: "Circle",
                                discriminant: 1,
                                fields: const {
                                    &[
                                        ::indelible::__private::Field {
                                            name: "radius",
                                            offset: (0_usize
                                                + ::indelible::__private::core::mem::offset_of!(
                                                    __Variant0 < < < Shape as __Types > ::__F0 as
                                                    ::indelible::Persistent > ::Bits >, 1
                                                )),
                                            info: <<Shape as __Types>::__F0 as ::indelible::Persistent>::type_info,
                                        },
                                    ]
                                },
                            },
                            ::indelible::__private::Variant {
                                name: "Named",
                                discriminant: 2,
                                fields: const {
                                    &[
                                        ::indelible::__private::Field {
                                            name: "0",
                                            offset: (0_usize
                                                + ::indelible::__private::core::mem::offset_of!(
                                                    __Variant1 < < < Shape as __Types > ::__F1 as
                                                    ::indelible::Persistent > ::Bits >, 1
                                                )),
                                            info: <<Shape as __Types>::__F1 as ::indelible::Persistent>::type_info,
                                        },
                                    ]
                                },
                            },
                        ]
                    }),
                )
            }
        }
        fn trace(
            __bits: &<Self as ::indelible::Persistent>::Bits,
            __visitor: &mut ::indelible::__private::Visitor<'_>,
        ) {
            let _ = (&__bits, &__visitor);
            match __bits {
                __Bits::Circle { radius: __bits0 } => {
                    <<Shape as __Types>::__F0 as ::indelible::Persistent>::trace(
                        __bits0,
                        __visitor,
                    );
                }
                __Bits::Named { 0: __bits1 } => {
                    <<Shape as __Types>::__F1 as ::indelible::Persistent>::trace(
                        __bits1,
                        __visitor,
                    );
                }
            }
        }
        unsafe fn project<'__a>(
            __this: ::indelible::__private::core::ptr::NonNull<Self>,
        ) -> <Self as ::indelible::Persistent>::Fields<'__a> {
            unsafe { <Self as ::indelible::Persistent>::project_field(__this) }
        }
    }
    const _: () = {
        let () = <Shape as ::indelible::Persistent>::CHECKED;
        <Shape as ::indelible::Persistent>::SOUND
    };
};

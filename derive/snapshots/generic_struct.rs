#[allow(clippy::multiple_bound_locations, clippy::type_complexity)]
const _: () = {
    #[derive(
        ::indelible::__private::zerocopy::TryFromBytes,
        ::indelible::__private::zerocopy::KnownLayout,
        ::indelible::__private::zerocopy::Immutable
    )]
    #[zerocopy(crate = "::indelible::__private::zerocopy")]
    #[repr(C)]
    #[doc(hidden)]
    #[allow(missing_docs, dead_code, non_snake_case, clippy::type_complexity)]
    struct __Bits<__B0, __B1> {
        items: __B0,
        left: __B1,
    }
    #[doc(hidden)]
    #[allow(dead_code, missing_docs, unreachable_pub)]
    trait __Types {
        type __F0;
        type __F1;
    }
    #[automatically_derived]
    impl<T: ::indelible::Persistent, const N: usize> __Types for Tree<T, N>
    where
        T: Copy + Persistent<Links = No>,
    {
        type __F0 = [Word<T>; N];
        type __F1 = Link<Tree<T, N>>;
    }
    /// The type of a value, by inference. No path, because a path can lead elsewhere.
    #[allow(dead_code)]
    fn __of<__F>(_: &__F) -> [*const __F; 0] {
        []
    }
    #[allow(dead_code)]
    fn __is<__F>(_: [*const __F; 0]) {}
    ///The fields of a `Dirty` object, one by one.
    #[allow(dead_code, non_snake_case, missing_docs, clippy::type_complexity)]
    struct __Fields<'__a, T: ::indelible::Persistent, const N: usize>
    where
        T: Copy + Persistent<Links = No>,
    {
        items: <<<Tree<
            T,
            N,
        > as __Types>::__F0 as ::indelible::Persistent>::Links as ::indelible::Flag>::Field<
            '__a,
            <Tree<T, N> as __Types>::__F0,
        >,
        left: <<<Tree<
            T,
            N,
        > as __Types>::__F1 as ::indelible::Persistent>::Links as ::indelible::Flag>::Field<
            '__a,
            <Tree<T, N> as __Types>::__F1,
        >,
        __borrow: ::indelible::__private::core::marker::PhantomData<
            &'__a mut Tree<T, N>,
        >,
    }
    #[automatically_derived]
    #[allow(dead_code, clippy::extra_unused_type_parameters)]
    fn __mirror_agrees<T: ::indelible::Persistent, const N: usize>(
        __value: &Tree<T, N>,
        __bits: &<Tree<T, N> as ::indelible::Persistent>::Bits,
    )
    where
        T: Copy + Persistent<Links = No>,
    {
        let Tree { items: __value0, left: __value1 } = __value;
        let __Bits { items: __bits0, left: __bits1 } = __bits;
        let __found = __of(__value0);
        __is::<<Tree<T, N> as __Types>::__F0>(__found);
        let __found = __of(__bits0);
        __is::<
            <<Tree<T, N> as __Types>::__F0 as ::indelible::Persistent>::Bits,
        >(__found);
        let __found = __of(__value1);
        __is::<<Tree<T, N> as __Types>::__F1>(__found);
        let __found = __of(__bits1);
        __is::<
            <<Tree<T, N> as __Types>::__F1 as ::indelible::Persistent>::Bits,
        >(__found);
    }
    #[automatically_derived]
    unsafe impl<T: ::indelible::Persistent, const N: usize> ::indelible::Persistent
    for Tree<T, N>
    where
        T: Copy + Persistent<Links = No>,
    {
        type Bits = __Bits<
            <<Tree<T, N> as __Types>::__F0 as ::indelible::Persistent>::Bits,
            <<Tree<T, N> as __Types>::__F1 as ::indelible::Persistent>::Bits,
        >;
        type Links = <<<Tree<
            T,
            N,
        > as __Types>::__F0 as ::indelible::Persistent>::Links as ::indelible::Flag>::Or<
            <<<Tree<
                T,
                N,
            > as __Types>::__F1 as ::indelible::Persistent>::Links as ::indelible::Flag>::Or<
                ::indelible::No,
            >,
        >;
        type Fields<'__a> = __Fields<'__a, T, N>;
        const NAME_ID: u64 = {
            let __id = ::indelible::__private::name_id("Tree");
            let __id = ::indelible::__private::fold_id(
                __id,
                <T as ::indelible::Target>::TARGET_ID,
            );
            let __id = ::indelible::__private::fold_id(__id, N as u64);
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
                ::indelible::__private::name_id("items"),
            );
            let __id = ::indelible::__private::fold_id(
                __id,
                ::indelible::__private::core::mem::offset_of!(Self, items) as u64,
            );
            let __id = ::indelible::__private::fold_id(
                __id,
                <<Tree<T, N> as __Types>::__F0 as ::indelible::Persistent>::FINGERPRINT,
            );
            let __id = ::indelible::__private::fold_id(
                __id,
                ::indelible::__private::name_id("left"),
            );
            let __id = ::indelible::__private::fold_id(
                __id,
                ::indelible::__private::core::mem::offset_of!(Self, left) as u64,
            );
            let __id = ::indelible::__private::fold_id(
                __id,
                <<Tree<T, N> as __Types>::__F1 as ::indelible::Persistent>::FINGERPRINT,
            );
            __id & ::indelible::__private::FINGERPRINT_MASK
        };
        const CELLS: bool = false
            || <<Tree<T, N> as __Types>::__F0 as ::indelible::Persistent>::CELLS
            || <<Tree<T, N> as __Types>::__F1 as ::indelible::Persistent>::CELLS;
        const LINKED: bool = false
            || <<Tree<T, N> as __Types>::__F0 as ::indelible::Persistent>::LINKED
            || <<Tree<T, N> as __Types>::__F1 as ::indelible::Persistent>::LINKED;
        const FILLED: usize = 0
            + <<Tree<T, N> as __Types>::__F0 as ::indelible::Persistent>::SIZE
            + <<Tree<T, N> as __Types>::__F1 as ::indelible::Persistent>::SIZE;
        const CHECKED: () = {
            ::indelible::__private::require(
                !::indelible::__private::core::mem::needs_drop::<Self>(),
                "`Tree` has drop glue: nothing in persistent memory is ever dropped; remove the `Drop` implementation or the field that has one",
            );
            ::indelible::__private::require(
                ::indelible::__private::core::mem::align_of::<Self>() <= 4096,
                "`Tree` is aligned to more than 4096 bytes, a page: lower its `repr(align)`",
            );
            let () = <<Tree<T, N> as __Types>::__F0 as ::indelible::Persistent>::SOUND;
            let () = <<Tree<T, N> as __Types>::__F1 as ::indelible::Persistent>::SOUND;
            ::indelible::__private::require(
                ::indelible::__private::core::mem::size_of::<Self>()
                    == ::indelible::__private::core::mem::size_of::<
                        <Self as ::indelible::Persistent>::Bits,
                    >()
                    && ::indelible::__private::core::mem::align_of::<Self>()
                        == ::indelible::__private::core::mem::align_of::<
                            <Self as ::indelible::Persistent>::Bits,
                        >()
                    && ::indelible::__private::core::mem::offset_of!(Self, items)
                        == ::indelible::__private::core::mem::offset_of!(
                            < Self as ::indelible::Persistent > ::Bits, items
                        )
                    && ::indelible::__private::core::mem::offset_of!(Self, left)
                        == ::indelible::__private::core::mem::offset_of!(
                            < Self as ::indelible::Persistent > ::Bits, left
                        ),
                "the struct's layout is not that of the tokens the derive was given: another macro changed it",
            );
            ::indelible::__private::require(
                ::indelible::__private::core::mem::offset_of!(Self, items) == 0,
                "`Tree` has padding before its field `items`: padding has no defined value in memory; put larger fields first, or fill the gap with a field of your own",
            );
            ::indelible::__private::require(
                ::indelible::__private::core::mem::offset_of!(Self, left)
                    == ::indelible::__private::core::mem::offset_of!(Self, items)
                        + ::indelible::__private::core::mem::size_of::<
                            <Tree<T, N> as __Types>::__F0,
                        >(),
                "`Tree` has padding before its field `left`: padding has no defined value in memory; put larger fields first, or fill the gap with a field of your own",
            );
            ::indelible::__private::require(
                ::indelible::__private::core::mem::size_of::<Self>()
                    == ::indelible::__private::core::mem::offset_of!(Self, left)
                        + ::indelible::__private::core::mem::size_of::<
                            <Tree<T, N> as __Types>::__F1,
                        >(),
                "`Tree` has padding at its end: padding has no defined value in memory; fill the gap with a field of your own, like `_rest: [u8; N]`",
            );
        };
        fn type_info() -> &'static ::indelible::__private::TypeInfo {
            const {
                &::indelible::__private::TypeInfo::new::<
                    Self,
                >(
                    "Tree",
                    &[
                        ::indelible::__private::Arg::Type(
                            <T as ::indelible::Target>::target_info,
                        ),
                        ::indelible::__private::Arg::Const(N as i128),
                    ],
                    ::indelible::__private::Kind::Struct(
                        &[
                            ::indelible::__private::Field {
                                name: "items",
                                offset: ::indelible::__private::core::mem::offset_of!(
                                    Self, items
                                ),
                                info: <<Tree<
                                    T,
                                    N,
                                > as __Types>::__F0 as ::indelible::Persistent>::type_info,
                            },
                            ::indelible::__private::Field {
                                name: "left",
                                offset: ::indelible::__private::core::mem::offset_of!(
                                    Self, left
                                ),
                                info: <<Tree<
                                    T,
                                    N,
                                > as __Types>::__F1 as ::indelible::Persistent>::type_info,
                            },
                        ],
                    ),
                )
            }
        }
        fn trace(
            __bits: &<Self as ::indelible::Persistent>::Bits,
            __visitor: &mut ::indelible::__private::Visitor<'_>,
        ) {
            let _ = (&__bits, &__visitor);
            <<Tree<
                T,
                N,
            > as __Types>::__F0 as ::indelible::Persistent>::trace(
                &__bits.items,
                __visitor,
            );
            <<Tree<
                T,
                N,
            > as __Types>::__F1 as ::indelible::Persistent>::trace(
                &__bits.left,
                __visitor,
            );
        }
        unsafe fn project<'__a>(
            __this: ::indelible::__private::core::ptr::NonNull<Self>,
        ) -> <Self as ::indelible::Persistent>::Fields<'__a> {
            let __this = __this.as_ptr();
            __Fields {
                items: unsafe {
                    <<Tree<
                        T,
                        N,
                    > as __Types>::__F0 as ::indelible::Persistent>::project_field(
                        ::indelible::__private::not_null(&raw mut (*__this).items),
                    )
                },
                left: unsafe {
                    <<Tree<
                        T,
                        N,
                    > as __Types>::__F1 as ::indelible::Persistent>::project_field(
                        ::indelible::__private::not_null(&raw mut (*__this).left),
                    )
                },
                __borrow: ::indelible::__private::core::marker::PhantomData,
            }
        }
    }
};

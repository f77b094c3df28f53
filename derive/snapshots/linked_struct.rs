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
    pub struct __Bits<__B0, __B1, __B2> {
        id: __B0,
        balance: __B1,
        next: __B2,
    }
    #[doc(hidden)]
    #[allow(dead_code, missing_docs, unreachable_pub)]
    pub trait __Types {
        type __F0;
        type __F1;
        type __F2;
    }
    #[automatically_derived]
    impl __Types for Account {
        type __F0 = u64;
        type __F1 = Word<i64>;
        type __F2 = Link<Account>;
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
    pub struct __Fields<'__a> {
        /// Its number.
        pub id: <<<Account as __Types>::__F0 as ::indelible::Persistent>::Links as ::indelible::Flag>::Field<
            '__a,
            <Account as __Types>::__F0,
        >,
        pub balance: <<<Account as __Types>::__F1 as ::indelible::Persistent>::Links as ::indelible::Flag>::Field<
            '__a,
            <Account as __Types>::__F1,
        >,
        pub next: <<<Account as __Types>::__F2 as ::indelible::Persistent>::Links as ::indelible::Flag>::Field<
            '__a,
            <Account as __Types>::__F2,
        >,
        __borrow: ::indelible::__private::core::marker::PhantomData<&'__a mut Account>,
    }
    #[automatically_derived]
    #[allow(dead_code, clippy::extra_unused_type_parameters)]
    fn __mirror_agrees(
        __value: &Account,
        __bits: &<Account as ::indelible::Persistent>::Bits,
    ) {
        let Account { id: __value0, balance: __value1, next: __value2 } = __value;
        let __Bits { id: __bits0, balance: __bits1, next: __bits2 } = __bits;
        let __found = __of(__value0);
        __is::<<Account as __Types>::__F0>(__found);
        let __found = __of(__bits0);
        __is::<<<Account as __Types>::__F0 as ::indelible::Persistent>::Bits>(__found);
        let __found = __of(__value1);
        __is::<<Account as __Types>::__F1>(__found);
        let __found = __of(__bits1);
        __is::<<<Account as __Types>::__F1 as ::indelible::Persistent>::Bits>(__found);
        let __found = __of(__value2);
        __is::<<Account as __Types>::__F2>(__found);
        let __found = __of(__bits2);
        __is::<<<Account as __Types>::__F2 as ::indelible::Persistent>::Bits>(__found);
    }
    #[automatically_derived]
    unsafe impl ::indelible::Persistent for Account {
        type Bits = __Bits<
            <<Account as __Types>::__F0 as ::indelible::Persistent>::Bits,
            <<Account as __Types>::__F1 as ::indelible::Persistent>::Bits,
            <<Account as __Types>::__F2 as ::indelible::Persistent>::Bits,
        >;
        type Links = <<<Account as __Types>::__F0 as ::indelible::Persistent>::Links as ::indelible::Flag>::Or<
            <<<Account as __Types>::__F1 as ::indelible::Persistent>::Links as ::indelible::Flag>::Or<
                <<<Account as __Types>::__F2 as ::indelible::Persistent>::Links as ::indelible::Flag>::Or<
                    ::indelible::No,
                >,
            >,
        >;
        type Fields<'__a> = __Fields<'__a>;
        const NAME_ID: u64 = {
            let __id = ::indelible::__private::name_id("Account");
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
                ::indelible::__private::name_id("id"),
            );
            let __id = ::indelible::__private::fold_id(
                __id,
                ::indelible::__private::core::mem::offset_of!(Self, id) as u64,
            );
            let __id = ::indelible::__private::fold_id(
                __id,
                <<Account as __Types>::__F0 as ::indelible::Persistent>::FINGERPRINT,
            );
            let __id = ::indelible::__private::fold_id(
                __id,
                ::indelible::__private::name_id("balance"),
            );
            let __id = ::indelible::__private::fold_id(
                __id,
                ::indelible::__private::core::mem::offset_of!(Self, balance) as u64,
            );
            let __id = ::indelible::__private::fold_id(
                __id,
                <<Account as __Types>::__F1 as ::indelible::Persistent>::FINGERPRINT,
            );
            let __id = ::indelible::__private::fold_id(
                __id,
                ::indelible::__private::name_id("next"),
            );
            let __id = ::indelible::__private::fold_id(
                __id,
                ::indelible::__private::core::mem::offset_of!(Self, next) as u64,
            );
            let __id = ::indelible::__private::fold_id(
                __id,
                <<Account as __Types>::__F2 as ::indelible::Persistent>::FINGERPRINT,
            );
            __id & ::indelible::__private::FINGERPRINT_MASK
        };
        const CELLS: bool = false
            || <<Account as __Types>::__F0 as ::indelible::Persistent>::CELLS
            || <<Account as __Types>::__F1 as ::indelible::Persistent>::CELLS
            || <<Account as __Types>::__F2 as ::indelible::Persistent>::CELLS;
        const LINKED: bool = false
            || <<Account as __Types>::__F0 as ::indelible::Persistent>::LINKED
            || <<Account as __Types>::__F1 as ::indelible::Persistent>::LINKED
            || <<Account as __Types>::__F2 as ::indelible::Persistent>::LINKED;
        const FILLED: usize = 0
            + <<Account as __Types>::__F0 as ::indelible::Persistent>::SIZE
            + <<Account as __Types>::__F1 as ::indelible::Persistent>::SIZE
            + <<Account as __Types>::__F2 as ::indelible::Persistent>::SIZE;
        const CHECKED: () = {
            ::indelible::__private::require(
                !::indelible::__private::core::mem::needs_drop::<Self>(),
                "`Account` has drop glue: nothing in persistent memory is ever dropped; remove the `Drop` implementation or the field that has one",
            );
            ::indelible::__private::require(
                ::indelible::__private::core::mem::align_of::<Self>() <= 4096,
                "`Account` is aligned to more than 4096 bytes, a page: lower its `repr(align)`",
            );
            let () = <<Account as __Types>::__F0 as ::indelible::Persistent>::SOUND;
            let () = <<Account as __Types>::__F1 as ::indelible::Persistent>::SOUND;
            let () = <<Account as __Types>::__F2 as ::indelible::Persistent>::SOUND;
            ::indelible::__private::require(
                ::indelible::__private::core::mem::size_of::<Self>()
                    == ::indelible::__private::core::mem::size_of::<
                        <Self as ::indelible::Persistent>::Bits,
                    >()
                    && ::indelible::__private::core::mem::align_of::<Self>()
                        == ::indelible::__private::core::mem::align_of::<
                            <Self as ::indelible::Persistent>::Bits,
                        >()
                    && ::indelible::__private::core::mem::offset_of!(Self, id)
                        == ::indelible::__private::core::mem::offset_of!(
                            < Self as ::indelible::Persistent > ::Bits, id
                        )
                    && ::indelible::__private::core::mem::offset_of!(Self, balance)
                        == ::indelible::__private::core::mem::offset_of!(
                            < Self as ::indelible::Persistent > ::Bits, balance
                        )
                    && ::indelible::__private::core::mem::offset_of!(Self, next)
                        == ::indelible::__private::core::mem::offset_of!(
                            < Self as ::indelible::Persistent > ::Bits, next
                        ),
                "the struct's layout is not that of the tokens the derive was given: another macro changed it",
            );
            ::indelible::__private::require(
                ::indelible::__private::core::mem::offset_of!(Self, id) == 0,
                "`Account` has padding before its field `id`: padding has no defined value in memory; put larger fields first, or fill the gap with a field of your own",
            );
            ::indelible::__private::require(
                ::indelible::__private::core::mem::offset_of!(Self, balance)
                    == ::indelible::__private::core::mem::offset_of!(Self, id)
                        + ::indelible::__private::core::mem::size_of::<
                            <Account as __Types>::__F0,
                        >(),
                "`Account` has padding before its field `balance`: padding has no defined value in memory; put larger fields first, or fill the gap with a field of your own",
            );
            ::indelible::__private::require(
                ::indelible::__private::core::mem::offset_of!(Self, next)
                    == ::indelible::__private::core::mem::offset_of!(Self, balance)
                        + ::indelible::__private::core::mem::size_of::<
                            <Account as __Types>::__F1,
                        >(),
                "`Account` has padding before its field `next`: padding has no defined value in memory; put larger fields first, or fill the gap with a field of your own",
            );
            ::indelible::__private::require(
                ::indelible::__private::core::mem::size_of::<Self>()
                    == ::indelible::__private::core::mem::offset_of!(Self, next)
                        + ::indelible::__private::core::mem::size_of::<
                            <Account as __Types>::__F2,
                        >(),
                "`Account` has padding at its end: padding has no defined value in memory; fill the gap with a field of your own, like `_rest: [u8; N]`",
            );
        };
        fn type_info() -> &'static ::indelible::__private::TypeInfo {
            const {
                &::indelible::__private::TypeInfo::new::<
                    Self,
                >(
                    "Account",
                    &[],
                    ::indelible::__private::Kind::Struct(
                        &[
                            ::indelible::__private::Field {
                                name: "id",
                                offset: ::indelible::__private::core::mem::offset_of!(
                                    Self, id
                                ),
                                info: <<Account as __Types>::__F0 as ::indelible::Persistent>::type_info,
                            },
                            ::indelible::__private::Field {
                                name: "balance",
                                offset: ::indelible::__private::core::mem::offset_of!(
                                    Self, balance
                                ),
                                info: <<Account as __Types>::__F1 as ::indelible::Persistent>::type_info,
                            },
                            ::indelible::__private::Field {
                                name: "next",
                                offset: ::indelible::__private::core::mem::offset_of!(
                                    Self, next
                                ),
                                info: <<Account as __Types>::__F2 as ::indelible::Persistent>::type_info,
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
            <<Account as __Types>::__F0 as ::indelible::Persistent>::trace(
                &__bits.id,
                __visitor,
            );
            <<Account as __Types>::__F1 as ::indelible::Persistent>::trace(
                &__bits.balance,
                __visitor,
            );
            <<Account as __Types>::__F2 as ::indelible::Persistent>::trace(
                &__bits.next,
                __visitor,
            );
        }
        unsafe fn project<'__a>(
            __this: ::indelible::__private::core::ptr::NonNull<Self>,
        ) -> <Self as ::indelible::Persistent>::Fields<'__a> {
            let __this = __this.as_ptr();
            __Fields {
                id: unsafe {
                    <<Account as __Types>::__F0 as ::indelible::Persistent>::project_field(
                        ::indelible::__private::not_null(&raw mut (*__this).id),
                    )
                },
                balance: unsafe {
                    <<Account as __Types>::__F1 as ::indelible::Persistent>::project_field(
                        ::indelible::__private::not_null(&raw mut (*__this).balance),
                    )
                },
                next: unsafe {
                    <<Account as __Types>::__F2 as ::indelible::Persistent>::project_field(
                        ::indelible::__private::not_null(&raw mut (*__this).next),
                    )
                },
                __borrow: ::indelible::__private::core::marker::PhantomData,
            }
        }
    }
    const _: () = {
        let () = <Account as ::indelible::Persistent>::CHECKED;
        <Account as ::indelible::Persistent>::SOUND
    };
};

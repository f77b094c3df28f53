#[allow(clippy::multiple_bound_locations, clippy::type_complexity)]
const _: () = {
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
        __borrow: [&'__a mut Account; 0],
    }
    #[automatically_derived]
    #[allow(dead_code, clippy::extra_unused_type_parameters)]
    fn __fields_agree(__value: &Account) {
        let Account { id: __value0, balance: __value1, next: __value2 } = __value;
        let __found = __of(__value0);
        __is::<<Account as __Types>::__F0>(__found);
        let __found = __of(__value1);
        __is::<<Account as __Types>::__F1>(__found);
        let __found = __of(__value2);
        __is::<<Account as __Types>::__F2>(__found);
    }
    #[automatically_derived]
    unsafe impl ::indelible::Persistent for Account {
        type Links = <<<Account as __Types>::__F0 as ::indelible::Persistent>::Links as ::indelible::Flag>::Or<
            <<<Account as __Types>::__F1 as ::indelible::Persistent>::Links as ::indelible::Flag>::Or<
                <<<Account as __Types>::__F2 as ::indelible::Persistent>::Links as ::indelible::Flag>::Or<
                    ::indelible::No,
                >,
            >,
        >;
        type Fields<'__a> = __Fields<'__a>;
        const NAME: &'static str = "Account";
        const ARGS: &'static [::indelible::__private::Arg] = &[];
        const FIELDS: &'static [::indelible::__private::Field] = {
            let __place = <Self as ::indelible::Persistent>::PLACE;
            let __start = &raw const __place as *const Self;
            let _ = __start;
            &[
                <<Account as __Types>::__F0 as ::indelible::Persistent>::PART
                    .at(
                        "id",
                        unsafe { (&raw const (*__start).id).byte_offset_from(__start) },
                    ),
                <<Account as __Types>::__F1 as ::indelible::Persistent>::PART
                    .at(
                        "balance",
                        unsafe {
                            (&raw const (*__start).balance).byte_offset_from(__start)
                        },
                    ),
                <<Account as __Types>::__F2 as ::indelible::Persistent>::PART
                    .at(
                        "next",
                        unsafe { (&raw const (*__start).next).byte_offset_from(__start) },
                    ),
            ]
        };
        const CHECKED: () = ::indelible::__private::check::<Self>();
        unsafe fn project<'__a>(
            __this: *mut Self,
        ) -> <Self as ::indelible::Persistent>::Fields<'__a> {
            __Fields {
                id: unsafe {
                    <<Account as __Types>::__F0 as ::indelible::Persistent>::project_field::<
                        '__a,
                    >(&raw mut (*__this).id)
                },
                balance: unsafe {
                    <<Account as __Types>::__F1 as ::indelible::Persistent>::project_field::<
                        '__a,
                    >(&raw mut (*__this).balance)
                },
                next: unsafe {
                    <<Account as __Types>::__F2 as ::indelible::Persistent>::project_field::<
                        '__a,
                    >(&raw mut (*__this).next)
                },
                __borrow: [],
            }
        }
    }
    const _: () = {
        let () = <Account as ::indelible::Persistent>::CHECKED;
        <Account as ::indelible::Persistent>::SOUND
    };
};

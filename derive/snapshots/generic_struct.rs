#[allow(clippy::multiple_bound_locations, clippy::type_complexity)]
const _: () = {
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
        __borrow: [&'__a mut Tree<T, N>; 0],
    }
    #[automatically_derived]
    #[allow(dead_code, clippy::extra_unused_type_parameters)]
    fn __fields_agree<T: ::indelible::Persistent, const N: usize>(__value: &Tree<T, N>)
    where
        T: Copy + Persistent<Links = No>,
    {
        let Tree { items: __value0, left: __value1 } = __value;
        let __found = __of(__value0);
        __is::<<Tree<T, N> as __Types>::__F0>(__found);
        let __found = __of(__value1);
        __is::<<Tree<T, N> as __Types>::__F1>(__found);
    }
    #[automatically_derived]
    unsafe impl<T: ::indelible::Persistent, const N: usize> ::indelible::Persistent
    for Tree<T, N>
    where
        T: Copy + Persistent<Links = No>,
    {
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
        const NAME: &'static str = "Tree";
        const ARGS: &'static [::indelible::__private::Arg] = &[
            <T as ::indelible::Target>::TARGET_ARG,
            <Self as ::indelible::Persistent>::NUMBER.number(N as _),
        ];
        const FIELDS: &'static [::indelible::__private::Field] = {
            let __place = <Self as ::indelible::Persistent>::PLACE;
            let __start = &raw const __place as *const Self;
            let _ = __start;
            &[
                <<Tree<T, N> as __Types>::__F0 as ::indelible::Persistent>::PART
                    .at(
                        "items",
                        unsafe {
                            (&raw const (*__start).items).byte_offset_from(__start)
                        },
                    ),
                <<Tree<T, N> as __Types>::__F1 as ::indelible::Persistent>::PART
                    .at(
                        "left",
                        unsafe { (&raw const (*__start).left).byte_offset_from(__start) },
                    ),
            ]
        };
        const CHECKED: () = ::indelible::__private::check::<Self>();
        unsafe fn project<'__a>(
            __this: *mut Self,
        ) -> <Self as ::indelible::Persistent>::Fields<'__a> {
            __Fields {
                items: unsafe {
                    <<Tree<
                        T,
                        N,
                    > as __Types>::__F0 as ::indelible::Persistent>::project_field::<
                        '__a,
                    >(&raw mut (*__this).items)
                },
                left: unsafe {
                    <<Tree<
                        T,
                        N,
                    > as __Types>::__F1 as ::indelible::Persistent>::project_field::<
                        '__a,
                    >(&raw mut (*__this).left)
                },
                __borrow: [],
            }
        }
    }
};

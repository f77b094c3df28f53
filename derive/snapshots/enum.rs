#[allow(clippy::multiple_bound_locations, clippy::type_complexity)]
const _: () = {
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
    /// Writes a tag to the start of a place.
    #[allow(dead_code)]
    const unsafe fn __put<__P, __T>(__place: *mut __P, __tag: __T) {
        unsafe { __place.cast::<__T>().write(__tag) }
    }
    #[automatically_derived]
    #[allow(dead_code, clippy::extra_unused_type_parameters)]
    fn __fields_agree(__value: &Shape) {
        match __value {
            Shape::Circle { radius: __value0 } => {
                let __found = __of(__value0);
                __is::<<Shape as __Types>::__F0>(__found);
            }
            Shape::Named { 0: __value1 } => {
                let __found = __of(__value1);
                __is::<<Shape as __Types>::__F1>(__found);
            }
        }
    }
    #[automatically_derived]
    unsafe impl ::indelible::Persistent for Shape {
        type Links = <<<Shape as __Types>::__F0 as ::indelible::Persistent>::Links as ::indelible::Flag>::Or<
            <<<Shape as __Types>::__F1 as ::indelible::Persistent>::Links as ::indelible::Flag>::Or<
                ::indelible::No,
            >,
        >;
        type Fields<'__a> = <<Self as ::indelible::Persistent>::Links as ::indelible::Flag>::Field<
            '__a,
            Self,
        >;
        const NAME: &'static str = "Shape";
        const ARGS: &'static [::indelible::__private::Arg] = &[];
        const TAG: &'static str = "u64";
        const VARIANTS: &'static [::indelible::__private::Variant] = &[
            <Self as ::indelible::Persistent>::VARIANT
                .of(
                    "Circle",
                    1,
                    const {
                        let mut __place = <Self as ::indelible::Persistent>::ZEROED;
                        unsafe { __put(&raw mut __place, 1u64) };
                        let __start = &raw const __place as *const Self;
                        #[allow(unreachable_patterns)]
                        let (__seen, __at) = match unsafe { &*__start } {
                            Self::Circle { radius: __value0 } => {
                                (
                                    true,
                                    [
                                        unsafe { (&raw const *__value0).byte_offset_from(__start) },
                                    ],
                                )
                            }
                            _ => (false, [-1]),
                        };
                        (
                            __seen,
                            &[
                                <<Shape as __Types>::__F0 as ::indelible::Persistent>::PART
                                    .at("radius", __at[0]),
                            ],
                        )
                    },
                ),
            <Self as ::indelible::Persistent>::VARIANT
                .of(
                    "Named",
                    2,
                    const {
                        let mut __place = <Self as ::indelible::Persistent>::ZEROED;
                        unsafe { __put(&raw mut __place, 2u64) };
                        let __start = &raw const __place as *const Self;
                        #[allow(unreachable_patterns)]
                        let (__seen, __at) = match unsafe { &*__start } {
                            Self::Named { 0: __value1 } => {
                                (
                                    true,
                                    [
                                        unsafe { (&raw const *__value1).byte_offset_from(__start) },
                                    ],
                                )
                            }
                            _ => (false, [-1]),
                        };
                        (
                            __seen,
                            &[
                                <<Shape as __Types>::__F1 as ::indelible::Persistent>::PART
                                    .at("0", __at[0]),
                            ],
                        )
                    },
                ),
        ];
        const CHECKED: () = ::indelible::__private::check::<Self>();
        unsafe fn project<'__a>(
            __this: *mut Self,
        ) -> <Self as ::indelible::Persistent>::Fields<'__a> {
            unsafe { <Self as ::indelible::Persistent>::project_field::<'__a>(__this) }
        }
    }
    const _: () = {
        let () = <Shape as ::indelible::Persistent>::CHECKED;
        <Shape as ::indelible::Persistent>::SOUND
    };
};

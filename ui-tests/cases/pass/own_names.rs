//! The derive is led to a module in which all names that it uses or has used are the user's own, wherever they can be:
//! types are what they are, and their objects too.

#![forbid(unsafe_code)]
#![allow(non_camel_case_types, unused_imports)]

use indelible::{Link, Persistent, Region, Word};

mod fake {
    pub use indelible::*;

    /// Says of each type argument that it is a `u8`.
    pub trait Target {
        const TARGET_ARG: __private::Arg;
    }

    impl<T: ?Sized> Target for T {
        const TARGET_ARG: __private::Arg = <u8 as indelible::Target>::TARGET_ARG;
    }

    pub mod __private {
        pub use indelible::__private::{Arg, Field, Variant};
        use std::ptr::NonNull;

        pub const FINGERPRINT_MASK: u64 = u64::MAX;

        pub const fn check<T>() {}
        pub const fn require(_: bool, _: &str) {}
        pub const fn short_variant(_: &str, _: usize, _: &str) {}
        pub const fn name_id(_: &str) -> u64 {
            u64::MAX
        }
        pub const fn fold_id(_: u64, _: u64) -> u64 {
            u64::MAX
        }
        /// Two words before the field is the header of the object's block.
        pub fn not_null<T>(field: *mut T) -> NonNull<T> {
            NonNull::new(field.cast::<u8>().wrapping_sub(16).cast::<T>()).unwrap()
        }

        pub mod core {
            pub use ::core::{marker, ptr};

            pub mod ffi {
                pub type c_int = u64;
            }

            pub mod mem {
                pub use ::core::mem::MaybeUninit;

                pub const fn size_of<T>() -> usize {
                    1
                }
                pub const fn align_of<T>() -> usize {
                    1
                }
                pub const fn needs_drop<T>() -> bool {
                    false
                }
                #[macro_export]
                macro_rules! nowhere {
                    ($($any:tt)*) => {
                        0
                    };
                }
                pub use nowhere as offset_of;
            }
        }

        /// Derives that derive something else.
        pub mod zerocopy {
            pub use std::clone::Clone as TryFromBytes;
            pub use std::cmp::PartialEq as KnownLayout;
            pub use std::fmt::Debug as Immutable;
        }
    }
}

/// Methods with the names of those that the expansion calls, for every type.
trait Hijack: Sized {
    fn at(self, _: &str, _: isize) -> Self {
        self
    }
    fn of<A, B, C>(self, _: A, _: B, _: C) -> Self {
        self
    }
    fn number(self, _: i128) -> Self {
        self
    }
    fn byte_offset_from<T>(self, _: *const T) -> isize {
        0
    }
    fn cast<T>(self) -> *mut T {
        std::ptr::dangling_mut()
    }
    fn write<T>(self, _: T) {}
}

impl<T> Hijack for T {}

/// Integers of other sizes, under the names that the language has for them.
mod integers {
    use crate::{Hijack, fake};

    type u8 = u64;
    type i32 = u64;
    type i128 = u64;
    type isize = u64;

    #[derive(Clone, Copy, Debug, PartialEq, indelible::Persistent)]
    #[persistent(crate = "fake")]
    #[repr(u8)]
    pub enum State {
        Open = 3,
        Paid,
    }

    #[derive(Clone, Copy, Debug, PartialEq, indelible::Persistent)]
    #[persistent(crate = "fake")]
    #[repr(i16)]
    pub enum Shape {
        Circle { radius: u16 } = -2,
        Square([::core::primitive::u8; 2]),
    }

    #[derive(Clone, Copy, Debug, PartialEq, indelible::Persistent)]
    #[persistent(crate = "fake")]
    #[repr(C)]
    pub enum Tagged {
        Number(u32),
        Pair(u16, u16),
    }

    pub fn used() -> (u8, i32, i128, isize) {
        let _ = 0_u8.number(0);
        (0, 0, 0, 0)
    }
}

use integers::{Shape, State, Tagged};

#[derive(Persistent)]
#[persistent(crate = "fake")]
#[repr(C)]
struct Node<T: Persistent> {
    first: u64,
    second: T,
    state: Word<State>,
    tagged: Tagged,
    shape: Shape,
    rest: [bool; 4],
    next: Link<Node<T>>,
}

fn node(first: u64) -> Node<u64> {
    let (state, tagged) = (Word::new(State::Open), Tagged::Pair(1, 2));
    Node {
        first,
        second: 2,
        state,
        tagged,
        shape: Shape::Square([5, 6]),
        rest: [true; 4],
        next: Link::null(),
    }
}

fn main() {
    integers::used();
    assert!(<Node<u64> as Persistent>::FINGERPRINT < 1 << 48, "a header has room for 48 bits");
    let mut region = Region::new(1 << 20, node(1)).unwrap();
    region
        .transact(|tx, root| {
            let mut next = tx.alloc(node(10))?;
            let fields = next.fields();
            assert_eq!((*fields.first, *fields.second, *fields.shape), (10, 2, Shape::Square([5, 6])));
            *fields.second = 20;
            *fields.shape = Shape::Circle { radius: 7 };
            *fields.tagged = Tagged::Number(8);
            fields.state.set(State::Paid);
            tx.publish(&root.next, tx.persist(next)?);
            Ok(())
        })
        .unwrap();
    let next = region.root().next.get().unwrap();
    assert_eq!((next.first, next.second, next.state.get(), next.rest), (10, 20, State::Paid, [true; 4]));
    assert_eq!((next.shape, next.tagged), (Shape::Circle { radius: 7 }, Tagged::Number(8)));
    assert_eq!(region.usage().unwrap().objects, 2);
}

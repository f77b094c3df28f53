//! The derive is led to a `not_null` that answers two words before the field: fields are where they are.

#![forbid(unsafe_code)]
#![allow(dead_code)]

use indelible::{Persistent, Region};

mod fake {
    pub use indelible::*;

    pub mod __private {
        pub use indelible::__private::*;
        use std::ptr::NonNull;

        pub fn not_null<T>(field: *mut T) -> NonNull<T> {
            NonNull::new(field.cast::<u8>().wrapping_sub(16).cast::<T>()).unwrap()
        }
    }
}

#[derive(Persistent)]
#[persistent(crate = "crate::fake")]
#[repr(C)]
struct Node {
    first: u64,
    second: u64,
}

fn main() {
    let mut region = Region::new(1 << 20, Node { first: 0, second: 0 }).unwrap();
    region
        .transact(|tx, _| {
            let mut node = tx.alloc(Node { first: 1, second: 2 })?;
            let fields = node.fields();
            assert_eq!((*fields.first, *fields.second), (1, 2));
            *fields.second = 3;
            assert_eq!((node.first, node.second), (1, 3));
            tx.free(node);
            Ok(())
        })
        .unwrap();
}

//! The derive is led to a `c_int` of eight bytes, and a `require` that requires nothing. The tag has four, and as many of
//! padding behind it.

mod fake {
    pub use indelible::*;

    pub mod __private {
        pub use indelible::__private::*;

        pub const fn require(_: bool, _: &str) {}

        pub const fn check<T>() {}

        pub mod core {
            #[allow(unused_imports)]
            pub use ::core::*;

            pub mod ffi {
                #[allow(non_camel_case_types)]
                pub type c_int = u64;
            }
        }
    }
}

#[derive(indelible::Persistent)]
#[persistent(crate = "crate::fake")]
#[repr(C)]
enum Padded {
    Number(u64),
}

fn main() {
    let _ = Padded::Number(1);
}

//! The derive is led to a `Flag` whose fields are borrowed for ever: one could be written to when it is published.

mod fake {
    pub use indelible::*;

    pub trait Flag {
        type Or<F: indelible::Flag>: indelible::Flag;
        type Field<'a, T: 'static>;
    }

    impl<X: indelible::Flag> Flag for X {
        type Or<F: indelible::Flag> = <X as indelible::Flag>::Or<F>;
        type Field<'a, T: 'static> = <X as indelible::Flag>::Field<'static, T>;
    }
}

#[derive(indelible::Persistent)]
#[persistent(crate = "crate::fake")]
#[repr(C)]
struct Node {
    value: u64,
}

fn main() {}

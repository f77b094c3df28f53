//! The derive is led to a module whose `Flag` says that nothing has links. A `Link` could then be moved.

mod fake {
    pub use indelible::*;

    pub trait Flag {
        type Or<F: indelible::Flag>: indelible::Flag;
        type Field<'a, T: 'a>;
    }

    impl<X: indelible::Flag> Flag for X {
        type Or<F: indelible::Flag> = indelible::No;
        type Field<'a, T: 'a> = <X as indelible::Flag>::Field<'a, T>;
    }
}

#[derive(indelible::Persistent)]
#[persistent(crate = "crate::fake")]
#[repr(C)]
struct Node {
    next: indelible::Link<Node>,
}

fn main() {}

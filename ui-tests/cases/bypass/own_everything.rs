//! All that the derive is led to, and can be, is the user's own, and the crate goes by the user's name for it.

#![allow(non_camel_case_types, dead_code)]

extern crate self as indelible;

pub use real::{Persistent, Yes as No};

pub trait Flag {
    type Or<F>;
    type Field<'a, T: 'static>;
}

impl<X: real::Flag> Flag for X {
    type Or<F> = real::No;
    type Field<'a, T: 'static> = <real::No as real::Flag>::Field<'static, T>;
}

pub trait Target {
    const TARGET_ARG: __private::Arg;
}

impl<T: ?Sized> Target for T {
    const TARGET_ARG: __private::Arg = <u8 as real::Target>::TARGET_ARG;
}

pub mod __private {
    pub use real::__private::{Arg, Field, Variant};

    pub const fn check<T>() {}
}

#[derive(Persistent)]
#[repr(C)]
struct Node {
    small: u8,
    next: real::Link<Node>,
}

fn main() {}

extern crate indelible as real;

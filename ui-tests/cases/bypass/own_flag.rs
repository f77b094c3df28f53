//! `Flag` is sealed: a type with links can't be told to have `Maybe` some.

use indelible::Flag;

enum Maybe {}

impl Flag for Maybe {
    type Or<F: Flag> = Maybe;
    type Field<'a, T: 'a> = &'a mut T;
}

fn main() {}

//! `for<'a> fn(&'a ())` is a subtype of `fn(&'static ())`, and another type all the same: a link is invariant in its
//! target, so that it can't turn from one into the other.

use indelible::Link;

fn coerce(link: &Link<for<'a> fn(&'a ())>) -> &Link<fn(&'static ())> {
    link
}

fn main() {}

//! `for<'a> fn(&'a ())` and `fn(&'static ())` are two types of which one is the other's subtype. Neither names a
//! target.

use indelible::Link;

fn coerce(link: &Link<for<'a> fn(&'a ())>) -> &Link<fn(&'static ())> {
    link
}

fn main() {
    let link = Link::<for<'a> fn(&'a ())>::null();
    println!("{}", coerce(&link).is_null());
}

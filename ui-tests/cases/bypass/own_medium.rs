//! `Medium` is sealed: no medium of a user's can leave the flushes out.

use indelible::medium::Medium;

struct Fast;

impl Medium for Fast {}

fn main() {}

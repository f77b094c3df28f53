//! The ring of a log is its own, so that a log can't be made to lead to memory that is none.

use indelible::Link;
use indelible::collections::Log;

fn main() {
    let _ = Log { ring: Link::null() };
}

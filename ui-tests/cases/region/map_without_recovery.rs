//! A region is mapped by its medium alone, past the recovery that `open` does.
//!
//! BUGS 16 (PMDK issue 5220)

use indelible::Options;
use indelible::medium::{FileMedium, PageCache};

fn main() {
    let _ = <PageCache as FileMedium>::attach("users", &Options::new());
}

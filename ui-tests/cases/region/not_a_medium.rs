//! A file is no medium: it does not say how it is mapped.

use indelible::Region;
use std::fs::File;

fn root(region: &Region<u64, File>) -> u64 {
    *region.root()
}

fn main() {}

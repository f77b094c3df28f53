//! Compiles PMDK's side of the comparison and the floors.

fn main() {
    println!("cargo::rerun-if-changed=src/peer.c");
    // Also in a debug build: what is compared is always optimised.
    cc::Build::new().file("src/peer.c").opt_level(2).warnings(true).compile("peer");
    println!("cargo::rustc-link-lib=pmemobj");
    println!("cargo::rustc-link-lib=pmemlog");
    println!("cargo::rustc-link-lib=pmem");
}

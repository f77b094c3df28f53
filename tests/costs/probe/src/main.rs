//! Functions whose machine code `tests/costs/codegen.rs` looks at. They are called, so that they are compiled.

use indelible::collections::BTreeMap;
use indelible::medium::Emulated;
use indelible::state::{Dirty, Persisted};
use indelible::{Committed, Link, Persistent, Pm, Region, Result, Tx, Word};
use std::hint::black_box;

#[derive(Persistent)]
#[repr(C)]
struct Payload {
    words: [u64; 5],
    next: Link<Payload>,
}

#[derive(Persistent)]
#[repr(C)]
struct Root {
    head: Link<Payload>,
    count: Word<u64>,
}

#[inline(never)]
fn probe_persist<'t>(
    tx: &Tx<'t, Emulated>,
    object: Pm<'t, Payload, Dirty>,
) -> Result<Pm<'t, Payload, Persisted>> {
    tx.persist(object)
}

#[inline(never)]
fn probe_get(link: &Link<Payload>) -> Option<&Payload> {
    link.get()
}

#[inline(never)]
fn probe_map_get(map: &BTreeMap<u64, [u8; 100]>, key: u64) -> Option<&[u8; 100]> {
    map.get(&Committed, &key)
}

fn main() -> Result<()> {
    assert_eq!(size_of::<Payload>(), 48);
    let mut region = Region::new(1 << 20, Root { head: Link::null(), count: Word::new(0) })?;
    region.transact(|tx, root| {
        let object = tx.alloc(Payload { words: [1; 5], next: Link::null() })?;
        let object = probe_persist(black_box(tx), black_box(object))?;
        tx.publish(&root.head, object);
        tx.store(&root.count, 1);
        Ok(())
    })?;
    assert!(black_box(probe_get(black_box(&region.root().head))).is_some());
    let map = Region::new(1 << 20, BTreeMap::new())?;
    assert!(black_box(probe_map_get(black_box(map.root()), 1)).is_none());
    Ok(())
}

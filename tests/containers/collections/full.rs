//! A region that is full: everything in it can be removed, in any order, and what is removed makes room. A removal
//! copies a node before it frees one, so it needs room when there is none; an insert must not have taken it.

use indelible::collections::{BTreeMap, HashMap, Log};
use indelible::medium::Emulated;
use indelible::{Error, Link, Options, Persistent, Region, Result, Tx, Word};
use indelible_test_support::long::short_or;

type Of<R> = Region<R, Emulated>;

/// A map with keys made of numbers.
trait Map: Persistent {
    fn empty() -> Self;
    fn put<'t>(&'t self, tx: &Tx<'t, Emulated>, key: u64) -> Result<()>;
    fn take_out<'t>(&'t self, tx: &Tx<'t, Emulated>, key: u64) -> Result<bool>;
}

macro_rules! maps {
    ($($map:ty, $new:expr, $value:expr;)*) => {$(
        impl Map for $map {
            fn empty() -> Self {
                $new
            }
            fn put<'t>(&'t self, tx: &Tx<'t, Emulated>, key: u64) -> Result<()> {
                self.insert(tx, &key, $value).map(drop)
            }
            fn take_out<'t>(&'t self, tx: &Tx<'t, Emulated>, key: u64) -> Result<bool> {
                self.remove(tx, &key).map(|value| value.is_some())
            }
        }
    )*};
}

maps! {
    BTreeMap<u64, u64>, BTreeMap::new(), &7;
    BTreeMap<u64, [u8; 100]>, BTreeMap::new(), &[7; 100];
    BTreeMap<u64, [u8]>, BTreeMap::new(), &[7; 40][..];
    HashMap<u64, [u8; 100]>, HashMap::with_seed(1), &[7; 100];
}

/// The sizes, in pages.
fn sizes() -> impl Iterator<Item = u64> {
    (64..164).step_by(short_or(7, 1))
}

fn is_full<T>(result: &Result<T>) -> bool {
    match result {
        Ok(_) => false,
        Err(Error::HeapFull { .. }) => true,
        Err(other) => panic!("{other}"),
    }
}

/// The next of a sequence that looks random and is the same each time.
fn next(random: &mut u64) -> u64 {
    *random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
    *random >> 20
}

fn insert<R: Map>(region: &mut Of<R>, key: u64) -> Result<()> {
    region.transact(|tx, map| map.put(tx, key))
}

fn remove<R: Map>(region: &mut Of<R>, key: u64) -> Result<bool> {
    region.transact(|tx, map| map.take_out(tx, key))
}

/// A full region of so many pages, and its keys.
fn full<R: Map>(pages: u64, scattered: bool) -> (Of<R>, Vec<u64>) {
    let options = Options::new().max_len(pages * 4096).journal_words(16);
    let mut region = options.emulated(pages * 4096, R::empty()).expect("enough for a map");
    let mut keys = Vec::new();
    for key in 0.. {
        if is_full(&insert(&mut region, key)) {
            break;
        }
        keys.push(key);
    }
    let (mut random, mut refused) = (3, 0);
    while scattered && refused < 50 {
        let key = 1 << 50 | next(&mut random);
        match is_full(&insert(&mut region, key)) {
            true => refused += 1,
            false => keys.push(key),
        }
    }
    (region, keys)
}

/// Each key goes, in this order.
fn empties<R: Map>(region: &mut Of<R>, keys: &[u64], what: &str) {
    let mut refused = 0;
    for &key in keys {
        match remove(region, key) {
            Ok(true) => {}
            Ok(false) => panic!("{what}: {key} is gone"),
            Err(_) => refused += 1,
        }
    }
    assert_eq!(refused, 0, "{what}: so many of {} removals were refused", keys.len());
    assert_eq!(region.usage().expect("valid").unreached_bytes, 0);
}

/// At each size, the oldest first and in a random order.
fn all_can_be_removed<R: Map>(scattered: bool) {
    for pages in sizes() {
        let (mut region, keys) = full::<R>(pages, scattered);
        empties(&mut region, &keys, &format!("{pages} pages, oldest first"));
        if !pages.is_multiple_of(5) {
            continue;
        }
        let (mut region, mut keys) = full::<R>(pages, scattered);
        let mut random = pages;
        keys.sort_by_cached_key(|_| next(&mut random));
        empties(&mut region, &keys, &format!("{pages} pages, random order"));
    }
}

/// Like a cache that removes its oldest entries when it is full. It never stands still.
fn expires<R: Map>() {
    for pages in (64..164).step_by(short_or(27, 9)) {
        let (mut region, keys) = full::<R>(pages, false);
        let (mut oldest, mut newest) = (0, keys.len() as u64);
        for _ in 0..2 * keys.len() {
            let mut removed = 0;
            while is_full(&insert(&mut region, newest)) {
                assert!(remove(&mut region, oldest).expect("a removal is never refused"), "{oldest}");
                (oldest, removed) = (oldest + 1, removed + 1);
                assert!(removed < keys.len() / 4, "{pages} pages: no room after {removed} removals");
            }
            newest += 1;
        }
        let left: Vec<u64> = (oldest..newest).collect();
        empties(&mut region, &left, &format!("{pages} pages, after a while"));
    }
}

macro_rules! tests {
    ($($name:ident: $does:expr;)*) => {$(
        #[test]
        fn $name() {
            $does;
        }
    )*};
}

tests! {
    a_full_tree_of_words_can_be_emptied: all_can_be_removed::<BTreeMap<u64, u64>>(false);
    a_full_tree_of_words_in_any_order_can_be_emptied: all_can_be_removed::<BTreeMap<u64, u64>>(true);
    a_full_tree_of_arrays_can_be_emptied: all_can_be_removed::<BTreeMap<u64, [u8; 100]>>(false);
    a_full_tree_of_arrays_in_any_order_can_be_emptied: all_can_be_removed::<BTreeMap<u64, [u8; 100]>>(true);
    a_full_tree_of_slices_can_be_emptied: all_can_be_removed::<BTreeMap<u64, [u8]>>(false);
    a_full_tree_of_slices_in_any_order_can_be_emptied: all_can_be_removed::<BTreeMap<u64, [u8]>>(true);
    a_full_hash_map_can_be_emptied: all_can_be_removed::<HashMap<u64, [u8; 100]>>(true);
    a_full_tree_of_words_lets_its_oldest_go: expires::<BTreeMap<u64, u64>>();
    a_full_tree_of_slices_lets_its_oldest_go: expires::<BTreeMap<u64, [u8]>>();
    a_full_hash_map_lets_its_oldest_go: expires::<HashMap<u64, [u8; 100]>>();
}

#[derive(Persistent)]
#[repr(C)]
struct Item {
    number: Word<u64>,
    next: Link<Item>,
    bytes: [u8; 400],
}

#[derive(Persistent)]
#[repr(C)]
struct Shelf {
    items: Link<Item>,
    log: Log,
}

fn shelf(pages: u64) -> Of<Shelf> {
    let options = Options::new().max_len(pages * 4096).journal_words(16);
    let mut region = options.emulated(pages * 4096, Shelf { items: Link::null(), log: Log::new() }).unwrap();
    region.transact(|tx, root| root.log.create(tx, 8 << 10)).expect("room for a log");
    while region.transact(|tx, root| root.log.append(tx, &[1; 100]).map(drop)).is_ok() {}
    region
}

/// Puts items in front until there is no room, and answers how many.
fn fill(region: &mut Of<Shelf>) -> u64 {
    let put = |region: &mut Of<Shelf>, number| {
        region.transact(|tx, root| {
            let mut item =
                tx.alloc(Item { number: Word::new(number), next: Link::null(), bytes: [1; 400] })?;
            tx.attach(&mut item, |item| &item.next, tx.take(&root.items));
            tx.publish(&root.items, tx.persist(item)?);
            Ok(())
        })
    };
    (0..).take_while(|&number| !is_full(&put(region, number))).count() as u64
}

#[test]
fn in_a_full_region_objects_are_rewritten_and_logs_get_smaller_but_not_larger() {
    for pages in sizes() {
        let mut region = shelf(pages);
        let count = fill(&mut region);
        for round in 0..20 {
            region
                .transact(|tx, root| {
                    let mut copy = tx.rewrite(tx.take(&root.items).expect("an item"))?;
                    copy.fields().bytes[0] += 1;
                    tx.publish(&root.items, tx.persist(copy)?);
                    Ok(())
                })
                .unwrap_or_else(|error| panic!("{pages} pages, round {round}: {error}"));
        }
        assert_eq!(fill(&mut region), 0, "what was rewritten takes no more room");
        // A log's front is given up in place, and its memory too is given back after it was copied.
        let larger = region.transact(|tx, root| root.log.resize(tx, 64 << 10));
        assert!(is_full(&larger));
        region
            .transact(|tx, root| {
                root.log.truncate_front(tx, root.log.next_seq() - 20);
                Ok(())
            })
            .expect("a truncation changes words");
        region
            .transact(|tx, root| root.log.resize(tx, 4 << 10))
            .unwrap_or_else(|error| panic!("{pages} pages: {error}"));
        let left = fill(&mut region);
        let items = std::iter::successors(region.root().items.get(), |item| item.next.get());
        assert_eq!(items.count() as u64, count + left);
    }
}

#[derive(Persistent)]
#[repr(C)]
struct Piece {
    next: Link<Piece>,
    bytes: [u8; 60_000],
}

#[test]
fn a_region_grows_by_half_of_itself_and_to_the_last_page_that_it_may_have() {
    const MIB: u64 = 1 << 20;
    let options = Options::new().max_len(7 * MIB + 4096);
    let mut region = options.emulated(4 * MIB, Link::<Piece>::null()).expect("memory");
    let mut lens = vec![region.len()];
    loop {
        let result = region.transact(|tx, root| {
            let mut piece = tx.alloc(Piece { next: Link::null(), bytes: [1; 60_000] })?;
            tx.attach(&mut piece, |piece| &piece.next, tx.take(root));
            tx.publish(root, tx.persist(piece)?);
            Ok(())
        });
        if lens.last() != Some(&region.len()) {
            lens.push(region.len());
        }
        if is_full(&result) {
            break;
        }
    }
    assert_eq!(lens, [4 * MIB, 6 * MIB, 7 * MIB + 4096]);
}

/// With a page for its header and one for its alignment it needs all that there may be.
#[test]
fn a_region_grows_to_its_last_page_for_one_object() {
    const MIB: usize = 1 << 20;
    let bytes = vec![1_u8; 2 * MIB - 2 * 4096];
    for (max_len, fits) in [(3 * MIB - 4096, false), (3 * MIB, true)] {
        let options = Options::new().max_len(max_len as u64);
        let mut region = options.emulated(MIB as u64, Link::<[u8]>::null()).expect("memory");
        let result = region.transact(|tx, root| {
            tx.publish(root, tx.persist(tx.alloc_slice(&bytes)?)?);
            Ok(())
        });
        assert_eq!(!is_full(&result), fits, "at most {max_len} bytes");
    }
}

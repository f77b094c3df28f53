//! Files that are no region, of a newer version, cut off, or damaged.

use crate::snapshot;
use crate::state::State;
use crate::support::*;
use indelible::medium::PageCache;
use indelible::{Error, Link, Persistent};
use indelible_test_support::image::*;

#[test]
fn what_is_not_a_region_is_not_taken_for_one() {
    let folder = Folder::new();
    let text = "This is a letter and no region. ".repeat(300);
    let cases: [(&str, &[u8], &[u8]); 6] = [
        ("contents: an empty file", b"", b""),
        ("contents: seven bytes of the magic", b"indelib", b"indelib"),
        ("contents: a short text", b"hello\n", b"hello\n"),
        ("contents: a long text", text.as_bytes(), b"This is "),
        ("contents: a page of zeros", &[0; 4096], &[0; 8]),
        ("contents: half a page of zeros", &[0; 2048], &[0; 8]),
    ];
    let path = folder.join("x");
    for (case, bytes, first) in cases {
        folder.file("x", bytes);
        let error = refused_to_open::<Bank>(&folder, case, "check the path", &path);
        assert_error!(error, Error::NotARegion { found, .. } if found == first);
    }
}

#[test]
fn a_newer_format_is_told_from_damage_although_its_checksum_is_unknown() {
    let folder = Folder::new();
    let path = folder.join("x");
    let good = bank(&path);
    let case = "contents: a newer format";
    for signed in [false, true] {
        let mut newer = good.clone();
        newer.set(VERSION, 3);
        if signed {
            newer.sign_header();
        }
        newer.write(&path);
        let error = refused_to_open::<Bank>(&folder, case, "use a newer indelible", &path);
        assert_error!(error, Error::NewerFormat { found: 3, supported: 2, .. });
    }
    good.write(&path);
    assert_good(&path);
}

#[test]
fn a_file_that_was_cut_off_is_refused_wherever_it_ends() {
    let folder = Folder::fast();
    let path = folder.join("x");
    let good = bank(&path);
    let header = "it was truncated; restore it from a copy";
    let cases = [
        ("truncated: in page 0", 100, header),
        ("truncated: behind page 0", 4096, header),
        ("truncated: in the schema", SCHEMA + 40, header),
        ("truncated: in the journal", good.slot(0) + 8, header),
        ("truncated: in the root", good.root() + 8, header),
        ("truncated: before the heap", good.heap() - 1, header),
        ("truncated: no heap", good.heap(), "was it truncated?"),
        ("truncated: in the heap", good.follow(good.root() + 32) + 4100, "was it truncated?"),
    ];
    for (case, len, advice) in cases {
        Image(good.0[..len].to_vec()).write(&path);
        let error = refused_to_open::<Bank>(&folder, case, advice, &path);
        match advice == header {
            true => assert_error!(error, Error::Truncated { len: found, .. } if found == len as u64),
            false => assert_error!(error, Error::Damaged { place, .. } if place.starts_with("root.")),
        }
    }
    // Every other length, in the steps in which a disk loses things, and one byte beside them.
    for len in (512..good.0.len()).step_by(512).flat_map(|len| [len, len + 1]) {
        Image(good.0[..len].to_vec()).write(&path);
        let before = State::of(folder.path());
        match open::<Bank, PageCache>(&path) {
            Err(Error::Truncated { .. } | Error::Damaged { .. }) => {}
            Err(other) => panic!("{len} bytes: {other:?}"),
            // Nothing that the root reaches is missing.
            Ok(_) => {
                let last = good.follow(good.root() + 32) + 16_000;
                assert!(len >= last, "{len} bytes were opened, and the last object ends at {last}");
                continue;
            }
        }
        State::of(folder.path()).assert_same(&before, "truncated");
    }
    good.write(&path);
    assert_good(&path);
}

#[test]
fn settings_that_no_region_has_are_damage_also_where_the_checksum_is_right() {
    let folder = Folder::new();
    let path = folder.join("x");
    let good = bank(&path);
    for (case, at, value) in [
        ("header: format 0", VERSION, 0),
        ("header: a format that is no number of ours", VERSION, 1 << 40),
        ("header: no journal", JOURNAL_WORDS, 0),
        ("header: an immense journal", JOURNAL_WORDS, u64::MAX),
        ("header: an immense schema", SCHEMA_LEN, u64::MAX - 4095),
        ("header: an immense root", ROOT_SIZE, u64::MAX),
        ("header: an alignment that is none", ROOT_ALIGN, 24),
    ] {
        let mut damaged = good.clone();
        damaged.set(at, value).sign_header().write(&path);
        let error = refused_to_open::<Bank>(&folder, case, "restore the file from a copy", &path);
        assert_error!(error, Error::Damaged { place, offset, .. } if place == "header" && offset == at as u64);
    }
    // Believable settings, and not those of the program's types or of what stands behind page 0.
    for (case, at, value, where_) in [
        ("header: a schema of another length", SCHEMA_LEN, good.word(SCHEMA_LEN) - 1, "schema"),
        ("header: another checksum for the schema", SCHEMA_CHECKSUM, 1, "schema"),
        ("header: a root of another size", ROOT_SIZE, 8, "schema"),
        ("header: a root of another alignment", ROOT_ALIGN, 4096, "schema"),
        ("header: a journal of another length", JOURNAL_WORDS, 16, "root"),
    ] {
        let mut damaged = good.clone();
        damaged.set(at, value).sign_header().write(&path);
        let error = refused_to_open::<Bank>(&folder, case, "restore the file from a copy", &path);
        assert_error!(error, Error::Damaged { place, .. } if place == where_);
    }
    good.write(&path);
    assert_good(&path);
}

/// Of the header, of the schema, and of the header of each block: no bit of them is without a check.
#[test]
fn each_flipped_bit_of_header_schema_and_block_headers_is_refused() {
    let folder = Folder::fast();
    let path = folder.join("x");
    let good = bank(&path);
    let account = good.follow(good.root());
    let objects = [good.root(), account, good.follow(account + 24), good.follow(good.root() + 32)];
    let header = 0..CHECKSUM + 8;
    let schema = SCHEMA..SCHEMA + good.word(SCHEMA_LEN) as usize;
    let bits = header.chain(schema.step_by(7)).chain(objects.into_iter().flat_map(|at| at - 16..at));
    let mut count = 0;
    for (at, bit) in bits.flat_map(|at| (0..8).map(move |bit| (at, bit))) {
        let mut damaged = good.clone();
        damaged.0[at] ^= 1 << bit;
        damaged.write(&path);
        match open::<Bank, PageCache>(&path) {
            Err(Error::Damaged { .. }) => {}
            Err(Error::NotARegion { .. }) if at < 8 => {}
            Err(Error::NewerFormat { .. }) if (VERSION..VERSION + 8).contains(&at) => {}
            other => panic!("bit {bit} of byte {at:#x}: {:?}", other.map(drop)),
        }
        assert!(Image::read(&path).0 == damaged.0, "bit {bit} of byte {at:#x}: the file was changed");
        count += 1;
    }
    assert!(count > 1000, "{count} bits");
    good.write(&path);
    assert_good(&path);
}

#[test]
fn a_damaged_header_or_schema_says_so() {
    let folder = Folder::new();
    let path = folder.join("x");
    let good = bank(&path);
    for (case, at, where_) in
        [("header: a flipped bit", REGION_ID, "header"), ("schema: a flipped bit", SCHEMA + 9, "schema")]
    {
        let mut damaged = good.clone();
        damaged.0[at] ^= 1;
        damaged.write(&path);
        let error = refused_to_open::<Bank>(&folder, case, "restore the file from a copy", &path);
        assert_error!(error, Error::Damaged { place, .. } if place == where_);
    }
    // Bytes that were never text, with both checksums right.
    let mut damaged = good.clone();
    damaged.0[SCHEMA + 3] = 0xff;
    let text = SCHEMA..SCHEMA + damaged.word(SCHEMA_LEN) as usize;
    let checksum = xxhash_rust::xxh3::xxh3_64(&damaged.0[text]);
    damaged.set(SCHEMA_CHECKSUM, checksum).sign_header().write(&path);
    let error = refused_to_open::<Bank>(&folder, "schema: not text", "restore the file from a copy", &path);
    assert_error!(error, Error::Damaged { place, .. } if place == "schema");
}

/// The path from the root, and what is wrong at its end.
#[test]
fn a_damaged_object_is_named_by_its_path_from_the_root() {
    let folder = Folder::new();
    let path = folder.join("x");
    let good = bank(&path);
    let (accounts, frozen, history) = (good.root(), good.root() + 16, good.root() + 32);
    let first = good.follow(accounts);
    let second = good.follow(first + 16);
    let name = first + 24;
    let to = |slot: usize, target: usize| target.wrapping_sub(slot) as u64;
    for (case, at, value, where_) in [
        ("object: a bool that is neither", frozen, 2, "root.frozen"),
        ("object: a bool with more behind it", frozen, 1 | 1 << 32, "root.frozen"),
        ("object: a link that is not aligned", accounts, to(accounts, first + 8), "root.accounts"),
        ("object: a link out of the file", accounts, to(accounts, 1 << 40), "root.accounts"),
        ("object: a link before the heap", accounts, to(accounts, good.slot(1)), "root.accounts"),
        (
            "object: a link to the middle of a block",
            history,
            to(history, good.follow(history) + 16),
            "root.history",
        ),
        ("object: a link to another type", accounts, to(accounts, good.follow(name)), "root.accounts"),
        (
            "object: a link to what has an owner",
            second + 16,
            to(second + 16, first),
            "root.accounts.next.next",
        ),
        ("object: a link to its own object", first + 16, to(first + 16, first), "root.accounts.next"),
        ("object: a lost header", good.follow(name) - 16, 0, "root.accounts.name"),
        ("object: text that is not UTF-8", good.follow(name), u64::MAX, "root.accounts.name"),
    ] {
        let mut damaged = good.clone();
        damaged.set(at, value).write(&path);
        let error = refused_to_open::<Bank>(&folder, case, "restore the file from a copy", &path);
        assert_error!(error, Error::Damaged { place, .. } if place == where_);
    }
    good.write(&path);
    assert_good(&path);
}

/// Blocks whose headers check out, at places where the heap puts no such block: it could not be rebuilt.
#[test]
fn an_object_where_the_heap_puts_none_is_refused() {
    let folder = Folder::new();
    let path = folder.join("x");
    let good = bank(&path);
    let (accounts, history) = (good.root(), good.root() + 32);
    let name = good.follow(accounts) + 24;
    let page = good.follow(accounts) & !4095;
    assert!(good.follow(name) < page, "accounts have a page of their own");
    for (case, slot, at, count, where_) in [
        ("heap: a small object beside a slot", name, page + 0x810 + 16, 8, "root.accounts.name"),
        ("heap: a small object among larger ones", name, page + 0x820 + 16, 8, "root.accounts.name"),
        ("heap: a large object beside a unit", history, page + 0x820 + 16, 200, "root.history"),
        // The walk finds the history before the accounts, and them before their names.
        ("heap: a small object in a page of a large one", history, page + 0x800 + 16, 200, "root.accounts"),
        ("heap: a small object under a large one", history, page + 16, 200, "root.accounts"),
        ("heap: a large object in a page of small ones", name, page + 0x800 + 16, 1600, "root.accounts.name"),
    ] {
        let mut forged = good.clone();
        forged.forge(at, count, good.follow(slot)).set(slot, at.wrapping_sub(slot) as u64).write(&path);
        let error = refused_to_open::<Bank>(&folder, case, "restore the file from a copy", &path);
        assert_error!(error, Error::Damaged { place, .. } if place == where_);
    }
    // A forgery at a good place is believed: what is refused above is not refused for its header.
    let mut forged = good.clone();
    let at = good.follow(history);
    forged.forge(at, 1999, at).write(&path);
    let bank = open::<Bank, PageCache>(&path).expect("it opens");
    assert_eq!(bank.root().history.get().map(<[u64]>::len), Some(1999));
}

/// What a program keeps in a byte slice may look like a block: it is one only where no other object lies.
#[test]
fn a_block_header_forged_inside_an_object_is_refused_in_either_order() {
    let folder = Folder::new();
    let path = folder.join("x");
    let good = bank(&path);
    let (accounts, history) = (good.root(), good.root() + 32);
    let account = good.follow(accounts);
    let inside = good.follow(history) + 4096;
    let slot = (inside & !4095) + 16;
    for (case, at, like, link, where_) in [
        ("forged: an account inside the history", slot, account, accounts, "root.accounts"),
        (
            "forged: a name inside the history",
            slot,
            good.follow(account + 24),
            account + 24,
            "root.accounts.name",
        ),
        ("forged: another page of the history", slot + 2048, account, account + 16, "root.accounts.next"),
    ] {
        let mut forged = good.clone();
        let count = if like == account { 1 } else { 8 };
        forged.0[at..at + 32].fill(0);
        forged.forge(at, count, like).set(link, at.wrapping_sub(link) as u64).write(&path);
        let error = refused_to_open::<Bank>(&folder, case, "restore the file from a copy", &path);
        assert_error!(error, Error::Damaged { place, .. } if place == where_ || place == "root.history");
    }
    good.write(&path);
    assert_good(&path);
}

#[test]
fn a_count_that_no_such_object_has_is_refused() {
    let folder = Folder::new();
    let path = folder.join("x");
    let good = bank(&path);
    let account = good.follow(good.root());
    let (name, history) = (good.follow(account + 24), good.follow(good.root() + 32));
    let most = (1 << 48) - 1;
    for (case, at, count, where_) in [
        ("count: two roots", good.root(), 2, "root"),
        ("count: no account", account, 0, "root.accounts"),
        ("count: two accounts", account, 2, "root.accounts"),
        ("count: more text than there is", name, most, "root.accounts.name"),
        ("count: more numbers than there are", history, most, "root.history"),
        ("count: one number more than there is room for", history, good.0.len() as u64 / 8, "root.history"),
    ] {
        let mut damaged = good.clone();
        damaged.forge(at, count, at).write(&path);
        let error = refused_to_open::<Bank>(&folder, case, "restore the file from a copy", &path);
        assert_error!(error, Error::Damaged { place, .. } if place == where_);
    }
}

/// Two objects that lead to each other and that nothing else leads to are free memory; one of them that the
/// root leads to as well is in a circle.
#[test]
fn a_circle_of_owners_is_refused() {
    let folder = Folder::new();
    let path = folder.join("x");
    let good = bank(&path);
    let first = good.follow(good.root());
    let second = good.follow(first + 16);
    let third = good.follow(second + 16);
    let to = |slot: usize, target: usize| target.wrapping_sub(slot) as u64;
    for (case, slot, target, where_) in [
        ("circle: of two", second + 16, first, "root.accounts.next.next"),
        ("circle: of three", third + 16, first, "root.accounts.next ×3"),
        ("circle: not with the first", third + 16, second, "root.accounts.next ×3"),
        ("circle: with the root", first + 16, good.root(), "root.accounts.next"),
        ("circle: into the middle of another", first + 16, second + 16, "root.accounts.next"),
    ] {
        let mut damaged = good.clone();
        damaged.set(slot, to(slot, target)).write(&path);
        let error = refused_to_open::<Bank>(&folder, case, "restore the file from a copy", &path);
        assert_error!(error, Error::Damaged { place, offset, .. } if place == where_ && offset == slot as u64);
    }
}

#[test]
fn the_field_that_is_no_value_of_its_type_is_named() {
    #[derive(Persistent, Clone, Copy)]
    #[repr(u64)]
    enum Colour {
        Red = 1,
    }
    #[derive(Persistent)]
    #[repr(C)]
    struct Paint {
        litres: u64,
        colour: Colour,
    }
    #[derive(Persistent)]
    #[repr(C)]
    struct Shelf {
        paints: Link<[Paint]>,
        paint: Link<Paint>,
    }
    let folder = Folder::new();
    let path = folder.join("x");
    let root = || Shelf { paints: Link::null(), paint: Link::null() };
    let mut shelf = open_or_create::<Shelf, PageCache>(&path, root).expect("a new region");
    shelf
        .transact(|tx, root| {
            let paint = |litres| Paint { litres, colour: Colour::Red };
            tx.publish(&root.paint, tx.persist(tx.alloc(paint(1))?)?);
            tx.publish(&root.paints, tx.persist(tx.alloc_slice_with(3, |i| paint(i as u64))?)?);
            Ok(())
        })
        .expect("room");
    shelf.close().expect("a good disk");
    let good = Image::read(&path);
    for (case, object, where_) in [
        ("object: a plain field that is no value", good.root() + 8, "root.paint.colour"),
        ("object: an element that is no value", good.root(), "root.paints[0].colour"),
    ] {
        let mut damaged = good.clone();
        damaged.set(good.follow(object) + 8, 9).write(&path);
        let error = refused_to_open::<Shelf>(&folder, case, "restore the file from a copy", &path);
        let at = good.follow(object) + 8;
        assert_error!(error, Error::Damaged { place, offset, .. } if place == where_ && offset == at as u64);
    }
}

#[test]
fn usage_of_an_open_region_finds_what_something_else_changed() {
    let folder = Folder::new();
    let path = folder.join("x");
    let good = bank(&path);
    let region = open::<Bank, PageCache>(&path).expect("good");
    // Another program that ignores the lock, which is what `open` asks the caller to rule out.
    let mut damaged = Image::read(&path);
    damaged.set(good.root() + 16, 2);
    std::os::unix::fs::FileExt::write_all_at(
        &std::fs::File::options().write(true).open(&path).expect("ours"),
        &damaged.0[good.root() + 16..good.root() + 24],
        good.root() as u64 + 16,
    )
    .expect("ours");
    let error = region.usage().expect_err("it reads what is there");
    snapshot::check("object: changed under an open region", &error, folder.path());
    assert_error!(error, Error::Damaged { place, .. } if place == "root.frozen");
}

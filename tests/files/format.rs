//! A region file written by hand, from what the book's chapter "Inside" says, is opened by the crate: so the
//! chapter says enough, and the format has not changed under its version number.
//!
//! Nothing here is the crate's code. The file looks as after a crash: two records are to be replayed, the
//! younger of which publishes a frame of the log and vouches for it.

use indelible::collections::Log;
use indelible::medium::{MemoryFileSystem, PageCache};
use indelible::{Error, Link, Options, Persistent, Region, Result, Word};
use std::path::Path;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

#[derive(Persistent)]
#[repr(C)]
struct Node {
    id: u64,
    name: Link<str>,
    next: Link<Node>,
}

#[derive(Persistent)]
#[repr(C)]
struct Root {
    n: Word<u64>,
    m: Word<i32>,
    list: Link<Node>,
    log: Log,
}

const SCHEMA: &str = "\
0 struct Root: 32 bytes, aligned to 8
  n at 0: Word<u64>
  m at 8: Word<i32>
  list at 16: Link<Node>
  log at 24: Log
1 struct Node: 24 bytes, aligned to 8
  id at 0: u64
  name at 8: Link<str>
  next at 16: Link<Node>
2 struct Log: 8 bytes, aligned to 8
  ring at 0: Link<log::SampledRing>
";
/// The type of a log's memory in it.
const RING: &str = "log::SampledRing";
const ID: u64 = 0x1122_3344_5566_7788;
const JOURNAL_WORDS: usize = 4;
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
const LOW_48: u64 = (1 << 48) - 1;

fn mix(mut z: u64) -> u64 {
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

fn name(text: &str) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    mix(text.bytes().fold(0xcbf2_9ce4_8422_2325, step))
}

fn fold(l: u64, r: u64) -> u64 {
    mix(l.wrapping_mul(GOLDEN) ^ r.rotate_left(23))
}

/// The fingerprint of a struct without generic arguments.
fn fingerprint(of: &str, size: u64, align: u64, fields: &[(&str, u64, u64)]) -> u64 {
    let field =
        |hash, &(field, at, of): &(&str, u64, u64)| fold(fold(fold(hash, name(field)), at), of & LOW_48);
    fields.iter().fold(fold(fold(name(of), size), align), field) & LOW_48
}

fn seeded(seed: u64, word: u64) -> u64 {
    (seed ^ word).wrapping_mul(GOLDEN).rotate_left(29)
}

/// A frame of a log: its position, the number of its first record, its epoch, its kind and its body.
type Frame<'a> = (u64, u64, u64, u64, &'a [u8]);

struct File {
    bytes: Vec<u8>,
}

impl File {
    fn word(&mut self, at: usize, value: u64) {
        self.bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
    }

    fn words(&mut self, at: usize, values: &[u64]) {
        values.iter().enumerate().for_each(|(index, &value)| self.word(at + 8 * index, value));
    }

    fn link(&mut self, at: usize, to: usize) {
        self.word(at, to.wrapping_sub(at) as u64);
    }

    /// The header of the object at `at`.
    fn header(&mut self, at: usize, count: u64, fingerprint: u64) {
        let fingerprint = fingerprint & LOW_48;
        let crc = crc32c::crc32c([at as u64, count, fingerprint].map(u64::to_le_bytes).as_flattened());
        self.words(at - 16, &[count | fingerprint << 48, fingerprint >> 16 | u64::from(crc) << 32]);
    }

    /// `content`: the extents that it vouches for, each as where it begins and its bytes.
    fn record(&mut self, slot: usize, number: u64, entries: &[(usize, u64)], content: &[(usize, usize)]) {
        let bytes = |words: &[u64]| -> Vec<u8> { words.iter().flat_map(|word| word.to_le_bytes()).collect() };
        let mut words: Vec<u64> = entries.iter().flat_map(|&(at, value)| [at as u64, value]).collect();
        let mut checksum = xxh3_64_with_seed(&bytes(&words), ID ^ number.wrapping_mul(GOLDEN));
        if !content.is_empty() {
            let hash = content.iter().map(|&(at, len)| {
                let first = u64::from_le_bytes(self.bytes[at..at + 8].try_into().unwrap());
                [at as u64, first, xxh3_64(&self.bytes[at + 8..at + len])].into_iter().fold(ID, seeded)
            });
            let mut vouched = vec![hash.fold(0, u64::wrapping_add)];
            vouched.extend(content.iter().map(|&(at, len)| at as u64 | (len as u64) << 40));
            checksum = xxh3_64_with_seed(&bytes(&vouched), checksum);
            words.extend(vouched);
        }
        self.words(slot, &[number, entries.len() as u64 | (content.len() as u64) << 32, checksum]);
        self.words(slot + 24, &words);
    }

    /// A frame without its checksum; answers where that goes, and what it is.
    fn frame(&mut self, ring: usize, (position, number, epoch, kind, body): Frame) -> (usize, u64) {
        let at = ring + 128 + (position % ROOM) as usize;
        let meta = body.len() as u64 | epoch << 32 | kind << 62;
        self.word(at + 8, meta);
        self.bytes[at + 16..at + 16 + body.len()].copy_from_slice(body);
        let seed = [ring as u64, position, number, meta].into_iter().fold(ID, seeded);
        (at, xxh3_64_with_seed(body, seed))
    }
}

/// Of the log's frames: 384 bytes are the ring, in a slot of 448.
const ROOM: u64 = 384 - 128;

/// Version 1 had records without content.
fn file(ring_type: &str, version: u64) -> Vec<u8> {
    let mut file = File { bytes: vec![0; 1 << 17] };
    let schema = SCHEMA.replace(RING, ring_type);
    let len = schema.len();
    let ret = (4096 + len).next_multiple_of(64);
    let slots = [ret + 64, ret + 64 + (24 + 16 * JOURNAL_WORDS).next_multiple_of(64)];
    let root = (slots[1] + (slots[1] - slots[0]) + 16).next_multiple_of(64);
    let heap = (root + 32).next_multiple_of(4096);

    file.bytes[..8].copy_from_slice(b"indelibl");
    file.words(8, &[version, ID, len as u64, xxh3_64(schema.as_bytes()), JOURNAL_WORDS as u64, 32, 8]);
    let checksum = xxh3_64(&file.bytes[8..64]);
    file.word(64, checksum);
    file.word(1024, 1);
    file.bytes[4096..4096 + len].copy_from_slice(schema.as_bytes());

    let link = |id| fold(name("Link"), id);
    let word = |of| fold(name("Word"), name(of) & LOW_48);
    let log = fingerprint("Log", 8, 8, &[("ring", 0, link(name(ring_type)))]);
    let fields = [("id", 0, name("u64")), ("name", 8, link(name("str"))), ("next", 16, link(name("Node")))];
    let node = fingerprint("Node", 24, 8, &fields);
    let fields =
        [("n", 0, word("u64")), ("m", 8, word("i32")), ("list", 16, link(name("Node"))), ("log", 24, log)];
    file.header(root, 1, fingerprint("Root", 32, 8, &fields));

    // A node is 24 bytes in a slot of 64, a name of up to 16 bytes lies in one of 32. Each size has its page.
    let nodes = [heap + 16, heap + 64 + 16];
    let names = [heap + 4096 + 16, heap + 4096 + 32 + 16];
    for (index, text) in ["one", "two"].into_iter().enumerate() {
        file.header(nodes[index], 1, node);
        file.word(nodes[index], index as u64 + 1);
        file.header(names[index], text.len() as u64, name("str"));
        file.bytes[names[index]..names[index] + text.len()].copy_from_slice(text.as_bytes());
        file.link(nodes[index] + 8, names[index]);
    }
    file.link(root + 16, nodes[0]);
    file.link(nodes[0] + 16, nodes[1]);

    // The first frame ends with the ring. The log was truncated behind it, for the second time, and its
    // only record does not count any more.
    let ring = heap + 2 * 4096 + 448 + 64; // in the second slot of its page
    file.link(root + 24, ring);
    file.header(ring, 384 / 8, name(ring_type));
    let head = 3 * ROOM + 224;
    file.words(ring, &[head, 6, 7, 2, head + 32]);
    let batch = b"\x05\0\0\0seven\0\0\0\0\0\0\0\x05\0\0\0eight\0\0\0";
    for frame in [(head, 6, 1, 0, b"six".as_slice()), (head + 32, 7, 2, 1, batch)] {
        let (at, checksum) = file.frame(ring, frame);
        file.word(at, checksum);
    }
    let frame = file.frame(ring, (head + 80, 10, 2, 0, b"ten"));

    file.word(ret, 8);
    file.record(slots[1], 9, &[(root, 6), (root + 8, 1)], &[]);
    // The frame without its checksum: its second word and three bytes.
    let content: &[_] = if version == 1 { &[] } else { &[(frame.0 + 8, 11)] };
    file.record(slots[0], 10, &[(root, 7), (root + 8, u64::from(-4_i32 as u32)), frame], content);
    file.bytes
}

/// What a region holds after it was opened twice, the second time without a crash.
#[track_caller]
fn opened_twice(path: &Path) -> (u64, i32, Vec<(u64, Vec<u8>)>) {
    let options = Options::new().allow_memory_file_system(MemoryFileSystem::Tmpfs);
    let found = [true, false].map(|recovered| {
        // SAFETY: the file is in a folder of this test's own.
        let region: Region<Root, PageCache> = unsafe { options.open(path) }.unwrap();
        assert_eq!(region.was_recovered(), recovered);
        let root = region.root();
        let nodes = std::iter::successors(root.list.get(), |node| node.next.get());
        let nodes: Vec<_> = nodes.map(|node| (node.id, node.name.get().unwrap())).collect();
        assert_eq!(nodes, [(1, "one"), (2, "two")]);
        assert_eq!(region.usage().unwrap().objects, 6);
        let records = root.log.iter().map(|(number, record)| (number, record.to_vec())).collect();
        (root.n.get(), root.m.get(), records)
    });
    assert_eq!(found[0], found[1]);
    let [found, _] = found;
    found
}

fn records(last: bool) -> Vec<(u64, Vec<u8>)> {
    let mut records = vec![(7, b"seven".to_vec()), (8, Vec::new()), (9, b"eight".to_vec())];
    records.extend(last.then(|| (10, b"ten".to_vec())));
    records
}

#[test]
fn a_file_that_is_written_by_the_book_is_a_region() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("region");
    std::fs::write(&path, file(RING, 2)).unwrap();
    assert_eq!(opened_twice(&path), (7, -4, records(true)));
}

/// A record whose content a crash took is no record: the younger of two, which needs no witness.
#[test]
fn a_record_without_its_content_does_not_count() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("region");
    let whole = file(RING, 2);
    let at = whole.windows(3).position(|bytes| bytes == b"ten").unwrap();
    for lost in [at, at + 1, at + 2, at - 8] {
        let mut bytes = whole.clone();
        bytes[lost] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(opened_twice(&path), (6, 1, records(false)), "without byte {lost:#x}");
    }
}

/// Also where a power failure kept the new version and not its checksum. The other way round it can't be.
#[test]
fn a_file_of_the_version_before_is_raised() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("region");
    let (old, new) = (file(RING, 1), file(RING, 2));
    for (version, checksum, good) in [(&old, &old, true), (&new, &old, true), (&old, &new, false)] {
        let mut bytes = old.clone();
        bytes[8..16].copy_from_slice(&version[8..16]);
        bytes[64..72].copy_from_slice(&checksum[64..72]);
        std::fs::write(&path, bytes).unwrap();
        if !good {
            let options = Options::new().allow_memory_file_system(MemoryFileSystem::Tmpfs);
            // SAFETY: as above.
            let opened: Result<Region<Root, PageCache>> = unsafe { options.open(&path) };
            assert!(matches!(opened.map(drop), Err(Error::Damaged { .. })));
            continue;
        }
        assert_eq!(opened_twice(&path), (7, -4, records(true)));
        let bytes = std::fs::read(&path).unwrap();
        assert!(bytes[..72] == new[..72], "the header is that of version 2");
    }
}

/// Nothing says what an extent of free memory means, so that such a record was never written.
#[test]
fn a_record_that_vouches_for_what_is_not_in_the_heap_is_damage() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("region");
    let whole = file(RING, 2);
    for (at, len) in [(8, 16), (1 << 17, 16), ((1 << 17) - 8, 16)] {
        let mut file = File { bytes: whole.clone() };
        let slot = file.bytes.windows(8).rposition(|word| word == 10_u64.to_le_bytes()).unwrap();
        let slot = if slot % 64 == 0 { slot } else { panic!("the record's number begins a line") };
        file.bytes.resize((1 << 17) + 64, 0);
        file.record(slot, 10, &[(4096, 1)], &[(at, len)]);
        file.bytes.truncate(1 << 17);
        std::fs::write(&path, &file.bytes).unwrap();
        let options = Options::new().allow_memory_file_system(MemoryFileSystem::Tmpfs);
        // SAFETY: as above.
        let opened: Result<Region<Root, PageCache>> = unsafe { options.open(&path) };
        let error = opened.map(drop).unwrap_err();
        assert!(
            matches!(error, Error::Damaged { .. }) && error.to_string().contains("vouches for"),
            "{error}"
        );
        assert!(std::fs::read(&path).unwrap() == file.bytes, "nothing was changed");
    }
}

/// The memory of a log had no samples once. Read as what it is now, it would end a little earlier, and so would the log.
#[test]
fn a_log_whose_memory_has_no_samples_is_another_type() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("region");
    let bytes = file("log::Ring", 2);
    std::fs::write(&path, &bytes).unwrap();
    let options = Options::new().allow_memory_file_system(MemoryFileSystem::Tmpfs);
    // SAFETY: as above.
    let opened: Result<Region<Root, PageCache>> = unsafe { options.open(&path) };
    let error = opened.map(drop).unwrap_err();
    assert!(matches!(error, Error::SchemaMismatch { .. }), "{error}");
    assert!(std::fs::read(&path).unwrap() == bytes, "nothing was changed");
}

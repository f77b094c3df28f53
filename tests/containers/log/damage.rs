//! A damaged ring: each byte of it is changed in turn, and the region opened for real.
//!
//! - A frame's checksum, its second word, and its records: the log ends before that frame. Nothing says so, unless
//!   a word of the header says that more was there: that is [`Error::Damaged`].
//! - The words of the header: such an error, or records that were there, each under its own number.
//! - What no frame covers: nothing.
//!
//! No outcome is a panic, nothing is found that was not appended, and what is appended then is found later.

use indelible::collections::Log;
use indelible::medium::{MemoryFileSystem, PageCache, Snapshot};
use indelible::{Error, Options, Persistent, Region, Result};
use indelible_test_support::folder;
use indelible_test_support::image::{self, Image};
use std::collections::BTreeMap;
use std::path::Path;
use xxhash_rust::xxh3::xxh3_64_with_seed;

#[derive(Persistent, Default)]
#[repr(C)]
struct Root {
    log: Log,
    other: Log,
}

const LEN: u64 = 44 << 10;

/// Bytes of a ring before its frames.
const HEADER: usize = 128;

fn options() -> Options {
    Options::new().journal_words(8).max_len(1 << 20).allow_memory_file_system(MemoryFileSystem::Tmpfs)
}

fn create(path: &Path, capacity: u64) -> Region<Root, PageCache> {
    // SAFETY: the file is the test's own.
    let mut region: Region<Root, PageCache> =
        unsafe { options().create(path, LEN, Root::default()) }.expect("room");
    region.transact(|tx, root| root.log.create(tx, capacity)).expect("room");
    region
}

fn open(path: &Path) -> Result<Region<Root, PageCache>> {
    // SAFETY: as above.
    unsafe { options().open(path) }
}

fn look(path: &Path) -> Result<Region<Root, Snapshot>> {
    // SAFETY: as above.
    unsafe { options().open(path) }
}

fn records(log: &Log) -> BTreeMap<u64, Vec<u8>> {
    let records: BTreeMap<_, _> = log.iter().map(|(seq, record)| (seq, record.to_vec())).collect();
    assert_eq!(records.len() as u64, log.len());
    records
}

/// A frame as the test knows it.
struct Frame {
    /// Where it is in the ring, from the first frame's place on, and how many of its bytes count.
    at: usize,
    len: usize,
    /// Number of its first record, or of the next if it is a skip.
    first: u64,
}

/// What a test starts from: a closed region, and what is in it.
struct Before {
    image: Image,
    /// Offset of the ring, and its length with its header.
    ring: usize,
    len: usize,
    records: BTreeMap<u64, Vec<u8>>,
    frames: Vec<Frame>,
}

impl Before {
    fn new(path: &Path, region: Region<Root, PageCache>, frames: Vec<Frame>) -> Self {
        let (records, capacity) = (records(&region.root().log), region.root().log.capacity());
        region.close().expect("a good disk");
        let image = Image::read(path);
        let ring = image.follow(image.root());
        Before { image, ring, len: HEADER + capacity as usize, records, frames }
    }

    /// The records before this number.
    fn up_to(&self, seq: u64) -> BTreeMap<u64, Vec<u8>> {
        self.records.range(..seq).map(|(&seq, record)| (seq, record.clone())).collect()
    }

    /// What a log with a damaged byte there must hold, if that is known beforehand.
    fn expected(&self, byte: usize) -> Option<BTreeMap<u64, Vec<u8>>> {
        let Some(place) = byte.checked_sub(HEADER) else {
            // Of the header, TAIL and NEXT and what follows are not believed.
            return (byte >= 40).then(|| self.records.clone());
        };
        let hit = self.frames.iter().find(|frame| (frame.at..frame.at + frame.len).contains(&place));
        Some(hit.map_or_else(|| self.records.clone(), |frame| self.up_to(frame.first)))
    }
}

/// Changes each byte of the ring by each of these patterns; how often the log ended early, and how often the
/// region was refused. A word of the header says that the record `must_have` was there, or one after it.
fn flip_every_byte(folder: &Path, before: &Before, must_have: Option<u64>) -> (usize, usize) {
    let (path, mut short, mut refused) = (folder.join("damaged"), 0, 0);
    for byte in 0..before.len {
        for pattern in [0x01, 0x80, 0xff] {
            let mut damaged = before.image.clone();
            damaged.0[before.ring + byte] ^= pattern;
            damaged.write(&path);
            let expected = before.expected(byte);
            let last = |records: &BTreeMap<_, _>| records.keys().next_back().copied();
            let lost = expected.as_ref().is_some_and(|records| last(records) < must_have);
            match look(&path) {
                Ok(region) => {
                    let found = records(&region.root().log);
                    if let Some(expected) = expected {
                        assert_eq!(found, expected, "byte {byte} ^ {pattern:#x}");
                        assert!(!lost, "byte {byte} ^ {pattern:#x}: a word says that more was there");
                    }
                    for (seq, record) in &found {
                        assert_eq!(before.records.get(seq), Some(record), "byte {byte} ^ {pattern:#x}");
                    }
                    drop(region);
                    go_on(&path, &found, byte);
                    short += usize::from(found.len() < before.records.len());
                }
                Err(Error::Damaged { place, .. }) => {
                    assert!(byte < 40 || lost, "byte {byte} ^ {pattern:#x}");
                    assert!(place.starts_with("root.log"), "{place}");
                    assert!(matches!(open(&path), Err(Error::Damaged { .. })));
                    refused += 1;
                }
                Err(error) => panic!("byte {byte} ^ {pattern:#x}: {error}"),
            }
            assert_eq!(Image::read(&path).0.len(), before.image.0.len());
        }
    }
    (short, refused)
}

/// A writer finds the same, appends behind it, and that is found after another open.
fn go_on(path: &Path, found: &BTreeMap<u64, Vec<u8>>, byte: usize) {
    let mut region = open(path).expect("it could be read");
    assert_eq!(&records(&region.root().log), found);
    // The next in the place of one that was damaged, with its bytes too.
    let mut expected = found.clone();
    for record in [&b"one more"[..], b"and another"] {
        match region.transact(|tx, root| root.log.append(tx, record)) {
            Ok(seq) => assert!(expected.insert(seq, record.to_vec()).is_none(), "byte {byte}"),
            Err(Error::LogFull { .. }) => {}
            Err(error) => panic!("byte {byte}: {error}"),
        }
    }
    assert_eq!(records(&region.root().log), expected);
    drop(region);
    assert_eq!(records(&open(path).expect("what was there, and more").root().log), expected);
}

fn append(region: &mut Region<Root, PageCache>, frames: &mut Vec<Frame>, at: usize, lens: &[usize]) -> usize {
    let first = region.root().log.next_seq();
    let batch: Vec<Vec<u8>> = lens.iter().map(|&len| vec![first as u8 + 0x40; len]).collect();
    region.transact(|tx, root| root.log.append_all(tx, batch.iter().map(Vec::as_slice))).expect("room");
    let body = match lens {
        [len] => *len,
        // A record's padding is covered too, as part of the body.
        _ => lens.iter().map(|len| 4 + len.next_multiple_of(4)).sum(),
    };
    frames.push(Frame { at, len: 16 + body, first });
    at + 16 + body.next_multiple_of(16)
}

#[test]
fn the_log_ends_before_a_damaged_frame() {
    let folder = folder::in_memory();
    let path = folder.path().join("log");
    let mut region = create(&path, 320);
    let (mut frames, mut at) = (Vec::new(), 0);
    for lens in [&[5][..], &[20], &[3, 0, 9], &[0], &[33]] {
        at = append(&mut region, &mut frames, at, lens);
    }
    let before = Before::new(&path, region, frames);
    assert_eq!(before.records.len(), 7);
    let (short, refused) = flip_every_byte(folder.path(), &before, None);
    println!("{} bytes, 3 patterns: the log is shorter {short} times, refused {refused} times", before.len);
    assert!(short > 300 && refused > 0);
}

/// Records that reach over the end of the ring, the first of them truncated in the middle of a batch.
#[test]
fn a_damaged_log_behind_a_skip_and_a_truncated_front() {
    let folder = folder::in_memory();
    let path = folder.path().join("log");
    let mut region = create(&path, 192);
    let (mut frames, mut at) = (Vec::new(), 0);
    for lens in [&[24][..], &[24], &[4, 4, 4], &[4]] {
        at = append(&mut region, &mut frames, at, lens);
    }
    // The batch stays, without its first record: 4 and 5 are left of it, and 6.
    region
        .transact(|tx, root| {
            root.log.truncate_front(tx, 4);
            Ok(())
        })
        .expect("committed");
    frames.drain(..2);
    assert_eq!(at, 176);
    // 48 bytes don't fit behind it: a skip of 16, and the frame at the start.
    frames.push(Frame { at, len: 16, first: region.root().log.next_seq() });
    append(&mut region, &mut frames, 0, &[20]);
    let before = Before::new(&path, region, frames);
    assert_eq!(before.records.keys().copied().collect::<Vec<_>>(), [4, 5, 6, 7]);
    // `FIRST` says that 4 was there, so that the batch can't be missing.
    let (short, refused) = flip_every_byte(folder.path(), &before, Some(4));
    println!("{} bytes, 3 patterns: the log is shorter {short} times, refused {refused} times", before.len);
    assert!(short > 100 && refused > 100);
}

/// What the last truncation of the back left was durable then, and so it must be there.
#[test]
fn a_log_that_is_damaged_before_its_cut_is_refused() {
    let folder = folder::in_memory();
    let path = folder.path().join("log");
    let mut region = create(&path, 320);
    let (mut frames, mut at) = (Vec::new(), 0);
    for lens in [&[24][..], &[24], &[24]] {
        at = append(&mut region, &mut frames, at, lens);
    }
    region.transact(|tx, root| root.log.truncate_back(tx, 3)).expect("committed");
    frames.pop();
    let at = at - 48;
    append(&mut region, &mut frames, at, &[7]);
    let before = Before::new(&path, region, frames);
    assert_eq!(before.records.len(), 3);
    let (short, refused) = flip_every_byte(folder.path(), &before, Some(2));
    println!("{} bytes, 3 patterns: the log is shorter {short} times, refused {refused} times", before.len);
    assert!(short > 20 && refused > 200);
}

/// The words of a ring's header.
const HEAD: usize = 0;
const HEAD_SEQ: usize = 8;
const FIRST: usize = 16;
const CUT: usize = 32;

/// A frame's checksum, written from the format's description.
fn checksum(image: &Image, ring: usize, position: u64, sequence: u64, meta: u64, body: &[u8]) -> u64 {
    let parts = [ring as u64, position, sequence, meta];
    let seed = parts.iter().fold(image.word(image::REGION_ID), |seed, part| {
        (seed ^ part).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
    });
    xxh3_64_with_seed(body, seed)
}

/// Opens a region with a frame of this kind at the ring's start, the first one.
fn forge(
    before: &Image,
    folder: &Path,
    kind: u64,
    epoch: u64,
    len: u64,
    body: &[u8],
) -> Result<Region<Root, Snapshot>> {
    let (mut image, path) = (before.clone(), folder.join("forged"));
    let ring = image.follow(image.root());
    let meta = len | epoch << 32 | kind << 62;
    let covered = &body[..(len as usize).min(body.len()) * usize::from(kind < 2)];
    let sum = checksum(&image, ring, 0, 1, meta, covered);
    image.set(ring + HEADER, sum).set(ring + HEADER + 8, meta);
    image.0[ring + HEADER + 16..][..body.len()].copy_from_slice(body);
    image.write(&path);
    look(&path)
}

/// What the log holds then.
fn forged(
    before: &Image,
    folder: &Path,
    kind: u64,
    epoch: u64,
    len: u64,
    body: &[u8],
) -> BTreeMap<u64, Vec<u8>> {
    let region = forge(before, folder, kind, epoch, len, body).expect("only a checksum is to be believed");
    let records = records(&region.root().log);
    assert_eq!(region.root().log.used() == 0, records.is_empty(), "a frame without records");
    records
}

/// Their checksums are right, and they are none that an append writes.
#[test]
fn a_frame_that_no_append_writes_does_not_count() {
    const SINGLE: u64 = 0;
    const BATCH: u64 = 1;
    const SKIP: u64 = 2;
    let folder = folder::in_memory();
    let path = folder.path().join("log");
    create(&path, 320).close().expect("a good disk");
    let before = Image::read(&path);
    let forge = |kind, epoch, len, body: &[u8]| forged(&before, folder.path(), kind, epoch, len, body);
    // The test can forge: these are as an append writes them.
    assert_eq!(forge(SINGLE, 0, 3, b"yes"), [(1, b"yes".to_vec())].into());
    let batch = b"\x01\0\0\0a\0\0\0\x02\0\0\0bc\0\0";
    assert_eq!(forge(BATCH, 0, 16, batch), [(1, b"a".to_vec()), (2, b"bc".to_vec())].into());
    for (what, kind, epoch, len, body) in [
        ("another kind", 3, 0, 3, &b"yes"[..]),
        ("a later epoch", SINGLE, 1, 3, b"yes"),
        ("an empty batch", BATCH, 0, 0, b""),
        ("a batch whose record is longer than it", BATCH, 0, 8, b"\x05\0\0\0abcd"),
        ("a batch whose record is far longer", BATCH, 0, 8, b"\xff\xff\xff\xffabcd"),
        ("a batch without its last padding", BATCH, 0, 6, b"\x01\0\0\0ab"),
        ("a batch that ends in a length", BATCH, 0, 10, b"\x01\0\0\0a\0\0\0\x01\0"),
        ("a record longer than the ring", SINGLE, 0, 305, b"yes"),
        ("a record of 4 GiB", SINGLE, 0, 0xffff_ffff, b"yes"),
        ("a skip to itself", SKIP, 0, 0, b""),
        ("a skip into the middle of a frame's header", SKIP, 0, 1, b""),
        ("a skip out of the ring", SKIP, 0, 42, b""),
    ] {
        assert_eq!(forge(kind, epoch, len, body), BTreeMap::new(), "{what}");
    }
}

/// What was truncated and appended anew is of the new epoch, and lies behind the cut.
#[test]
fn a_frame_before_the_cut_is_of_no_later_epoch() {
    let folder = folder::in_memory();
    let path = folder.path().join("log");
    create(&path, 320).close().expect("a good disk");
    let mut before = Image::read(&path);
    let ring = before.follow(before.root());
    before.set(ring + CUT, 32);
    assert_eq!(forged(&before, folder.path(), 0, 0, 3, b"yes"), [(1, b"yes".to_vec())].into());
    // Without it no record is left up to the cut.
    let refused = forge(&before, folder.path(), 0, 1, 3, b"yes");
    assert!(matches!(refused, Err(Error::Damaged { .. })), "{refused:?}");
}

/// Half of a frame that a power failure left is never completed by the next one: open takes its checksum away, also
/// where there is room for nothing but a frame's header.
#[test]
fn what_does_not_count_where_the_next_frame_goes_is_destroyed() {
    let folder = folder::in_memory();
    let path = folder.path().join("log");
    // Bytes of the only frame, and of all: what is left is a header, two, or nothing.
    for (record, len) in [(32, 48), (16, 32), (48, 64)] {
        std::fs::remove_file(&path).ok();
        let mut region = create(&path, 64);
        region.transact(|tx, root| root.log.append(tx, &vec![7; record])).expect("room");
        region.close().expect("a good disk");
        let mut image = Image::read(&path);
        let ring = image.follow(image.root());
        let places = [len, 64].map(|place| ring + HEADER + place);
        places.iter().for_each(|&place| _ = image.set(place, 0xdead));
        image.write(&path);
        let region = open(&path).expect("a good region");
        assert_eq!(region.root().log.len(), 1);
        region.close().expect("a good disk");
        let destroyed = places.map(|place| Image::read(&path).word(place) == 0);
        assert_eq!(destroyed, [len < 64, false], "{record} bytes; what lies behind the ring is not its own");
    }
}

/// Their checksums are right, but no append gives a record a number that none has after it.
#[test]
fn records_past_the_last_number_are_refused() {
    const LAST: u64 = (1 << 62) - 1;
    let folder = folder::in_memory();
    let path = folder.path().join("log");
    create(&path, 320).close().expect("a good disk");
    let before = Image::read(&path);
    let ring = before.follow(before.root());
    for (number, len) in [(LAST, Some(1)), (LAST + 1, None)] {
        let mut image = before.clone();
        image.set(ring + HEAD_SEQ, number).set(ring + FIRST, number);
        let sum = checksum(&image, ring, 0, number, 0, b"");
        image.set(ring + HEADER, sum).set(ring + HEADER + 8, 0).write(&path);
        match look(&path) {
            Ok(region) => assert_eq!(Some(region.root().log.len()), len),
            Err(Error::Damaged { .. }) => assert_eq!(len, None),
            Err(other) => panic!("{other}"),
        }
    }
}

#[test]
fn a_frame_of_another_place_does_not_count() {
    let folder = folder::in_memory();
    let (path, second) = (folder.path().join("log"), folder.path().join("second"));
    let mut region = create(&path, 192);
    region.transact(|tx, root| root.other.create(tx, 192)).expect("room");
    region.transact(|tx, root| root.log.append(tx, b"a record")).expect("room");
    region.close().expect("a good disk");
    let image = Image::read(&path);
    let rings = [0, 8].map(|link| image.follow(image.root() + link));
    let frame = |ring: usize| ring + HEADER..ring + HEADER + 32;
    let holds = |image: &Image| {
        image.write(&path);
        let region = look(&path).expect("a good region");
        (region.root().log.len(), region.root().other.len())
    };
    assert_eq!(holds(&image), (1, 0));

    let mut other_log = image.clone();
    other_log.0.copy_within(frame(rings[0]), rings[1] + HEADER);
    assert_eq!(holds(&other_log), (1, 0));

    // As it stands in an earlier lap, and as the next record.
    let mut other_lap = image.clone();
    other_lap.set(rings[0] + HEAD, 192);
    assert_eq!(holds(&other_lap), (0, 0));
    let mut other_number = image.clone();
    other_number.set(rings[0] + HEAD_SEQ, 2).set(rings[0] + FIRST, 2);
    assert_eq!(holds(&other_number), (0, 0));

    let mut region = create(&second, 192);
    region.transact(|tx, root| root.other.create(tx, 192)).expect("room");
    region.close().expect("a good disk");
    let mut other_region = Image::read(&second);
    assert_eq!([0, 8].map(|link| other_region.follow(other_region.root() + link)), rings);
    other_region.0[frame(rings[0])].copy_from_slice(&image.0[frame(rings[0])]);
    assert_eq!(holds(&other_region), (0, 0));
}

//! The raw layer: what is written is there, what it costs, and what a crash leaves of it.

use indelible::mapping::{Bytes, Mapping, Part};
use indelible::medium::{MemoryFileSystem, PageCache, Writable};
use indelible::power::{self, History, MappingExplorer, Recorder};
use indelible::state::Persisted;
use indelible::{Error, Options, Result};
use proptest::prelude::*;
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

#[derive(Clone, Copy, Debug)]
enum How {
    Write,
    Copy,
    CopyPersist,
    StreamPersist,
}

fn put<'m, M: Writable>(part: Part<'m, M>, bytes: &[u8], how: How) -> Result<Bytes<'m, Persisted, M>> {
    match how {
        How::Write => {
            let mut written = part.write();
            written.copy_from_slice(bytes);
            written.persist()
        }
        How::Copy => part.copy(bytes).fence(),
        How::CopyPersist => part.copy_persist(bytes),
        How::StreamPersist => part.stream_persist(bytes),
    }
}

fn how() -> impl Strategy<Value = How> {
    prop_oneof![Just(How::Write), Just(How::Copy), Just(How::CopyPersist), Just(How::StreamPersist)]
}

const LEN: usize = 16 << 10;

fn check<M: Writable>(mut mapping: Mapping<M>, writes: &[(usize, usize, u8, How)]) {
    let mut model = vec![0_u8; LEN];
    for &(at, len, value, how) in writes {
        let range = at..(at + len).min(LEN);
        let bytes: Vec<u8> = range.clone().map(|i| value.wrapping_add(i as u8)).collect();
        let part = mapping.part(range.clone()).unwrap();
        assert_eq!((part.range(), &part[..]), (range.clone(), &model[range.clone()]));
        let durable = put(part, &bytes, how).unwrap();
        assert_eq!((durable.range(), &durable[..]), (range.clone(), &bytes[..]));
        model[range].copy_from_slice(&bytes);
        assert!(mapping.bytes() == model, "{how:?} of {len} bytes at {at}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn every_way_to_write_is_a_copy(
        writes in prop::collection::vec((0..LEN, 0usize..5000, any::<u8>(), how()), 1..12)
    ) {
        check(Mapping::new(LEN as u64).unwrap(), &writes);
        check(power::mapping(LEN as u64).unwrap(), &writes);
    }

    /// One crash: every unit of what was made durable has one value only, whatever its place and length.
    #[test]
    fn what_is_persisted_survives_whatever_its_alignment(at in 0usize..700, len in 0usize..700, how in how()) {
        let bytes: Vec<u8> = (0..len).map(|i| i as u8 | 1).collect();
        let expected = bytes.clone();
        let explorer = MappingExplorer::new(
            4096,
            |_| Ok(()),
            move |mapping, log| {
                log.begin(());
                let part = mapping.part(at..at + len)?;
                let _durable = put(part, &bytes, how)?;
                log.acknowledge();
                Ok(())
            },
            move |mapping, history: &History<()>| {
                if !history.acknowledged().is_empty() {
                    assert_eq!(mapping.bytes()[at..at + len], expected);
                }
            },
        );
        // Before the fence there are more images than can be tried; after it there is one.
        let report = explorer.max_images(32).depth(1).run().assert();
        let last = report.sizes().last();
        prop_assert!(last.is_some_and(|size| size.undurable == 0 && size.tried == 1), "{report}");
    }
}

/// Fences and flushed lines.
fn cost(work: impl FnOnce(&mut Mapping<Recorder>) -> Result<()>) -> (usize, usize) {
    let mut mapping = power::mapping(LEN as u64).unwrap();
    work(&mut mapping).unwrap();
    let trace = mapping.medium().trace();
    (trace.fences(), trace.flushed_lines())
}

#[test]
fn each_way_to_write_costs_one_fence_and_a_flush_for_each_line() {
    let one = |range: Range<usize>, how| {
        cost(move |mapping| {
            let part = mapping.part(range.clone())?;
            put(part, &vec![1; range.len()], how).map(drop)
        })
    };
    for how in [How::Write, How::Copy, How::CopyPersist] {
        assert_eq!(one(0..8, how), (1, 1), "{how:?}");
        assert_eq!(one(60..68, how), (1, 2), "{how:?}");
        assert_eq!(one(1..191, how), (1, 3), "{how:?}");
    }
    // Whole lines are streamed, the ragged edges flushed.
    for how in [How::CopyPersist, How::StreamPersist] {
        assert_eq!(one(64..4096, how), (1, 0), "{how:?}");
        assert_eq!(one(60..4097, how), (1, 2), "{how:?}");
    }
    assert_eq!(one(0..64, How::StreamPersist), (1, 0));
    assert_eq!(cost(|mapping| mapping.part(0..8).map(|word| drop(word.store(1)))), (0, 1));
}

#[test]
fn parts_of_one_mapping_share_a_fence() {
    let costs = cost(|mapping| {
        let [a, b, c, d] = mapping.parts([0..8, 64..200, 256..264, 320..328])?;
        let mut b = b.write();
        b.fill(7);
        let (_, [_, _], _) = Mapping::fence((a.store(1), [b.flush(), c.copy(&[1; 8])], vec![d.store(2)]))?;
        Ok(())
    });
    assert_eq!(costs, (1, 1 + 3 + 1 + 1));
    assert_eq!(
        cost(|_| Mapping::<Recorder>::fence(None::<Bytes<'_, indelible::state::Flushed, _>>).map(drop)),
        (0, 0)
    );
}

/// A fence belongs to the mapping whose bytes it waits for.
#[test]
fn bytes_of_two_mappings_are_fenced_on_both() {
    let [mut a, mut b] = [(); 2].map(|()| power::mapping(4096).unwrap());
    {
        let [x, y] = [a.part(0..8).unwrap(), b.part(0..8).unwrap()];
        let _both = Mapping::fence((x.store(1), y.store(2))).unwrap();
    }
    assert_eq!([&a, &b].map(|mapping| mapping.medium().trace().fences()), [1, 1]);
}

#[test]
fn a_part_can_be_split_and_filled_by_threads() {
    let mut mapping = Mapping::new(4096).unwrap();
    let whole = mapping.part(0..4096).unwrap();
    let (left, right) = whole.split_at(1000);
    std::thread::scope(|scope| {
        let left = scope.spawn(move || left.copy_persist(&[1; 1000]).unwrap());
        let mut right = right.write();
        right.fill(2);
        let right = right.persist().unwrap();
        let left = left.join().unwrap();
        assert_eq!((left.range(), right.range()), (0..1000, 1000..4096));
    });
    assert!(mapping.bytes()[..1000].iter().all(|&byte| byte == 1));
    assert!(mapping.bytes()[1000..].iter().all(|&byte| byte == 2));
}

#[test]
fn broken_rules_panic_and_say_which() {
    type Work = fn(&mut Mapping<indelible::medium::Emulated>);
    let cases: [(&str, Work); 4] = [
        ("stored whole", |mapping| drop(mapping.part(4..12).unwrap().store(1))),
        ("stored whole", |mapping| drop(mapping.part(0..16).unwrap().store(1))),
        ("a part of 8", |mapping| drop(mapping.part(0..8).unwrap().copy(&[0; 9]))),
        ("can't be split", |mapping| drop(mapping.part(0..8).unwrap().split_at(9))),
    ];
    for (words, work) in cases {
        let result = std::panic::catch_unwind(|| work(&mut Mapping::new(4096).unwrap()));
        let message = *result.unwrap_err().downcast::<String>().unwrap();
        assert!(message.contains(words), "{message}");
    }
}

// --- crashes ---

/// Two copies of a state of three words and a word that says which is right: an A/B superblock. `ordered` says
/// whether the copy is fenced before the word is stored.
fn superblock(ordered: bool) -> MappingExplorer<u64> {
    let slot = |n: u64| 64 * (1 + n as usize % 2)..64 * (1 + n as usize % 2) + 24;
    let state = |n: u64| [n, n * 3, n * 7].map(u64::to_le_bytes).concat();
    MappingExplorer::new(
        4096,
        |_| Ok(()),
        move |mapping, log| {
            for n in 1..=3 {
                log.begin(n);
                let [word, copy] = mapping.parts([0..8, slot(n)])?;
                let copy = copy.copy(&state(n));
                match ordered {
                    true => {
                        copy.fence()?;
                        word.store(n).fence()?;
                    }
                    false => {
                        Mapping::fence((copy, word.store(n)))?;
                    }
                }
                log.acknowledge();
            }
            Ok(())
        },
        move |mapping, history: &History<u64>| {
            let bytes = mapping.bytes();
            let n = u64::from_le_bytes(bytes[..8].try_into().unwrap());
            assert!(n >= history.acknowledged().len() as u64, "an acknowledged state is lost");
            assert!(n == 0 || bytes[slot(n)] == state(n), "the state is not whole");
        },
    )
}

#[test]
fn a_superblock_is_whole_in_every_crash_image() {
    for model in [power::Model::Word8, power::Model::X86, power::Model::Eadr] {
        let report = superblock(true).model(model).run().assert();
        println!("{report}");
        assert!(report.is_exhaustive());
    }
    let mutants = superblock(true).mutants();
    println!("{mutants}");
    assert_eq!((mutants.redundant().count(), mutants.noticed().count()), (0, 12));
}

#[test]
fn a_word_that_shares_the_fence_of_what_it_publishes_is_found() {
    let explorer = superblock(false);
    let failure = explorer.run().failure().cloned().expect("a crash image shows it");
    assert_eq!(failure.message(), "the state is not whole");
    assert!(failure.lost_at().iter().all(|line| line.starts_with("tests/api/mapping.rs:")), "{failure}");
    let again = explorer.replay(&failure.seed()).expect("the seed shows it again");
    assert_eq!((again.message(), again.seed()), (failure.message(), failure.seed()));
}

/// A killed process leaves stores that are visible and not durable. Whoever opens the file next may act on them.
#[test]
fn what_a_killed_process_left_visible_is_durable_once_it_is_opened() {
    for at in [0, 4096, 8184] {
        let explorer = MappingExplorer::new(
            8192,
            |_| Ok(()),
            move |mapping, _| {
                let word = mapping.part(at..at + 8)?;
                drop(word.store(1)); // flushed, and killed before the fence
                Ok(())
            },
            move |mapping, _: &History<()>| {
                let (first, second) = (mapping.bytes()[at], mapping.bytes()[64]);
                assert!(second <= first, "the second was derived from the first, which is lost");
                let word = mapping.part(64..72).unwrap();
                word.store(first.into()).fence().map(drop)
            },
        );
        let report = explorer.run().assert();
        assert!(report.is_exhaustive() && report.images() > 4, "{report}");
    }
}

/// Bytes that were written and dropped are stores like others.
#[test]
fn dirty_bytes_that_were_dropped_may_survive() {
    let explorer = MappingExplorer::new(
        4096,
        |_| Ok(()),
        |mapping, _| {
            let bytes = mapping.part(0..8)?;
            bytes.write().fill(1);
            Ok(())
        },
        |mapping, _: &History<()>| assert_eq!(mapping.bytes()[0], 0, "it survived"),
    );
    assert_eq!(
        explorer.run().failure().expect("it may").message().lines().next(),
        Some("assertion `left == right` failed: it survived")
    );
}

// --- files ---

fn options() -> Options {
    Options::new().allow_memory_file_system(MemoryFileSystem::Tmpfs)
}

fn map(path: &Path) -> Result<Mapping<PageCache>> {
    // SAFETY: the test's own file.
    unsafe { options().open_mapping(path) }
}

#[test]
fn a_file_keeps_what_was_persisted_and_has_a_block_for_each_byte() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    // SAFETY: the test's own file.
    let made = unsafe {
        options().create_mapping::<PageCache>(&path, 64 << 10, |mapping| {
            let magic = mapping.part(0..5)?;
            magic.copy_persist(b"magic").map(drop)
        })
    };
    made.unwrap().close().unwrap();
    assert_eq!(path.metadata().unwrap().len(), 64 << 10);
    assert!(path.metadata().unwrap().blocks() * 512 >= 64 << 10);

    let mut mapping = map(&path).unwrap();
    assert_eq!(&mapping.bytes()[..6], b"magic\0");
    let [a, b] = mapping.parts([10..13, 20_000..30_000]).unwrap();
    let _ = Mapping::fence((a.copy(b"abc"), b.copy(&[9; 10_000]))).unwrap();
    mapping.deep_flush().unwrap(); // an fsync here
    drop(mapping);
    let mut found = vec![0; 64 << 10];
    std::fs::File::open(&path).unwrap().read_exact_at(&mut found, 0).unwrap();
    assert_eq!((&found[10..13], &found[20_000..30_000]), (&b"abc"[..], &[9; 10_000][..]));
}

#[test]
fn a_file_with_holes_gets_real_blocks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    std::fs::File::create(&path).unwrap().set_len(1 << 20).unwrap();
    drop(map(&path).unwrap());
    assert!(path.metadata().unwrap().blocks() * 512 >= 1 << 20);
}

#[test]
fn parts_of_two_threads_are_synced_whoever_fences_first() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    // SAFETY: the test's own file.
    let mut mapping = unsafe { options().create_mapping::<PageCache>(&path, 1 << 20, |_| Ok(())) }.unwrap();
    for round in 1..20_u8 {
        let [a, b] = mapping.parts([0..1 << 19, 1 << 19..1 << 20]).unwrap();
        std::thread::scope(|scope| {
            for part in [a, b] {
                scope.spawn(move || part.copy_persist(&vec![round; 1 << 19]).unwrap().len());
            }
        });
        assert!(mapping.bytes().iter().all(|&byte| byte == round));
    }
}

unsafe extern "C" {
    fn mincore(address: *mut std::ffi::c_void, len: usize, pages: *mut u8) -> i32;
}

/// Whether the page that begins with this byte is in memory (mincore(2)).
fn is_in_memory(byte: &u8) -> bool {
    let mut page = 0_u8;
    let address = std::ptr::from_ref(byte).cast_mut().cast();
    // SAFETY: it reads no memory at the address, and writes one byte for one page.
    assert_eq!(unsafe { mincore(address, 4096, &mut page) }, 0);
    page & 1 == 1
}

/// After a write-back that failed, the kernel may take pages for clean that the device does not have. A region says
/// in its bytes 1024 to 1031 whether it was closed; in a raw mapping these are the caller's, whatever they hold.
#[test]
fn a_raw_mapping_is_read_from_the_device_anew_whatever_it_holds() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = folder.path().join("x");
    for byte in [0, 1] {
        let file = std::fs::File::create(&path).unwrap();
        file.write_all_at(&[byte; 64 << 10], 0).unwrap();
        file.sync_all().unwrap();
        let kind = rustix::fs::fstatfs(&file).unwrap().f_type as u64;
        if kind == 0x0102_1994 {
            return eprintln!("not run: a tmpfs has no device");
        }
        std::fs::read(&path).unwrap();
        let mapping = map(&path).unwrap();
        let found = (0..64 << 10).step_by(4096).filter(|&at| is_in_memory(&mapping.bytes()[at])).count();
        assert_eq!(found, 0, "of 16 pages, where all bytes are {byte}");
    }
}

#[test]
fn a_missing_file_is_not_made_by_open() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(map(&folder.path().join("x")), Err(Error::NotFound { .. })));
}

//! Raw mappings that are exchanged, and parts at the ends of what there is.

use super::*;
use indelible::mapping::Mapping;
use std::path::Path;

const LEN: u64 = 1 << 16;

fn create(
    path: &Path,
    first: impl FnOnce(&mut Mapping<PageCache>) -> Result<()>,
) -> Result<Mapping<PageCache>> {
    let options = Options::new().allow_memory_file_system(MemoryFileSystem::Tmpfs);
    // SAFETY: the file is in a folder of the test's own.
    unsafe { options.create_mapping(path, LEN, first) }
}

/// What is given to `first` must be what gets the name.
#[test]
fn a_mapping_that_is_exchanged_while_it_is_made_gets_no_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let (other, path) = (folder.path().join("other"), folder.path().join("new"));
    let named = create(&other, |_| Ok(())).expect("room");
    let (message, _) = panics(|| {
        create(&path, |mapping| {
            *mapping = named;
            Ok(())
        })
    });
    assert!(message.contains("exchanged"), "{message}");
    let names: Vec<_> = std::fs::read_dir(folder.path()).expect("a folder").collect();
    assert_eq!(names.len(), 1, "{names:?}");

    // With another that has no name either: two files that are made at once.
    let (a, b) = (folder.path().join("a"), folder.path().join("b"));
    panics(|| {
        create(&a, |outer| {
            create(&b, |inner| {
                std::mem::swap(outer, inner);
                Ok(())
            })
            .map(drop)
        })
    });
    assert!(!a.exists() && !b.exists());
}

#[test]
fn parts_of_nothing_and_at_the_ends_are_parts_like_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut mapping = create(&folder.path().join("file"), |_| Ok(())).expect("room");
    let len = mapping.len();
    let [a, b, c, d, e] = mapping.parts([0..0, len..len, 0..len / 2, len / 2..len, 7..7]).expect("disjoint");
    let all =
        [a.copy(&[]), b.copy(&[]), c.copy(&vec![1; len / 2]), d.copy(&vec![2; len / 2]), e.write().flush()];
    let all = Mapping::fence(all).expect("durable");
    assert_eq!(all.iter().map(|bytes| bytes.len()).sum::<usize>(), len);
    let part = mapping.part(len..len).expect("inside").copy_persist(&[]).expect("durable");
    assert_eq!(part.range(), len..len);
    #[expect(clippy::reversed_empty_ranges, reason = "that is the attack")]
    for range in [len..len + 1, 0..usize::MAX, usize::MAX..usize::MAX, 8..0, usize::MAX..0] {
        assert!(matches!(mapping.part(range.clone()), Err(Error::PartOutside { .. })), "{range:?}");
    }
    let [a, b] = mapping.parts([0..0, 0..8]).expect("disjoint");
    let (first, rest) = b.split_at(0);
    let (rest, last) = rest.split_at(8);
    assert!(a.is_empty() && first.is_empty() && last.is_empty());
    rest.store(u64::MAX).fence().expect("durable");
}

/// Each mapping's bytes are fenced on their own mapping, in whatever order they are given.
#[test]
fn bytes_of_swapped_mappings_are_fenced_where_they_lie() {
    let (mut a, mut b) = (Mapping::new(4096).expect("memory"), Mapping::new(4096).expect("memory"));
    std::mem::swap(&mut a, &mut b);
    let [one, two] = a.parts([0..8, 8..16]).expect("disjoint");
    let three = b.part(0..8).expect("inside");
    let done = Mapping::fence((one.store(1), three.store(3), two.store(2))).expect("durable");
    assert_eq!((done.0[0], done.1[0], done.2[0]), (1, 3, 2));
}

//! Sizes and layouts.

use super::*;

#[derive(Persistent, Clone, Copy, PartialEq, Debug)]
#[repr(C, align(4096))]
struct Nothing {}

#[derive(Persistent, Clone, Copy, PartialEq, Debug)]
#[repr(C, align(64))]
struct Line([u64; 8]);

#[derive(Persistent, Clone, Copy, PartialEq, Debug)]
#[repr(C, align(2048))]
struct Half([u128; 128]);

#[derive(Persistent, Clone, Copy, PartialEq, Debug)]
#[repr(C, align(4096))]
struct Whole([u8; 4096]);

type NoLinks = [Link<Node>; 0];

#[derive(Persistent)]
#[repr(C, align(4096))]
struct Odd {
    nothing: Link<Nothing>,
    unit: Link<()>,
    none: Link<NoLinks>,
    line: Link<[Line]>,
    half: Link<Half>,
    whole: Link<[Whole]>,
    empty: Link<[Whole]>,
    text: Link<str>,
    three: Word<[u8; 3]>,
    void: Word<()>,
    pad: [u64; 502],
}

fn odd() -> Odd {
    Odd {
        nothing: Link::null(),
        unit: Link::null(),
        none: Link::null(),
        line: Link::null(),
        half: Link::null(),
        whole: Link::null(),
        empty: Link::null(),
        text: Link::null(),
        three: Word::new([1, 2, 3]),
        void: Word::new(()),
        pad: [7; 502],
    }
}

fn aligned<T>(at: Option<&T>) -> bool {
    at.is_some_and(|at| std::ptr::from_ref(at).is_aligned())
}

#[test]
fn objects_without_size_and_of_great_alignment_are_placed_and_found_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("region");
    let options = Options::new().allow_memory_file_system(MemoryFileSystem::Tmpfs);
    // SAFETY: nothing else knows of the file.
    let mut region = unsafe { options.create::<Odd, PageCache>(&path, 1 << 20, odd()) }.expect("room");
    for round in 0..6_u64 {
        region
            .transact(|tx, root| {
                tx.free(tx.replace(&root.nothing, tx.persist(tx.alloc(Nothing {})?)?));
                tx.free(tx.replace(&root.unit, tx.persist(tx.alloc(())?)?));
                let none: NoLinks = [];
                tx.free(tx.replace(&root.none, tx.persist(tx.alloc(none)?)?));
                let lines: Vec<Line> = (0..round * 3).map(|n| Line([n; 8])).collect();
                let lines = tx.fence(tx.stream_slice(&lines)?)?;
                tx.free(tx.replace(&root.line, lines));
                tx.free(tx.replace(&root.half, tx.persist(tx.alloc(Half([round.into(); 128]))?)?));
                let whole = tx.alloc_slice_with(round as usize, |n| Whole([n as u8; 4096]))?;
                tx.free(tx.replace(&root.whole, tx.persist(whole)?));
                tx.free(tx.replace(&root.empty, tx.persist(tx.alloc_slice::<Whole>(&[])?)?));
                tx.free(tx.replace(&root.text, tx.persist(tx.alloc_str("")?)?));
                tx.store(&root.three, [round as u8; 3]);
                tx.store(&root.void, ());
                Ok(())
            })
            .expect("room");
        region
            .transact(|tx, root| {
                let unit = tx.rewrite(tx.take(&root.unit).expect("full"))?;
                tx.publish(&root.unit, tx.persist(unit)?);
                let nothing = tx.rewrite(tx.take(&root.nothing).expect("full"))?;
                tx.publish(&root.nothing, tx.persist(nothing)?);
                let whole = tx.rewrite(tx.take(&root.whole).expect("full"))?;
                tx.publish(&root.whole, tx.persist(whole)?);
                let empty = tx.rewrite(tx.take(&root.empty).expect("full"))?;
                tx.publish(&root.empty, tx.persist(empty)?);
                Ok(())
            })
            .expect("room");
        let usage = region.usage().expect("valid");
        assert_eq!((usage.objects, usage.unreached_bytes), (9, 0));
        region.close().expect("closed");
        // SAFETY: as above.
        region = unsafe { options.open::<Odd, PageCache>(&path) }.expect("as it was left");
        let root = region.root();
        assert!(aligned(Some(root)) && aligned(root.nothing.get()) && aligned(root.half.get()));
        let (lines, whole) = (root.line.get().expect("full"), root.whole.get().expect("full"));
        assert!(lines.as_ptr().is_aligned() && lines.len() as u64 == round * 3);
        assert!(lines.iter().enumerate().all(|(n, line)| *line == Line([n as u64; 8])));
        assert!(whole.as_ptr().is_aligned() && whole.len() as u64 == round);
        assert!(whole.iter().enumerate().all(|(n, whole)| *whole == Whole([n as u8; 4096])));
        assert_eq!(root.half.get(), Some(&Half([round.into(); 128])));
        assert_eq!((root.three.get(), root.text.get(), root.pad), ([round as u8; 3], Some(""), [7; 502]));
        assert_eq!(root.empty.get().map(<[Whole]>::len), Some(0));
    }
}

#[test]
fn counts_that_no_memory_has_are_refused() {
    let mut region = region();
    region
        .transact(|tx, _| {
            for len in [usize::MAX, usize::MAX / 8, usize::MAX / 8 + 1, 1 << 61, 1 << 48, 1 << 45, 1 << 37] {
                let refused = tx.alloc_slice_with(len, |_| -> u64 { panic!("asked for an element") });
                assert!(matches!(refused, Err(Error::BadLength { .. } | Error::HeapFull { .. })), "{len}");
                let refused = tx.alloc_slice_with(len, |_| -> [Whole; 3] { panic!("asked for an element") });
                assert!(matches!(refused, Err(Error::BadLength { .. } | Error::HeapFull { .. })), "{len}");
            }
            Ok(())
        })
        .expect("nothing was made");
    untouched(&mut region);
    for len in [u64::MAX, u64::MAX - 4095, 1 << 40, 0, 1] {
        assert!(matches!(
            Region::new(len, ()),
            Err(Error::TooLarge { .. } | Error::TooSmall { .. } | Error::AddressSpace { .. })
        ));
    }
}

/// A list of half a million nodes is walked and freed without recursion.
#[test]
fn a_long_list_is_freed_without_the_stack() {
    let mut region = Region::new(1 << 20, root()).expect("memory");
    region
        .transact(|tx, root| {
            for key in 0..500_000 {
                let mut new = tx.alloc(node(key))?;
                tx.attach(&mut new, |new| &new.left, tx.take(&root.slots[0]));
                tx.stage(&root.slots[0], tx.flush(new));
            }
            Ok(())
        })
        .expect("room");
    assert_eq!(region.usage().expect("valid").objects, 500_001);
    empty(&mut region);
    let usage = region.usage().expect("valid");
    assert_eq!((usage.objects, usage.unreached_bytes), (1, 0));
}

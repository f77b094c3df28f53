//! What the derive supports: each type goes through a file and back.

use indelible::medium::{MemoryFileSystem, PageCache};
use indelible::{Error, Link, No, Options, Persistent, Target, Word};
use std::marker::PhantomData;
use std::num::{NonZeroU16, NonZeroU64};

#[derive(Persistent)]
#[repr(C)]
struct Unit;

#[derive(Persistent)]
#[repr(transparent)]
struct Wrapper(u64);

#[derive(Persistent)]
#[repr(C)]
struct Tuple(u32, u32, Word<bool>, Unit);

#[derive(Persistent)]
#[repr(C, align(64))]
struct Aligned {
    bytes: [[u8; 16]; 4],
}

#[derive(Persistent)]
#[repr(C)]
struct Generic<K, T, const N: usize>
where
    K: Copy,
    T: ?Sized,
{
    keys: [K; N],
    value: Link<T>,
    mark: PhantomData<K>,
}

#[derive(Persistent, Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i16)]
enum Plain {
    Low = -300,
    Next,
    r#Type = 7,
}

#[derive(Persistent, Debug)]
#[repr(u64)]
enum Shape {
    Circle(f64, [u8; 8]),
    Named { name: Link<str>, id: Option<NonZeroU64> } = 10,
    Pair(Word<u16>, Word<u16>),
}

/// The tag is a C integer of four bytes, and so is each field.
#[derive(Persistent, Clone, Copy, Debug, PartialEq)]
#[repr(C)]
enum Small {
    Number(u32),
    Letter(char),
}

#[derive(Persistent, Clone, Copy, Debug, PartialEq)]
#[repr(u16)]
enum Either<A, B> {
    #[allow(dead_code)]
    Left(A),
    Right {
        value: B,
    },
}

#[derive(Persistent)]
#[repr(C)]
struct Root {
    wrapper: Wrapper,
    tuple: Tuple,
    plain: [Plain; 2],
    r#type: Either<u16, NonZeroU16>,
    aligned: Link<Aligned>,
    generic: Link<Generic<u64, str, 3>>,
    shapes: Link<[Shape]>,
    small: Word<Small>,
}

fn root() -> Root {
    Root {
        wrapper: Wrapper(1),
        tuple: Tuple(2, 3, Word::new(true), Unit),
        plain: [Plain::Next, Plain::r#Type],
        r#type: Either::Right { value: NonZeroU16::MIN },
        aligned: Link::null(),
        generic: Link::null(),
        shapes: Link::null(),
        small: Word::new(Small::Letter('é')),
    }
}

#[test]
fn every_kind_of_type_goes_through_a_file() -> indelible::Result<()> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("types");
    let options = Options::new().allow_memory_file_system(MemoryFileSystem::Tmpfs);
    // SAFETY: the file is in a folder of this test's own.
    let mut region = unsafe { options.create::<Root, PageCache>(&path, 1 << 20, root())? };
    region.transact(|tx, root| {
        let aligned = tx.alloc(Aligned { bytes: [[7; 16]; 4] })?;
        tx.publish(&root.aligned, tx.persist(aligned)?);
        let mut generic =
            tx.alloc(Generic { keys: [1_u64, 2, 3], value: Link::null(), mark: PhantomData })?;
        let text = tx.flush(tx.alloc_str("value")?);
        tx.attach(&mut generic, |generic| &generic.value, text);
        generic.fields().keys[1] = 5;
        tx.publish(&root.generic, tx.persist(generic)?);
        let name = tx.flush(tx.alloc_str("circle line")?);
        let mut shapes = tx.alloc_slice_with(3, |i| match i {
            0 => Shape::Circle(1.5, [9; 8]),
            1 => Shape::Named { name: Link::null(), id: None },
            _ => Shape::Pair(Word::new(1), Word::new(2)),
        })?;
        tx.attach(
            &mut shapes,
            |shapes| match &shapes[1] {
                Shape::Named { name, .. } => name,
                other => panic!("{other:?}"),
            },
            name,
        );
        tx.publish(&root.shapes, tx.persist(shapes)?);
        tx.store(&root.small, Small::Number(u32::MAX));
        Ok(())
    })?;
    region.close()?;

    // SAFETY: as above.
    let mut region = unsafe { options.open::<Root, PageCache>(&path)? };
    let root = region.root();
    assert_eq!((root.wrapper.0, root.tuple.0, root.tuple.1, root.tuple.2.get()), (1, 2, 3, true));
    assert_eq!(root.plain, [Plain::Next, Plain::r#Type]);
    assert_eq!(root.r#type, Either::Right { value: NonZeroU16::MIN });
    let aligned = root.aligned.get().expect("published");
    assert_eq!(aligned.bytes, [[7; 16]; 4]);
    assert!(std::ptr::from_ref(aligned).addr().is_multiple_of(64));
    let generic = root.generic.get().expect("published");
    assert_eq!((generic.keys, generic.value.get()), ([1, 5, 3], Some("value")));
    let shapes = root.shapes.get().expect("published");
    assert!(matches!(&shapes[0], Shape::Circle(radius, [9, ..]) if *radius == 1.5));
    assert!(matches!(&shapes[1], Shape::Named { name, id: None } if name.get() == Some("circle line")));
    assert!(matches!(&shapes[2], Shape::Pair(a, b) if a.get() + b.get() == 3));
    assert_eq!(root.small.get(), Small::Number(u32::MAX));

    // The links of an enum are followed: its string is freed with it.
    let before = region.usage()?;
    region.transact(|tx, root| {
        tx.free(tx.take(&root.shapes));
        Ok(())
    })?;
    let after = region.usage()?;
    assert_eq!((before.objects - after.objects, after.unreached_bytes), (2, 0));
    Ok(())
}

#[test]
fn enums_are_checked_bit_by_bit_at_open() -> indelible::Result<()> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("types");
    let options = Options::new().allow_memory_file_system(MemoryFileSystem::Tmpfs);
    // SAFETY: the file is in a folder of this test's own.
    let region = unsafe { options.create::<Root, PageCache>(&path, 1 << 20, root())? };
    let base = std::ptr::from_ref(region.root()).addr();
    let offset = |field: usize| field - base;
    let plain = offset(region.root().plain.as_ptr().addr());
    let either = offset((&raw const region.root().r#type).addr());
    let small = offset((&raw const region.root().small).addr());
    region.close()?;
    let good = std::fs::read(&path).expect("readable");
    // The root's own offset in the file: its first word is the wrapper's 1, its next two are 2 and 3.
    let start: Vec<u8> = [1_u64.to_le_bytes(), (2_u64 | 3 << 32).to_le_bytes()].concat();
    let at = good.windows(16).step_by(8).position(|bytes| bytes == start).expect("the root") * 8;
    for (field, bytes) in [
        (plain, vec![0x12, 0x34]),     // no such number
        (either, vec![2, 0]),          // no such variant
        (either + 2, vec![0, 0]),      // a zero that must not be
        (small, vec![2]),              // no such variant
        (small + 4, vec![0, 0, 0x11]), // no such character
    ] {
        let mut bad = good.clone();
        bad[at + field..][..bytes.len()].copy_from_slice(&bytes);
        std::fs::write(&path, &bad).expect("writable");
        // SAFETY: as above.
        let error = unsafe { options.open::<Root, PageCache>(&path) }.expect_err("damaged");
        assert!(matches!(&error, Error::Damaged { place, .. } if place.starts_with("root")), "{error}");
    }
    Ok(())
}

/// Enums of any shape may stand in functions, and names may be anything.
#[test]
fn a_type_may_be_declared_anywhere_and_called_anything() {
    #[derive(Persistent)]
    #[repr(u8)]
    enum Option {
        Some(u8),
        None([u8; 1]),
    }
    #[derive(Persistent)]
    #[repr(C)]
    struct Result {
        u8: Option,
        core: u8,
    }
    fn links<T: Target>() -> &'static str {
        std::any::type_name::<T::Links>()
    }
    assert_eq!(links::<Result>(), std::any::type_name::<No>());
    assert_eq!(size_of::<Result>(), 3);
    let _ = [Option::Some(1), Option::None([2])];
}

//! What `tests/filesystems/run` runs in each file system that it mounts, empty: a region and a raw mapping must
//! need no more room than they lack. A `SIGBUS` would end this process, and that is noticed.

mod disk;

use disk::{PAGE, copy_sparsely, fill, free, has_blocks, new_folder_with, remove, share, writes_in_place};
use indelible::mapping::Mapping;
use indelible::{Error, Link, Options, Persistent, Region, Result, Word, medium::PageCache};
use std::path::Path;
use std::process::ExitCode;

const MIB: u64 = 1 << 20;

/// Where it is done, and with how much.
struct Place<'a> {
    folder: &'a Path,
    /// Bytes of what is opened where there is less room.
    len: u64,
}

impl Place<'_> {
    /// Objects of a MiB that a region has room for, and for one more while they are written anew.
    fn objects(&self) -> u64 {
        self.len / MIB - 3
    }
}

type Checked<T = ()> = std::result::Result<T, String>;

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn check(holds: bool, what: impl Into<String>) -> Checked {
    if holds { Ok(()) } else { Err(what.into()) }
}

#[derive(Persistent)]
#[repr(C)]
struct Root {
    count: Word<u64>,
    objects: Link<[Link<[u8]>]>,
}

/// The same with a word more, to be migrated to.
#[derive(Persistent)]
#[repr(C)]
struct NewRoot {
    count: Word<u64>,
    objects: Link<[Link<[u8]>]>,
    version: Word<u64>,
}

type Store = Region<Root, PageCache>;
type Raw = Mapping<PageCache>;

/// Room for so many objects.
const OBJECTS: usize = 4000;

fn create(path: &Path, len: u64) -> Result<Store> {
    let root = Root { count: Word::new(0), objects: Link::null() };
    // SAFETY: the file system is this run's own.
    let mut store: Store = unsafe { Region::create(path, len, root)? };
    store.transact(|tx, root| {
        let slots = tx.alloc_slice_with(OBJECTS, |_| Link::null())?;
        tx.stage(&root.objects, tx.flush(slots));
        Ok(())
    })?;
    Ok(store)
}

fn open(path: &Path) -> Result<Store> {
    // SAFETY: as above.
    unsafe { Region::open(path) }
}

fn open_raw(path: &Path) -> Result<Raw> {
    // SAFETY: as above.
    unsafe { Mapping::open(path) }
}

/// Adds an object of so many bytes.
fn add(store: &mut Store, len: usize) -> Result<()> {
    let index = store.root().count.get();
    let bytes = vec![index as u8 | 1; len];
    store.transact(|tx, root| {
        let object = tx.flush(tx.alloc_slice(&bytes)?);
        tx.stage(&root.objects.get().expect("made with the region")[index as usize], object);
        tx.store(&root.count, index + 1);
        Ok(())
    })
}

/// Whether every object is as it was made; how many bytes they are.
fn objects(count: u64, slots: &Link<[Link<[u8]>]>) -> Checked<usize> {
    let slots = slots.get().ok_or("no slots")?;
    (0..count as usize).try_fold(0, |sum, index| {
        let object = slots[index].get().ok_or("an object is gone")?;
        check(object.iter().all(|&byte| byte == index as u8 | 1), format!("object {index} is damaged"))?;
        Ok(sum + object.len())
    })
}

fn intact(store: &Store) -> Checked<usize> {
    objects(store.root().count.get(), &store.root().objects)
}

/// Writes each object's bytes anew, in other objects, so that every page that is free is written too.
fn rewrite_all(store: &mut Store) -> Checked {
    for index in 0..store.root().count.get() as usize {
        store
            .transact(|tx, root| {
                let slot = &root.objects.get().expect("made with the region")[index];
                let bytes = slot.get().expect("there").to_vec();
                let object = tx.persist(tx.alloc_slice(&bytes)?)?;
                tx.free(tx.replace(slot, object));
                Ok(())
            })
            .map_err(text)?;
    }
    intact(store).map(drop)
}

/// A closed region with room inside, and a closed raw file that is all ones.
fn make_both(place: &Place, region: &Path, raw: &Path) -> Checked {
    let mut store = create(region, place.len).map_err(text)?;
    for _ in 0..place.objects() {
        add(&mut store, MIB as usize).map_err(text)?;
    }
    check(store.len() == place.len, "it grew")?;
    store.close().map_err(text)?;
    let first = |mapping: &mut Raw| {
        let len = mapping.len();
        mapping.part(0..len)?.write().fill(1);
        Ok(())
    };
    // SAFETY: as above.
    let mapping: Raw = unsafe { Mapping::create(raw, place.len, first) }.map_err(text)?;
    mapping.close().map_err(text)
}

/// Opens both and writes all of both, or some of them on a full btrfs, which looks for room for a long time at
/// each page.
fn write_both(region: &Path, raw: &Path) -> Checked {
    let slow = writes_in_place(region)?;
    let mut store = open(region).map_err(text)?;
    intact(&store)?;
    if slow {
        add(&mut store, 1 << 16).map_err(text)?;
    } else {
        rewrite_all(&mut store)?;
    }
    store.close().map_err(text)?;
    let mut mapping = open_raw(raw).map_err(text)?;
    let bytes = mapping.bytes().to_vec();
    check(bytes.iter().all(|&byte| byte == bytes[0]), "raw bytes changed")?;
    let (step, len) = if slow { (64 * PAGE, PAGE) } else { (bytes.len(), bytes.len()) };
    for at in (0..bytes.len()).step_by(step) {
        let part = mapping.part(at..at + len).map_err(text)?;
        part.copy(&bytes[at..at + len]).fence().map_err(text)?;
    }
    mapping.close().map_err(text)
}

/// A full disk is no reason not to open what has all of its blocks, or to write there.
fn full(place: &Place) -> Checked {
    let folder = place.folder;
    let (region, raw) = (folder.join("region"), folder.join("raw"));
    make_both(place, &region, &raw)?;
    // Less than either needs, and then nothing.
    for leave in [place.len / 2, 0] {
        let filler = fill(folder, leave)?;
        write_both(&region, &raw)?;
        remove(&filler)?;
    }
    Ok(())
}

/// Growth needs the room that it adds, so that a region can take all of the disk; and it opens again there.
fn grow(place: &Place) -> Checked {
    let folder = place.folder;
    let path = folder.join("region");
    let mut store = create(&path, MIB).map_err(text)?;
    // Far more than half of it, and not so much that it takes long.
    let filler = fill(folder, place.len * 5 / 2)?;
    let whole = free(folder)?;
    for len in [MIB as usize, 1 << 16, 1 << 12] {
        loop {
            match add(&mut store, len) {
                Ok(()) => {}
                Err(Error::DiskFull { .. }) => break,
                Err(error) => return Err(text(error)),
            }
        }
        check(path.metadata().map_err(text)?.len() == store.len(), "the file is longer than its region")?;
    }
    let (len, left) = (store.len(), free(folder)?);
    println!("    grew to {} of {} MiB, {} KiB left", len / MIB, whole / MIB, left / 1024);
    check(left < MIB, "it could have grown by what is left")?;
    check(len > whole / 4 * 3, "something else took the disk")?;
    let bytes = intact(&store)?;
    store.close().map_err(text)?;
    fill(folder, 0)?;
    let mut store = open(&path).map_err(text)?;
    check(intact(&store)? == bytes && store.len() == len, "not all is there again")?;
    let count = store.root().count.get();
    let change = store.transact(|tx, root| {
        tx.store(&root.count, count - 1);
        Ok(())
    });
    change.map_err(text)?;
    store.close().map_err(text)?;
    remove(&filler)
}

/// A migration needs room for the new file beside the old one, and no more.
fn migrate(place: &Place) -> Checked {
    let folder = place.folder;
    let path = folder.join("region");
    let mut store = create(&path, MIB).map_err(text)?;
    for _ in 0..place.objects() {
        add(&mut store, MIB as usize).map_err(text)?;
    }
    let bytes = intact(&store)?;
    store.close().map_err(text)?;
    let filler = fill(folder, place.len / 4 * 5)?;
    let root = |_: &Root| NewRoot { count: Word::new(0), objects: Link::null(), version: Word::new(2) };
    let all = |old: &Root, new: &mut Region<NewRoot, PageCache>| {
        let objects = old.objects.get().expect("there");
        new.transact(|tx, root| {
            let slots = tx.alloc_slice_with(OBJECTS, |_| Link::null())?;
            tx.stage(&root.objects, tx.flush(slots));
            Ok(())
        })?;
        for (index, object) in objects[..old.count.get() as usize].iter().enumerate() {
            let bytes = object.get().expect("there");
            new.transact(|tx, root| {
                let object = tx.flush(tx.alloc_slice(bytes)?);
                tx.stage(&root.objects.get().expect("there")[index], object);
                tx.store(&root.count, index as u64 + 1);
                Ok(())
            })?;
        }
        Ok(())
    };
    // SAFETY: as above.
    let new =
        unsafe { Options::new().migrate::<Root, NewRoot, PageCache>(&path, MIB, root, all) }.map_err(text)?;
    check(objects(new.root().count.get(), &new.root().objects)? == bytes, "not all was copied")?;
    new.close().map_err(text)?;
    remove(&filler)
}

/// Whether both are refused as a full disk, and change neither bytes nor what is free.
fn refused_both(folder: &Path, region: &Path, raw: &Path) -> Checked {
    let bytes = [std::fs::read(region).map_err(text)?, std::fs::read(raw).map_err(text)?];
    let before = free(folder)?;
    for (what, result) in [("region", open(region).map(drop)), ("mapping", open_raw(raw).map(drop))] {
        match result {
            Err(Error::DiskFull { .. }) => {}
            Ok(()) => return Err(format!("{what}: it opens without room for its blocks")),
            Err(error) => return Err(format!("{what}: {error}")),
        }
    }
    check(
        bytes == [std::fs::read(region).map_err(text)?, std::fs::read(raw).map_err(text)?],
        "bytes changed",
    )?;
    // btrfs is not asked for shared blocks as a whole, and what it says of its room is more than there is.
    let unknown = writes_in_place(region)?;
    check(unknown || free(folder)? + MIB / 4 > before, "what was free was used up in vain")
}

/// Where a folder's files are compressed, or must not be (`chattr +c`, `+m`), a new one is as it is elsewhere.
fn compressed(place: &Place) -> Checked {
    let region = place.folder.join("region");
    create(&region, MIB).and_then(Region::close).map_err(text)?;
    for (name, attribute) in [("compressed", 0x4), ("not-compressed", 0x400)] {
        let folder = place.folder.join(name);
        if !new_folder_with(&folder, attribute)? {
            continue;
        }
        let inside = folder.join("region");
        create(&inside, MIB).and_then(Region::close).map_err(text)?;
        check(has_blocks(&inside)?, "it is compressed")?;
        check(writes_in_place(&inside)? == writes_in_place(&region)?, "it is not written in place")?;
    }
    Ok(())
}

/// What has holes gets blocks when it is opened, or is refused.
fn sparse(place: &Place) -> Checked {
    let folder = place.folder;
    let [region, raw, copy, raw_copy] = ["region", "raw", "copy", "raw-copy"].map(|name| folder.join(name));
    let store = create(&region, place.len).map_err(text)?; // hardly anything in it
    store.close().map_err(text)?;
    copy_sparsely(&region, &copy)?;
    remove(&region)?;
    std::fs::write(&raw, vec![0; place.len as usize]).map_err(text)?;
    copy_sparsely(&raw, &raw_copy)?;
    remove(&raw)?;
    let filler = fill(folder, place.len / 2)?;
    refused_both(folder, &copy, &raw_copy)?;
    remove(&filler)?;
    open(&copy).and_then(Region::close).map_err(text)?;
    open_raw(&raw_copy).and_then(Mapping::close).map_err(text)?;
    check(has_blocks(&copy)? && has_blocks(&raw_copy)?, "holes are left")?;
    let filler = fill(folder, 0)?;
    let mut store = open(&copy).map_err(text)?;
    for _ in 0..place.objects() {
        add(&mut store, MIB as usize).map_err(text)?;
    }
    store.close().map_err(text)?;
    write_both(&copy, &raw_copy)?;
    remove(&filler)
}

/// What shares its blocks gets its own when it is opened, or is refused.
fn shared(place: &Place) -> Checked {
    let folder = place.folder;
    let [region, raw, copy, raw_copy] = ["region", "raw", "copy", "raw-copy"].map(|name| folder.join(name));
    make_both(place, &region, &raw)?;
    if !share(&region, &copy)? || !share(&raw, &raw_copy)? {
        println!("    this file system shares no blocks");
        return Ok(());
    }
    let filler = fill(folder, place.len / 2)?;
    refused_both(folder, &copy, &raw_copy)?;
    remove(&filler)?;
    // A little more than is needed: not twice as much, which XFS wants for all of it at once. btrfs keeps an old
    // extent until none of it is in use.
    let little = if writes_in_place(&region)? { place.len * 2 } else { place.len / 2 };
    let filler = fill(folder, place.len * 2 + little)?;
    open(&copy).and_then(Region::close).map_err(text)?;
    open_raw(&raw_copy).and_then(Mapping::close).map_err(text)?;
    remove(&filler)?;
    let filler = fill(folder, 0)?;
    write_both(&copy, &raw_copy)?;
    write_both(&region, &raw)?;
    remove(&filler)
}

const USAGE: &str =
    "usage: filesystems-driver full | grow | migrate | compressed | sparse | shared FOLDER MIB";

fn run(args: &[String]) -> Checked {
    let [part, folder, mib] = args else { return Err(USAGE.into()) };
    let place = Place { folder: Path::new(folder), len: mib.parse::<u64>().map_err(text)? * MIB };
    match part.as_str() {
        "full" => full(&place),
        "grow" => grow(&place),
        "migrate" => migrate(&place),
        "compressed" => compressed(&place),
        "sparse" => sparse(&place),
        "shared" => shared(&place),
        _ => Err(USAGE.into()),
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(wrong) => {
            println!("    wrong: {wrong}");
            ExitCode::FAILURE
        }
    }
}

//! Making a region: built where nobody can see it, and named when it is whole and durable.

use super::Region;
use crate::error::{Error, Result};
use crate::flush::LINE;
use crate::format::block::{Extent, HEADER};
use crate::format::layout::{self, Layout, MAGIC, RECORD_HEADER, region_len};
use crate::format::mark::Mark;
use crate::format::{object, schema};
use crate::heap::Heap;
use crate::medium::{Access, Entry, FileMedium, MediumImpl, OpenFile, Unnamed, Writable, is_device};
use crate::observe::Origin;
use crate::options::Options;
use crate::persistent::Persistent;
use crate::tx::Engine;
use crate::tx::journal::Journal;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::panic::Location;
use std::path::Path;
use xxhash_rust::xxh3::xxh3_64;

/// The layout of a new region, and its schema text.
pub(crate) fn plan<R: Persistent>(journal_words: usize, region_id: u64) -> Result<(Layout, String)> {
    const { R::SOUND };
    let text = schema::text(R::type_info());
    Layout::check_schema(&text)?;
    let layout = Layout {
        format: layout::FORMAT,
        region_id,
        schema_len: text.len(),
        schema_checksum: xxh3_64(text.as_bytes()),
        journal_words,
        root_size: size_of::<R>(),
        root_align: align_of::<R>(),
    };
    Ok((layout, text))
}

/// An id for a new region.
pub(crate) fn new_id() -> u64 {
    // A hasher's keys are random: nothing but that is asked of the id.
    RandomState::new().build_hasher().finish()
}

#[track_caller]
pub(crate) fn create<R: Persistent, M: FileMedium + Writable>(
    path: &Path,
    len: u64,
    root: R,
    options: &Options,
) -> Result<Region<R, M>> {
    create_at(Entry::at(path)?, len, root, options)
}

/// The same for a name in a folder that was looked up before.
#[track_caller]
pub(crate) fn create_at<R: Persistent, M: FileMedium + Writable>(
    entry: Entry,
    len: u64,
    root: R,
    options: &Options,
) -> Result<Region<R, M>> {
    let (layout, text) = plan::<R>(options.journal(), new_id())?;
    if is_device(&entry) {
        return create_on_device(&entry, len, root, options, layout, &text);
    }
    let len = region_len(len, layout.min_len())?;
    let (unnamed, file) =
        Unnamed::create(entry, len, options.file().mode, |file| M::check_place(file, len, options.file()))?;
    file.check_bad_blocks(options.file())?;
    let medium = M::attach(file, options.file()).map_err(|refused| refused.error)?;
    let engine = build(&medium, layout, &text, root, Location::caller())?;
    unnamed.name(medium.file())?;
    Ok(Region::new_parts(medium, engine, false))
}

#[track_caller]
fn create_on_device<R: Persistent, M: FileMedium + Writable>(
    entry: &Entry,
    len: u64,
    root: R,
    options: &Options,
    layout: Layout,
    text: &str,
) -> Result<Region<R, M>> {
    let file = OpenFile::open_entry(entry, Access::Write, options.file())?;
    if len > file.exact_len {
        return Err(Error::DiskFull { path: file.path.clone(), needed: len });
    }
    region_len(file.exact_len, layout.min_len())?;
    file.check_bad_blocks(options.file())?;
    let medium = M::attach(file, options.file()).map_err(|refused| refused.error)?;
    if medium.map().load(0) == MAGIC {
        return Err(Error::DeviceInUse { path: entry.path().to_path_buf() });
    }
    let engine = build(&medium, layout, text, root, Location::caller())?;
    Ok(Region::new_parts(medium, engine, false))
}

/// Writes a region into memory that may hold anything: whatever a crash leaves of it has no valid magic
/// before everything else is durable.
pub(crate) fn build<R: Persistent, M: MediumImpl>(
    medium: &M,
    layout: Layout,
    text: &str,
    root: R,
    origin: Origin,
) -> Result<Engine> {
    let map = medium.map();

    // What was there has no valid magic, or `create` would have refused it: nothing is believed before the
    // last fence, and all of this may become durable in any order.
    medium.store(layout.retired(), 0, origin);
    medium.flush_range(layout.retired(), 8, origin);
    for slot in [layout.slot(0), layout.slot(1)] {
        (0..RECORD_HEADER).step_by(8).for_each(|word| medium.store(slot + word, 0, origin));
        medium.flush_range(slot, RECORD_HEADER, origin);
    }
    for (at, value) in layout.words() {
        medium.store(at, value, origin);
    }
    medium.flush_range(layout::CHECKSUM, 8, origin);
    Mark::in_use(medium.shutdowns()).store(medium, origin);
    for (index, chunk) in text.as_bytes().chunks(8).enumerate() {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        medium.store(Layout::SCHEMA + index * 8, u64::from_le_bytes(word), origin);
    }
    medium.flush_range(Layout::SCHEMA, text.len(), origin);
    place_root(medium, &layout, root, origin);
    medium.flush_range(0, LINE, origin);
    medium.fence_at_open(origin)?;

    medium.store(0, MAGIC, origin);
    medium.flush_range(0, 8, origin);
    medium.fence_at_open(origin)?;

    let heap = Heap::new(layout.heap()..map.len());
    Ok(Engine::new(layout, heap, Journal::new(layout, 0)))
}

fn place_root<R: Persistent, M: MediumImpl>(medium: &M, layout: &Layout, root: R, origin: Origin) {
    let (at, map) = (layout.root(), medium.map());
    let extent = Extent::of(at, size_of::<R>());
    medium.begin(extent.range(), origin);
    object::write_header(map, at, 1, R::type_info());
    object::write_root(map, at, root);
    medium.flush_object(map.pointer(extent.start).as_ptr(), HEADER, size_of::<R>(), origin);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Word;
    use crate::medium::Emulated;
    use crate::region::recover::recover;

    /// As on a device that held something else.
    #[test]
    fn a_region_in_memory_that_held_anything_is_good() {
        let (len, origin, options) = (1 << 16, Location::caller(), Options::new());
        for junk in [u64::MAX, 0x0101_0101_0101_0101] {
            let medium = Emulated::new(len, len).expect("memory");
            (0..len).step_by(8).for_each(|at| medium.map().store(at, junk));
            let (layout, text) = plan::<Word<u64>>(options.journal(), new_id()).expect("short");
            drop(build(&medium, layout, &text, Word::new(7_u64), origin).expect("room"));
            let recovered = recover::<Word<u64>, _>(&medium, len as u64, &options, origin);
            let (engine, _) = recovered.expect("a good region");
            assert_eq!((engine.layout.region_id, medium.map().load(engine.root)), (layout.region_id, 7));
        }
    }

    #[test]
    fn no_two_regions_have_one_id() {
        assert_ne!(new_id(), new_id());
    }
}

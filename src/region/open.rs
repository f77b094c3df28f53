//! Opening a region: lock, persist what is visible, verify, replay, and only then believe.

use super::Region;
use super::verify::{Overlay, Walk};
use crate::error::{Error, Result};
use crate::flush::PAGE;
use crate::format::layout::{Layout, region_len};
use crate::format::mark::Mark;
use crate::format::schema;
use crate::medium::{FileMedium, MediumImpl, OpenFile, Origin};
use crate::options::Options;
use crate::persistent::Persistent;
use crate::tx::Engine;
use crate::tx::journal::{self, Journal, Rule, flush_word, flush_words};
use std::os::unix::fs::FileExt;
use std::panic::Location;
use std::path::Path;
use xxhash_rust::xxh3::xxh3_64;

impl Options {
    /// As [`Region::open`], with these options.
    ///
    /// # Safety
    ///
    /// As for [`Region::open`].
    ///
    /// # Errors
    ///
    /// As for [`Region::open`], and [`Error::BadOption`].
    ///
    /// ```
    /// # use indelible::{Options, Persistent, Region, Word, medium::PageCache};
    /// # #[derive(Persistent)] #[repr(C)] struct Counter { hits: Word<u64> }
    /// # let folder = tempfile::tempdir_in(".").unwrap(); // not in /tmp, which may be memory
    /// # let path = folder.path().join("counter.pm");
    /// # unsafe { Region::<Counter, PageCache>::create(&path, 1 << 20, Counter { hits: Word::new(3) })? }.close()?;
    /// // SAFETY: nothing else writes or truncates this file while the region is open.
    /// let region = unsafe { Options::new().max_len(1 << 30).open::<Counter, PageCache>(&path)? };
    /// assert_eq!(region.root().hits.get(), 3);
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[track_caller]
    pub unsafe fn open<R: Persistent, M: FileMedium>(&self, path: impl AsRef<Path>) -> Result<Region<R, M>> {
        self.check()?;
        open(path.as_ref(), self)
    }
}

#[track_caller]
pub(crate) fn open<R: Persistent, M: FileMedium>(path: &Path, options: &Options) -> Result<Region<R, M>> {
    open_file(OpenFile::open(path, M::ACCESS, options.file())?, options)
}

/// Opens the region in a file that is open and locked already.
#[track_caller]
pub(crate) fn open_file<R: Persistent, M: FileMedium>(
    file: OpenFile,
    options: &Options,
) -> Result<Region<R, M>> {
    let medium: M = attach(file, options)?;
    let exact_len = medium.file().exact_len;
    let (engine, recovered) = recover::<R, M>(&medium, exact_len, options, Location::caller())?;
    Ok(Region::new_parts(medium, engine, recovered))
}

/// Maps a file that is long enough to be a region.
pub(crate) fn attach<M: FileMedium>(file: OpenFile, options: &Options) -> Result<M> {
    let exact_len = file.exact_len;
    if file.len == 0 {
        return Err(shorter_than_a_page(&file));
    }
    region_len(exact_len, 0)?;
    file.check_bad_blocks(options.file())?;
    M::attach(file, options.file()).map_err(|refused| refused.error)
}

/// A file that is too short to be mapped.
fn shorter_than_a_page(file: &OpenFile) -> Error {
    let mut found = vec![0; 8];
    let path = file.path.clone();
    match file.file.read_at(&mut found, 0) {
        Ok(8) if found == crate::format::layout::MAGIC.to_le_bytes() => {
            Error::Truncated { path, len: file.exact_len, needed: PAGE as u64 }
        }
        Ok(len) => {
            found.truncate(len);
            Error::NotARegion { path, found }
        }
        Err(source) => Error::from_io("read", &path, source),
    }
}

/// Verifies and recovers the region in `medium`. An error leaves it as it was. Answers also whether the
/// region had not been closed.
pub(crate) fn recover<R: Persistent, M: MediumImpl>(
    medium: &M,
    exact_len: u64,
    options: &Options,
    origin: Origin,
) -> Result<(Engine, bool)> {
    const { R::SOUND };
    let (map, path) = (medium.map(), medium.path());

    // What a killed process left visible may not be durable. Nothing may be concluded from it before it is.
    let durable = medium.settle(Some(crate::format::layout::IN_USE))?;
    medium.announce(0, 8);
    if map.load(0) == crate::format::layout::MAGIC {
        // The magic was stored last: what it leads to must be durable.
        medium.announce_durable(8, 64);
    }
    let layout = Layout::read(map, path, exact_len)?;
    let found = Mark::read(medium);
    found.check(medium, options.unsafe_shutdown_accepted())?;
    check_schema::<R, M>(medium, &layout)?;

    // Rule 8.
    let journal = journal::recover(medium, &layout, path)?;
    if !durable {
        // The magic too: a creation may have been killed before its last fence.
        flush_word(medium, 0, origin);
        for slot in [layout.slot(0), layout.slot(1)] {
            medium.flush(map.pointer(slot).as_ptr(), layout.slot(1) - layout.slot(0), origin);
        }
        if !journal.records.is_empty() && !medium.leaves_out(Rule::SlotsFirst) {
            medium.fence_at_open(origin)?;
        }
    }
    let flush = !durable && !medium.leaves_out(Rule::FlushWalk);
    let overlay = Overlay::new(&journal.records);
    let walk = Walk { medium, layout: &layout, root: R::type_info(), overlay: &overlay, flush, origin };
    let reached = walk.run()?;
    let rings = reached.rings;
    let heap = reached.blocks.finish();

    // Everything is as it should be: from here on the file is changed.
    medium.allocate()?;
    for record in &journal.records {
        for &(at, value) in &record.entries {
            medium.store(at, value, origin);
        }
        flush_words(medium, record.entries.iter().map(|&(at, _)| at), origin);
    }
    if !journal.records.is_empty() && !medium.leaves_out(Rule::RetireReplayed) {
        medium.fence_at_open(origin)?;
    }
    super::rings::settle(medium, &rings, origin);
    let number = journal.retire_to(!medium.leaves_out(Rule::BurnNumber));
    medium.store(layout.retired(), number, origin);
    flush_word(medium, layout.retired(), origin);
    Mark::in_use(medium.shutdowns()).store(medium, origin);
    medium.fence_at_open(origin)?;
    Ok((Engine::new(layout, heap, Journal::new(layout, number)), found.is_in_use()))
}

/// The schema text that the region holds.
pub(crate) fn stored_schema<M: MediumImpl>(medium: &M, layout: &Layout) -> Result<String> {
    let (map, path) = (medium.map(), medium.path());
    medium.announce_durable(Layout::SCHEMA, layout.schema_len);
    let mut bytes: Vec<u8> = (0..layout.schema_len.div_ceil(8))
        .flat_map(|index| map.load(Layout::SCHEMA + index * 8).to_le_bytes())
        .collect();
    bytes.truncate(layout.schema_len);
    let (found, expected) = (xxh3_64(&bytes), layout.schema_checksum);
    let damaged = |found: String, expected: String| {
        Err(Error::damaged(path, "schema", Layout::SCHEMA, found, expected))
    };
    if found != expected {
        return damaged(format!("checksum {found:#018x}"), format!("{expected:#018x}"));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(_) => damaged("bytes that are not UTF-8".to_string(), "text".to_string()),
    }
}

fn check_schema<R: Persistent, M: MediumImpl>(medium: &M, layout: &Layout) -> Result<()> {
    let path = medium.path();
    let file = stored_schema(medium, layout)?;
    let program = schema::text(R::type_info());
    if file != program {
        let difference = schema::difference(&file, &program);
        return Err(Error::SchemaMismatch { path: path.to_path_buf(), difference });
    }
    if (layout.root_size, layout.root_align) != (size_of::<R>(), align_of::<R>()) {
        return Err(Error::damaged(
            path,
            "schema",
            Layout::SCHEMA,
            format!("a root of {} bytes, aligned to {}", layout.root_size, layout.root_align),
            format!("{} bytes, aligned to {}, as in the schema", size_of::<R>(), align_of::<R>()),
        ));
    }
    Ok(())
}

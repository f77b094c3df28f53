//! Recovery: what is visible is made durable, read, verified, replayed, and only then believed.

use super::verify::{Overlay, Walk, settle_rings};
use crate::error::{Error, Result};
use crate::format::block::Extent;
use crate::format::layout::{IN_USE, Layout, MAGIC};
use crate::format::mark::Mark;
use crate::format::record::{LAST_NUMBER, Record, read_record};
use crate::format::schema;
use crate::medium::MediumImpl;
use crate::observe::{Origin, Rule};
use crate::options::Options;
use crate::persistent::Persistent;
use crate::tx::Engine;
use crate::tx::journal::Journal;
use std::ops::Range;
use std::path::Path;
use xxhash_rust::xxh3::xxh3_64;

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

    // What a killed process left visible may not be durable. Nothing may be concluded from it before it is
    // (docs/design.md, 8.7).
    let durable = medium.settle(Some(IN_USE))?;
    medium.announce(0, 8);
    if map.load(0) == MAGIC {
        // The magic was stored last: what it leads to must be durable.
        medium.announce_durable(16, 48);
        // A later version of the crate may have raised the format's.
        medium.announce(8, 8);
        medium.announce(64, 8);
    }
    let layout = Layout::read(map, path, exact_len)?;
    let found = Mark::read(medium);
    found.check(medium, options.unsafe_shutdown_accepted())?;
    check_schema::<R, M>(medium, &layout)?;

    // docs/design.md, 7.6.
    let journal = read_journal(medium, &layout, path)?;
    if !durable {
        // The magic too: a creation may have been killed before its last fence.
        medium.flush_range(0, 72, origin);
        for slot in [layout.slot(0), layout.slot(1)] {
            medium.flush_range(slot, layout.slot(1) - layout.slot(0), origin);
        }
        if !medium.leaves_out(Rule::FlushContent) {
            journal.content().for_each(|extent| medium.flush_range(extent.start, extent.len, origin));
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
        medium.flush_words(record.entries.iter().map(|&(at, _)| at), origin);
    }
    if !journal.records.is_empty() && !medium.leaves_out(Rule::RetireReplayed) {
        medium.fence_at_open(origin)?;
    }
    settle_rings(medium, &rings, origin);
    let number = journal.retire_to(!medium.leaves_out(Rule::BurnNumber));
    medium.store(layout.retired(), number, origin);
    medium.flush_word(layout.retired(), origin);
    layout.raise_version(medium, origin)?;
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

/// What recovery finds in the journal.
#[derive(Debug)]
struct Recovered {
    /// The committed records, in the order of their numbers.
    records: Vec<Record>,
    /// The highest number seen, valid or not, `RET` included.
    highest: u64,
}

impl Recovered {
    /// The content that decided that the newest record is committed.
    fn content(&self) -> impl Iterator<Item = Extent> {
        let newest = self.records.last().and_then(|record| record.content.as_ref());
        newest.into_iter().flat_map(|content| content.extents.iter().copied())
    }

    /// What `RET` becomes: numbers go on behind it. `burn`: one number is left out, so that no torn record of that number
    /// can be completed (not where the explorer breaks that rule). After the last one no record is written any more, which
    /// has the same effect.
    fn retire_to(&self, burn: bool) -> u64 {
        (self.highest + u64::from(burn)).min(LAST_NUMBER)
    }
}

/// 7.6, first part: reads `RET` and both slots, and decides which records are committed. An error if a number is above
/// [`LAST_NUMBER`], or if a record vouches for what is not in the heap.
fn read_journal<M: MediumImpl>(medium: &M, layout: &Layout, path: &Path) -> Result<Recovered> {
    let map = medium.map();
    medium.announce(layout.retired(), 8);
    let retired = map.load(layout.retired());
    let (mut highest, mut highest_at) = (retired, layout.retired());
    let mut records = Vec::new();
    for at in [layout.slot(0), layout.slot(1)] {
        medium.announce(at, 8);
        let number = map.load(at);
        if number > highest {
            (highest, highest_at) = (number, at);
        }
        if number <= retired && !medium.leaves_out(Rule::AboveRetired) {
            continue;
        }
        let checked = !medium.leaves_out(Rule::Checksum);
        let read = |load: &dyn Fn(usize) -> u64| read_record(layout, at, number, checked, load);
        let len = layout.slot(1) - layout.slot(0);
        medium.announce_checksummed(std::slice::from_ref(&(at + 8..at + len)), &|load| read(load).is_some());
        records.extend(read(&|at| map.load(at)));
    }
    if highest > LAST_NUMBER {
        return Err(Error::damaged(
            path,
            "journal",
            highest_at,
            format!("record number {highest}"),
            "a number that was reached",
        ));
    }
    records.sort_by_key(|record: &Record| record.number);
    decide(medium, layout, path, &mut records)?;
    if medium.leaves_out(Rule::ReplayAll) && records.len() == 2 {
        records.remove(0);
    }
    Ok(Recovered { records, highest })
}

/// Leaves the committed ones of these well-formed records, which are in the order of their numbers: the newest counts if
/// memory holds what it vouches for; the older in any case, because the newest was stored only after its fence.
fn decide<M: MediumImpl>(medium: &M, layout: &Layout, path: &Path, records: &mut Vec<Record>) -> Result<()> {
    let map = medium.map();
    let heap = layout.heap()..map.len();
    for record in &*records {
        let misplaced = record.content.as_ref().and_then(|content| content.misplaced(heap.clone()));
        if let Some(Extent { start, len }) = misplaced {
            let found = format!("a record that vouches for {len} bytes at {start:#x}");
            let expected =
                format!("extents from {:#x} to {:#x}, each behind the one before", heap.start, heap.end);
            return Err(Error::damaged(path, "journal", record.at, found, expected));
        }
    }
    let is_there = |record: &mut Record| {
        let Some(content) = &record.content else { return true };
        let holds = |load: &dyn Fn(usize) -> u64| content.is_there(layout.region_id, load);
        let ranges: Vec<Range<usize>> = content.extents.iter().map(|extent| extent.range()).collect();
        medium.announce_checksummed(&ranges, &holds);
        holds(&|at| map.load(at)) || medium.leaves_out(Rule::Content)
    };
    if medium.leaves_out(Rule::Witness) {
        records.retain_mut(is_there);
    } else {
        records.pop_if(|newest| !is_there(newest));
    }
    Ok(())
}

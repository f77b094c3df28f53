//! A format of one's own on the raw layer: a ring of 64-byte records in a file, of which the newest are kept.
//!
//! ```sh
//! cargo run --example raw_format -- notes.ring "first note" "second note"   # adds notes, shows all
//! cargo run --example raw_format                                            # checks itself in plain memory
//! ```
//!
//! | offset | bytes | |
//! |---|---|---|
//! | 0 | 8 | magic; written before the file has a name |
//! | 64 | 8 | how many records were ever added: the word that publishes |
//! | 128 + 64 × i | 64 | the record with number n, where n modulo the number of slots is i |
//!
//! Records are made durable first, all with one fence; then the count says that they are there. Until then the
//! old count holds, and so a batch may not touch a slot that it still leads to: half of the slots are kept, and
//! the other half is for the next batch. (With one more kept, a batch of two overwrites a record that is still
//! wanted. The explorer finds that.) The file is on persistent memory where there is some, else on a disk.

use indelible::mapping::{Bytes, Mapping, Part};
use indelible::medium::{Auto, Writable};
use indelible::state::Persisted;
use indelible::{Error, Result};
use std::ops::Range;

const MAGIC: &[u8; 8] = b"ringfmt1";
const COUNT: Range<usize> = 64..72;
const FIRST: usize = 128;
const RECORD: usize = 64;
/// Bytes of a record's text; the first byte of a record is its length.
const TEXT: usize = RECORD - 1;

/// A mapping that holds a ring.
struct Ring<'a, M: Writable> {
    mapping: &'a mut Mapping<M>,
}

impl<'a, M: Writable> Ring<'a, M> {
    /// Writes an empty ring into zeros.
    fn format(mapping: &mut Mapping<M>) -> Result<()> {
        let magic = mapping.part(0..8)?;
        magic.copy(MAGIC).fence()?;
        Ok(())
    }

    fn open(mapping: &'a mut Mapping<M>) -> Result<Self> {
        match mapping.bytes()[..8] == MAGIC[..] {
            true => Ok(Ring { mapping }),
            false => Err(Error::other("this file holds no ring")),
        }
    }

    fn slots(&self) -> usize {
        (self.mapping.len() - FIRST) / RECORD
    }

    /// Records that are kept, at most; a batch may have as many.
    fn kept(&self) -> usize {
        self.slots() / 2
    }

    fn count(&self) -> u64 {
        u64::from_le_bytes(self.mapping.bytes()[COUNT].try_into().expect("eight bytes"))
    }

    /// The records that are kept, oldest first.
    fn records(&self) -> Vec<String> {
        let (count, kept) = (self.count(), self.kept() as u64);
        (count.saturating_sub(kept)..count)
            .map(|number| {
                let at = FIRST + (number % self.slots() as u64) as usize * RECORD;
                let record = &self.mapping.bytes()[at..at + RECORD];
                String::from_utf8_lossy(&record[1..=usize::from(record[0]).min(TEXT)]).into_owned()
            })
            .collect()
    }

    /// Adds records, all or none: two fences, however many they are.
    fn add(&mut self, texts: &[&str]) -> Result<()> {
        let (count, slots) = (self.count(), self.slots());
        if texts.len() > self.kept() || texts.iter().any(|text| text.len() > TEXT) {
            return Err(Error::other("too many records at once, or one that is too long"));
        }
        // From the next slot to the end, and on from the beginning.
        let next = (count % slots as u64) as usize;
        let (straight, wrapped) = texts.split_at(texts.len().min(slots - next));
        let at = FIRST + next * RECORD;
        let [word, first, second] = self.mapping.parts([
            COUNT,
            at..at + straight.len() * RECORD,
            FIRST..FIRST + wrapped.len() * RECORD,
        ])?;
        let (first, second) = (fill(first, straight), fill(second, wrapped));
        let records = Mapping::fence((first, second))?; // one fence for both
        publish(word, count + texts.len() as u64, &records)
    }
}

/// Two runs of records, durable.
type Durable<'m, M> = (Bytes<'m, Persisted, M>, Bytes<'m, Persisted, M>);

/// Stores the count, durably. That the records are durable is what the caller has to show: without the fence in
/// [`Ring::add`] this does not compile.
fn publish<M: Writable>(word: Part<'_, M>, count: u64, _records: &Durable<'_, M>) -> Result<()> {
    word.store(count).fence()?;
    Ok(())
}

/// Writes records into their slots, and flushes them.
fn fill<'m, M: Writable>(slots: Part<'m, M>, texts: &[&str]) -> Bytes<'m, indelible::state::Flushed, M> {
    let mut bytes = slots.write();
    for (record, text) in bytes.chunks_exact_mut(RECORD).zip(texts) {
        record.fill(0);
        record[0] = text.len() as u8;
        record[1..=text.len()].copy_from_slice(text.as_bytes());
    }
    bytes.flush()
}

fn open_or_create(path: &str) -> Result<Mapping<Auto>> {
    // SAFETY: nothing else writes or truncates this file while it is mapped.
    match unsafe { Mapping::open(path) } {
        // SAFETY: as above.
        Err(Error::NotFound { .. }) => unsafe { Mapping::create(path, 4096, Ring::format) },
        other => other,
    }
}

/// Adds and reads in plain memory, past the end of the ring.
fn check() -> Result<()> {
    let mut mapping = Mapping::new(4096)?;
    Ring::format(&mut mapping)?;
    let mut ring = Ring::open(&mut mapping)?;
    let texts: Vec<String> = (0..200).map(|n| format!("record {n}")).collect();
    for (batch, size) in texts.chunks(7).zip(1..) {
        ring.add(&batch.iter().map(String::as_str).collect::<Vec<_>>())?;
        let added = (size * 7).min(texts.len());
        let kept = added.min(ring.kept());
        assert_eq!(ring.records(), texts[added - kept..added]);
    }
    println!("{} records added, the newest {} kept", texts.len(), ring.records().len());
    Ok(())
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((path, texts)) = arguments.split_first() else { return check() };
    let mut mapping = open_or_create(path)?;
    let mut ring = Ring::open(&mut mapping)?;
    ring.add(&texts.iter().map(String::as_str).collect::<Vec<_>>())?;
    ring.records().iter().for_each(|record| println!("{record}"));
    println!("({} records on {})", ring.count(), mapping.medium());
    mapping.close()
}

#[cfg(test)]
mod tests {
    use super::*;
    use indelible::power::{self, History, MappingExplorer, Recorder};

    /// A ring that is about to begin again at its first slot, durably so.
    fn nearly_full(mapping: &mut Mapping<Recorder>) -> Result<()> {
        Ring::format(mapping)?;
        let mut ring = Ring::open(mapping)?;
        (1..ring.slots()).try_for_each(|_| ring.add(&["old"]))
    }

    type Batch = &'static [&'static str];

    fn explorer(
        first: fn(&mut Mapping<Recorder>) -> Result<()>,
        add: fn(&mut Mapping<Recorder>, Batch) -> Result<()>,
    ) -> MappingExplorer<Batch> {
        MappingExplorer::new(
            4096,
            first,
            move |mapping, log| {
                for batch in [&["a record of three words"][..], &["one of two words", "and another"]] {
                    log.begin(batch);
                    add(mapping, batch)?;
                    log.acknowledge();
                }
                Ok(())
            },
            |mapping, history: &History<Batch>| {
                let found = Ring::open(mapping)?.records();
                let of = |batches: &[Batch]| {
                    let new = batches.concat();
                    [vec!["old"; found.len().saturating_sub(new.len())], new].concat()
                };
                let (least, most) = (of(history.acknowledged()), of(history.begun()));
                assert!(found == least || found == most, "{found:?}: neither {least:?} nor {most:?}");
                Ok::<(), Error>(())
            },
        )
    }

    #[test]
    fn a_batch_is_there_whole_or_not_at_all_in_every_crash_image() {
        let explorer = explorer(nearly_full, |mapping, batch| Ring::open(mapping)?.add(batch));
        let report = explorer.run().assert();
        println!("{report}");
        assert!(report.is_exhaustive());
        let mutants = explorer.mutants();
        println!("{mutants}");
        assert_eq!(mutants.redundant().count(), 0, "every flush and fence is needed");
    }

    /// The count is stored first, and the records then: what the compiler refuses in `publish`, done by hand.
    #[test]
    fn a_count_that_goes_ahead_of_its_records_is_found() {
        let report = explorer(Ring::format, |mapping, batch| {
            let count = Ring::open(mapping)?.count();
            let word = mapping.part(COUNT)?;
            word.store(count + batch.len() as u64).fence()?;
            let at = FIRST + count as usize * RECORD;
            let slots = mapping.part(at..at + batch.len() * RECORD)?;
            fill(slots, batch).fence()?;
            Ok(())
        })
        .run();
        assert!(report.failure().is_some(), "{report}");
    }

    #[test]
    fn adding_costs_two_fences_however_many_the_records_are() {
        let mut mapping = power::mapping(4096).unwrap();
        Ring::format(&mut mapping).unwrap();
        let before = mapping.medium().trace();
        let mut ring = Ring::open(&mut mapping).unwrap();
        ring.add(&["x"; 31]).unwrap();
        let first = ring.mapping.medium().trace();
        let cost = first.since(&before);
        assert_eq!((cost.fences(), cost.flushed_lines()), (2, 31 + 1));
        ring.add(&["y"; 29]).unwrap();
        let second = ring.mapping.medium().trace();
        ring.add(&["z"; 5]).unwrap(); // over the end
        assert_eq!(ring.records()[26..], ["z"; 5]);
        let cost = mapping.medium().trace().since(&second);
        assert_eq!((cost.fences(), cost.flushed_lines()), (2, 5 + 1));
    }

    #[test]
    fn the_newest_records_are_kept() {
        check().unwrap();
    }

    #[test]
    fn a_file_is_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ring");
        let path = path.to_str().unwrap();
        for text in ["one", "two"] {
            let mut mapping = open_or_create(path).unwrap();
            Ring::open(&mut mapping).unwrap().add(&[text]).unwrap();
            mapping.close().unwrap();
        }
        let mut mapping = open_or_create(path).unwrap();
        assert_eq!(Ring::open(&mut mapping).unwrap().records(), ["one", "two"]);
    }
}

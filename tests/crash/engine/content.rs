//! What a record vouches for, up to the limits of the record and of what is worth a hash: with one fence, in every crash
//! image, and one thing more with two.

use indelible::collections::Log;
use indelible::power::{self, Explorer, History, Log as Events, Recorder};
use indelible::{Error, Link, Persistent, Region, Result, Word};
use indelible_test_support::costs::cost_of;

/// Bytes up to which persistent memory's commits hash (docs/design.md, 7.3).
const HASHED: usize = 2048;

#[derive(Persistent, Default)]
#[repr(C)]
struct Root {
    slots: [Link<[u64]>; 3],
    words: [Word<u64>; 2],
    log: Log,
}

/// What one transaction publishes: slices of so many words each, this many words, and a record of so many bytes.
#[derive(Clone, Copy, Debug)]
struct Load {
    slices: &'static [usize],
    words: usize,
    record: Option<usize>,
}

impl Load {
    /// Entries of the commit's record.
    fn entries(self) -> usize {
        self.slices.len() + self.words + usize::from(self.record.is_some())
    }

    /// The fences of its commit, with so many entries in a record at most.
    fn fences(self, journal_words: usize) -> usize {
        let extents = self.slices.len() + usize::from(self.record.is_some());
        let bytes =
            self.slices.iter().map(|len| 16 + 8 * len).sum::<usize>() + self.record.map_or(0, |len| 8 + len);
        let fits = 16 * self.entries() + 8 + 8 * extents <= 16 * journal_words && bytes <= HASHED;
        match (self.entries(), extents) {
            (0, _) => 0,
            (_, 0) => 1,
            // A frame alone.
            (1, 1) if self.slices.is_empty() => 1,
            _ => {
                if fits {
                    1
                } else {
                    2
                }
            }
        }
    }

    fn publish(self, region: &mut Region<Root, Recorder>, n: u64) -> Result<()> {
        region.transact(|tx, root| {
            let new =
                self.slices.iter().map(|&len| tx.alloc_slice(&vec![n; len])).collect::<Result<Vec<_>>>()?;
            // Flushed the other way round than they lie.
            for (slot, new) in root.slots.iter().zip(new).rev() {
                tx.free(tx.take(slot));
                tx.stage(slot, tx.flush(new));
            }
            root.words[..self.words].iter().for_each(|word| tx.store(word, n));
            if let Some(len) = self.record {
                root.log.append(tx, &vec![n as u8; len])?;
            }
            Ok(())
        })
    }
}

#[derive(Clone, Debug, PartialEq, Default)]
struct State {
    slots: [Vec<u64>; 3],
    words: [u64; 2],
    records: Vec<Vec<u8>>,
}

fn state(root: &Root) -> State {
    State {
        slots: root.slots.each_ref().map(|slot| slot.get().map_or(Vec::new(), <[u64]>::to_vec)),
        words: root.words.each_ref().map(Word::get),
        records: root.log.iter().map(|(_, record)| record.to_vec()).collect(),
    }
}

#[track_caller]
fn explore(load: Load, journal_words: usize) {
    let perform = move |region: &mut Region<Root, Recorder>, events: &Events<State>| {
        // The second time the first one's record is there, and its blocks are freed.
        for n in [1, 2] {
            let mut after = state(region.root());
            load.slices.iter().zip(&mut after.slots).for_each(|(&len, slot)| *slot = vec![n; len]);
            after.words[..load.words].fill(n);
            after.records.extend(load.record.map(|len| vec![n as u8; len]));
            events.begin(after);
            let mut result = Ok(());
            let (fences, _) = cost_of(region, |region| result = load.publish(region, n));
            match result {
                Err(Error::JournalFull { .. }) => assert!(load.entries() > journal_words, "{load:?}"),
                result => {
                    result?;
                    assert!(load.entries() <= journal_words.max(1), "{load:?}");
                    assert_eq!(fences, load.fences(journal_words), "{load:?}, {journal_words} words");
                    events.acknowledge();
                }
            }
        }
        Ok(())
    };
    let check = |root: &Root, history: &History<State>| {
        let found = state(root);
        let mut possible = vec![history.acknowledged().last().cloned().unwrap_or_default()];
        possible.extend(history.in_flight().iter().cloned());
        assert!(possible.contains(&found), "found {found:?}");
    };
    let report = Explorer::new(Root::default, perform, check)
        .after(|region| region.transact(|tx, root| root.log.create(tx, 8192)))
        .journal_words(journal_words)
        .depth(1)
        .kills(false)
        .progress(false)
        .run();
    assert!(report.assert().is_exhaustive());
}

#[test]
fn a_record_that_is_full_has_no_content() {
    const SLICES: [&[usize]; 4] = [&[], &[1], &[1, 2], &[3, 1, 2]];
    for journal_words in 1..=8 {
        for slices in SLICES {
            for words in 0..=2 {
                for record in [None, Some(9)] {
                    explore(Load { slices, words, record }, journal_words);
                }
            }
        }
    }
}

/// Not explored: what a fence covers is, above, and each word of so much would be a choice.
#[test]
fn what_is_not_worth_a_hash_is_fenced() {
    const ALL: [(&[usize], Option<usize>); 8] = [
        // Exactly as much, and a word or a byte more.
        (&[254], None),
        (&[255], None),
        (&[126, 126], None),
        (&[126, 127], None),
        (&[], Some(HASHED - 8)),
        (&[], Some(HASHED - 7)),
        (&[125], Some(1024)),
        (&[125], Some(1025)),
    ];
    for (index, (slices, record)) in ALL.into_iter().enumerate() {
        let mut region = power::region(1 << 20, Root::default()).expect("memory");
        region.transact(|tx, root| root.log.create(tx, 8192)).expect("room");
        let load = Load { slices, words: 1, record };
        let (fences, _) = cost_of(&mut region, |region| load.publish(region, 1).expect("room"));
        assert_eq!(fences, 1 + index % 2, "{load:?}");
        assert_eq!(load.fences(1024), fences, "{load:?}");
    }
}

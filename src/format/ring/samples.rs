//! [`Samples`]: where some of a log's records lie, so that none is looked for from the first one on.
//!
//! A ring has room for them behind its frames: a line for each [`SAMPLED`] bytes of frames. They are noted when a commit
//! has appended, and found anew by every open; nothing of them is ever flushed, or believed when a region is opened. A
//! reader has a `&Ring` and nothing else, and so they lie where that leads, and not beside the region's other state in
//! DRAM.
//!
//! A record is noted if it lies [`spacing`] bytes or more behind the one before. So an append notes nothing mostly, and
//! what it notes is paid for by the bytes that it appends; from any note to the next there is a bounded number of
//! records; and there is always room for one more where the oldest is not of use any more, because its record was
//! truncated. Those that a truncation at the front leaves are told by their frame, which lies before `HEAD`; one at the
//! back takes its own away. The numbers of all that are left rise.

use super::header::{HEAD, RING_HEADER};
use crate::flush::LINE;
use crate::format::frame::{FRAME_HEADER, FrameKind, Meta, batch_len};

/// Each so many bytes of frames have a line of samples. A ring with less than that has none: it is short.
const SAMPLED: usize = 4096;
/// Bytes of a sample.
const SAMPLE: usize = 32;

// Words of the ring's second line, beside `TAIL` and `NEXT`.
/// Which samples there are: of all that were ever noted, from this one to before that one.
const FROM: usize = 80;
const TO: usize = 88;
/// The first record at this position or behind it is noted.
pub(crate) const NOTE_AT: usize = 96;

/// Bytes of a ring with room for so many bytes of frames, a multiple of 64.
pub(crate) fn ring_len(capacity: usize) -> usize {
    RING_HEADER + capacity + capacity / SAMPLED * LINE
}

/// Bytes for frames in a ring of so many, for which [`ring_len`] answered that.
pub(crate) fn capacity_of(ring_len: usize) -> usize {
    let len = ring_len - RING_HEADER;
    len - len / (SAMPLED + LINE) * LINE
}

/// How many samples a ring has room for: none, or two or more.
fn room(capacity: usize) -> u64 {
    (capacity / SAMPLED * (LINE / SAMPLE)) as u64
}

/// Bytes from one noted record to the next, at the least: then all that lie between `HEAD` and `TAIL` have room.
fn spacing(capacity: usize) -> u64 {
    (capacity as u64).div_ceil(room(capacity) - 1)
}

/// Where a record lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sample {
    /// Its number.
    pub number: u64,
    /// The position of its frame, and the number of that frame's first record.
    pub frame: u64,
    pub first: u64,
    /// Where it begins in the frame's body.
    pub offset: u64,
}

/// The samples of a ring whose word at an offset is `load` of that.
pub(crate) struct Samples<L> {
    pub capacity: usize,
    pub load: L,
}

impl<L: Fn(usize) -> u64> Samples<L> {
    /// Where the sample lies that was noted as this one.
    fn place(&self, index: u64) -> usize {
        RING_HEADER + self.capacity + (index % room(self.capacity)) as usize * SAMPLE
    }

    fn number(&self, index: u64) -> u64 {
        count(Step::Probe);
        (self.load)(self.place(index))
    }

    /// Of the samples, the first whose number is this or larger.
    fn first_from(&self, number: u64) -> u64 {
        let (mut low, mut high) = ((self.load)(FROM), (self.load)(TO));
        // Most look for the newest.
        if low < high && self.number(high - 1) < number {
            return high;
        }
        while low < high {
            let middle = low + (high - low) / 2;
            match self.number(middle) < number {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        low
    }

    /// The last record that was noted and has this number or a lower one.
    pub(crate) fn find(&self, number: u64) -> Option<Sample> {
        let index = self.first_from(number + 1).checked_sub(1)?;
        if index < (self.load)(FROM) {
            return None;
        }
        let at = self.place(index);
        let [number, frame, first, offset] = [0, 8, 16, 24].map(|word| (self.load)(at + word));
        // Otherwise it was truncated, and the record lies before the next one that was noted.
        (frame >= (self.load)(HEAD)).then_some(Sample { number, frame, first, offset })
    }

    /// There are none.
    pub(crate) fn clear(&self, mut store: impl FnMut(usize, u64)) {
        let note_at = if room(self.capacity) == 0 { u64::MAX } else { 0 };
        [(FROM, 0), (TO, 0), (NOTE_AT, note_at)].into_iter().for_each(|(word, value)| store(word, value));
    }

    /// Records from this number on are gone.
    pub(crate) fn forget(&self, number: u64, mut store: impl FnMut(usize, u64)) {
        let (from, to) = ((self.load)(FROM), self.first_from(number));
        if to == (self.load)(TO) {
            return;
        }
        store(TO, to);
        let last = (to > from).then(|| self.place(to - 1));
        let last = last.map(|at| (self.load)(at + 8) + FRAME_HEADER as u64 + (self.load)(at + 24));
        store(NOTE_AT, last.map_or(0, |position| position + spacing(self.capacity)));
    }

    /// A frame lies there now; how many records it has. In a batch the length of the record that begins at an offset
    /// of the body is `len` of that.
    pub(crate) fn note(
        &self,
        (frame, first): (u64, u64),
        meta: Meta,
        len: impl Fn(usize) -> usize,
        mut store: impl FnMut(usize, u64),
    ) -> u64 {
        let (mut offset, mut count, mut note_at) = (0, 0, (self.load)(NOTE_AT));
        while offset < meta.body_len() || count == 0 && meta.kind == FrameKind::Single {
            let position = frame + (FRAME_HEADER + offset) as u64;
            if position >= note_at {
                let sample = Sample { number: first + count, frame, first, offset: offset as u64 };
                note_at = self.push(sample, position, &mut store);
            }
            offset += match meta.kind {
                FrameKind::Batch => batch_len(len(offset)),
                _ => meta.body_len(),
            };
            count += 1;
        }
        count
    }

    /// Adds a sample of the record at this position; the first record at the position that it returns, or behind it,
    /// is the next to be noted.
    fn push(&self, sample: Sample, position: u64, mut store: impl FnMut(usize, u64)) -> u64 {
        count(Step::Note);
        let (from, index) = ((self.load)(FROM), (self.load)(TO));
        let Sample { number, frame, first, offset } = sample;
        let at = self.place(index);
        [number, frame, first, offset].into_iter().zip([0, 8, 16, 24]).for_each(|(value, word)| {
            store(at + word, value);
        });
        store(TO, index + 1);
        // What it lies in the place of was truncated.
        store(FROM, from.max((index + 1).saturating_sub(room(self.capacity))));
        let note_at = position + spacing(self.capacity);
        store(NOTE_AT, note_at);
        note_at
    }
}

/// What is done to find or to note a record.
#[derive(Clone, Copy)]
pub(crate) enum Step {
    /// A frame or a record is passed.
    Pass,
    /// A sample is looked at.
    Probe,
    /// One is made.
    Note,
}

/// For the tests, which count steps.
#[inline(always)]
pub(crate) fn count(step: Step) {
    #[cfg(test)]
    tests::STEPS.with(|steps| steps[step as usize].set(steps[step as usize].get() + 1));
    let _ = step;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collections::Log;
    use crate::medium::{Emulated, Writable};
    use crate::{Error, Options, Region};
    use proptest::prelude::*;
    use std::cell::Cell;
    use std::collections::VecDeque;

    thread_local! {
        pub(super) static STEPS: [Cell<u64>; 3] = const { [const { Cell::new(0) }; 3] };
    }

    /// How many steps of each kind something took: passes, probes, notes.
    fn steps<X>(of: impl FnOnce() -> X) -> [u64; 3] {
        STEPS.with(|steps| steps.iter().for_each(|step| step.set(0)));
        of();
        STEPS.with(|steps| steps.each_ref().map(Cell::get))
    }

    /// The most passes for one record: from one noted record to the next there are so many of the shortest frames,
    /// or of the shortest records of a batch. Two more are on both sides.
    fn most_passes(capacity: u64) -> u64 {
        let bytes = if room(capacity as usize) == 0 { capacity } else { spacing(capacity as usize) };
        // A frame is entered and its record passed; 4 bytes are an empty record of a batch.
        (2 * bytes / FRAME_HEADER as u64).max(bytes / 4) + 4
    }

    fn most_probes(capacity: u64) -> u64 {
        2 + u64::from(room(capacity as usize).max(1).ilog2())
    }

    #[track_caller]
    fn assert_found<M: Writable>(region: &Region<Log, M>, number: u64, record: &[u8]) {
        let log = region.root();
        let [passes, probes, _] = steps(|| assert_eq!(log.get(number), Some(record), "{number}"));
        assert!(passes <= most_passes(log.capacity()), "{passes} of {number}");
        assert!(probes <= most_probes(log.capacity()), "{probes} of {number}");
    }

    fn new(capacity: u64) -> Region<Log, Emulated> {
        let mut region = Region::new(8 << 20, Log::new()).expect("memory");
        region.transact(|tx, log| log.create(tx, capacity)).expect("room");
        region
    }

    /// What a follower does: it reads the newest record, cuts it off, and appends another.
    #[test]
    fn the_newest_records_cost_the_same_however_long_the_log_is() {
        const CAPACITY: u64 = 4 << 20;
        let mut region = new(CAPACITY);
        let (mut number, mut costs) = (0_u64, Vec::new());
        for count in [1_000, 10_000, 100_000] {
            while number < count {
                number = region.transact(|tx, log| log.append(tx, &number.to_le_bytes())).expect("room");
            }
            let mut worst = [0; 3];
            for _ in 0..100 {
                let follow = steps(|| {
                    let last = region.root().last_seq().expect("a record");
                    assert!(region.root().get(last).is_some());
                    region
                        .transact(|tx, log| {
                            log.truncate_back(tx, last)?;
                            log.append(tx, &last.to_le_bytes())
                        })
                        .expect("room")
                });
                worst = std::array::from_fn(|step| worst[step].max(follow[step]));
            }
            // To read it, to cut it off, to forget it.
            assert!(worst[0] <= 2 * most_passes(CAPACITY), "{count}: {worst:?}");
            assert!(worst[2] <= 2, "{count}: {worst:?}");
            costs.push(worst);
            for number in (1..count).step_by(97) {
                assert!(steps(|| region.root().get(number))[0] <= most_passes(CAPACITY));
            }
        }
        assert!(costs.iter().all(|cost| cost[1] <= 3 * most_probes(CAPACITY)), "{costs:?}");
        // The newest is behind the last sample or its neighbour.
        assert!(steps(|| region.root().get(100_000))[1] <= 1);
    }

    #[test]
    fn an_append_notes_no_more_than_its_bytes_pay_for() {
        for len in [0, 8, 100, 5000] {
            let mut region = new(1 << 20);
            let (spacing, mut bytes, mut noted) = (spacing(1 << 20), 0, 0);
            for _ in 0..100 {
                let all = [vec![1; len], vec![2; len]];
                noted += steps(|| {
                    region
                        .transact(|tx, log| log.append_all(tx, all.iter().map(Vec::as_slice)))
                        .expect("room")
                })[2];
                bytes = region.root().used();
            }
            assert!(noted <= bytes / spacing + 1, "{noted} of {bytes} bytes");
            assert!(bytes < 2 * spacing || noted > 0);
        }
    }

    /// A new ring has all records in one frame.
    #[test]
    fn records_of_a_long_batch_are_found_as_fast() {
        let mut region = new(1 << 20);
        for number in 0..20_000_u64 {
            region.transact(|tx, log| log.append(tx, &number.to_le_bytes())).expect("room");
        }
        region.transact(|tx, log| log.resize(tx, 2 << 20)).expect("room");
        for number in [1, 2, 9_999, 19_998, 20_000] {
            assert_found(&region, number, &(number - 1).to_le_bytes());
        }
    }

    /// Whatever is there in what is never flushed.
    #[cfg(feature = "power")]
    #[test]
    fn an_open_believes_nothing_of_the_samples_and_makes_them_anew() {
        use crate::medium::MediumImpl;
        use crate::region::recover::recover;
        use std::panic::Location;

        let mut region = crate::power::region(1 << 20, Log::new()).expect("memory");
        region.transact(|tx, log| log.create(tx, 40 << 10)).expect("room");
        for number in 1..=2000_u64 {
            let append = |region: &mut Region<Log, _>| {
                region.transact(|tx, log| log.append_all(tx, [&number.to_le_bytes()[..], b"second"]))
            };
            if append(&mut region).is_err() {
                let next = region.root().next_seq();
                region
                    .transact(|tx, log| {
                        log.truncate_front(tx, next - 800);
                        Ok(())
                    })
                    .expect("committed");
                append(&mut region).expect("room");
            }
        }
        let (capacity, before) =
            (region.root().capacity() as usize, region.root().first_seq().expect("records"));
        for garbage in [0, u64::MAX, 0x1234_5678] {
            let ring = region.root().ring_address() - region.medium().map().address();
            let medium = region.medium().clone();
            region.abandon();
            let never_flushed = (64..RING_HEADER).chain(RING_HEADER + capacity..ring_len(capacity));
            never_flushed.step_by(8).for_each(|at| medium.map().store(ring + at, garbage));
            let len = medium.map().len() as u64;
            let opened = recover::<Log, _>(&medium, len, &Options::new(), Location::caller());
            let (engine, recovered) = opened.expect("a good region");
            region = Region::new_parts(medium, engine, recovered);
            let log = region.root();
            assert_eq!((log.first_seq(), log.last_seq()), (Some(before), Some(4000)));
            for number in before..=4000 {
                let half = number.div_ceil(2).to_le_bytes();
                assert_found(&region, number, if number % 2 == 1 { &half } else { b"second" });
            }
        }
    }

    #[test]
    fn a_ring_is_as_long_as_its_capacity_says_and_as_no_other() {
        let mut made = std::collections::BTreeSet::new();
        for capacity in (64..100_000).step_by(64) {
            assert_eq!(capacity_of(ring_len(capacity)), capacity);
            made.insert(ring_len(capacity));
        }
        for len in (RING_HEADER + 64..90_000).step_by(8) {
            let capacity = capacity_of(len);
            assert_eq!(
                capacity.is_multiple_of(64) && ring_len(capacity) == len,
                made.contains(&len),
                "{len}"
            );
        }
    }

    #[derive(Clone, Debug)]
    enum Act {
        Append(usize),
        Batch(usize, usize),
        Front(u8),
        Back(u8),
        Conflict(u8, usize),
        Resize(u64),
        Abort(u8),
    }

    fn act() -> impl Strategy<Value = Act> {
        let len = prop_oneof![3 => 0_usize..60, 1 => 60_usize..5000];
        prop_oneof![
            4 => len.clone().prop_map(Act::Append),
            6 => (1_usize..400, 0_usize..12).prop_map(|(count, len)| Act::Batch(count, len)),
            2 => any::<u8>().prop_map(Act::Front),
            2 => (128_u8..).prop_map(Act::Back),
            2 => ((200_u8..), len).prop_map(|(part, len)| Act::Conflict(part, len)),
            1 => (0_u64..40_000).prop_map(Act::Resize),
            1 => any::<u8>().prop_map(Act::Abort),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        #[test]
        fn every_record_is_found_in_few_steps_whatever_was_done(
            capacity in 64_u64..40_000,
            acts in proptest::collection::vec(act(), 1..60),
        ) {
            let mut region = new(capacity);
            let (mut first, mut records, mut tag) = (1, VecDeque::<Vec<u8>>::new(), 0_u64);
            for act in &acts {
                tag += 1;
                let part = |part: u8| first + records.len() as u64 * u64::from(part) / 255;
                let record = |len: usize, index: usize| {
                    let mut record = (tag * 1000 + index as u64).to_le_bytes().repeat(len.div_ceil(8));
                    record.truncate(len);
                    record
                };
                let mut to = (first, records.clone());
                let result = region.transact(|tx, log| {
                    match *act {
                        Act::Append(len) => {
                            log.append(tx, &record(len, 0))?;
                            to.1.push_back(record(len, 0));
                        }
                        Act::Batch(count, len) => {
                            let all: Vec<_> = (0..count).map(|index| record(len, index)).collect();
                            log.append_all(tx, all.iter().map(Vec::as_slice))?;
                            to.1.extend(all);
                        }
                        Act::Front(gone) => {
                            log.truncate_front(tx, part(gone));
                            to.1.drain(..(part(gone) - first) as usize);
                            to.0 = part(gone);
                        }
                        Act::Back(from) => {
                            log.truncate_back(tx, part(from))?;
                            to.1.truncate((part(from) - first) as usize);
                        }
                        Act::Conflict(from, len) => {
                            log.truncate_back(tx, part(from))?;
                            log.append(tx, &record(len, 1))?;
                            to.1.truncate((part(from) - first) as usize);
                            to.1.push_back(record(len, 1));
                        }
                        Act::Resize(capacity) => log.resize(tx, capacity)?,
                        Act::Abort(from) => {
                            log.truncate_back(tx, part(from))?;
                            log.append(tx, b"aborted")?;
                            return Err(Error::Aborted);
                        }
                    }
                    Ok(())
                });
                match result {
                    Ok(()) => (first, records) = to,
                    Err(Error::LogFull { .. } | Error::Aborted) => {}
                    Err(error) => return Err(TestCaseError::fail(error.to_string())),
                }
                prop_assert_eq!(region.root().len(), records.len() as u64);
                // Some hundred of them, others each time, and the newest.
                let stride = records.len() / 100 + 1;
                for index in (tag as usize % stride..records.len()).step_by(stride).chain(records.len().checked_sub(1)) {
                    assert_found(&region, first + index as u64, &records[index]);
                }
                prop_assert_eq!(region.root().get(first + records.len() as u64), None);
                prop_assert!(first == 0 || region.root().get(first - 1).is_none());
            }
        }
    }
}

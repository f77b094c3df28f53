//! The logs that the walk at open finds: which of a ring's frames count, and where the next one goes.
//!
//! What is in a ring beyond its header words is believed only as far as checksums verify, one frame after the
//! other. The walk reads through the overlay of the journal, as everywhere, and writes nothing; [`settle`]
//! does, when all is found to be as it should be.

use super::Walk;
use super::found::{Bad, Object, Place};
use crate::format::frame::*;
use crate::format::ring::*;
use crate::medium::MediumImpl;
use crate::observe::Origin;
use crate::observe::Rule;

/// A log as the walk found it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    /// Offset of the ring.
    at: usize,
    capacity: u64,
    head: u64,
    /// Number of the first frame's first record.
    first: u64,
    /// Where the next frame goes.
    tail: u64,
    next: u64,
}

/// The header of the ring that is walked, and what is behind it.
struct Scan {
    at: usize,
    capacity: u64,
    head: u64,
    epoch: u64,
    cut: u64,
    region_id: u64,
    /// For the explorer: rules that are broken.
    any_epoch: bool,
}

impl Scan {
    fn offset(&self, position: u64) -> usize {
        self.at + RING_HEADER + (position % self.capacity) as usize
    }

    /// Bytes that a frame at this position may have.
    fn room(&self, position: u64) -> u64 {
        (self.capacity - position % self.capacity).min(self.head + self.capacity - position)
    }

    /// The frame at this position, if one counts there, and how many records it has.
    fn frame(&self, frame: Frame, at: u64, load: &dyn Fn(usize) -> u64) -> Option<(Meta, u64)> {
        let (offset, room) = (self.offset(at), self.room(at));
        let word = load(offset + 8);
        let meta = Meta::decode(word)?;
        let current = if at >= self.cut { meta.epoch == self.epoch } else { meta.epoch <= self.epoch };
        let fits = match meta.kind {
            FrameKind::Skip => at + meta.stride() <= self.head + self.capacity,
            _ => meta.stride() <= room,
        };
        let strides =
            meta.stride() >= FRAME_HEADER as u64 && meta.stride().is_multiple_of(FRAME_HEADER as u64);
        if !(current || self.any_epoch) || !fits || !strides {
            return None;
        }
        let start = offset + FRAME_HEADER;
        let body = |at: usize| load(start + at);
        if load(offset) != frame.checksum_of(word, meta.body_len(), &body) {
            return None;
        }
        Some((meta, count_records_of(meta.kind, meta.body_len(), &body)?))
    }
}

impl<M: MediumImpl> Walk<'_, M> {
    /// Finds the frames of a ring whose header words were announced and are valid words.
    pub(super) fn ring(&self, object: Object) -> Result<Found, Box<Bad>> {
        let map = self.medium.map();
        let at = object.at;
        let load = |at: usize| self.overlay.get(at).unwrap_or_else(|| map.load(at));
        let [head, mut sequence, first, epoch, cut] =
            [HEAD, HEAD_SEQ, FIRST, EPOCH, CUT].map(|word| load(at + word));
        let bad = |word: usize, found: String, expected: &str| {
            Err(Bad::new(Place::Field(object, at + word), found, expected))
        };
        let capacity = capacity_of(object.len) as u64;
        let is_made = capacity.is_multiple_of(RING_ALIGN as u64) && ring_len(capacity as usize) == object.len;
        if !is_made || capacity > MAX_CAPACITY {
            return bad(HEAD, format!("a log of {capacity} bytes"), "a multiple of 64 up to 16 GiB");
        }
        if head > MAX_POSITION || !head.is_multiple_of(FRAME_HEADER as u64) {
            return bad(HEAD, format!("position {head}"), "a multiple of 16 that was reached");
        }
        if first < sequence || first > MAX_NUMBER {
            return bad(FIRST, format!("number {first} of the first record"), "one of its frame or after it");
        }
        if epoch > MAX_EPOCH {
            return bad(EPOCH, format!("epoch {epoch}"), "less than 2^30");
        }
        if cut > head + capacity || !cut.is_multiple_of(FRAME_HEADER as u64) {
            return bad(CUT, format!("a cut at {cut}"), "a multiple of 16 in the log or before it");
        }
        // Records of the journal may hold words of frames that were truncated since.
        self.overlay.hit_all(at + RING_HEADER..at + RING_HEADER + capacity as usize);

        let scan = Scan {
            at,
            capacity,
            head,
            epoch,
            cut,
            region_id: self.layout.region_id,
            any_epoch: self.medium.leaves_out(Rule::FrameEpoch),
        };
        let head_sequence = sequence;
        let mut position = head;
        while position + FRAME_HEADER as u64 <= head + capacity {
            let frame = Frame { region_id: scan.region_id, ring: at, position, sequence }
                .without_place_if(self.medium.leaves_out(Rule::FramePlace));
            let read = |load: &dyn Fn(usize) -> u64| scan.frame(frame, position, load);
            let offset = scan.offset(position);
            let room = offset..offset + scan.room(position) as usize;
            self.medium.announce_checksummed(std::slice::from_ref(&room), &|load| {
                read(&|at| self.overlay.get(at).unwrap_or_else(|| load(at))).is_some()
            });
            let Some((meta, records)) = read(&load) else { break };
            if self.flush && !self.medium.leaves_out(Rule::FlushFrames) {
                self.medium.flush_range(offset, FRAME_HEADER + meta.body_len(), self.origin);
            }
            position += meta.stride();
            sequence += records;
        }
        if !ends_in_time(position.next_multiple_of(capacity)) {
            return bad(HEAD, format!("records up to position {position}"), "up to one that was reached");
        }
        if sequence > MAX_NUMBER {
            return bad(HEAD_SEQ, format!("records up to number {}", sequence - 1), "up to one below 2^62");
        }
        if position < cut {
            let found = format!("its records end with number {}", sequence.saturating_sub(1));
            return bad(CUT, found, "the records before its last truncation, which were durable");
        }
        if first > sequence {
            let found = format!("its records end with number {}", sequence.saturating_sub(1));
            return bad(FIRST, found, &format!("records up to number {} at least", first - 1));
        }
        Ok(Found { at, capacity, head, first: head_sequence, tail: position, next: sequence })
    }
}

impl Found {
    /// Makes samples of the records, which are in place now.
    fn note_records<M: MediumImpl>(&self, medium: &M, origin: Origin) {
        let map = medium.map();
        let store = |word: usize, value| medium.store(self.at + word, value, origin);
        let samples =
            Samples { capacity: self.capacity as usize, load: |word: usize| map.load(self.at + word) };
        samples.clear(store);
        if ring_len(self.capacity as usize) == RING_HEADER + self.capacity as usize {
            return;
        }
        let (mut position, mut sequence) = (self.head, self.first);
        while position < self.tail {
            let frame = self.at + RING_HEADER + (position % self.capacity) as usize;
            let meta = Meta::decode(map.load(frame + 8)).expect("the frame was accepted");
            let len = |at: usize| {
                let at = frame + FRAME_HEADER + at;
                // Each stands at a multiple of 4.
                (map.load(at & !7) >> (at % 8 * 8)) as u32 as usize
            };
            sequence += samples.note((position, sequence), meta, len, store);
            position += meta.stride();
        }
    }
}

/// Says where each log's next frame goes, and makes sure that nothing that was not accepted there ever will be:
/// a frame that verifies only in part could be completed by the next that is written over it. Flushed, and not
/// fenced.
pub(crate) fn settle<M: MediumImpl>(medium: &M, rings: &[Found], origin: Origin) {
    for ring in rings {
        medium.store(ring.at + TAIL, ring.tail, origin);
        medium.store(ring.at + NEXT, ring.next, origin);
        ring.note_records(medium, origin);
        // The next frame goes to the tail, or to the start of the ring where it does not fit there.
        let lap = ring.tail.next_multiple_of(ring.capacity);
        for (position, rule) in [(ring.tail, Rule::ForgetRejected), (lap, Rule::ForgetSkipped)] {
            if medium.leaves_out(rule) {
                continue;
            }
            if position + FRAME_HEADER as u64 <= ring.head + ring.capacity {
                let at = ring.at + RING_HEADER + (position % ring.capacity) as usize;
                medium.store(at, 0, origin);
                medium.flush_word(at, origin);
            }
        }
    }
}

//! [`Ring`]: the memory of a log. Its bytes are published by a checksum, and so are not like any other bytes
//! in a region: they change after the ring was published, in the part of it that no record lies in.
//!
//! ```text
//! line 0  HEAD        position of the first frame        } words that a transaction changes as any other;
//!         HEAD_SEQ    number of that frame's first record } what a position counts is bytes that were ever
//!         FIRST       number of the first record         } appended, so that none comes twice
//!         EPOCH       how often the back was truncated   }
//!         CUT         where it was truncated last        }
//! line 1  TAIL, NEXT  where the next frame goes, and its first record's number: found at open, never flushed
//!         and of which records `samples.rs` knows where they lie, in the same way
//! …       frames
//! …       samples
//! ```
//!
//! A frame is what one transaction appended: its checksum, a word that says what it is ([`Meta`]), and the
//! body. It does not cross the end of the ring: a frame that only skips leads to the start. The checksum is
//! seeded with the region's id, the ring's place, the frame's position, its first record's number, and the
//! meta word. From the cut on, a frame counts only if it is of the present epoch.
//!
//! # Safety
//!
//! A `Ring` is made of atomic words, so that `&Ring` says nothing of what they hold. Bytes are lent out only
//! between `HEAD` and `TAIL`: open verified what lies there, or a commit wrote it. A commit changes memory
//! outside of it, or what a record of the journal truncates, and takes `&mut Region`, when nothing is lent;
//! inside a transaction's closure nothing changes.
#![allow(unsafe_code)]

use super::samples::{Samples, Step, capacity_of, count};
use crate::persistent::{FINGERPRINT_MASK, Kind, No, Target, TypeInfo, name_id};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use xxhash_rust::xxh3::{Xxh3, xxh3_64_with_seed};

/// The memory of a log. Nobody can read it but through the records that were accepted.
#[repr(transparent)]
pub struct Ring {
    cells: [AtomicU64],
}

/// Offsets of the header's words from the ring's start, in bytes.
pub(crate) const HEAD: usize = 0;
pub(crate) const HEAD_SEQ: usize = 8;
pub(crate) const FIRST: usize = 16;
pub(crate) const EPOCH: usize = 24;
pub(crate) const CUT: usize = 32;
/// Not durable, and not believed at open.
pub(crate) const TAIL: usize = 64;
pub(crate) const NEXT: usize = 72;
/// Bytes before the frames.
pub(crate) const RING_HEADER: usize = 128;
/// Bytes before a frame's body.
pub(crate) const FRAME_HEADER: usize = 16;
/// Rings begin at a line.
pub(crate) const RING_ALIGN: usize = 64;
/// The last position that a log's head can have: see [`ends_in_time`].
pub(crate) const MAX_POSITION: u64 = 1 << 62;
/// The number of the record that would come next is this one at most, and then none comes.
pub(crate) const MAX_NUMBER: u64 = 1 << 62;
/// Frames of a later epoch could not say so.
pub(crate) const MAX_EPOCH: u64 = (1 << 30) - 1;
/// A skip counts words in 32 bits.
pub(crate) const MAX_CAPACITY: u64 = 1 << 34;

// SAFETY: the description says how many words there are, all of which are valid; there is no link inside.
unsafe impl Target for Ring {
    type Links = No;
    const TARGET_ID: u64 = name_id("log::SampledRing");
    const TARGET_CHECKED: () = ();
    const FIXED_SIZE: Option<usize> = None;
    fn target_info() -> &'static TypeInfo {
        const { &TypeInfo::ring() }
    }
    #[inline(always)]
    fn from_address(at: *mut u8, count: impl FnOnce(*mut u8) -> usize) -> *mut Ring {
        std::ptr::slice_from_raw_parts_mut(at.cast::<u64>(), count(at)) as *mut Ring
    }
    fn byte_len(this: NonNull<Ring>) -> usize {
        (this.as_ptr() as *mut [u64]).len() * size_of::<u64>()
    }
}

impl TypeInfo {
    const fn ring() -> Self {
        TypeInfo {
            name: "log::SampledRing",
            args: &[],
            kind: Kind::Ring,
            size: size_of::<u64>(),
            align: RING_ALIGN,
            fingerprint: name_id("log::SampledRing") & FINGERPRINT_MASK,
            cells: true,
            visit: |bytes, visitor| match zerocopy::TryFromBytes::try_ref_from_bytes(bytes) {
                Ok(words) => {
                    let words: &[u64] = words;
                    let durable = words.get(..=CUT / 8).unwrap_or(&[]);
                    durable.chunks(1).for_each(|word| visitor.word(word, |_| true));
                    words.len() > RING_HEADER / 8
                }
                Err(_) => false,
            },
        }
    }
}

/// Whether the frames of a log may end in the lap of the ring that ends at this position. Truncations must be possible
/// always, and when all goes the head moves to the lap's end. An append asks for its frame, and open for what it finds:
/// so nothing is committed that could not be opened.
pub(crate) fn ends_in_time(lap_end: u64) -> bool {
    lap_end <= MAX_POSITION
}

/// Where the last lap of a ring of this capacity ends that does so [in time](ends_in_time).
pub(crate) fn last_lap_end(capacity: u64) -> u64 {
    MAX_POSITION - MAX_POSITION % capacity
}

/// What kind of frame it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameKind {
    /// The body is one record of [`Meta::len`] bytes.
    Single,
    /// The body has [`Meta::len`] bytes: each record as its length in 4 bytes and its own, padded to 4.
    Batch,
    /// The next frame lies [`Meta::len`] words behind this one's start.
    Skip,
}

/// A frame's second word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Meta {
    pub kind: FrameKind,
    pub len: u32,
    pub epoch: u64,
}

impl Meta {
    pub(crate) fn encode(self) -> u64 {
        u64::from(self.len) | self.epoch << 32 | (self.kind as u64) << 62
    }

    pub(crate) fn decode(word: u64) -> Option<Self> {
        let kind = match word >> 62 {
            0 => FrameKind::Single,
            1 => FrameKind::Batch,
            2 => FrameKind::Skip,
            _ => return None,
        };
        Some(Meta { kind, len: word as u32, epoch: word >> 32 & MAX_EPOCH })
    }

    /// Bytes from the frame's start to the next.
    pub(crate) fn stride(self) -> u64 {
        match self.kind {
            FrameKind::Skip => u64::from(self.len) * 8,
            _ => frame_len(self.len as usize) as u64,
        }
    }

    /// Bytes of the body.
    pub(crate) fn body_len(self) -> usize {
        if self.kind == FrameKind::Skip { 0 } else { self.len as usize }
    }
}

/// Bytes of a frame with a body of so many: there is always room for a skip at the end of the ring.
pub(crate) fn frame_len(body: usize) -> usize {
    FRAME_HEADER + body.next_multiple_of(FRAME_HEADER)
}

/// Bytes of a record in a batch.
pub(crate) fn batch_len(record: usize) -> usize {
    4 + record.next_multiple_of(4)
}

/// Appends a record to a batch.
pub(crate) fn push_record(batch: &mut Vec<u8>, record: &[u8]) {
    batch.reserve(batch_len(record.len()));
    batch.extend_from_slice(&(record.len() as u32).to_le_bytes());
    batch.extend_from_slice(record);
    batch.extend_from_slice(&[0; 3][..record.len().wrapping_neg() % 4]);
}

/// The first record of a batch, and the rest of it.
pub(crate) fn split_record(batch: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = batch.split_first_chunk()?;
    let len = u32::from_le_bytes(*len) as usize;
    let record = rest.get(..len)?;
    // The last one's padding is there too.
    Some((record, rest.get(len.next_multiple_of(4)..)?))
}

/// How many records a body holds; `None` if it is none that was written so.
pub(crate) fn count_records(kind: FrameKind, body: &[u8]) -> Option<u64> {
    match kind {
        FrameKind::Skip => Some(0),
        FrameKind::Single => Some(1),
        FrameKind::Batch => {
            let (mut rest, mut count) = (body, 0);
            while !rest.is_empty() {
                rest = split_record(rest)?.1;
                count += 1;
            }
            (count > 0).then_some(count)
        }
    }
}

/// [`count_records`] of a body of `len` bytes whose word at a multiple of 8 is `load` of it.
pub(crate) fn count_records_of(kind: FrameKind, len: usize, load: &dyn Fn(usize) -> u64) -> Option<u64> {
    if kind != FrameKind::Batch {
        return count_records(kind, &[]);
    }
    let (mut at, mut count) = (0, 0);
    while at < len {
        // Each stands at a multiple of 4.
        let record = (load(at & !7) >> (at % 8 * 8)) as u32;
        at += batch_len(record as usize);
        count += 1;
    }
    (at == len && count > 0).then_some(count)
}

/// Bytes of the first `count` records of a batch.
pub(crate) fn prefix_of_batch(body: &[u8], count: u64) -> usize {
    let mut rest = body;
    for _ in 0..count {
        rest = split_record(rest).map_or(&[], |(_, rest)| rest);
    }
    body.len() - rest.len()
}

/// Which frame it would be: what its checksum is seeded with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    pub region_id: u64,
    /// The ring's offset in the region.
    pub ring: usize,
    pub position: u64,
    /// Number of its first record.
    pub sequence: u64,
}

impl Frame {
    pub(crate) fn checksum(self, meta: u64, body: &[u8]) -> u64 {
        xxh3_64_with_seed(body, self.seed(meta))
    }

    fn seed(self, meta: u64) -> u64 {
        let mut seed = self.region_id;
        for part in [self.ring as u64, self.position, self.sequence, meta] {
            seed = (seed ^ part).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        }
        seed
    }

    /// The checksum of a body of `len` bytes whose word at a multiple of 8 is `load` of it, in bounded memory.
    pub(crate) fn checksum_of(self, meta: u64, len: usize, load: &dyn Fn(usize) -> u64) -> u64 {
        let mut chunk = [0; 1024];
        let mut read = |from: usize, len: usize| {
            let words = chunk.chunks_exact_mut(8).zip((from..from + len).step_by(8));
            words.for_each(|(word, at)| word.copy_from_slice(&load(at).to_le_bytes()));
            chunk
        };
        if len <= 1024 {
            return self.checksum(meta, &read(0, len)[..len]);
        }
        let mut hash = Xxh3::with_seed(self.seed(meta));
        for from in (0..len).step_by(1024) {
            let len = (len - from).min(1024);
            hash.update(&read(from, len)[..len]);
        }
        hash.digest()
    }
}

impl Ring {
    #[inline]
    fn word(&self, at: usize) -> u64 {
        self.cells[at / 8].load(Relaxed)
    }

    /// Bytes for frames.
    #[inline]
    pub(crate) fn capacity(&self) -> usize {
        capacity_of(self.cells.len() * 8)
    }

    fn samples(&self) -> Samples<impl Fn(usize) -> u64> {
        Samples { capacity: self.capacity(), load: |at| self.word(at) }
    }

    pub(crate) fn address(&self) -> usize {
        self.cells.as_ptr().addr()
    }

    /// Bytes between the first frame and the place of the next.
    pub(crate) fn used(&self) -> u64 {
        self.word(TAIL) - self.word(HEAD)
    }

    /// Number of the first record.
    pub(crate) fn first(&self) -> u64 {
        self.word(FIRST)
    }

    /// Number of the record that is appended next.
    pub(crate) fn next(&self) -> u64 {
        self.word(NEXT)
    }

    /// Committed records from this number on.
    pub(crate) fn records(&self, from: u64) -> Records<'_> {
        let end = self.word(NEXT);
        let (head, first) = (self.word(HEAD), self.word(HEAD_SEQ));
        let mut records = Records {
            ring: self,
            frame: (head, first),
            position: head,
            sequence: first,
            end,
            rest: &[],
            single: false,
        };
        records.seek(from.max(self.first()).min(end));
        records
    }

    /// The committed frame at this position.
    pub(crate) fn frame(&self, position: u64) -> Option<(Meta, &[u8])> {
        if position < self.word(HEAD) || position + FRAME_HEADER as u64 > self.word(TAIL) {
            return None;
        }
        let offset = (position % self.capacity() as u64) as usize;
        let meta = Meta::decode(self.word(RING_HEADER + offset + 8))?;
        let len = meta.body_len();
        assert!(offset + FRAME_HEADER + len <= self.capacity(), "a frame lies in its ring");
        let start = self.cells.as_ptr().cast::<u8>().wrapping_add(RING_HEADER + offset + FRAME_HEADER);
        // SAFETY: inside the ring, as was just checked, and initialised; between `HEAD` and `TAIL`, where
        // nothing changes as long as the ring is borrowed: see the module.
        Some((meta, unsafe { std::slice::from_raw_parts(start, len) }))
    }

    /// The frame that holds this record, which is not before the first one, or else the next frame's place: its
    /// position, and the number of its first record.
    pub(crate) fn frame_of(&self, sequence: u64) -> (u64, u64) {
        let mut records = self.records(sequence);
        match records.enter() {
            Some(()) => records.frame,
            None => (records.position, records.sequence),
        }
    }
}

impl std::fmt::Debug for Ring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ring").field("capacity", &self.capacity()).finish_non_exhaustive()
    }
}

/// Records of a ring, in order, each with its number.
#[derive(Clone)]
pub(crate) struct Records<'a> {
    ring: &'a Ring,
    /// The position of the present frame, and the number of its first record.
    frame: (u64, u64),
    /// Of the next frame.
    position: u64,
    /// Number of the next record.
    sequence: u64,
    end: u64,
    /// What is left of the present frame.
    rest: &'a [u8],
    /// It is one record, which was not given out yet.
    single: bool,
}

impl<'a> Records<'a> {
    /// Goes on to this record.
    fn seek(&mut self, to: u64) {
        if let Some(sample) = self.ring.samples().find(to) {
            (self.position, self.sequence) = (sample.frame, sample.first);
            if self.enter().is_some() {
                self.rest = &self.rest[sample.offset as usize..];
                self.sequence = sample.number;
            }
        }
        while self.sequence < to && self.next().is_some() {}
    }

    /// Goes on to the frame with the next record, if there is one.
    fn enter(&mut self) -> Option<()> {
        while self.rest.is_empty() && !self.single {
            count(Step::Pass);
            let (meta, body) = self.ring.frame(self.position)?;
            self.frame = (self.position, self.sequence);
            self.position += meta.stride();
            self.rest = body;
            self.single = meta.kind == FrameKind::Single;
        }
        Some(())
    }

    /// How many are left.
    pub(crate) fn remaining(&self) -> u64 {
        self.end - self.sequence
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = (u64, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        if self.sequence >= self.end {
            return None;
        }
        self.enter()?;
        count(Step::Pass);
        let record = if std::mem::take(&mut self.single) {
            std::mem::take(&mut self.rest)
        } else {
            let (record, rest) = split_record(self.rest)?;
            self.rest = rest;
            record
        };
        let sequence = self.sequence;
        self.sequence += 1;
        Some((sequence, record))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_body_that_is_read_by_words_is_judged_as_one_that_lies_in_one_piece(
            lens in proptest::collection::vec(0_usize..700, 0..8),
            len in 0_usize..4000,
            broken in any::<Option<(prop::sample::Index, u8)>>(),
        ) {
            let mut batch = Vec::new();
            lens.iter().for_each(|&len| push_record(&mut batch, &vec![0xa5; len]));
            if let Some((index, byte)) = broken && !batch.is_empty() {
                let at = index.index(batch.len());
                batch[at] = byte;
            }
            let frame = Frame { region_id: 1, ring: 64, position: 32, sequence: 3 };
            let bodies = [(FrameKind::Batch, batch), (FrameKind::Single, vec![7; len]), (FrameKind::Skip, vec![])];
            for (kind, body) in bodies {
                let load = |at: usize| {
                    let mut word = [0xee; 8]; // what is behind the body
                    let rest = &body[at..body.len().min(at + 8)];
                    word[..rest.len()].copy_from_slice(rest);
                    u64::from_le_bytes(word)
                };
                prop_assert_eq!(frame.checksum_of(9, body.len(), &load), frame.checksum(9, &body));
                prop_assert_eq!(count_records_of(kind, body.len(), &load), count_records(kind, &body));
            }
        }
    }
}

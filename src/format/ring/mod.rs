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
//! What is volatile there, and why a change of this layout needs another type name: docs/design.md, 9.9.
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

mod header;
mod records;
mod samples;

pub(crate) use header::*;
pub(crate) use records::Records;
pub(crate) use samples::{NOTE_AT, Samples, capacity_of, ring_len};

use super::frame::{FRAME_HEADER, Meta};
use crate::persistent::{FINGERPRINT_MASK, Kind, No, Target, TypeInfo, name_id};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The memory of a log. Nobody can read it but through the records that were accepted.
#[repr(transparent)]
pub struct Ring {
    cells: [AtomicU64],
}

/// Rings begin at a line.
pub(crate) const RING_ALIGN: usize = 64;
/// The last position that a log's head can have: see [`ends_in_time`].
pub(crate) const MAX_POSITION: u64 = 1 << 62;
/// The number of the record that would come next is this one at most, and then none comes.
pub(crate) const MAX_NUMBER: u64 = 1 << 62;
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
        Records::of(self, from)
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
        self.records(sequence).into_frame()
    }
}

impl std::fmt::Debug for Ring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ring").field("capacity", &self.capacity()).finish_non_exhaustive()
    }
}

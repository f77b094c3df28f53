//! [`Frame`]: what one transaction appended to a log, as it lies in the log's ring: a checksum, a word that says what
//! it is ([`Meta`]), and the records. Where frames lie, and which of them count, is the business of the ring.

use super::hash::{fold, hash_words};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Bytes before a frame's body.
pub(crate) const FRAME_HEADER: usize = 16;
/// The highest epoch that fits into the 30 bits of a frame's second word.
pub(crate) const MAX_EPOCH: u64 = (1 << 30) - 1;

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
    /// Without its place, for the explorer, which shows what that is for.
    pub(crate) fn without_place_if(self, broken: bool) -> Self {
        if broken { Frame { position: 0, sequence: 0, ..self } } else { self }
    }

    pub(crate) fn checksum(self, meta: u64, body: &[u8]) -> u64 {
        xxh3_64_with_seed(body, self.seed(meta))
    }

    fn seed(self, meta: u64) -> u64 {
        fold(self.region_id, [self.ring as u64, self.position, self.sequence, meta])
    }

    /// The checksum of a body of `len` bytes whose word at a multiple of 8 is `load` of it, in bounded memory.
    pub(crate) fn checksum_of(self, meta: u64, len: usize, load: &dyn Fn(usize) -> u64) -> u64 {
        hash_words(self.seed(meta), len, load)
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

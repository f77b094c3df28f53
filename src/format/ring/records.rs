//! [`Records`]: a log's records in order, read from its ring's frames.

use super::Ring;
use super::header::{HEAD, HEAD_SEQ, NEXT};
use super::samples::{Step, count};
use crate::format::frame::{FrameKind, split_record};

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
    /// From the record with this number on, or from the first; up to the last that is committed.
    pub(super) fn of(ring: &'a Ring, from: u64) -> Self {
        let end = ring.word(NEXT);
        let (head, first) = (ring.word(HEAD), ring.word(HEAD_SEQ));
        let mut records = Records {
            ring,
            frame: (head, first),
            position: head,
            sequence: first,
            end,
            rest: &[],
            single: false,
        };
        records.seek(from.max(ring.first()).min(end));
        records
    }

    /// The frame that holds the next record, or else the next frame's place: its position, and the number of its
    /// first record.
    pub(super) fn into_frame(mut self) -> (u64, u64) {
        match self.enter() {
            Some(()) => self.frame,
            None => (self.position, self.sequence),
        }
    }

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

//! What a transaction does to the ring of a log: the verbs under [`Log`](crate::collections::Log)'s.

use super::Tx;
use crate::error::{Error, Result};
use crate::format::frame::{Frame, MAX_EPOCH, Meta, frame_len, prefix_of_batch};
use crate::format::ring::{CUT, EPOCH, FIRST, HEAD, HEAD_SEQ, Ring};
use crate::link::Link;
use crate::medium::Medium;
use crate::observe::Rule;
use std::panic::Location;

const CHANGED: &str = "an iterator of records for `append_all` changes the log that they are appended to";

impl<'t, M: Medium> Tx<'t, M> {
    /// Appends these records when the transaction commits, all or none; the number of the first, or of what
    /// would be the next one.
    #[track_caller]
    pub(crate) fn ring_append<'a>(
        &self,
        ring: &'t Ring,
        records: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<u64> {
        let at = self.offset_in_region(ring.address());
        let mut append = {
            let mut engine = self.engine.borrow_mut();
            engine.check_poison()?;
            engine.logs.begin_append(self.medium.map(), at, ring, Location::caller())
        };
        let first = append.next();
        // The caller's iterator may use the transaction itself, also when it says that there are no more.
        for record in records {
            let logs = &mut self.engine.borrow_mut().logs;
            if logs.is_changed(&append) {
                self.break_rule(CHANGED);
            }
            logs.push(&mut append, record)?;
        }
        let logs = &mut self.engine.borrow_mut().logs;
        if logs.is_changed(&append) {
            self.break_rule(CHANGED);
        }
        logs.end_append(&append);
        Ok(first)
    }

    /// A rule: the ring that records were appended to is still the log's.
    #[track_caller]
    pub(crate) fn ring_in_place(&self, slot: &'t Link<Ring>, ring: &'t Ring) {
        if self.get(slot).is_none_or(|now| !std::ptr::eq(now, ring)) {
            self.break_rule(CHANGED);
        }
    }

    /// A rule: the transaction has not changed this ring yet.
    #[track_caller]
    pub(crate) fn ring_untouched(&self, ring: &'t Ring) {
        let at = self.offset_in_region(ring.address());
        let touched = self.engine.borrow().logs.holds(at);
        if touched {
            self.break_rule("a log is resized after the same transaction appended to it or truncated it");
        }
    }

    /// Removes the records before this number when the transaction commits.
    #[track_caller]
    pub(crate) fn ring_truncate_front(&self, ring: &'t Ring, to: u64) {
        let at = self.offset_in_region(ring.address());
        let origin = Location::caller();
        let first = self.view(at + FIRST);
        let log = self.engine.borrow_mut().logs.begin_truncate(self.medium.map(), at, ring, origin);
        let to = to.min(log.next);
        if to <= first {
            return;
        }
        let (head, sequence) =
            if to >= log.kept_next { (log.kept, log.kept_next) } else { ring.frame_of(to) };
        self.set_pending(at + HEAD, head, origin);
        self.set_pending(at + HEAD_SEQ, sequence, origin);
        self.set_pending(at + FIRST, to, origin);
    }

    /// Removes the records from this number on when the transaction commits.
    #[track_caller]
    pub(crate) fn ring_truncate_back(&self, ring: &'t Ring, from: u64) -> Result<()> {
        let at = self.offset_in_region(ring.address());
        let origin = Location::caller();
        let map = self.medium.map();
        let from = from.max(self.view(at + FIRST));
        let epoch = map.load(at + EPOCH) + 1;
        let log = self.engine.borrow_mut().logs.begin_truncate(map, at, ring, origin);
        if from < log.kept_next && epoch > MAX_EPOCH {
            return Err(Error::UsedUp {
                numbers: "numbers of this log's truncations at the back",
                last: MAX_EPOCH,
                instead: "move its records into a new ring with `Log::resize`, where they begin anew",
            });
        }
        self.engine.borrow_mut().logs.unstage(&log, from);
        if from >= log.kept_next {
            return Ok(());
        }
        if let Some(frame) = log.shortened {
            [frame, frame + 8].into_iter().for_each(|at| self.set_pending(at, map.load(at), origin));
        }
        let (position, first) = ring.frame_of(from);
        let mut kept = position;
        let mut shortened = None;
        if from > first {
            let (meta, body) = ring.frame(position).expect("the record is there");
            let body = &body[..prefix_of_batch(body, from - first)];
            let meta = Meta { len: body.len() as u32, ..meta }.encode();
            let mut engine = self.engine.borrow_mut();
            let frame = Frame { region_id: engine.layout.region_id, ring: at, position, sequence: first };
            let frame = frame.without_place_if(self.medium.leaves_out(Rule::FramePlace));
            let offset = engine.logs.offset(&log, position);
            engine.pending.set::<M>(offset, frame.checksum(meta, body), origin);
            engine.pending.set::<M>(offset + 8, meta, origin);
            kept += frame_len(body.len()) as u64;
            shortened = Some(position);
        }
        self.set_pending(at + EPOCH, epoch, origin);
        self.set_pending(at + CUT, kept, origin);
        self.engine.borrow_mut().logs.cut(&log, kept, from, shortened);
        Ok(())
    }
}

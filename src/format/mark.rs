//! [`Mark`]: the in-use mark of page 0, and the unsafe-shutdown count of the memory beside it.
//!
//! The mark is 0 when the region was closed. Otherwise it is a hash of the memory's identity and of the count,
//! or 1 where the memory has no count. The two words lie in one line and are not kept together by anything: a
//! power failure may keep either. So the count is believed only if the mark belongs to it and to this memory.
//! A copy on other memory, whose count says nothing about this one's, and a torn pair don't match.
//!
//! A power failure with working ADR does not raise the count. If it rose while the region was in use, what was
//! flushed may not have reached the memory, and no order of flushes helps. PMDK decides in the same way
//! (`src/common/shutdown_state.c`), except that it refuses copies.

use super::layout::{IN_USE, SHUTDOWNS};
use crate::error::{Error, Result};
use crate::medium::{MediumImpl, Shutdowns};
use crate::observe::Origin;
use xxhash_rust::xxh3::xxh3_64_with_seed;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    in_use: u64,
    shutdowns: u64,
}

/// In use, on memory without a count.
const NO_COUNT: u64 = 1;

impl Mark {
    /// The mark of a region that is in use.
    pub(crate) fn in_use(shutdowns: Option<Shutdowns>) -> Self {
        match shutdowns {
            None => Mark { in_use: NO_COUNT, shutdowns: 0 },
            Some(Shutdowns { count, memory }) => Mark { in_use: seal(memory, count), shutdowns: count },
        }
    }

    pub(crate) fn read<M: MediumImpl>(medium: &M) -> Self {
        medium.announce(IN_USE, 16);
        Mark { in_use: medium.map().load(IN_USE), shutdowns: medium.map().load(SHUTDOWNS) }
    }

    /// Stores and flushes it.
    #[track_caller]
    pub(crate) fn store<M: MediumImpl>(self, medium: &M, origin: Origin) {
        medium.store(SHUTDOWNS, self.shutdowns, origin);
        medium.store(IN_USE, self.in_use, origin);
        medium.flush_word(IN_USE, origin);
    }

    pub(crate) fn is_in_use(self) -> bool {
        self.in_use != 0
    }

    /// The stored count, for callers that did not compare it with the memory's.
    pub(crate) fn recorded(self) -> Option<u64> {
        (self.in_use > NO_COUNT).then_some(self.shutdowns)
    }

    /// Refuses a region that was in use when its memory failed to save everything, unless the caller has `accepted`
    /// that.
    pub(crate) fn check<M: MediumImpl>(self, medium: &M, accepted: bool) -> Result<()> {
        match medium.shutdowns() {
            Some(now) if self.has_lost(now) && !accepted => {
                let (recorded, found) = (self.shutdowns, now.count);
                Err(Error::UnsafeShutdown { path: medium.path().to_path_buf(), recorded, found })
            }
            _ => Ok(()),
        }
    }

    fn has_lost(self, now: Shutdowns) -> bool {
        self.in_use == seal(now.memory, self.shutdowns) && now.count != self.shutdowns
    }
}

/// The mark that belongs to a memory and its count: neither 0 nor [`NO_COUNT`].
fn seal(memory: u64, count: u64) -> u64 {
    xxh3_64_with_seed(&memory.to_le_bytes(), count).max(2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Options;

    const HERE: u64 = 7;
    const ELSEWHERE: u64 = 8;

    fn count(memory: u64, count: u64) -> Option<Shutdowns> {
        Some(Shutdowns { count, memory })
    }

    /// Whatever a power failure keeps of the words that turn one mark into another.
    fn torn(old: Mark, new: Mark) -> [Mark; 4] {
        [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(mark, count)| Mark {
            in_use: [old, new][mark].in_use,
            shutdowns: [old, new][count].shutdowns,
        })
    }

    #[test]
    fn a_count_that_rose_while_the_region_was_in_use_is_noticed_on_the_same_memory_only() {
        let used = Mark::in_use(count(HERE, 3));
        let now = |memory, count| Shutdowns { count, memory };
        assert!(used.has_lost(now(HERE, 4)));
        assert!(!used.has_lost(now(HERE, 3)));
        assert!(!used.has_lost(now(ELSEWHERE, 4)));
        let closed = Mark { in_use: 0, ..used };
        assert!(!closed.has_lost(now(HERE, 4)));
        assert!(!Mark::in_use(None).has_lost(now(HERE, 4)));
        assert_eq!(
            (used.recorded(), closed.recorded(), Mark::in_use(None).recorded()),
            (Some(3), None, None)
        );
    }

    /// With ADR at work the count is still what it was when the mark was being stored.
    #[test]
    fn a_mark_that_a_power_failure_tore_is_no_false_alarm() {
        let here = |number| Mark::in_use(count(HERE, number));
        let olds = [
            Mark { in_use: 0, ..here(3) },
            Mark { in_use: 0, ..here(5) },
            here(5),
            Mark::in_use(count(ELSEWHERE, 3)),
            Mark::in_use(count(ELSEWHERE, 9)),
            Mark::in_use(None),
            Mark { in_use: 0, shutdowns: 0 },
        ];
        for old in olds {
            for mark in torn(old, here(5)) {
                assert!(!mark.has_lost(Shutdowns { count: 5, memory: HERE }), "{old:?} {mark:?}");
            }
        }
    }

    #[cfg(feature = "power")]
    #[test]
    fn a_region_whose_memory_failed_is_refused_unchanged_until_that_is_accepted() {
        use crate::region::recover::recover;
        use crate::{Persistent, Word, power};
        use std::panic::Location;

        #[derive(Persistent)]
        #[repr(C)]
        struct Counter {
            hits: Word<u64>,
        }
        let region = power::region(1 << 16, Counter { hits: Word::new(0) }).unwrap();
        let memory = region.medium().clone();
        region.abandon();
        let words =
            || (0..memory.map().len()).step_by(8).map(|at| memory.map().load(at)).collect::<Vec<u64>>();
        let open = |options: &Options| {
            recover::<Counter, _>(&memory, memory.map().len() as u64, options, Location::caller())
        };
        open(&Options::new()).expect("a process was killed, and the memory is well");

        memory.unsafe_shutdown();
        let before = words();
        let refused = open(&Options::new()).err();
        assert!(matches!(refused, Some(Error::UnsafeShutdown { recorded: 1, found: 2, .. })), "{refused:?}");
        assert!(words() == before);
        open(&Options::new().accept_unsafe_shutdown()).expect("accepted");
        assert_eq!(Mark::read(&memory).recorded(), Some(2));
        open(&Options::new()).expect("recorded anew");
    }
}

//! The way from the root to something that is wrong: `root.accounts.next ×9999999.balance`.
//!
//! The walk does not remember how it reached an object. It does the same each time, so that it can be made
//! again, up to where it failed, with notes of the last links that it read, as many as the memory allows. An
//! object's link was read before those of the object itself: from the notes, read backwards, comes a part of
//! the way; another walk brings the notes before them. A walk over N links needs at most N / notes + 1 others.

use super::Walk;
use super::found::{Object, Place};
use super::work::{Task, Types};
use crate::medium::MediumImpl;
use crate::persistent::TypeInfo;
use std::collections::VecDeque;
use std::fmt::Write;

/// Notes, at the least.
const NOTES: usize = 1 << 19;
/// Runs of equal steps that are shown at each end of a path.
const SHOWN: usize = 16;

/// Notes of the links with these numbers, in the order in which the walk reads them.
pub(super) struct Trace {
    from: u64,
    to: u64,
    notes: Vec<Note>,
    types: Types,
}

/// Where a link leads, where it is, the object that holds it, each in units of 8 bytes and 37 bits, and the
/// number of that object's type.
#[derive(Clone, Copy)]
struct Note(u128);

const BITS: u32 = 37;

impl Trace {
    pub fn note(&mut self, number: u64, task: Task, holder: Object) {
        if !(self.from..self.to).contains(&number) {
            return;
        }
        let field = |at: usize| (at / 8) as u128 & ((1 << BITS) - 1);
        // A link to nowhere is the way to nothing.
        let at = if task.at.is_multiple_of(8) && task.at >> (BITS + 3) == 0 { task.at } else { 0 };
        let (kind, _) = self.types.number(holder.info);
        self.notes.push(Note(
            field(at)
                | field(task.slot) << BITS
                | field(holder.at) << (2 * BITS)
                | (kind as u128) << (3 * BITS),
        ));
    }

    pub fn is_complete(&self) -> bool {
        self.notes.len() as u64 == self.to - self.from
    }
}

impl Note {
    fn field(self, index: u32) -> usize {
        ((self.0 >> (index * BITS)) as u64 & ((1 << BITS) - 1)) as usize * 8
    }
    fn at(self) -> usize {
        self.field(0)
    }
    fn slot(self) -> usize {
        self.field(1)
    }
    fn holder(self) -> usize {
        self.field(2)
    }
    fn kind(self) -> usize {
        (self.0 >> (3 * BITS)) as usize
    }
}

/// The way to `place`, for a walk that failed there after it had read so many links and visited objects of so
/// many bytes.
pub(super) fn to<M: MediumImpl>(walk: &Walk<'_, M>, place: Place, links: u64, bytes: u64) -> String {
    let mut steps = Steps::default();
    let (mut object, mut slot) = match place {
        Place::Object(at) => (at, None),
        Place::Field(object, at) => {
            steps.push(object.info, at - object.at);
            (object.at, None)
        }
        Place::Link(slot) => (0, Some(slot)),
    };
    let most = (NOTES + bytes as usize / 100 / size_of::<Note>()) as u64;
    let mut end = links;
    while slot.is_some() || object != walk.layout.root() {
        if end == 0 {
            return "an object to which a second walk found no way (does something else write to the file?)"
                .to_string();
        }
        let from = end.saturating_sub(most);
        let mut trace = Trace { from, to: end, notes: Vec::new(), types: Types::default() };
        trace.notes.reserve_exact((end - from) as usize);
        let quiet = Walk { flush: false, ..*walk };
        // It fails where the first one did, or is stopped before.
        let _ = quiet.start(Some(&mut trace)).run();
        for note in trace.notes.iter().rev() {
            let found = match slot {
                Some(slot) => note.slot() == slot,
                None => note.at() == object,
            };
            if found && let Some(info) = trace.types.by_number(note.kind()) {
                steps.push(info, note.slot() - note.holder());
                (object, slot) = (note.holder(), None);
            }
        }
        end = from;
    }
    steps.text()
}

/// The steps of a path from its end to the root, in runs of equal ones.
#[derive(Default)]
struct Steps {
    last: Vec<(String, u64)>,
    first: VecDeque<(String, u64)>,
    /// Steps between them that are not shown.
    hidden: u64,
    /// The step before: a type's address, and the offset in it.
    previous: Option<(usize, usize)>,
}

impl Steps {
    fn push(&mut self, info: &'static TypeInfo, offset: usize) {
        let step = Some((std::ptr::from_ref(info).addr(), offset));
        let same = self.previous == step;
        self.previous = step;
        let text = if same { String::new() } else { info.path_to(offset) };
        if let Some((other, count)) = self.first.back_mut().or(self.last.last_mut())
            && (same || *other == text)
        {
            *count += 1;
        } else if self.last.len() < SHOWN {
            self.last.push((text, 1));
        } else {
            if self.first.len() == SHOWN {
                self.hidden += self.first.pop_front().map_or(0, |(_, count)| count);
            }
            self.first.push_back((text, 1));
        }
    }

    fn text(&self) -> String {
        let mut out = String::from("root");
        let mut run = |(step, count): &(String, u64)| match count {
            1 | 2 => (0..*count).for_each(|_| out.push_str(step)),
            _ => {
                let _ = write!(out, "{step} ×{count}");
            }
        };
        self.first.iter().rev().for_each(&mut run);
        if self.hidden > 0 {
            run(&(format!(" … {} more … ", self.hidden), 1));
        }
        self.last.iter().rev().for_each(run);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Persistent;
    use crate::persistent::Target;

    #[derive(Persistent)]
    #[repr(C)]
    struct Pair {
        left: u64,
        right: u64,
    }

    /// The text of a path of so many runs, the one at the root being the first, each of so many steps.
    fn text(runs: usize, each: usize) -> String {
        let mut steps = Steps::default();
        for run in (0..runs).rev() {
            (0..each).for_each(|_| steps.push(Pair::target_info(), run % 2 * 8));
        }
        steps.text()
    }

    #[test]
    fn a_path_shows_its_first_and_last_runs_and_says_how_many_steps_are_between() {
        let half = ".left.right".repeat(SHOWN / 2);
        assert_eq!(text(2 * SHOWN, 1), format!("root{half}{half}"));
        assert_eq!(text(2 * SHOWN + 6, 1), format!("root{half} … 6 more … {half}"));
        assert_eq!(text(2 * SHOWN + 1, 1), format!("root{half} … 1 more … {}.left", &half[".left".len()..]));
        let half = ".left ×3.right ×3".repeat(SHOWN / 2);
        assert_eq!(text(2 * SHOWN + 6, 3), format!("root{half} … 18 more … {half}"));
    }
}

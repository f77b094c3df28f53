//! [`Plan`]: which bytes of a copy go through the cache and are flushed, and which go past it.
//!
//! Published bugs are here: the ragged tail of a streamed copy that nobody flushed, the first or last line of an
//! unaligned range left out. So the decision is a plain value, made before anything is copied and tested for
//! every alignment; what copies, and what records a copy, does what the plan says and nothing else.

use super::LINE;
use std::ops::Range;

/// A copy to `start + before`, of whose bytes whole lines in the middle may be streamed. The `before` bytes in
/// front of it are written already and become durable with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Address of the first byte that becomes durable.
    start: usize,
    before: usize,
    /// Bytes that are copied through the cache, up to the first line that is streamed.
    head: usize,
    streamed: usize,
    /// Bytes that are copied through the cache behind it.
    tail: usize,
}

impl Plan {
    /// Everything goes through the cache.
    #[inline]
    pub(crate) fn through_cache(start: usize, before: usize, len: usize) -> Self {
        Plan { start, before, head: len, streamed: 0, tail: 0 }
    }

    /// The lines that the copy fills are streamed if it has at least `cut_over` bytes, or if nothing but whole
    /// lines becomes durable.
    #[inline]
    pub(crate) fn new(start: usize, before: usize, len: usize, cut_over: usize) -> Self {
        let to = start + before;
        let head = to.wrapping_neg() % LINE;
        let whole = before == 0 && head == 0 && len.is_multiple_of(LINE);
        if len < head + LINE || (len < cut_over && !whole) {
            return Self::through_cache(start, before, len);
        }
        let streamed = (len - head) / LINE * LINE;
        Plan { start, before, head, streamed, tail: len - head - streamed }
    }

    /// Of the bytes to copy, those that are copied through the cache: in front of and behind what is streamed.
    pub(crate) fn cached(&self) -> [Range<usize>; 2] {
        let tail = self.head + self.streamed;
        [0..self.head, tail..tail + self.tail]
    }

    /// Of the bytes to copy, those that go past the cache: whole lines.
    pub(crate) fn streamed(&self) -> Range<usize> {
        self.head..self.head + self.streamed
    }

    /// Address and length of what must be flushed once it is written.
    pub(crate) fn flushed(&self) -> [(usize, usize); 2] {
        let tail = self.start + self.before + self.head + self.streamed;
        [(self.start, self.before + self.head), (tail, self.tail)]
    }
}

#[cfg(test)]
mod tests {
    use super::super::lines;
    use super::*;
    use std::collections::BTreeMap;

    /// Every alignment, every length up to seven lines, with and without bytes in front.
    #[test]
    fn every_line_is_either_flushed_once_or_streamed_whole() {
        for start in 4096..4096 + 2 * LINE {
            for (before, cut_over) in [(0, 0), (16, 0), (0, 200), (16, 200), (7, 1), (0, usize::MAX)] {
                for len in 0..7 * LINE {
                    let plan = Plan::new(start, before, len, cut_over);
                    let streamed = plan.streamed();
                    let [head, tail] = plan.cached();
                    assert_eq!(
                        (head.start, head.end, streamed.end),
                        (0, streamed.start, tail.start),
                        "{plan:?}"
                    );
                    assert_eq!(tail.end, len, "{plan:?}");
                    let whole = before == 0 && start.is_multiple_of(LINE) && len.is_multiple_of(LINE);
                    assert!(len >= cut_over || whole || streamed.is_empty(), "{plan:?}");
                    let past = start + before + streamed.start..start + before + streamed.end;
                    let mut touched: BTreeMap<usize, (usize, usize)> =
                        lines(start, before + len).map(|line| (line, (0, 0))).collect();
                    for line in plan.flushed().into_iter().flat_map(|(at, len)| lines(at, len)) {
                        touched.get_mut(&line).expect("no line elsewhere is flushed").0 += 1;
                    }
                    for byte in past.clone() {
                        touched.get_mut(&(byte / LINE * LINE)).expect("inside").1 += 1;
                    }
                    for (line, counts) in touched {
                        assert!(
                            counts == (1, 0) || counts == (0, LINE),
                            "{plan:?}: line {line:#x}: {counts:?}"
                        );
                    }
                    // A copy that holds a whole line and is long enough is streamed.
                    if len >= cut_over.max(2 * LINE - 1) {
                        assert!(!past.is_empty(), "{plan:?}");
                    }
                }
            }
        }
    }
}

//! Copies that are durable when they are over: through the cache and flushed, or past the cache.
//!
//! # Safety
//!
//! What is copied to belongs to the caller. Nothing else may be accessed between a non-temporal store and its
//! fence (`core::arch::x86_64::_mm_stream_si128`, "Safety of non-temporal stores"), so the fence is inside.
#![allow(unsafe_code)]

use super::{Flusher, Plan, Stream, cpu, fence};

/// The shortest copy, in bytes, that goes past the cache where the choice is left to [`Route::Fastest`]. One that
/// is whole lines and nothing else does so at any length.
///
/// Measured by `benches/peers/src/bin/copy.rs`, as the time through the cache over the time past it (Zen 4,
/// AVX-512, `clwb`): whole lines 1.4 and more from the first line on; unaligned 0.85 at 128 bytes, 1.0 at 256,
/// 1.2 at 1 KiB, 2 at 4 KiB. PMDK has the same number (`MOVNT_THRESHOLD` in `src/libpmem2/x86_64/init.c`).
pub(crate) const CUT_OVER: usize = 256;

/// Which way a copy takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// The faster one for its length.
    Fastest,
    /// Past the cache as far as the CPU can: whole lines.
    Streamed,
}

/// What a copy of `len` bytes to `start + before` does on a CPU that can stream.
#[inline]
pub(crate) fn plan(start: usize, before: usize, len: usize, route: Route) -> Plan {
    let cut_over = match route {
        Route::Fastest => CUT_OVER,
        Route::Streamed => 0,
    };
    Plan::new(start, before, len, cut_over)
}

impl Flusher {
    /// Copies `bytes` to the end of `to`, and makes all of `to` durable: what is in front of the copy was
    /// written before.
    #[inline]
    pub(crate) fn copy_persist(self, to: &mut [u8], bytes: &[u8], route: Route) {
        let before = to.len() - bytes.len();
        // SAFETY: `to` is borrowed exclusively, and has room.
        unsafe { self.copy_persist_raw(to.as_mut_ptr(), before, bytes, route) };
    }

    /// Copies `bytes` to the place `before` bytes behind `start`, and makes everything from `start` on durable.
    ///
    /// # Safety
    ///
    /// The caller owns the memory from `start` on, and has room there.
    #[inline]
    pub(crate) unsafe fn copy_persist_raw(self, start: *mut u8, before: usize, bytes: &[u8], route: Route) {
        let plan = match self.stream {
            Stream::Never => Plan::through_cache(start.addr(), before, bytes.len()),
            _ => plan(start.addr(), before, bytes.len(), route),
        };
        let to = start.wrapping_add(before);
        let [head, tail] = plan.cached();
        let streamed = plan.streamed();
        if !head.is_empty() {
            // SAFETY: the caller's promise; the bytes are inside both.
            unsafe { to.copy_from_nonoverlapping(bytes.as_ptr(), head.len()) };
        }
        let [first, last] = plan.flushed();
        self.range(start.with_addr(first.0), first.1);
        if !streamed.is_empty() {
            if !tail.is_empty() {
                let to = to.wrapping_add(tail.start);
                // SAFETY: as above.
                unsafe { to.copy_from_nonoverlapping(bytes[tail.clone()].as_ptr(), tail.len()) };
                self.range(start.with_addr(last.0), last.1);
            }
            // SAFETY: the caller's promise; whole lines, as the plan says, and the CPU has the instruction,
            // as `Flusher::choose` found. The fence follows at once.
            unsafe { cpu::stream_lines(self.stream, to.wrapping_add(streamed.start), &bytes[streamed]) };
        }
        fence();
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::FLUSHED;
    use super::super::{Instruction, LINE, cpu, lines};
    use super::*;
    use proptest::prelude::*;

    /// Every way past the cache that this CPU has.
    fn flushers() -> Vec<Flusher> {
        let has = cpu::features();
        let streams = [
            (Stream::Never, true),
            (Stream::Sse2, cfg!(target_arch = "x86_64")),
            (Stream::Avx, has.avx),
            (Stream::Avx512, has.avx512),
            (Stream::Movdir64b, has.movdir64b),
        ];
        // Also on a CPU that can't flush: it can copy.
        let instruction = Flusher::detect().map_or(Instruction::Nothing, Flusher::instruction);
        streams
            .into_iter()
            .filter(|&(_, has)| has)
            .map(|(stream, _)| Flusher { instruction, stream })
            .collect()
    }

    fn check(flusher: Flusher, at: usize, before: usize, len: usize, from: usize, route: Route) {
        let source: Vec<u8> = (0..from + len).map(|i| (i * 7 + at) as u8 | 1).collect();
        let bytes = &source[from..];
        let mut memory = vec![0_u8; at + before + len + 2 * LINE];
        let start = memory[at..].as_mut_ptr();
        FLUSHED.set(Some(Vec::new()));
        // SAFETY: `memory` is long enough.
        unsafe { flusher.copy_persist_raw(start, before, bytes, route) };
        let flushed = FLUSHED.take().expect("set above");
        let plan = match flusher.stream {
            Stream::Never => Plan::through_cache(start.addr(), before, len),
            _ => plan(start.addr(), before, len, route),
        };
        let planned = plan.flushed().into_iter().flat_map(|(at, len)| lines(at, len));
        assert!(
            planned.map(|line| line / LINE).eq(flushed),
            "{flusher:?} at {at}, {before} before, {len} bytes"
        );
        let to = at + before;
        assert_eq!(&memory[to..to + len], bytes, "{flusher:?} at {at}, {before} before, {len} bytes");
        assert!(memory[..to].iter().chain(&memory[to + len..]).all(|&byte| byte == 0));
    }

    #[test]
    fn a_short_copy_is_a_copy_at_every_alignment() {
        for flusher in flushers() {
            for at in 0..LINE {
                for len in (0..3 * LINE + 2).chain([CUT_OVER - 1, CUT_OVER, CUT_OVER + 1]) {
                    for route in [Route::Fastest, Route::Streamed] {
                        check(flusher, at, 16, len, at % 5, route);
                    }
                }
            }
        }
    }

    proptest! {
        #[test]
        fn a_copy_is_a_copy(
            at in 0usize..200,
            before in 0usize..64,
            len in 0usize..20_000,
            from in 0usize..70,
            streamed: bool,
        ) {
            for flusher in flushers() {
                let route = if streamed { Route::Streamed } else { Route::Fastest };
                check(flusher, at, before, len, from, route);
            }
        }
    }
}

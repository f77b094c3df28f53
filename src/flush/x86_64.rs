//! x86-64: `clwb`, `clflushopt`, `clflush`, and `sfence`.
//!
//! Sources: Intel SDM vol. 2 (the instructions' pages: a flush is ordered by `sfence` only, and
//! `clflush` also by itself), vol. 1 section 11.4.4 (cacheability control), AMD APM vol. 3.
//!
//! # Safety
//!
//! A flush or fence changes no byte and no register. None of the blocks is `nomem`: the compiler must
//! have made every earlier store before the instruction, and may make no later one ahead of it.
#![allow(unsafe_code)]

use super::{Features, Instruction, LINE};
use core::arch::asm;
use core::arch::x86_64::{
    __cpuid, __cpuid_count, __m128i, _MM_HINT_T0, _mm_loadu_si128, _mm_prefetch, _mm_stream_si128,
};

/// CPUID leaf 1: EDX bit 19 is CLFSH, EBX bits 15..8 the line size in units of 8 bytes. Leaf 7: EBX bit
/// 23 is CLFLUSHOPT, bit 24 CLWB.
pub(super) fn features() -> Features {
    let highest = __cpuid(0).eax;
    let basic = __cpuid(1);
    let extended = if highest >= 7 { __cpuid_count(7, 0).ebx } else { 0 };
    let clflush = basic.edx & (1 << 19) != 0;
    Features {
        clwb: extended & (1 << 24) != 0,
        clflushopt: extended & (1 << 23) != 0,
        clflush,
        dc_cvap: false,
        line: if clflush { (basic.ebx >> 8 & 0xff) as usize * 8 } else { LINE },
    }
}

#[inline(always)]
pub(super) fn flush_line(instruction: Instruction, at: *const u8) {
    match instruction {
        // SAFETY: `Flusher::choose` found the instruction in CPUID; a flush changes nothing.
        Instruction::Clwb => unsafe { asm!("clwb [{}]", in(reg) at, options(nostack, preserves_flags)) },
        // SAFETY: as above.
        Instruction::ClflushOpt => unsafe {
            asm!("clflushopt [{}]", in(reg) at, options(nostack, preserves_flags))
        },
        // SAFETY: as above.
        Instruction::Clflush => unsafe {
            asm!("clflush [{}]", in(reg) at, options(nostack, preserves_flags))
        },
        Instruction::DcCvap => unreachable!("refused by Flusher::choose"),
        Instruction::Nothing => {}
    }
}

/// Waits until the flushes and non-temporal stores of this thread are complete.
#[inline(always)]
pub(crate) fn fence() {
    // SAFETY: every x86-64 CPU has `sfence` (SSE); it changes nothing.
    unsafe { asm!("sfence", options(nostack, preserves_flags)) }
}

/// Asks for the line that holds `at`, which will be read soon.
#[inline(always)]
pub(crate) fn prefetch(at: *const u8) {
    // SAFETY: a hint, which reads nothing into the program and faults at no address.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
}

/// Copies `bytes` to `to` with ordinary stores.
///
/// # Safety
///
/// The caller owns the memory at `to`, and has room there.
pub(super) unsafe fn copy(to: *mut u8, bytes: &[u8]) {
    // SAFETY: the caller's promise.
    unsafe { to.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
}

/// Copies whole lines with non-temporal stores, and fences: nothing else may be accessed between such a
/// store and its fence (`core::arch::x86_64::_mm_stream_si128`, "Safety of non-temporal stores").
///
/// # Safety
///
/// As for [`copy`]; `to` is aligned to a line.
pub(super) unsafe fn stream_lines(_: Instruction, to: *mut u8, bytes: &[u8]) {
    for (index, block) in bytes.chunks_exact(16).enumerate() {
        // SAFETY: sixteen readable bytes; SSE2 is part of x86-64.
        let value = unsafe { _mm_loadu_si128(block.as_ptr().cast::<__m128i>()) };
        // SAFETY: the caller's promise; aligned to 16 bytes; fenced below.
        unsafe { _mm_stream_si128(to.wrapping_add(index * 16).cast::<__m128i>(), value) };
    }
    fence();
}

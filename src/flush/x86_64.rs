//! x86-64: `clwb`, `clflushopt`, `clflush`, and `sfence`.
//!
//! Sources: Intel SDM vol. 2 (the instructions' pages: a flush is ordered by `sfence`, `mfence` and locked
//! instructions, and `clflush` also by itself), vol. 1 section 11.4.4 (cacheability control), AMD APM vol. 3.
//!
//! # Safety
//!
//! A flush or fence changes no byte and no register. None of the blocks is `nomem`: the compiler must
//! have made every earlier store before the instruction, and may make no later one ahead of it.
#![allow(unsafe_code)]

use super::{Features, Instruction, LINE, Stream};
use core::arch::asm;
use core::arch::x86_64::{
    __cpuid, __cpuid_count, _mm_loadu_si128, _mm_stream_si128, _mm256_loadu_si256, _mm256_stream_si256,
    _mm512_loadu_si512, _mm512_stream_si512, CpuidResult,
};

/// What this CPU and the kernel say.
pub(super) fn features() -> Features {
    let highest = __cpuid(0).eax;
    let basic = __cpuid(1);
    let extended =
        if highest >= 7 { __cpuid_count(7, 0) } else { CpuidResult { eax: 0, ebx: 0, ecx: 0, edx: 0 } };
    let xcr0 = if basic.ecx & OSXSAVE != 0 { xcr0() } else { 0 };
    decode(basic, extended, xcr0)
}

/// Leaf 1, ECX: the kernel has enabled XSAVE, so that `xgetbv` can be asked for the registers it saves.
const OSXSAVE: u32 = 1 << 27;

/// Leaf 1: EDX bit 19 is CLFSH, EBX bits 15..8 the line size in units of 8 bytes, ECX bit 28 AVX. Leaf 7: EBX
/// bit 16 is AVX512F, bit 23 CLFLUSHOPT, bit 24 CLWB, ECX bit 28 MOVDIR64B. XCR0: bits 1 and 2 are the
/// registers of AVX, 5 to 7 those of AVX-512 (Intel SDM vol. 1, sections 14.3 and 15.2, and vol. 2A, CPUID).
fn decode(basic: CpuidResult, extended: CpuidResult, xcr0: u64) -> Features {
    let clflush = basic.edx & (1 << 19) != 0;
    let enabled = |registers: u64| xcr0 & registers == registers;
    Features {
        clwb: extended.ebx & (1 << 24) != 0,
        clflushopt: extended.ebx & (1 << 23) != 0,
        clflush,
        dc_cvap: false,
        line: if clflush { (basic.ebx >> 8 & 0xff) as usize * 8 } else { LINE },
        avx: basic.ecx & (1 << 28) != 0 && enabled(0b110),
        avx512: extended.ebx & (1 << 16) != 0 && enabled(0b1110_0110),
        movdir64b: extended.ecx & (1 << 28) != 0,
    }
}

/// The registers whose contents the kernel saves.
fn xcr0() -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: the caller saw OSXSAVE; the instruction reads a register.
    unsafe {
        asm!("xgetbv", in("ecx") 0, out("eax") low, out("edx") high, options(nomem, nostack, preserves_flags))
    };
    u64::from(high) << 32 | u64::from(low)
}

#[inline(always)]
pub(super) fn flush_line(instruction: Instruction, at: *const u8) {
    // Not an arm of the `match`, which is compiled to an indirect jump.
    if instruction == Instruction::Clwb {
        // SAFETY: `Flusher::choose` found the instruction in CPUID; a flush changes nothing.
        return unsafe { asm!("clwb [{}]", in(reg) at, options(nostack, preserves_flags)) };
    }
    match instruction {
        // SAFETY: as above.
        Instruction::ClflushOpt => unsafe {
            asm!("clflushopt [{}]", in(reg) at, options(nostack, preserves_flags))
        },
        // SAFETY: as above.
        Instruction::Clflush => unsafe {
            asm!("clflush [{}]", in(reg) at, options(nostack, preserves_flags))
        },
        Instruction::Nothing => {}
        Instruction::Clwb => unreachable!("done above"),
        Instruction::DcCvap => unreachable!("refused by Flusher::choose"),
    }
}

/// Waits until the flushes and non-temporal stores of this thread are complete.
#[inline(always)]
pub(crate) fn fence() {
    // SAFETY: every x86-64 CPU has `sfence` (SSE); it changes nothing.
    unsafe { asm!("sfence", options(nostack, preserves_flags)) }
}

/// Copies whole lines with non-temporal stores, without the fence that must follow before anything else touches
/// them.
///
/// # Safety
///
/// The caller owns the memory at `to`, which is aligned to a line, and has room there. The CPU has the
/// instruction.
#[inline]
pub(super) unsafe fn stream_lines(stream: Stream, to: *mut u8, bytes: &[u8]) {
    let (from, len) = (bytes.as_ptr(), bytes.len());
    match stream {
        // SAFETY: the caller's promise; `bytes` is as long; SSE2 is part of x86-64.
        Stream::Sse2 => unsafe { sse2(to, from, len) },
        // SAFETY: the caller's promise; `bytes` is as long.
        Stream::Avx => unsafe { avx(to, from, len) },
        // SAFETY: as above.
        Stream::Avx512 => unsafe { avx512(to, from, len) },
        // SAFETY: as above.
        Stream::Movdir64b => unsafe { movdir64b(to, from, len) },
        Stream::Never => unreachable!("x86-64 streams"),
    }
}

/// A function that copies `len` bytes, a multiple of 64, to an address that is a multiple of 64. Loads of
/// several lines stand before their stores, so that the stores of a line are next to each other and fill its
/// write-combining buffer at once (Intel SDM vol. 1, "Programming with non-temporal data").
macro_rules! streaming {
    ($name:ident, $feature:literal, $width:literal, $block:literal, $load:ident, $store:ident) => {
        /// # Safety
        ///
        /// `len` bytes at `from` can be read; as many at `to` are the caller's, and aligned to a line.
        #[target_feature(enable = $feature)]
        unsafe fn $name(to: *mut u8, from: *const u8, len: usize) {
            const MANY: usize = $block / $width;
            let mut at = 0;
            while at + $block <= len {
                let values: [_; MANY] = std::array::from_fn(|i| {
                    // SAFETY: the caller's promise: inside `len`. The load needs no alignment.
                    unsafe { $load(from.wrapping_add(at + i * $width).cast()) }
                });
                for (i, value) in values.into_iter().enumerate() {
                    // SAFETY: the caller's promise: inside `len`, aligned to the width.
                    unsafe { $store(to.wrapping_add(at + i * $width).cast(), value) };
                }
                at += $block;
            }
            while at < len {
                // SAFETY: as above.
                let value = unsafe { $load(from.wrapping_add(at).cast()) };
                // SAFETY: as above.
                unsafe { $store(to.wrapping_add(at).cast(), value) };
                at += $width;
            }
        }
    };
}

streaming!(sse2, "sse2", 16, 128, _mm_loadu_si128, _mm_stream_si128);
streaming!(avx, "avx", 32, 256, _mm256_loadu_si256, _mm256_stream_si256);
streaming!(avx512, "avx512f", 64, 512, _mm512_loadu_si512, _mm512_stream_si512);

/// # Safety
///
/// As for the others.
unsafe fn movdir64b(to: *mut u8, from: *const u8, len: usize) {
    for at in (0..len).step_by(LINE) {
        // SAFETY: the caller's promise: a line to read, and an aligned line that is the caller's.
        unsafe {
            asm!("movdir64b {}, zmmword ptr [{}]", in(reg) to.wrapping_add(at), in(reg) from.wrapping_add(at),
                options(nostack, preserves_flags));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bits as the manual numbers them, for CPUs that are not at hand.
    #[test]
    fn registers_that_the_kernel_did_not_enable_are_not_used() {
        let leaf = |ebx, ecx, edx| CpuidResult { eax: 0, ebx, ecx, edx };
        let (basic, extended) = (leaf(8 << 8, 1 << 28 | OSXSAVE, 1 << 19), leaf(1 << 16, 1 << 28, 0));
        let wide = |xcr0| {
            let has = decode(basic, extended, xcr0);
            (has.avx, has.avx512, has.movdir64b)
        };
        assert_eq!(wide(0), (false, false, true)); // `movdir64b` has no registers of its own
        assert_eq!(wide(0b010), (false, false, true));
        assert_eq!(wide(0b111), (true, false, true));
        assert_eq!(wide(0b1100_0111), (true, false, true)); // the opmask registers are missing
        assert_eq!(wide(0b1110_0111), (true, true, true));
        let old = decode(leaf(8 << 8, 0, 1 << 19), leaf(0, 0, 0), 0b1110_0111);
        assert!(!old.avx && !old.avx512 && !old.movdir64b && old.clflush && old.line == 64);
    }
}

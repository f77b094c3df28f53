//! aarch64: `dc cvap` and `dsb sy`.
//!
//! `dc cvap` cleans a line to the point of persistence; `dc cvac` and `dc cvau` stop earlier and promise
//! nothing about power failures. A `dsb` waits for the cleans of this CPU. Sources: Arm ARM (DDI 0487),
//! DC CVAP (FEAT_DPB) and DSB; Linux `arch/arm64/lib/uaccess_flushcache.c`; HWCAP_DCPOP in
//! `Documentation/arch/arm64/elf_hwcaps.rst`. CTR_EL0 and `dc cvap` may be used at EL0 on Linux.
//!
//! # Safety
//!
//! A clean or barrier changes no byte and no register. None of the blocks is `nomem`: the compiler must
//! have made every earlier store before the instruction, and may make no later one ahead of it.
#![allow(unsafe_code)]

use super::{Features, Instruction, Stream};
use core::arch::asm;

/// `HWCAP_DCPOP` of the kernel's `asm/hwcap.h`.
const HWCAP_DCPOP: usize = 1 << 16;

pub(super) fn features() -> Features {
    let (hwcap, _) = rustix::param::linux_hwcap();
    let ctr: u64;
    // SAFETY: CTR_EL0 may be read at EL0 on Linux (trapped and emulated where the CPU does not allow
    // it); reading it changes nothing.
    unsafe { asm!("mrs {}, ctr_el0", out(reg) ctr, options(nostack, preserves_flags)) }
    // DminLine, bits 19..16: log2 of the number of 4-byte words in the shortest data cache line.
    let line = 4 << (ctr >> 16 & 0xf);
    Features { dc_cvap: hwcap & HWCAP_DCPOP != 0, line, ..Features::default() }
}

#[inline(always)]
pub(super) fn flush_line(instruction: Instruction, at: *const u8) {
    match instruction {
        // SAFETY: `Flusher::choose` found DCPOP in HWCAP, and lines of at least 64 bytes.
        Instruction::DcCvap => unsafe {
            asm!(".arch_extension ccpp", "dc cvap, {}", in(reg) at, options(nostack, preserves_flags))
        },
        Instruction::Nothing => {}
        _ => unreachable!("refused by Flusher::choose"),
    }
}

/// Waits until the cleans of this CPU are complete.
#[inline(always)]
pub(crate) fn fence() {
    // SAFETY: a barrier changes nothing.
    unsafe { asm!("dsb sy", options(nostack, preserves_flags)) }
}

/// aarch64 has no path that bypasses the cache and ends in the persistence domain.
///
/// # Safety
///
/// None: it is never called, because a plan streams nothing where [`Stream::Never`] was chosen.
pub(super) unsafe fn stream_lines(_: Stream, _: *mut u8, _: &[u8]) {
    unreachable!("aarch64 does not stream");
}

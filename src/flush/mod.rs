//! The flush layer: the only assembly in this crate, one file per CPU.
//!
//! It knows addresses, lines of 64 bytes and instructions, and nothing of the layers above. The
//! instruction is chosen once from what the CPU says of itself, never by a cargo feature;
//! `--cfg indelible_flush="clwb"` (or `clflushopt`, `clflush`, `dc_cvap`) fixes it at compile time for
//! those who want no branch at all, and then a CPU without it is refused.

use crate::error::{Error, Result};

mod copy;
mod plan;

#[cfg(target_arch = "aarch64")]
#[path = "aarch64.rs"]
mod cpu;
#[cfg(target_arch = "x86_64")]
#[path = "x86_64.rs"]
mod cpu;

pub(crate) use copy::Route;
#[cfg(feature = "power")]
pub(crate) use copy::plan;
pub(crate) use cpu::fence;
pub(crate) use plan::Plan;

/// Bytes in a cache line, the unit of a flush. CPUs with shorter lines are refused.
pub const LINE: usize = 64;

/// Bytes in a page: the unit of mappings, of a region's length and of the heap's slots. Kernels with larger pages map
/// several of these at once.
pub(crate) const PAGE: usize = 4096;

/// How a cache line is written back to persistent memory.
///
/// ```
/// use indelible::medium::Instruction;
///
/// assert_eq!(Instruction::Clwb.name(), "clwb");
/// assert_eq!(Instruction::Nothing.name(), "none");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Instruction {
    /// x86-64 `clwb`: writes the line back and may keep it cached (Intel SDM vol. 2A, CLWB).
    Clwb,
    /// x86-64 `clflushopt`: writes the line back and evicts it (Intel SDM vol. 2A, CLFLUSHOPT).
    ClflushOpt,
    /// x86-64 `clflush`: as `clflushopt`, and one after the other (Intel SDM vol. 2A, CLFLUSH).
    Clflush,
    /// aarch64 `dc cvap`: cleans the line to the point of persistence (Arm ARM, DC CVAP, FEAT_DPB).
    DcCvap,
    /// None: the CPU caches belong to the persistence domain (eADR), as sysfs says of this memory.
    Nothing,
}

impl Instruction {
    /// The mnemonic, or `none`.
    pub fn name(self) -> &'static str {
        match self {
            Instruction::Clwb => "clwb",
            Instruction::ClflushOpt => "clflushopt",
            Instruction::Clflush => "clflush",
            Instruction::DcCvap => "dc cvap",
            Instruction::Nothing => "none",
        }
    }
}

/// The instruction that `--cfg indelible_flush` fixed, if any.
const FIXED: Option<Instruction> = if cfg!(indelible_flush = "clwb") {
    Some(Instruction::Clwb)
} else if cfg!(indelible_flush = "clflushopt") {
    Some(Instruction::ClflushOpt)
} else if cfg!(indelible_flush = "clflush") {
    Some(Instruction::Clflush)
} else if cfg!(indelible_flush = "dc_cvap") {
    Some(Instruction::DcCvap)
} else {
    None
};

const _: () = assert!(
    match FIXED {
        None => true,
        Some(Instruction::DcCvap) => cfg!(target_arch = "aarch64"),
        Some(_) => cfg!(target_arch = "x86_64"),
    },
    "the instruction given with --cfg indelible_flush does not exist on this architecture"
);

/// What the CPU says of itself, as far as it matters here. A plain value, so that the choice can be
/// tested for CPUs that are not at hand.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Features {
    pub clwb: bool,
    pub clflushopt: bool,
    pub clflush: bool,
    /// aarch64 `dc cvap` (HWCAP_DCPOP).
    pub dc_cvap: bool,
    /// The shortest data cache line, in bytes.
    pub line: usize,
    /// x86-64 `vmovntdq` of 32 bytes (AVX, its registers enabled by the kernel).
    pub avx: bool,
    /// x86-64 `vmovntdq` of 64 bytes (AVX-512F, likewise).
    pub avx512: bool,
    /// x86-64 `movdir64b`.
    pub movdir64b: bool,
}

/// How whole lines are stored past the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    /// x86-64 `movntdq`, 16 bytes (SSE2, which every x86-64 CPU has).
    Sse2,
    /// x86-64 `vmovntdq`, 32 bytes.
    Avx,
    /// x86-64 `vmovntdq`, 64 bytes.
    Avx512,
    /// x86-64 `movdir64b`: 64 bytes in one write (Intel SDM vol. 2A, MOVDIR64B).
    Movdir64b,
    /// Not at all: aarch64 has no such store that ends in the persistence domain.
    Never,
}

impl Stream {
    /// The way past the cache that is fastest on this CPU. On x86-64, in this order:
    ///
    /// 1. AVX-512. On Sapphire Rapids, which has both, `movdir64b` takes 1.5 times as long as PMDK's
    ///    `pmem_memcpy_persist` from 16 KiB on, and AVX-512 stores take as long as PMDK's or less (0.97 to 1.3 of
    ///    its speed at every size; `benches/run`, "copy"). On Zen 4, which has no `movdir64b`, it is what
    ///    [`copy::CUT_OVER`] was measured with.
    /// 2. `movdir64b` where there is no AVX-512. Nobody measured it here; it is PMDK's choice on such a CPU
    ///    (`src/libpmem2/x86_64/init.c`: of what the CPU has, the last of SSE2, AVX, AVX-512 and `movdir64b`).
    /// 3. The widest of the rest, as PMDK.
    ///
    /// A table and not a measurement when the program starts: that would differ from run to run, and measure what
    /// else the machine does.
    fn choose(has: Features) -> Self {
        match has {
            _ if cfg!(target_arch = "aarch64") => Stream::Never,
            Features { avx512: true, .. } => Stream::Avx512,
            Features { movdir64b: true, .. } => Stream::Movdir64b,
            Features { avx: true, .. } => Stream::Avx,
            _ => Stream::Sse2,
        }
    }
}

/// A CPU's flush instruction and its way past the cache, chosen and checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flusher {
    instruction: Instruction,
    stream: Stream,
}

impl Flusher {
    /// The best instruction of this CPU.
    pub(crate) fn detect() -> Result<Self> {
        Self::choose(cpu::features(), FIXED)
    }

    fn choose(has: Features, fixed: Option<Instruction>) -> Result<Self> {
        let with = |instruction| Ok(Flusher { instruction, stream: Stream::choose(has) });
        let refuse = |reason| Err(Error::NoFlushInstruction { reason });
        if has.line < LINE {
            return refuse("its cache lines are shorter than 64 bytes");
        }
        let available = |instruction| match instruction {
            Instruction::Clwb => has.clwb,
            Instruction::ClflushOpt => has.clflushopt,
            Instruction::Clflush => has.clflush,
            Instruction::DcCvap => has.dc_cvap,
            Instruction::Nothing => false,
        };
        if let Some(instruction) = fixed {
            return match available(instruction) {
                true => with(instruction),
                false => refuse("it lacks the instruction that was fixed with --cfg indelible_flush"),
            };
        }
        let best = [Instruction::Clwb, Instruction::ClflushOpt, Instruction::Clflush, Instruction::DcCvap];
        match best.into_iter().find(|&instruction| available(instruction)) {
            Some(instruction) => with(instruction),
            None if cfg!(target_arch = "aarch64") => refuse("it has no `dc cvap` (HWCAP_DCPOP is not set)"),
            None => refuse("it has none of clwb, clflushopt, clflush"),
        }
    }

    /// For memory whose persistence domain includes the CPU caches: a flush does nothing, a fence
    /// remains. Where the instruction is fixed at compile time it is used all the same.
    pub(crate) fn nothing() -> Self {
        Flusher {
            instruction: FIXED.unwrap_or(Instruction::Nothing),
            stream: Stream::choose(cpu::features()),
        }
    }

    /// Up to so many bytes a hash of them costs less than a fence that waits for their flushes; a fence with nothing to
    /// wait for costs less than any.
    #[inline]
    pub(crate) fn hash_at_most(self) -> usize {
        match self.instruction() {
            Instruction::Nothing => 0,
            _ => 2048,
        }
    }

    pub(crate) fn instruction(self) -> Instruction {
        FIXED.unwrap_or(self.instruction)
    }

    /// Starts the write-back of the one line that holds `at`.
    ///
    /// No harm can come of any address inside a mapping: a flush changes no byte.
    #[inline(always)]
    pub(crate) fn line(self, at: *const u8) {
        #[cfg(test)]
        tests::FLUSHED
            .with_borrow_mut(|lines| lines.iter_mut().for_each(|lines| lines.push(at.addr() / LINE)));
        cpu::flush_line(self.instruction(), at);
    }

    /// Starts the write-back of every line that holds one of the `len` bytes from `at`.
    #[inline]
    pub(crate) fn range(self, at: *const u8, len: usize) {
        for line in lines(at.addr(), len) {
            self.line(at.with_addr(line));
        }
    }
}

/// The addresses of the lines that hold the `len` bytes from `at`, each once; none when `len` is 0.
#[inline]
pub(crate) fn lines(at: usize, len: usize) -> impl Iterator<Item = usize> {
    let first = at / LINE;
    let end = if len == 0 { first } else { (at + len - 1) / LINE + 1 };
    (first..end).map(|line| line * LINE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::cell::RefCell;

    thread_local! {
        /// The numbers of the lines that this thread flushes, for whom it is who set this.
        pub(super) static FLUSHED: RefCell<Option<Vec<usize>>> = const { RefCell::new(None) };
    }

    const X86: Features = Features {
        clwb: true,
        clflushopt: true,
        clflush: true,
        dc_cvap: false,
        line: 64,
        avx: true,
        avx512: true,
        movdir64b: true,
    };

    #[test]
    fn the_best_instruction_is_chosen() {
        let choose = |has| Flusher::choose(has, None).map(|f| f.instruction);
        assert_eq!(choose(X86).unwrap(), Instruction::Clwb);
        assert_eq!(choose(Features { clwb: false, ..X86 }).unwrap(), Instruction::ClflushOpt);
        assert_eq!(choose(Features { clwb: false, clflushopt: false, ..X86 }).unwrap(), Instruction::Clflush);
        let arm = Features { dc_cvap: true, line: 64, ..Features::default() };
        assert_eq!(choose(arm).unwrap(), Instruction::DcCvap);
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn the_stream_that_is_fastest_on_a_cpu_is_chosen() {
        let has = |avx, avx512, movdir64b| Features { avx, avx512, movdir64b, ..X86 };
        let cpus = [
            ("Sapphire Rapids, Granite Rapids", has(true, true, true), Stream::Avx512),
            ("Zen 4, Ice Lake", has(true, true, false), Stream::Avx512),
            ("Alder Lake, Sierra Forest", has(true, false, true), Stream::Movdir64b),
            ("Zen 3, Haswell", has(true, false, false), Stream::Avx),
            ("Tremont", has(false, false, true), Stream::Movdir64b),
            ("Nehalem", has(false, false, false), Stream::Sse2),
        ];
        for (cpu, has, stream) in cpus {
            assert_eq!(Flusher::choose(has, None).unwrap().stream, stream, "{cpu}");
        }
    }

    #[test]
    fn a_cpu_without_the_instruction_is_refused() {
        for has in [Features { line: 64, ..Features::default() }, Features { line: 32, ..X86 }] {
            assert!(matches!(Flusher::choose(has, None), Err(Error::NoFlushInstruction { .. })));
        }
        let old = Features { clwb: false, ..X86 };
        assert!(matches!(
            Flusher::choose(old, Some(Instruction::Clwb)),
            Err(Error::NoFlushInstruction { .. })
        ));
    }

    /// `/proc/cpuinfo` is the kernel's own list, which `detect` does not read. On aarch64 this test is run on
    /// a CPU with `dc cvap` and on one without, which must be refused (`tests/aarch64/run`).
    #[test]
    fn the_choice_agrees_with_the_kernels_list() {
        let known = [
            ("clwb", Instruction::Clwb),
            ("clflushopt", Instruction::ClflushOpt),
            ("clflush", Instruction::Clflush),
            ("dcpop", Instruction::DcCvap),
        ];
        let list = std::fs::read_to_string("/proc/cpuinfo").unwrap();
        let flags = list.lines().find(|line| line.starts_with("flags") || line.starts_with("Features"));
        let flags: Vec<&str> = flags.unwrap().split_whitespace().collect();
        // The kernel lists `avx` and `avx512f` only where it has enabled their registers.
        let has = cpu::features();
        assert_eq!(
            [has.avx, has.avx512, has.movdir64b],
            ["avx", "avx512f", "movdir64b"].map(|flag| flags.contains(&flag))
        );
        let wanted = |instruction| FIXED.is_none_or(|fixed| fixed == instruction);
        let best = known
            .into_iter()
            .find(|&(flag, instruction)| flags.contains(&flag) && wanted(instruction))
            .map(|(_, instruction)| instruction);
        let chosen = Flusher::detect();
        println!("this CPU: {}", chosen.as_ref().map_or("refused", |flusher| flusher.instruction.name()));
        match chosen {
            Ok(flusher) => assert_eq!(Some(flusher.instruction), best),
            Err(Error::NoFlushInstruction { .. }) => assert_eq!(None, best),
            Err(error) => panic!("{error}"),
        }
    }

    proptest! {
        /// Corundum rounded the start down to 512 bytes before it computed the end, and so flushed most
        /// ranges in part; other programs left out the first or the last line.
        #[test]
        fn every_line_of_a_range_is_flushed_once(at in 0usize..5_000, len in 0usize..3_000) {
            let got: Vec<usize> = lines(at, len).collect();
            let mut expected: Vec<usize> = (at..at + len).map(|byte| byte / LINE * LINE).collect();
            expected.dedup();
            prop_assert_eq!(got, expected);
        }
    }
}

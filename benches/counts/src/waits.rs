//! What callgrind does not count: `waits PROGRAM WORK ROUNDS` prints, for one round, how many stores the program
//! executes, and in how many of the stretches between two fences it waits for the fence before.
//!
//! Stores wait in a queue until those before them are in the cache, and behind a fence that means: until every flush
//! before it is done. The program goes on meanwhile, unless the queue is full, or it loads something that several of
//! these stores wrote, or one of them in part: a CPU hands a load what one store holds, and for anything else the load
//! waits (Intel's optimization manual, "Store forwarding"; AMD's, "Load-store unit"). A load from a line that is being
//! written back waits for that. Then a transaction costs its
//! flushes *and* its instructions, in place of the longer of the two.
//!
//! The work runs in a child process, step by step.

#[path = "../../../tests/dax/guest/src/count.rs"]
#[allow(dead_code, reason = "this program looks at the instructions itself")]
mod count;

use iced_x86::{Decoder, DecoderOptions, InstructionInfoFactory, Mnemonic, OpAccess, Register};
use libc::user_regs_struct;
use std::collections::{HashMap, HashSet};
use std::io;
use std::ops::Range;
use std::process::Command;

/// Bytes of a cache line.
const LINE: u64 = 64;

/// What the work did so far.
#[derive(Default)]
struct Seen {
    /// The last store to each byte: which it was, and how many fences there were before it.
    bytes: HashMap<u64, (u64, u64)>,
    /// Stores, those of the C library too.
    stores: u64,
    own_stores: u64,
    fences: u64,
    /// The lines that no fence has followed since they were flushed.
    flushed: HashSet<u64>,
    /// How many fences there were before the last load that waited.
    waited: Option<u64>,
    waits: u64,
}

impl Seen {
    fn load(&mut self, mut bytes: Range<u64>) {
        // What was stored before the fence before the last one is in the cache.
        let queued =
            |at| self.bytes.get(&at).filter(|(_, fences)| self.fences - fences < 2).map(|(store, _)| store);
        let first = queued(bytes.start);
        let lines = bytes.start / LINE..=(bytes.end - 1) / LINE;
        let waits =
            bytes.any(|at| queued(at) != first) || lines.into_iter().any(|line| self.flushed.contains(&line));
        if waits && self.waited != Some(self.fences) {
            self.waited = Some(self.fences);
            self.waits += 1;
        }
    }

    fn store(&mut self, bytes: Range<u64>) {
        self.stores += 1;
        self.bytes.extend(bytes.map(|at| (at, (self.stores, self.fences))));
    }

    fn see(&mut self, code: &[u8], registers: &user_regs_struct, infos: &mut InstructionInfoFactory) {
        let instruction = Decoder::with_ip(64, code, registers.rip, DecoderOptions::NONE).decode();
        match instruction.mnemonic() {
            Mnemonic::Sfence => {
                self.fences += 1;
                self.flushed.clear();
            }
            _ => {}
        }
        let is_flush =
            matches!(instruction.mnemonic(), Mnemonic::Clwb | Mnemonic::Clflushopt | Mnemonic::Clflush);
        for memory in infos.info(&instruction).used_memory() {
            let Some(at) = memory.virtual_address(0, |register, _, _| value(register, registers)) else {
                continue;
            };
            if is_flush {
                self.flushed.insert(at / LINE);
                continue;
            }
            let bytes = at..at + memory.memory_size().size() as u64;
            let (reads, writes) = match memory.access() {
                OpAccess::Read | OpAccess::CondRead => (true, false),
                OpAccess::Write | OpAccess::CondWrite => (false, true),
                OpAccess::ReadWrite | OpAccess::ReadCondWrite => (true, true),
                _ => (false, false),
            };
            if reads {
                self.load(bytes.clone());
            }
            if writes {
                // Programs lie below their libraries.
                self.own_stores += u64::from(registers.rip < 0x7000_0000_0000);
                self.store(bytes);
            }
        }
    }
}

/// What an address is computed from.
fn value(register: Register, registers: &user_regs_struct) -> Option<u64> {
    Some(match register {
        Register::RAX => registers.rax,
        Register::RBX => registers.rbx,
        Register::RCX => registers.rcx,
        Register::RDX => registers.rdx,
        Register::RSI => registers.rsi,
        Register::RDI => registers.rdi,
        Register::RBP => registers.rbp,
        Register::RSP => registers.rsp,
        Register::R8 => registers.r8,
        Register::R9 => registers.r9,
        Register::R10 => registers.r10,
        Register::R11 => registers.r11,
        Register::R12 => registers.r12,
        Register::R13 => registers.r13,
        Register::R14 => registers.r14,
        Register::R15 => registers.r15,
        Register::FS => registers.fs_base,
        Register::GS => registers.gs_base,
        Register::CS | Register::DS | Register::ES | Register::SS => 0,
        _ => return None,
    })
}

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, program, work, rounds] = &arguments[..] else { panic!("PROGRAM WORK ROUNDS") };
    let (mut seen, mut infos) = (Seen::default(), InstructionInfoFactory::new());
    let mut command = Command::new(program);
    command.args([work, rounds, "traced"]);
    count::steps(&mut command, |code, registers| seen.see(&code, registers, &mut infos))?;
    let rounds: u64 = rounds.parse().expect("a number of rounds");
    println!("{} {}", (seen.own_stores + rounds / 2) / rounds, seen.waits.div_ceil(rounds));
    Ok(())
}

//! Counts the flushes and fences that one transaction executes: a child process runs it step by step
//! (`PTRACE_SINGLESTEP`), and each instruction is looked at before it is executed. x86-64.

use iced_x86::{Decoder, DecoderOptions, Mnemonic};
use std::io;
use std::process::Command;

/// How often each instruction was executed.
#[derive(Default)]
pub struct Counts {
    pub clwb: u64,
    pub clflushopt: u64,
    pub clflush: u64,
    pub sfence: u64,
    /// The system call.
    pub msync: u64,
}

impl Counts {
    fn see(&mut self, code: &[u8], rax: u64) {
        match Decoder::new(64, code, DecoderOptions::NONE).decode().mnemonic() {
            Mnemonic::Clwb => self.clwb += 1,
            Mnemonic::Clflushopt => self.clflushopt += 1,
            Mnemonic::Clflush => self.clflush += 1,
            Mnemonic::Sfence => self.sfence += 1,
            Mnemonic::Syscall if rax == libc::SYS_msync as u64 => self.msync += 1,
            _ => {}
        }
    }
}

/// In the child: begins and ends what is counted.
pub fn mark() {
    // SAFETY: it stops this process, and the tracer goes on with it.
    unsafe { libc::raise(libc::SIGSTOP) };
}

/// In the child: the parent may look from now on.
pub fn be_traced() {
    // SAFETY: changes nothing in this process but who is told of its signals.
    unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) };
}

/// Runs a child and counts between its marks.
pub fn count(command: &mut Command) -> io::Result<Counts> {
    let mut counts = Counts::default();
    steps(command, |code, registers| counts.see(&code, registers.rax))?;
    Ok(counts)
}

/// Runs a child and looks at each instruction between its marks, with the registers before it.
pub fn steps(
    command: &mut Command,
    mut see: impl FnMut([u8; 16], &libc::user_regs_struct),
) -> io::Result<()> {
    let child = command.spawn()?;
    let pid = child.id() as libc::pid_t;
    let mut marks = 0;
    while let Some(signal) = stopped(pid)? {
        match signal {
            libc::SIGSTOP => marks += 1,
            libc::SIGTRAP if marks == 1 => {
                let registers = registers(pid)?;
                // The longest instruction has 15 bytes.
                let [low, high] = [0, 8].map(|at| peek(pid, registers.rip + at));
                see((u128::from(high) << 64 | u128::from(low)).to_le_bytes(), &registers);
            }
            other => return Err(io::Error::other(format!("the child got signal {other}"))),
        }
        let go_on = if marks == 1 { libc::PTRACE_SINGLESTEP } else { libc::PTRACE_CONT };
        // SAFETY: the child is stopped, and is this process's own.
        unsafe { libc::ptrace(go_on, pid, 0, 0) };
    }
    if marks == 2 { Ok(()) } else { Err(io::Error::other(format!("{marks} marks"))) }
}

/// The signal that stopped the child; `None` when it is over.
fn stopped(pid: libc::pid_t) -> io::Result<Option<i32>> {
    let mut status = 0;
    // SAFETY: `status` is an integer to write to.
    if unsafe { libc::waitpid(pid, &mut status, 0) } != pid {
        return Err(io::Error::last_os_error());
    }
    match status {
        status if libc::WIFSTOPPED(status) => Ok(Some(libc::WSTOPSIG(status))),
        status if libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0 => Ok(None),
        status => Err(io::Error::other(format!("the child ended with status {status:#x}"))),
    }
}

fn registers(pid: libc::pid_t) -> io::Result<libc::user_regs_struct> {
    let mut registers = std::mem::MaybeUninit::uninit();
    // SAFETY: the child is stopped, and there is room for its registers.
    match unsafe { libc::ptrace(libc::PTRACE_GETREGS, pid, 0, registers.as_mut_ptr()) } {
        // SAFETY: it was filled.
        0 => Ok(unsafe { registers.assume_init() }),
        _ => Err(io::Error::last_os_error()),
    }
}

fn peek(pid: libc::pid_t, at: u64) -> u64 {
    // SAFETY: reads a word of the stopped child; an address that it doesn't have is an error, read as -1.
    unsafe { libc::ptrace(libc::PTRACE_PEEKTEXT, pid, at, 0) as u64 }
}

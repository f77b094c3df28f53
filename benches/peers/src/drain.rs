//! Between what is measured and what is not.

/// Waits until every store and flush before it is done.
///
/// Without it one side would pay for another: a fence orders what comes after it, and on some CPUs the program goes
/// on while dozens of stores, flushes and fences wait in a queue.
pub fn drain() {
    // SAFETY: every x86-64 CPU has the instruction.
    unsafe { std::arch::x86_64::_mm_mfence() }
}

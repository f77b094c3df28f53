//! Appending to a log, beside `pmemlog_append` and the floor: the lines and the one fence it can't do without.
//!
//! Each side begins anew after a batch, in the same 9 KiB, or 134 for records that are appended together.

use crate::{BATCH, Bench, Side};
use indelible::collections::Log;
use indelible::{Persistent, Region};
use std::cell::RefCell;
use std::ffi::{CString, c_char, c_int, c_void};

unsafe extern "C" {
    fn peer_log_open(path: *const c_char) -> c_int;
    fn peer_log_close();
    fn peer_log_append(bytes: *const c_void, len: usize, count: usize) -> c_int;
    fn peer_log_rewind();
    fn floor_append(memory: *mut u64, instruction: c_int, at: usize, bytes: *const c_void, len: usize);
}

#[derive(Persistent, Default)]
#[repr(C)]
struct Root {
    log: Log,
}

/// Bytes of a record.
const RECORD: usize = 128;

/// Records that are appended together.
const MANY: usize = 16;

/// `memory` is the floor's.
pub fn measure(bench: &Bench, memory: *mut u64, instruction: c_int) -> indelible::Result<()> {
    let path = format!("{}.log", bench.pool);
    let name = CString::new(&path[..]).expect("a path has no zero byte");
    // SAFETY: a string that ends with a zero byte.
    assert_eq!(unsafe { peer_log_open(name.as_ptr()) }, 0, "PMDK made its log");
    std::fs::remove_file(path).expect("PMDK's log is mapped, and its name not needed");
    let mut region = Region::new(4 << 20, Root::default())?;
    region.transact(|tx, root| root.log.create(tx, 1 << 20))?;
    let region = RefCell::new(region);
    let record = |n: u64| [n as u8; RECORD];

    for (work, count) in [("append of 128 bytes", 1), ("append of 16 × 128 bytes", MANY)] {
        // What the floor writes is as long as our frame.
        let frame = 16 + if count == 1 { RECORD } else { count * (4 + RECORD) }.next_multiple_of(16);
        let ours: &mut dyn FnMut(u64) = if count == 1 {
            &mut |n| {
                region.borrow_mut().transact(|tx, root| root.log.append(tx, &record(n)).map(drop)).unwrap();
            }
        } else {
            &mut |n| {
                let records = [record(n); MANY];
                let records = records.iter().map(<[u8; RECORD]>::as_slice);
                region.borrow_mut().transact(|tx, root| root.log.append_all(tx, records).map(drop)).unwrap();
            }
        };
        bench.durable(
            work,
            &mut [
                Side {
                    name: "indelible",
                    goal: 0.0,
                    call: ours,
                    tidy: &mut || {
                        let mut region = region.borrow_mut();
                        region.transact(|tx, root| Ok(root.log.truncate_front(tx, u64::MAX))).unwrap();
                    },
                },
                Side {
                    name: "floor",
                    goal: if count == 1 { 1.0 / 1.4 } else { 0.0 },
                    call: &mut |n| {
                        let bytes = [[n as u8; 4 + RECORD]; MANY + 1];
                        let at = (n % BATCH) as usize * frame;
                        // SAFETY: see the crate; it ends before 1 MiB.
                        unsafe { floor_append(memory, instruction, at, bytes.as_ptr().cast(), frame) };
                    },
                    tidy: &mut || (),
                },
                Side {
                    name: if count == 1 { "pmemlog_append" } else { "pmemlog_appendv" },
                    goal: if count == 1 { 4.5 } else { 0.0 },
                    call: &mut |n| {
                        let records = [record(n); MANY];
                        // SAFETY: so many records are read, of so many bytes.
                        assert_eq!(unsafe { peer_log_append(records.as_ptr().cast(), RECORD, count) }, 0);
                    },
                    // SAFETY: see the crate.
                    tidy: &mut || unsafe { peer_log_rewind() },
                },
            ],
        );
    }
    // SAFETY: nothing uses the log any more.
    unsafe { peer_log_close() };
    Ok(())
}

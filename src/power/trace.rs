//! [`Trace`]: the events that a recorder saw.

use super::event::{Event, EventKind};

/// What a [`Recorder`](super::Recorder) saw, in order.
///
/// ```
/// use indelible::power::{self, EventKind};
/// use indelible::Link;
///
/// let mut region = power::region(1 << 20, Link::<u64>::null())?;
/// let before = region.medium().trace();
/// region.transact(|tx, slot| {
///     let new = tx.persist(tx.alloc(7)?)?;
///     tx.publish(slot, new);
///     Ok(())
/// })?;
/// let insert = region.medium().trace().since(&before);
/// println!("{} lines flushed, {} fences", insert.flushed_lines(), insert.fences());
/// for event in insert.events() {
///     if event.kind == EventKind::Fence {
///         println!("a fence for line {}", event.origin.line());
///     }
/// }
/// # Ok::<(), indelible::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Trace {
    pub(super) events: Vec<Event>,
}

impl Trace {
    /// The events.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// How many fences were made.
    pub fn fences(&self) -> usize {
        self.events.iter().filter(|event| event.kind == EventKind::Fence).count()
    }

    /// How many lines were flushed, one counted as often as it was.
    pub fn flushed_lines(&self) -> usize {
        self.events.iter().filter(|event| matches!(event.kind, EventKind::Flush { .. })).count()
    }

    /// What was recorded after `earlier`, a trace of the same recorder.
    pub fn since(&self, earlier: &Trace) -> Trace {
        Trace { events: self.events[earlier.events.len()..].to_vec() }
    }
}

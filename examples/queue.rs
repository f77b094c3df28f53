//! A queue without a pointer to its tail: what is pushed goes onto one list, what is popped comes from another,
//! and the first is turned into the second when that one is empty. With a crash test.
//!
//! ```text
//! cargo run --example queue
//! cargo test --example queue
//! ```

// ANCHOR: types
use indelible::medium::Medium;
use indelible::state::Flushed;
use indelible::{Committed, Link, Persistent, Pm, Read, Region, Result, Tx};

#[derive(Persistent)]
#[repr(C)]
struct Job {
    number: u64,
    next: Link<Job>,
}

#[derive(Persistent)]
#[repr(C)]
struct Queue {
    /// What was pushed and not turned round yet, the newest first.
    inbox: Link<Job>,
    /// What is popped, the oldest first.
    outbox: Link<Job>,
}
// ANCHOR_END: types

impl Queue {
    fn new() -> Self {
        Queue { inbox: Link::null(), outbox: Link::null() }
    }
}

// ANCHOR: push
fn push<'t, M: Medium>(tx: &Tx<'t, M>, queue: &'t Queue, number: u64) -> Result<()> {
    let mut job = tx.alloc(Job { number, next: Link::null() })?;
    tx.attach(&mut job, |job| &job.next, tx.take(&queue.inbox));
    tx.publish(&queue.inbox, tx.persist(job)?);
    Ok(())
}
// ANCHOR_END: push

// ANCHOR: pop
fn pop<'t, M: Medium>(tx: &Tx<'t, M>, queue: &'t Queue) -> Result<Option<u64>> {
    if tx.get(&queue.outbox).is_none() {
        turn_round(tx, queue)?;
    }
    let Some(job) = tx.take(&queue.outbox) else { return Ok(None) };
    tx.publish(&queue.outbox, tx.take(&job.get().next));
    let number = job.get().number;
    tx.free(job);
    Ok(Some(number))
}
// ANCHOR_END: pop

// ANCHOR: turn_round
/// Copies the inbox into the outbox, the other way round. However many jobs there are, only two published words
/// change: the two links of the queue. The old jobs are freed, and what changes in them is nobody's business.
fn turn_round<'t, M: Medium>(tx: &Tx<'t, M>, queue: &'t Queue) -> Result<()> {
    let mut turned: Option<Pm<'t, Job, Flushed>> = None;
    let mut rest = tx.take(&queue.inbox);
    while let Some(job) = rest {
        rest = tx.take(&job.get().next);
        let mut copy = tx.rewrite(job)?; // `next` is null in it, for it was taken
        tx.attach(&mut copy, |copy| &copy.next, turned);
        turned = Some(tx.flush(copy));
    }
    tx.stage(&queue.outbox, turned); // the commit's fence covers all the copies
    Ok(())
}
// ANCHOR_END: turn_round

fn numbers<'a>(read: &impl Read<'a>, queue: &'a Queue) -> Vec<u64> {
    let list = |mut slot: &'a Link<Job>| {
        let mut numbers = Vec::new();
        while let Some(job) = read.get(slot) {
            numbers.push(job.number);
            slot = &job.next;
        }
        numbers
    };
    let (mut inbox, mut numbers) = (list(&queue.inbox), list(&queue.outbox));
    inbox.reverse();
    numbers.append(&mut inbox);
    numbers
}

fn main() -> Result<()> {
    let mut queue = Region::new(1 << 20, Queue::new())?;
    // More jobs than one journal record has room for words: turning them round needs two.
    for number in 1..=3_000 {
        queue.transact(|tx, queue| push(tx, queue, number))?;
    }
    for number in 1..=2 {
        assert_eq!(queue.transact(pop)?, Some(number));
    }
    queue.transact(|tx, queue| push(tx, queue, 3_001))?;
    assert_eq!(numbers(&Committed, queue.root()), Vec::from_iter(3..=3_001));
    println!("popped 1 and 2, {} jobs are left", numbers(&Committed, queue.root()).len());
    assert_eq!(queue.usage()?.objects, 3_000, "the root and 2,999 jobs");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use indelible::power::{Explorer, History, Log, Recorder};

    #[derive(Clone)]
    enum Step {
        Push(u64),
        Pop,
    }

    #[test]
    fn no_crash_loses_a_job_or_does_it_twice() {
        let steps = [Step::Push(1), Step::Push(2), Step::Pop, Step::Push(3), Step::Pop, Step::Pop];
        let workload = move |queue: &mut Region<Queue, Recorder>, log: &Log<Step>| {
            for step in &steps {
                log.begin(step.clone());
                queue.transact(|tx, queue| match *step {
                    Step::Push(number) => push(tx, queue, number),
                    Step::Pop => pop(tx, queue).map(drop),
                })?;
                log.acknowledge();
            }
            Ok(())
        };
        let after = |steps: &[Step]| {
            let mut model = std::collections::VecDeque::new();
            for step in steps {
                match *step {
                    Step::Push(number) => model.push_back(number),
                    Step::Pop => drop(model.pop_front()),
                }
            }
            Vec::from(model)
        };
        let check = move |queue: &Queue, history: &History<Step>| {
            let found = numbers(&Committed, queue);
            let (least, most) = (after(history.acknowledged()), after(history.begun()));
            assert!(found == least || found == most, "{found:?}, neither {least:?} nor {most:?}");
        };
        let report = Explorer::new(Queue::new, workload, check).run();
        assert!(report.assert().is_exhaustive());
    }

    #[test]
    fn the_example_runs() {
        main().unwrap();
    }
}

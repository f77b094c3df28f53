//! Fences of the closure's own, at every place in a transaction that makes the memory of a log: frames that its
//! commit writes are durable before the word that leads to them, whatever was fenced before.

use indelible::collections::Log;
use indelible::medium::{Medium, Writable};
use indelible::power::{Explorer, History, Log as Events, Model, Recorder, Rule};
use indelible::{Link, Persistent, Region, Result, Tx, Word};

#[derive(Persistent)]
#[repr(C)]
struct Queue {
    name: u64,
    log: Log,
}

#[derive(Persistent, Default)]
#[repr(C)]
struct Root {
    log: Log,
    other: Log,
    queue: Link<Queue>,
    bytes: Link<[u8]>,
    word: Word<u64>,
}

/// What the region holds: both logs' records, the word, whether there is a queue, and its records.
type State = (Vec<Vec<u8>>, Vec<Vec<u8>>, u64, Option<Vec<Vec<u8>>>);

fn records(log: &Log) -> Vec<Vec<u8>> {
    log.iter().map(|(_, record)| record.to_vec()).collect()
}

fn state(root: &Root) -> State {
    let queue = root.queue.get().map(|queue| records(&queue.log));
    (records(&root.log), records(&root.other), root.word.get(), queue)
}

/// What makes a ring, with the records that it will have.
#[derive(Clone, Copy, Debug)]
enum Make {
    Create,
    CreateFrom,
    Resize,
    ResizeAndAppend,
    InNewObject,
}

/// A fence behind it.
#[derive(Clone, Copy, Debug)]
enum Fenced {
    No,
    Bare,
    Persist,
    Stream,
}

/// What else the transaction changes.
#[derive(Clone, Copy, Debug)]
enum Beside {
    Nothing,
    Word,
    Record,
}

const MAKES: [Make; 5] =
    [Make::Create, Make::CreateFrom, Make::Resize, Make::ResizeAndAppend, Make::InNewObject];
const FENCES: [Fenced; 4] = [Fenced::No, Fenced::Bare, Fenced::Persist, Fenced::Stream];
const BESIDES: [Beside; 3] = [Beside::Nothing, Beside::Word, Beside::Record];

/// Longer than a line.
const LONG: &[u8] = &[7; 100];

fn change<'t, M: Medium>(
    tx: &Tx<'t, M>,
    root: &'t Root,
    make: Make,
    fenced: Fenced,
    beside: Beside,
) -> Result<()> {
    match make {
        Make::Create => {
            root.log.create(tx, 256)?;
            root.log.append(tx, LONG)?;
        }
        Make::CreateFrom => {
            root.log.create_from(tx, 256, 1000)?;
            root.log.append(tx, b"a")?;
            root.log.append(tx, LONG)?;
        }
        Make::Resize => root.other.resize(tx, 1024)?,
        Make::ResizeAndAppend => {
            root.other.resize(tx, 1024)?;
            root.other.append(tx, LONG)?;
        }
        Make::InNewObject => {
            let queue = tx.flush(tx.alloc(Queue { name: 7, log: Log::new() })?);
            tx.stage(&root.queue, queue);
            let queue = tx.get(&root.queue).expect("staged");
            queue.log.create(tx, 256)?;
            queue.log.append(tx, LONG)?;
        }
    }
    match fenced {
        Fenced::No => {}
        Fenced::Bare => tx.fence(())?,
        Fenced::Persist => {
            let bytes = tx.persist(tx.alloc_slice(b"bytes")?)?;
            tx.publish(&root.bytes, bytes);
        }
        Fenced::Stream => {
            let bytes = tx.stream_slice(&[5_u8; 300])?;
            tx.stage(&root.bytes, bytes);
        }
    }
    match beside {
        Beside::Nothing => {}
        Beside::Word => tx.store(&root.word, 9),
        Beside::Record => drop(root.other.append_all(tx, [&b"one"[..], LONG])?),
    }
    Ok(())
}

/// The two logs of before, one with records.
fn set_up<M: Writable>(region: &mut Region<Root, M>) -> Result<()> {
    region.transact(|tx, root| {
        root.other.create(tx, 512)?;
        root.other.append(tx, b"first")?;
        root.other.append(tx, LONG).map(drop)
    })
}

fn explorer(make: Make, fenced: Fenced, beside: Beside) -> Explorer<Root, State> {
    Explorer::new(
        Root::default,
        move |region: &mut Region<Root, Recorder>, log: &Events<State>| {
            // In DRAM first, to know what it should be.
            let mut twin = Region::new(1 << 20, Root::default())?;
            set_up(&mut twin)?;
            log.begin(state(twin.root()));
            set_up(region)?;
            log.acknowledge();
            twin.transact(|tx, root| change(tx, root, make, fenced, beside))?;
            log.begin(state(twin.root()));
            region.transact(|tx, root| change(tx, root, make, fenced, beside))?;
            assert_eq!(state(region.root()), state(twin.root()));
            log.acknowledge();
            Ok(())
        },
        |root: &Root, history: &History<State>| {
            let found = state(root);
            let empty = State::default();
            let last = history.acknowledged().last().unwrap_or(&empty);
            let possible: Vec<_> = [last].into_iter().chain(history.in_flight()).collect();
            assert!(possible.contains(&&found), "{found:?} is none of {possible:?}");
        },
    )
    .progress(false)
    .depth(1)
}

#[test]
fn frames_in_a_new_ring_are_durable_before_what_leads_to_it() {
    for model in [Model::Word8, Model::X86, Model::Eadr] {
        for make in MAKES {
            for (fenced, beside) in
                FENCES.into_iter().flat_map(|fenced| BESIDES.map(|beside| (fenced, beside)))
            {
                let report = explorer(make, fenced, beside).model(model).run();
                assert!(report.failure().is_none(), "{model:?}, {make:?}, {fenced:?}, {beside:?}:\n{report}");
            }
        }
    }
}

/// The explorer says so by itself, where the check asserts nothing and recovery finds nothing wrong: a frame whose
/// checksum is an entry of a record looks like one that was never appended.
#[test]
fn what_is_published_too_early_is_found_whatever_the_workload_asserts() {
    let explorer = |rule: Option<Rule>| {
        let explorer = Explorer::new(
            Root::default,
            |region: &mut Region<Root, Recorder>, log: &Events<()>| {
                log.begin(());
                region.transact(|tx, root| {
                    root.other.append(tx, LONG)?;
                    tx.store(&root.word, 9);
                    Ok(())
                })?;
                log.acknowledge();
                Ok(())
            },
            |_: &Root, _: &History<()>| {},
        )
        .after(set_up);
        match rule {
            Some(rule) => explorer.progress(false).without(rule),
            None => explorer.progress(false),
        }
    };
    assert!(explorer(None).run().failure().is_none());
    let report = explorer(Some(Rule::FrameListed)).run();
    let failure = report.failure().expect("it is told");
    assert!(failure.message().contains("no fence has made durable yet"), "{report}");
    assert!(report.to_string().contains("fences.rs"), "{report}");
    let again = explorer(Some(Rule::FrameListed)).replay(&failure.seed()).expect("it is told again");
    assert_eq!(again.message(), failure.message());
}

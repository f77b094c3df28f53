//! A small forest with every kind of transaction whose cost the design names (docs/design.md, 7.15), and a plain
//! model of it.

use indelible::power::{Explorer, History, Log, Recorder};
use indelible::{Link, Persistent, Region, Result, Tx, Word};
use std::thread;

#[derive(Persistent)]
#[repr(C)]
pub struct Node {
    id: u64,
    complement: u64,
    word: Word<u64>,
    next: Link<Node>,
}

#[derive(Persistent)]
#[repr(C)]
pub struct Forest {
    lists: [Link<Node>; 2],
    x: Word<u64>,
    y: Word<u64>,
}

impl Forest {
    pub fn new() -> Self {
        Forest { lists: [Link::null(), Link::null()], x: Word::new(0), y: Word::new(0) }
    }
}

/// What a forest holds, plainly.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct State {
    lists: [Vec<(u64, u64)>; 2],
    x: u64,
    y: u64,
}

impl State {
    pub fn of(forest: &Forest) -> Self {
        let list = |mut slot: &Link<Node>| {
            let mut nodes = Vec::new();
            while let Some(node) = slot.get() {
                assert_eq!(node.complement, !node.id, "a reachable object is torn");
                nodes.push((node.id, node.word.get()));
                slot = &node.next;
            }
            nodes
        };
        State { lists: forest.lists.each_ref().map(list), x: forest.x.get(), y: forest.y.get() }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    Store,
    StoreOther,
    StoreBoth,
    Push,
    PushStaged,
    PushAndStore,
    PushOther,
    /// Publishes into, and stores into, an object that the same transaction published.
    PushTwo,
    /// One object under the other, published by the root's link.
    PushPair,
    /// An object that the same transaction frees, and both words.
    NewFreeBoth,
    Pop,
    PopAndStore,
    StoreInNode,
    StoreInNodeAndRoot,
    /// The stored word lies in an object that the transaction frees.
    StoreInFreed,
    Move,
    Replace,
    Rewrite,
    Abort,
    AbortUnfenced,
    /// The same on another thread.
    StoreElsewhere,
    StoreBothElsewhere,
    PushElsewhere,
    PushOtherElsewhere,
    Grow,
}

impl Op {
    pub const ALL: &[Op] = &[
        Op::Store,
        Op::StoreOther,
        Op::StoreBoth,
        Op::Push,
        Op::PushStaged,
        Op::PushAndStore,
        Op::PushOther,
        Op::PushTwo,
        Op::PushPair,
        Op::NewFreeBoth,
        Op::Pop,
        Op::PopAndStore,
        Op::StoreInNode,
        Op::StoreInNodeAndRoot,
        Op::StoreInFreed,
        Op::Move,
        Op::Replace,
        Op::Rewrite,
        Op::Abort,
        Op::AbortUnfenced,
        Op::StoreElsewhere,
        Op::StoreBothElsewhere,
        Op::PushElsewhere,
        Op::PushOtherElsewhere,
    ];

    /// What it makes of a state; `n` is a number that no other operation of the workload has.
    fn model(self, state: &State, n: u64) -> State {
        let mut s = state.clone();
        match self {
            Op::Store | Op::StoreElsewhere => s.x = n,
            Op::StoreOther => s.y = n,
            Op::StoreBoth | Op::StoreBothElsewhere | Op::NewFreeBoth => (s.x, s.y) = (n, n + 1),
            Op::Push | Op::PushStaged | Op::PushElsewhere => s.lists[0].insert(0, (n, n)),
            Op::PushAndStore => {
                s.lists[0].insert(0, (n, n));
                s.x = n;
            }
            Op::PushOther | Op::PushOtherElsewhere => s.lists[1].insert(0, (n, n)),
            Op::Grow => {
                s.lists[0] = vec![(n, n)];
                s.y = 16 << 10;
            }
            Op::PushTwo => {
                s.lists[0].insert(0, (n + 1, n + 1));
                s.lists[0].insert(0, (n, n + 2));
            }
            Op::PushPair => {
                s.lists[0].insert(0, (n + 1, n + 1));
                s.lists[0].insert(0, (n, n));
            }
            Op::Pop if !s.lists[0].is_empty() => drop(s.lists[0].remove(0)),
            Op::PopAndStore | Op::StoreInFreed if !s.lists[0].is_empty() => {
                s.lists[0].remove(0);
                s.x = n;
            }
            Op::StoreInNode if !s.lists[0].is_empty() => s.lists[0][0].1 = n,
            Op::StoreInNodeAndRoot if !s.lists[0].is_empty() => {
                s.lists[0][0].1 = n;
                s.x = n;
            }
            Op::Move if !s.lists[0].is_empty() => {
                let node = s.lists[0].remove(0);
                s.lists[1].insert(0, node);
            }
            Op::Replace if !s.lists[0].is_empty() => {
                s.lists[0].clear();
                s.lists[0].push((n, n));
            }
            Op::Rewrite if !s.lists[0].is_empty() => s.lists[0][0].1 = n,
            _ => {}
        }
        s
    }

    fn run(self, region: &mut Region<Forest, Recorder>, n: u64) -> Result<()> {
        match self {
            Op::StoreElsewhere => elsewhere(region, Op::Store, n),
            Op::StoreBothElsewhere => elsewhere(region, Op::StoreBoth, n),
            Op::PushElsewhere => elsewhere(region, Op::Push, n),
            Op::PushOtherElsewhere => elsewhere(region, Op::PushOther, n),
            Op::Abort | Op::AbortUnfenced => {
                let result = region.transact(|tx, root| {
                    let mut node = tx.alloc(node(n))?;
                    tx.attach(&mut node, |node| &node.next, tx.take(&root.lists[0]));
                    let node = tx.flush(node);
                    tx.store(&root.x, n);
                    match self {
                        Op::Abort => tx.publish(&root.lists[0], tx.fence(node)?),
                        _ => tx.stage(&root.lists[0], node),
                    }
                    Err::<(), _>(indelible::Error::other("aborted on purpose"))
                });
                assert!(result.is_err());
                Ok(())
            }
            Op::Grow => region.transact(|tx, root| {
                let big = tx.alloc_slice(&[n; 16 << 10])?;
                let len = big.len() as u64;
                tx.free(big);
                let node = tx.alloc(node(n))?;
                tx.store(&root.y, len);
                push(tx, &root.lists[0], tx.flush(node));
                Ok(())
            }),
            op => region.transact(|tx, root| op.body(tx, root, n)),
        }
    }

    fn body<'t>(self, tx: &Tx<'t, Recorder>, root: &'t Forest, n: u64) -> Result<()> {
        let head = &root.lists[0];
        match self {
            Op::Store => tx.store(&root.x, n),
            Op::StoreOther => tx.store(&root.y, n),
            Op::StoreBoth => {
                tx.store(&root.x, n);
                tx.store(&root.y, n + 1);
            }
            Op::Push | Op::PushAndStore | Op::PushOther => {
                let list = if self == Op::PushOther { &root.lists[1] } else { head };
                let mut new = tx.alloc(node(n))?;
                tx.attach(&mut new, |node| &node.next, tx.take(list));
                tx.publish(list, tx.persist(new)?);
                if self == Op::PushAndStore {
                    tx.store(&root.x, n);
                }
            }
            Op::PushStaged => {
                let mut new = tx.alloc(node(n))?;
                tx.attach(&mut new, |node| &node.next, tx.take(head));
                tx.stage(head, tx.flush(new));
            }
            Op::PushTwo => {
                let old = tx.take(head);
                let first = tx.alloc(node(n))?;
                tx.publish(head, tx.persist(first)?);
                let first = tx.get(head).expect("published");
                let second = tx.alloc(node(n + 1))?;
                tx.stage(&first.next, tx.flush(second));
                let second = tx.get(&first.next).expect("staged");
                tx.publish(&second.next, old);
                tx.store(&first.word, n + 2);
            }
            Op::PushPair => {
                let mut below = tx.alloc(node(n + 1))?;
                tx.attach(&mut below, |node| &node.next, tx.take(head));
                let below = tx.flush(below);
                let mut above = tx.alloc(node(n))?;
                tx.attach(&mut above, |node| &node.next, below);
                tx.stage(head, tx.flush(above));
            }
            Op::NewFreeBoth => {
                tx.free(tx.flush(tx.alloc(node(n))?));
                tx.store(&root.x, n);
                tx.store(&root.y, n + 1);
            }
            Op::Pop | Op::PopAndStore | Op::StoreInFreed => {
                if let Some(node) = tx.take(head) {
                    tx.publish(head, tx.take(&node.get().next));
                    if self == Op::StoreInFreed {
                        tx.store(&node.get().word, n);
                    }
                    tx.free(node);
                    if self != Op::Pop {
                        tx.store(&root.x, n);
                    }
                }
            }
            Op::StoreInNode | Op::StoreInNodeAndRoot => {
                if let Some(node) = tx.get(head) {
                    tx.store(&node.word, n);
                    if self == Op::StoreInNodeAndRoot {
                        tx.store(&root.x, n);
                    }
                }
            }
            Op::Move => {
                if let Some(node) = tx.take(head) {
                    tx.publish(head, tx.take(&node.get().next));
                    tx.publish(&node.get().next, tx.take(&root.lists[1]));
                    tx.publish(&root.lists[1], node);
                }
            }
            Op::Replace => {
                if tx.get(head).is_some() {
                    let new = tx.alloc(node(n))?;
                    let old = tx.replace(head, tx.persist(new)?);
                    tx.free(old);
                }
            }
            Op::Rewrite => {
                if let Some(node) = tx.take(head) {
                    let mut copy = tx.rewrite(node)?;
                    copy.fields().word.set(n);
                    tx.publish(head, tx.persist(copy)?);
                }
            }
            other => unreachable!("{other:?}"),
        }
        Ok(())
    }
}

fn node(n: u64) -> Node {
    Node { id: n, complement: !n, word: Word::new(n), next: Link::null() }
}

fn push<'t>(
    tx: &Tx<'t, Recorder>,
    list: &'t Link<Node>,
    new: indelible::Pm<'t, Node, indelible::state::Flushed>,
) {
    // The list's own nodes go: this is about growth.
    tx.free(tx.take(list));
    tx.stage(list, new);
}

fn elsewhere(region: &mut Region<Forest, Recorder>, op: Op, n: u64) -> Result<()> {
    thread::scope(|scope| {
        scope
            .spawn(|| region.transact(|tx, root| op.body(tx, root, n)))
            .join()
            .expect("the thread does not panic")
    })
}

fn perform(region: &mut Region<Forest, Recorder>, log: &Log<State>, program: &[Op]) -> Result<()> {
    for &op in program {
        let before = State::of(region.root());
        // Numbers that nothing else has: what is stored twice can't be told apart.
        let n = 100 * (1 + log.count() as u64);
        let after = op.model(&before, n);
        log.begin(after.clone());
        op.run(region, n)?;
        assert_eq!(State::of(region.root()), after, "{op:?} does what its model does");
        log.acknowledge();
    }
    Ok(())
}

pub fn check(forest: &Forest, history: &History<State>) -> Result<(), String> {
    let found = State::of(forest);
    let acknowledged = history.acknowledged().last().cloned().unwrap_or_default();
    let mut possible = vec![acknowledged];
    possible.extend(history.in_flight().iter().cloned());
    match possible.contains(&found) {
        true => Ok(()),
        false => Err(format!("found {found:?}, expected one of {possible:?}")),
    }
}

pub fn explorer(program: Vec<Op>) -> Explorer<Forest, State> {
    Explorer::new(Forest::new, move |region, log| perform(region, log, &program), check).progress(false)
}

pub fn going_on(explorer: Explorer<Forest, State>, program: Vec<Op>) -> Explorer<Forest, State> {
    explorer.then(move |region, log| {
        // What recovery found is durable.
        log.begin(State::of(region.root()));
        log.acknowledge();
        perform(region, log, &program)
    })
}

//! Random programs on a small forest, against a plain tree: what is committed is what the model says, nothing
//! leaks, and a region that is closed and opened again is the same.

use indelible::medium::{MemoryFileSystem, PageCache};
use indelible::state::Flushed;
use indelible::{Committed, Error, Link, Options, Persistent, Pm, Read, Region, Result, Tx, Word};
use indelible_test_support::folder;
use proptest::prelude::*;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

const WIDTH: usize = 3;

#[derive(Persistent)]
#[repr(C)]
struct Node {
    id: u64,
    word: Word<u32>,
    text: Link<str>,
    numbers: Link<[u16]>,
    children: [Link<Node>; WIDTH],
}

#[derive(Persistent)]
#[repr(C)]
struct Root {
    children: [Link<Node>; WIDTH],
    word: Word<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct ModelNode {
    id: u64,
    word: u32,
    text: Option<String>,
    numbers: Option<Vec<u16>>,
    children: [Option<Box<ModelNode>>; WIDTH],
}

#[derive(Clone, Debug, PartialEq, Eq, Default)]
struct Model {
    children: [Option<Box<ModelNode>>; WIDTH],
    word: u32,
}

/// The path to a slot: which child at each level.
type Steps = Vec<usize>;

#[derive(Clone, Debug)]
enum Step {
    /// Builds a tree and puts it into a slot; what was there is freed.
    Put {
        to: Steps,
        tree: ModelNode,
        how: How,
    },
    Free {
        from: Steps,
    },
    /// Takes a tree and publishes it elsewhere, or puts it back where the place is taken.
    Move {
        from: Steps,
        to: Steps,
    },
    /// Takes a tree, and puts it under a new node in its place.
    Wrap {
        at: Steps,
        id: u64,
    },
    /// Copies a node, changes the copy, and puts it in the node's place.
    Rewrite {
        at: Steps,
        word: Option<u32>,
        text: Option<String>,
    },
    Store {
        at: Steps,
        word: u32,
    },
    StoreInRoot {
        word: u32,
    },
    /// An object that nobody gets.
    Build {
        tree: ModelNode,
        free: bool,
    },
}

#[derive(Clone, Copy, Debug)]
enum How {
    Publish,
    Stage,
    Stream,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Commit,
    Abort,
    Panic,
    Orphan,
}

fn tree() -> impl Strategy<Value = ModelNode> {
    let text = proptest::option::of("[a-zé]{0,70}");
    let numbers = proptest::option::of(proptest::collection::vec(any::<u16>(), 0..600));
    let leaf = (any::<u64>(), any::<u32>(), text, numbers).prop_map(|(id, word, text, numbers)| ModelNode {
        id,
        word,
        text,
        numbers,
        children: [None, None, None],
    });
    leaf.prop_recursive(3, 12, 3, |inner| {
        let child = || proptest::option::of(inner.clone().prop_map(Box::new));
        (inner.clone(), [child(), child(), child()])
            .prop_map(|(node, children)| ModelNode { children, ..node })
    })
}

fn step() -> impl Strategy<Value = Step> {
    // Mostly the same few places, so that steps meet.
    let place = || prop_oneof![5 => Just(0), 1 => Just(1), 1 => Just(2)];
    let steps = move || prop_oneof![3 => proptest::collection::vec(place(), 1), 2 => proptest::collection::vec(place(), 2..4)];
    let how = prop_oneof![Just(How::Publish), Just(How::Stage), Just(How::Stream)];
    prop_oneof![
        4 => (steps(), tree(), how).prop_map(|(to, tree, how)| Step::Put { to, tree, how }),
        2 => steps().prop_map(|from| Step::Free { from }),
        3 => (steps(), steps()).prop_map(|(from, to)| Step::Move { from, to }),
        2 => (steps(), any::<u64>()).prop_map(|(at, id)| Step::Wrap { at, id }),
        3 => (steps(), proptest::option::of(any::<u32>()), proptest::option::of("[a-z]{0,9}"))
            .prop_map(|(at, word, text)| Step::Rewrite { at, word, text }),
        4 => (steps(), any::<u32>()).prop_map(|(at, word)| Step::Store { at, word }),
        1 => any::<u32>().prop_map(|word| Step::StoreInRoot { word }),
        1 => (tree(), any::<bool>()).prop_map(|(tree, free)| Step::Build { tree, free }),
    ]
}

fn program() -> impl Strategy<Value = Vec<(Vec<Step>, End)>> {
    let end = prop_oneof![6 => Just(End::Commit), 1 => Just(End::Abort), 1 => Just(End::Panic), 1 => Just(End::Orphan)];
    proptest::collection::vec((proptest::collection::vec(step(), 1..6), end), 1..10)
}

impl Model {
    fn slot(&mut self, steps: &[usize]) -> Option<&mut Option<Box<ModelNode>>> {
        let (last, before) = steps.split_last()?;
        let mut children = &mut self.children;
        for &step in before {
            children = &mut children[step].as_mut()?.children;
        }
        Some(&mut children[*last])
    }

    fn node(&mut self, steps: &[usize]) -> Option<&mut ModelNode> {
        self.slot(steps)?.as_deref_mut()
    }

    /// Whether every object of the step finds an owner.
    fn apply(&mut self, step: &Step) -> bool {
        match step {
            Step::Put { to, tree, .. } => {
                if let Some(slot) = self.slot(to) {
                    *slot = Some(Box::new(tree.clone()));
                }
            }
            Step::Free { from } => {
                if let Some(slot) = self.slot(from) {
                    *slot = None;
                }
            }
            Step::Move { from, to } => {
                if let Some(tree) = self.slot(from).and_then(Option::take) {
                    match self.slot(to) {
                        Some(slot) if slot.is_none() => *slot = Some(tree),
                        _ => *self.slot(from).expect("it was there") = Some(tree),
                    }
                }
            }
            Step::Wrap { at, id } => {
                if let Some(slot) = self.slot(at)
                    && let Some(tree) = slot.take()
                {
                    let (text, numbers) = (None, None);
                    let children = [None, Some(tree), None];
                    *slot = Some(Box::new(ModelNode { id: *id, word: 1, text, numbers, children }));
                }
            }
            Step::Rewrite { at, word, text } => {
                if let Some(node) = self.node(at) {
                    node.word = word.unwrap_or(node.word);
                    if node.text.is_none() {
                        node.text = text.clone();
                    }
                }
            }
            Step::Store { at, word } => {
                if let Some(node) = self.node(at) {
                    node.word = *word;
                }
            }
            Step::StoreInRoot { word } => self.word = *word,
            Step::Build { free, .. } => return *free,
        }
        true
    }
}

type Medium = PageCache;

fn slot<'t>(tx: &Tx<'t, Medium>, root: &'t Root, steps: &[usize]) -> Option<&'t Link<Node>> {
    let (last, before) = steps.split_last()?;
    let mut children = &root.children;
    for &step in before {
        children = &tx.get(&children[step])?.children;
    }
    Some(&children[*last])
}

fn build<'t>(tx: &Tx<'t, Medium>, tree: &ModelNode, how: How) -> Result<Pm<'t, Node, Flushed>> {
    let mut node = tx.alloc(Node {
        id: tree.id,
        word: Word::new(tree.word),
        text: Link::null(),
        numbers: Link::null(),
        children: Default::default(),
    })?;
    if let Some(text) = &tree.text {
        let text = tx.alloc_str(text)?;
        tx.attach(&mut node, |node| &node.text, tx.flush(text));
    }
    if let Some(numbers) = &tree.numbers {
        let numbers = match how {
            How::Stream => tx.stream_slice(numbers)?,
            How::Stage => tx.flush(tx.alloc_slice(numbers)?),
            How::Publish => tx.flush(tx.alloc_slice_with(numbers.len(), |i| numbers[i])?),
        };
        tx.attach(&mut node, |node| &node.numbers, numbers);
    }
    for (index, child) in tree.children.iter().enumerate() {
        if let Some(child) = child {
            let child = build(tx, child, how)?;
            tx.attach(&mut node, |node| &node.children[index], child);
        }
    }
    Ok(tx.flush(node))
}

fn perform<'t>(tx: &Tx<'t, Medium>, root: &'t Root, step: &Step) -> Result<()> {
    match step {
        Step::Put { to, tree, how } => {
            if let Some(slot) = slot(tx, root, to) {
                let new = build(tx, tree, *how)?;
                match how {
                    How::Stage => {
                        tx.free(tx.take(slot));
                        tx.stage(slot, new);
                    }
                    _ => {
                        let old = tx.replace(slot, tx.fence(new)?);
                        tx.free(old);
                    }
                }
            }
        }
        Step::Free { from } => {
            if let Some(slot) = slot(tx, root, from) {
                tx.free(tx.take(slot));
            }
        }
        Step::Move { from, to } => {
            if let Some(from) = slot(tx, root, from)
                && let Some(tree) = tx.take(from)
            {
                match slot(tx, root, to) {
                    Some(to) if tx.get(to).is_none() => tx.publish(to, tree),
                    _ => tx.publish(from, tree),
                }
            }
        }
        Step::Wrap { at, id } => {
            if let Some(slot) = slot(tx, root, at)
                && let Some(tree) = tx.take(slot)
            {
                let mut node = tx.alloc(Node {
                    id: *id,
                    word: Word::new(1),
                    text: Link::null(),
                    numbers: Link::null(),
                    children: Default::default(),
                })?;
                tx.attach(&mut node, |node| &node.children[1], tree);
                tx.publish(slot, tx.persist(node)?);
            }
        }
        Step::Rewrite { at, word, text } => {
            if let Some(slot) = slot(tx, root, at)
                && let Some(node) = tx.take(slot)
            {
                let old = node.get();
                let mut copy = tx.rewrite(node)?;
                // The old block owns nothing any more.
                assert!(tx.get(&old.children[0]).is_none() && tx.take(&old.text).is_none());
                if let Some(word) = word {
                    copy.fields().word.set(*word);
                }
                if let Some(text) = text
                    && copy.text.is_null()
                {
                    let text = tx.alloc_str(text)?;
                    tx.attach(&mut copy, |node| &node.text, tx.flush(text));
                }
                tx.stage(slot, tx.flush(copy));
            }
        }
        Step::Store { at, word } => {
            if let Some(slot) = slot(tx, root, at)
                && let Some(node) = tx.get(slot)
            {
                tx.store(&node.word, *word);
                assert_eq!(tx.load(&node.word), *word);
            }
        }
        Step::StoreInRoot { word } => tx.store(&root.word, *word),
        Step::Build { tree, free } => {
            let built = build(tx, tree, How::Stage)?;
            if *free {
                tx.free(built);
            } else {
                let _lost = built;
            }
        }
    }
    Ok(())
}

fn read_node<'a>(read: &impl Read<'a>, slot: &'a Link<Node>) -> Option<Box<ModelNode>> {
    let node = read.get(slot)?;
    Some(Box::new(ModelNode {
        id: node.id,
        word: read.load(&node.word),
        text: read.get(&node.text).map(str::to_string),
        numbers: read.get(&node.numbers).map(<[u16]>::to_vec),
        children: node.children.each_ref().map(|child| read_node(read, child)),
    }))
}

fn read<'a>(read: &impl Read<'a>, root: &'a Root) -> Model {
    Model {
        children: root.children.each_ref().map(|child| read_node(read, child)),
        word: read.load(&root.word),
    }
}

fn open(path: &Path) -> Region<Root, Medium> {
    let options = Options::new().allow_memory_file_system(MemoryFileSystem::Tmpfs);
    let root = || Root { children: Default::default(), word: Word::new(0) };
    // SAFETY: the file is in a folder of this test's own.
    unsafe { options.open_or_create(path, 1 << 17, root) }.expect("a region")
}

/// Runs one transaction on both sides; the model's is dropped where the region's was refused.
fn transact(region: &mut Region<Root, Medium>, model: &mut Model, steps: &[Step], end: End) {
    let mut next = model.clone();
    let mut owned = true;
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        region.transact(|tx, root| {
            for step in steps {
                perform(tx, root, step)?;
                owned &= next.apply(step);
                assert_eq!(read(tx, root), next, "the transaction sees its own changes");
                assert_eq!(read(&Committed, root), *model, "and nothing else does");
            }
            match end {
                End::Commit => Ok(()),
                End::Abort => Err(Error::other("aborted")),
                End::Panic => panic!("on purpose"),
                End::Orphan => {
                    let _lost = tx.alloc_str("lost")?;
                    Ok(())
                }
            }
        })
    }));
    match (end, outcome) {
        (End::Commit, Ok(Ok(()))) => {
            assert!(owned, "an object without an owner was committed");
            *model = next;
        }
        (End::Commit | End::Orphan, Ok(Err(Error::Orphaned { .. }))) => {
            assert!(end == End::Orphan || !owned, "no object was without an owner");
        }
        (End::Abort, Ok(Err(Error::Other(_)))) => {}
        (End::Panic, Err(panic)) => {
            assert_eq!(panic.downcast_ref::<&str>(), Some(&"on purpose"), "another panic");
        }
        (_, other) => panic!("unexpected outcome: {other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, max_shrink_iters: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn a_region_is_what_a_plain_tree_is(program in program()) {
        let folder = folder::in_memory();
        let path = folder.path().join("forest");
        let mut region = open(&path);
        let mut model = Model::default();
        for (steps, end) in &program {
            transact(&mut region, &mut model, steps, *end);
            prop_assert_eq!(&read(&Committed, region.root()), &model);
            // Reopening would hide a leak: what the heap holds is what the root reaches.
            prop_assert_eq!(region.usage().unwrap().unreached_bytes, 0);
        }
        let before = region.usage().unwrap();
        region.close().unwrap();
        let region = open(&path);
        prop_assert!(!region.was_recovered());
        prop_assert_eq!(&read(&Committed, region.root()), &model);
        prop_assert_eq!(region.usage().unwrap(), before);
    }
}

//! How a [`BTreeMap`] changes: leaves and inner nodes are rebuilt, and one link is published.
//!
//! A change that replaces one leaf by one leaf is published into the parent's link. Any other change of leaves is an
//! *edit* of the parent: some neighbouring children are replaced by others. An edit that would make the parent too large,
//! too small or empty is an edit of *its* parent, and so on up to the root.
//!
//! A node that can't be a tree's shows that the file is damaged. The change then returns [`Error::Damaged`].
//!
//! [`Error::Damaged`]: crate::Error::Damaged

use super::{BTreeMap, Child, ChildOf, INNER_CAPACITY, Inner, InnerOf, LeafOf, child_of, leaf_capacity};
use crate::collections::node::{Nodes, WIDTH, build, damaged, node_of, search, some};
use crate::collections::stored::{Source, Stored, swap};
use crate::medium::Medium;
use crate::state::Flushed;
use crate::{Link, Persistent, Pm, Result, Tx};
use std::ops::Range;

/// The most levels of a tree. A level is added when the root is full, so 2^60 changes don't make so many.
const MAX_HEIGHT: usize = 24;

/// A leaf, and the link to it: that of child `child` of `inner`.
struct Place<'t, K: Stored + ?Sized, V: Stored + ?Sized> {
    inner: &'t InnerOf<K, V>,
    child: usize,
    leaf: &'t LeafOf<K, V>,
}

/// The path to a leaf: the inner nodes from the root down, each with the index of the child that the path takes.
struct Path<'t, K: Stored + ?Sized, V: Stored + ?Sized> {
    steps: [(&'t InnerOf<K, V>, usize); MAX_HEIGHT],
    len: usize,
}

/// A child of an inner node that is being built.
pub(super) enum Branch<'t, 'n, K: Stored + ?Sized, V: Stored + ?Sized> {
    /// A child of a node that is being replaced. It moves to the new one.
    Old(Source<'t, 'n, K>, &'t ChildOf<K, V>),
    /// A new leaf, with its separator.
    Leaf(Source<'t, 'n, K>, Pm<'t, LeafOf<K, V>, Flushed>),
    /// A new inner node, with its separator.
    Inner(Source<'t, 'n, K>, Pm<'t, InnerOf<K, V>, Flushed>),
}

impl<'t, K: Stored + ?Sized, V: Stored + ?Sized> Path<'t, K, V> {
    fn new() -> Self {
        Path { steps: [(&[], 0); MAX_HEIGHT], len: 0 }
    }

    /// Adds a step. Returns false if the path has no room for it.
    fn push(&mut self, inner: &'t InnerOf<K, V>, child: usize) -> bool {
        let Some(step) = self.steps.get_mut(self.len) else { return false };
        *step = (inner, child);
        self.len += 1;
        true
    }

    /// The child that the path takes at a level.
    fn child(&self, level: usize) -> &'t ChildOf<K, V> {
        let (inner, child) = self.steps[level];
        inner.item(child)
    }

    /// Whether the leaf is the last of the tree.
    fn is_last(&self) -> bool {
        self.steps[..self.len].iter().all(|&(inner, child)| child + 1 == inner.count())
    }
}

impl<K: Stored + Ord + ?Sized, V: Stored + ?Sized> BTreeMap<K, V> {
    /// The leaf that `key` belongs to; `None` in an empty map.
    #[inline(always)]
    fn place_of<'t, M: Medium>(&'t self, tx: &Tx<'t, M>, key: &K) -> Result<Option<Place<'t, K, V>>> {
        if tx.get(&self.root).is_none() {
            return Ok(None);
        }
        let mut inner = inner_at(tx, &self.root)?;
        loop {
            let child = child_of::<K, V>(tx, inner, key);
            inner.item(child).prefetch();
            match tx.get(&inner.item(child).leaf) {
                Some(leaf) => return Ok(Some(Place { inner, child, leaf })),
                None => inner = inner_at(tx, &inner.item(child).inner)?,
            }
        }
    }

    /// The path to the leaf that `key` belongs to. The map must not be empty.
    ///
    /// The few changes that need a path search a second time for it. Noting one in each search would cost more: a path is
    /// large, and its stores would wait behind the flushes of the transaction before.
    fn path_to<'t, M: Medium>(
        &'t self,
        tx: &Tx<'t, M>,
        key: &K,
    ) -> Result<(Path<'t, K, V>, &'t LeafOf<K, V>)> {
        let mut path = Path::new();
        let mut slot = &self.root;
        loop {
            let inner = inner_at(tx, slot)?;
            let index = child_of::<K, V>(tx, inner, key);
            if !path.push(inner, index) {
                return Err(damaged(tx, slot, "a tree of more than 24 levels", "fewer"));
            }
            let child = inner.item(index);
            match tx.get(&child.leaf) {
                Some(leaf) => return Ok((path, leaf)),
                None => slot = &child.inner,
            }
        }
    }

    #[track_caller]
    pub(super) fn put<'t, M: Medium>(&'t self, tx: &Tx<'t, M>, key: &K, value: &V) -> Result<Option<&'t V>> {
        let Some(Place { inner, child, leaf }) = self.place_of(tx, key)? else {
            let leaf = one_entry::<_, K, V>(tx, key, value)?;
            let root = node::<_, K, V>(tx, vec![Branch::Leaf(Source::New(key), leaf)])?;
            tx.stage(&self.root, root);
            return Ok(None);
        };
        let (at, found) = search::<K, _>(tx, leaf, key);
        let len = leaf.count();
        if found {
            let old = V::view(tx, leaf.item(at));
            if !V::replace(tx, leaf.item(at), value)? {
                let items = |i| if i == at { Source::New(value) } else { Source::Old(leaf.item(i)) };
                let new = build::<_, K, V>(tx, len, |i| Source::Old(leaf.key(i)), items, |_| 0)?;
                swap(tx, &inner.item(child).leaf, tx.flush(new));
            }
            return Ok(old);
        }
        if len >= leaf_capacity::<K, V>() {
            self.put_in_full(tx, key, value)?;
            return Ok(None);
        }
        let old = |i: usize| if i < at { i } else { i - 1 };
        let keys = |i| if i == at { Source::New(key) } else { Source::Old(leaf.key(old(i))) };
        let items = |i| if i == at { Source::New(value) } else { Source::Old(leaf.item(old(i))) };
        let new = build::<_, K, V>(tx, len + 1, keys, items, |_| 0)?;
        swap(tx, &inner.item(child).leaf, tx.flush(new));
        Ok(None)
    }

    /// Adds an entry to a leaf that has no room for it.
    #[inline(never)]
    #[track_caller]
    fn put_in_full<'t, M: Medium>(&'t self, tx: &Tx<'t, M>, key: &K, value: &V) -> Result<()> {
        let (path, leaf) = self.path_to(tx, key)?;
        let (at, _) = search::<K, _>(tx, leaf, key);
        let len = leaf.count();
        let bottom = path.len - 1;
        let (inner, child) = path.steps[bottom];
        prefetch_headers(inner);
        if at == len && path.is_last() {
            // Not split, so that leaves stay full when keys come in ascending order.
            let new = Branch::Leaf(Source::New(key), one_entry::<_, K, V>(tx, key, value)?);
            return self.edit(tx, &path, bottom, child + 1..child + 1, vec![new]);
        }
        let old = |i: usize| if i < at { i } else { i - 1 };
        let keys = |i| if i == at { Source::New(key) } else { Source::Old(leaf.key(old(i))) };
        let items = |i| if i == at { Source::New(value) } else { Source::Old(leaf.item(old(i))) };
        let half = (len + 1).div_ceil(2);
        // The separator is a copy of the right leaf's first key, which moves there.
        let separator = match keys(half) {
            Source::New(key) => Source::New(key),
            Source::Old(cell) => Source::New(key_of::<_, K>(tx, cell)?),
        };
        let right = build::<_, K, V>(tx, len + 1 - half, |i| keys(half + i), |i| items(half + i), |_| 0)?;
        let left = build::<_, K, V>(tx, half, keys, items, |_| 0)?;
        let left = Branch::Leaf(Source::Old(inner.key(child)), tx.flush(left));
        let right = Branch::Leaf(separator, tx.flush(right));
        self.edit(tx, &path, bottom, child..child + 1, vec![left, right])
    }

    #[track_caller]
    pub(super) fn take_out<'t, M: Medium>(&'t self, tx: &Tx<'t, M>, key: &K) -> Result<Option<&'t V>> {
        let Some(Place { inner, child, leaf }) = self.place_of(tx, key)? else { return Ok(None) };
        let (at, true) = search::<K, _>(tx, leaf, key) else { return Ok(None) };
        let len = leaf.count() - 1;
        if len <= leaf_capacity::<K, V>() / 4 {
            return self.take_out_of_small(tx, key);
        }
        let value = V::view(tx, leaf.item(at));
        let old = |i: usize| if i < at { i } else { i + 1 };
        let (keys, items) = (|i| Source::Old(leaf.key(old(i))), |i| Source::Old(leaf.item(old(i))));
        let new = build::<_, K, V>(tx, len, keys, items, |_| 0)?;
        swap(tx, &inner.item(child).leaf, tx.flush(new));
        Ok(value)
    }

    /// Takes an entry out of a leaf that is small without it. If that was the last entry, the leaf is removed; otherwise
    /// it is merged with a neighbour that has room, if there is one.
    #[inline(never)]
    #[track_caller]
    fn take_out_of_small<'t, M: Medium>(&'t self, tx: &Tx<'t, M>, key: &K) -> Result<Option<&'t V>> {
        let (path, leaf) = self.path_to(tx, key)?;
        let (at, true) = search::<K, _>(tx, leaf, key) else { return Ok(None) };
        let value = V::view(tx, leaf.item(at));
        let len = leaf.count() - 1;
        let bottom = path.len - 1;
        let (inner, child) = path.steps[bottom];
        if len == 0 {
            self.edit(tx, &path, bottom, child..child + 1, Vec::new())?;
            return Ok(value);
        }
        let capacity = leaf_capacity::<K, V>();
        let sibling = siblings(inner.count(), child).find_map(|(left, right)| {
            let other = tx.get(&inner.item(left + right - child).leaf)?;
            (other.count() + len <= capacity * 3 / 4).then_some((left, other))
        });
        let old = |i: usize| if i < at { i } else { i + 1 };
        let (keys, items) = (|i| Source::Old(leaf.key(old(i))), |i| Source::Old(leaf.item(old(i))));
        let Some((left, other)) = sibling else {
            let new = build::<_, K, V>(tx, len, keys, items, |_| 0)?;
            swap(tx, &inner.item(child).leaf, tx.flush(new));
            return Ok(value);
        };
        let (own_first, other_len) = (left == child, other.count());
        let first_len = if own_first { len } else { other_len };
        let pick = |i: usize| match (i < first_len) == own_first {
            true => (true, if own_first { i } else { i - first_len }),
            false => (false, if own_first { i - first_len } else { i }),
        };
        let key = |i| match pick(i) {
            (true, i) => keys(i),
            (false, i) => Source::Old(other.key(i)),
        };
        let item = |i| match pick(i) {
            (true, i) => items(i),
            (false, i) => Source::Old(other.item(i)),
        };
        let merged = build::<_, K, V>(tx, len + other_len, key, item, |_| 0)?;
        let merged = Branch::Leaf(Source::Old(inner.key(left)), tx.flush(merged));
        self.edit(tx, &path, bottom, left..left + 2, vec![merged])?;
        Ok(value)
    }

    /// Replaces these children of the path's node at `level` with `added`.
    #[track_caller]
    fn edit<'t, 'n, M: Medium>(
        &'t self,
        tx: &Tx<'t, M>,
        path: &Path<'t, K, V>,
        level: usize,
        children: Range<usize>,
        added: Vec<Branch<'t, 'n, K, V>>,
    ) -> Result<()>
    where
        't: 'n,
    {
        let inner = path.steps[level].0;
        let mut branches = old_branches::<K, V>(inner);
        branches.splice(children, added);
        let len = branches.len();
        let Some(above) = level.checked_sub(1) else { return self.edit_root(tx, branches) };
        let (parent, own) = path.steps[above];
        if len == 0 {
            return self.edit(tx, path, above, own..own + 1, Vec::new());
        }
        if len > INNER_CAPACITY {
            let halves = halves(tx, branches, Some(Source::Old(parent.key(own))))?;
            return self.edit(tx, path, above, own..own + 1, halves.into());
        }
        if len <= INNER_CAPACITY / 4 {
            for (left, right) in siblings(parent.count(), own) {
                let Some(other) = some(tx, &parent.item(left + right - own).inner) else { continue };
                if other.count() + len > INNER_CAPACITY * 3 / 4 {
                    continue;
                }
                let others = old_branches::<K, V>(other);
                let (mut all, mut second) = if left == own { (branches, others) } else { (others, branches) };
                // The first separator of the second node is not used there (it counts as below every key) and may be out
                // of date. In the merged node it is: it becomes the key that divides the two nodes in the parent.
                *second[0].key_mut() = Source::New(key_of::<_, K>(tx, parent.key(right))?);
                all.append(&mut second);
                let merged = Branch::Inner(Source::Old(parent.key(left)), node(tx, all)?);
                return self.edit(tx, path, above, left..right + 1, vec![merged]);
            }
        }
        swap(tx, &path.child(above).inner, node(tx, branches)?);
        Ok(())
    }

    /// Makes a root of these branches.
    fn edit_root<'t, 'n, M: Medium>(
        &'t self,
        tx: &Tx<'t, M>,
        mut branches: Vec<Branch<'t, 'n, K, V>>,
    ) -> Result<()>
    where
        't: 'n,
    {
        if branches.len() > INNER_CAPACITY {
            branches = halves(tx, branches, None)?.into();
        }
        match (branches.len(), branches.pop()) {
            (_, None) => tx.free(tx.take(&self.root)),
            // A root with one inner node as its only child is not needed: that node becomes the root.
            (1, Some(Branch::Inner(_, only))) => swap(tx, &self.root, only),
            (1, Some(Branch::Old(_, child))) if tx.get(&child.inner).is_some() => {
                let old = tx.take(&self.root);
                tx.stage(&self.root, tx.take(&child.inner));
                tx.free(old);
            }
            (_, Some(last)) => {
                branches.push(last);
                swap(tx, &self.root, node(tx, branches)?);
            }
        }
        Ok(())
    }
}

impl<'t, 'n, K: Stored + ?Sized, V: Stored + ?Sized> Branch<'t, 'n, K, V> {
    pub(super) fn key(&self) -> Source<'t, 'n, K> {
        match self {
            Branch::Old(key, _) | Branch::Leaf(key, _) | Branch::Inner(key, _) => *key,
        }
    }

    fn key_mut(&mut self) -> &mut Source<'t, 'n, K> {
        match self {
            Branch::Old(key, _) | Branch::Leaf(key, _) | Branch::Inner(key, _) => key,
        }
    }
}

/// Begins to fetch each child's header. To move a child is to read its length there, and the fetches run side by side.
fn prefetch_headers<K: Persistent, V: Persistent>(inner: &Inner<K, V>) {
    for i in 0..inner.count() {
        inner.item(i).leaf.prefetch(0);
        inner.item(i).inner.prefetch(0);
    }
}

/// All children of a node, to be moved.
fn old_branches<'t, 'n, K: Stored + ?Sized, V: Stored + ?Sized>(
    inner: &'t InnerOf<K, V>,
) -> Vec<Branch<'t, 'n, K, V>> {
    (0..inner.count()).map(|i| Branch::Old(Source::Old(inner.key(i)), inner.item(i))).collect()
}

/// The pairs of neighbours, of `count` children, that include the child at `own`.
fn siblings(count: usize, own: usize) -> impl Iterator<Item = (usize, usize)> {
    let with_next = (own + 1 < count).then_some((own, own + 1));
    let with_previous = own.checked_sub(1).map(|previous| (previous, own));
    with_next.into_iter().chain(with_previous)
}

/// A leaf with one entry.
#[track_caller]
fn one_entry<'t, M: Medium, K: Stored + ?Sized, V: Stored + ?Sized>(
    tx: &Tx<'t, M>,
    key: &K,
    value: &V,
) -> Result<Pm<'t, LeafOf<K, V>, Flushed>> {
    let new = build::<_, K, V>(tx, 1, |_| Source::New(key), |_| Source::New(value), |_| 0)?;
    Ok(tx.flush(new))
}

/// Two inner nodes with these branches. `key` is the separator of the first, which is that of its first branch if `None`.
fn halves<'t, 'n, M: Medium, K: Stored + ?Sized, V: Stored + ?Sized>(
    tx: &Tx<'t, M>,
    mut left: Vec<Branch<'t, 'n, K, V>>,
    key: Option<Source<'t, 'n, K>>,
) -> Result<[Branch<'t, 'n, K, V>; 2]>
where
    't: 'n,
{
    // If the new branch is the last, keys may come in ascending order: the first node then stays nearly full.
    let ascending = matches!(left.last(), Some(Branch::Leaf(..) | Branch::Inner(..)));
    let right = left.split_off(if ascending { left.len() - WIDTH / 2 } else { left.len() / 2 });
    let copy = |source| match source {
        Source::New(key) => Ok(Source::New(key)),
        Source::Old(cell) => key_of::<_, K>(tx, cell).map(Source::New),
    };
    let (left_key, right_key) = (key.map_or_else(|| copy(left[0].key()), Ok)?, copy(right[0].key())?);
    Ok([Branch::Inner(left_key, node(tx, left)?), Branch::Inner(right_key, node(tx, right)?)])
}

/// A new inner node with these branches.
#[track_caller]
pub(super) fn node<'t, 'n, M: Medium, K: Stored + ?Sized, V: Stored + ?Sized>(
    tx: &Tx<'t, M>,
    branches: Vec<Branch<'t, 'n, K, V>>,
) -> Result<Pm<'t, InnerOf<K, V>, Flushed>> {
    let empty = || Child { leaf: Link::null(), inner: Link::null() };
    let mut new = tx.alloc_slice_with(branches.len().div_ceil(WIDTH), |node| {
        let first = node * WIDTH;
        let used = (branches.len() - first).min(WIDTH);
        node_of(used, |i| K::cell(branches[first + i].key()), |_| empty(), |_| 0)
    })?;
    for (i, branch) in branches.into_iter().enumerate() {
        K::settle(tx, &mut new, |new| new.key(i), branch.key())?;
        match branch {
            Branch::Leaf(_, leaf) => tx.attach(&mut new, |new| &new.item(i).leaf, leaf),
            Branch::Inner(_, inner) => tx.attach(&mut new, |new| &new.item(i).inner, inner),
            Branch::Old(_, child) => match tx.take(&child.leaf) {
                Some(leaf) => tx.attach(&mut new, |new| &new.item(i).leaf, leaf),
                None => tx.attach(&mut new, |new| &new.item(i).inner, tx.take(&child.inner)),
            },
        }
    }
    Ok(tx.flush(new))
}

/// The inner node behind a link.
#[inline(always)]
fn inner_at<'t, M: Medium, K: Persistent, V: Persistent>(
    tx: &Tx<'t, M>,
    slot: &'t Link<Inner<K, V>>,
) -> Result<&'t Inner<K, V>> {
    some(tx, slot).ok_or_else(|| damaged(tx, slot, "a node without children", "a child or a leaf"))
}

/// The key in a cell.
fn key_of<'t, M: Medium, K: Stored + ?Sized>(tx: &Tx<'t, M>, cell: &'t K::Cell) -> Result<&'t K> {
    K::view(tx, cell).ok_or_else(|| damaged(tx, cell, "no key", "a link to one"))
}

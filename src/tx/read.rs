//! [`Read`]: code that works inside and outside of transactions, written once.

use super::Tx;
use crate::link::Link;
use crate::medium::Medium;
use crate::persistent::{No, Persistent, Target};
use crate::word::Word;

/// Reads links and words: through a transaction with its own changes, or [`Committed`] ones. Sealed.
///
/// ```
/// use indelible::{Committed, Link, Persistent, Read, Region, Word};
///
/// #[derive(Persistent)]
/// #[repr(C)]
/// struct Node { hits: Word<u64>, next: Link<Node> }
///
/// fn sum<'a>(read: &impl Read<'a>, mut slot: &'a Link<Node>) -> u64 {
///     let mut sum = 0;
///     while let Some(node) = read.get(slot) {
///         sum += read.load(&node.hits);
///         slot = &node.next;
///     }
///     sum
/// }
///
/// let mut region = Region::new(1 << 20, Node { hits: Word::new(0), next: Link::null() })?;
/// region.transact(|tx, root| {
///     let node = tx.alloc(Node { hits: Word::new(5), next: Link::null() })?;
///     tx.publish(&root.next, tx.persist(node)?);
///     assert_eq!(sum(tx, &root.next), 5);
///     assert_eq!(sum(&Committed, &root.next), 0);
///     Ok(())
/// })?;
/// assert_eq!(sum(&Committed, &region.root().next), 5);
/// # Ok::<(), indelible::Error>(())
/// ```
pub trait Read<'a>: Sealed {
    /// What the link points to; `None` if it is null.
    fn get<T: Target + ?Sized>(&self, link: &'a Link<T>) -> Option<&'a T>;
    /// The word's value.
    fn load<T: Copy + Persistent<Links = No>>(&self, word: &'a Word<T>) -> T;
}

pub(crate) trait Sealed {}

impl<M: Medium> Sealed for Tx<'_, M> {}
impl<'t, M: Medium> Read<'t> for Tx<'t, M> {
    fn get<T: Target + ?Sized>(&self, link: &'t Link<T>) -> Option<&'t T> {
        Tx::get(self, link)
    }
    fn load<T: Copy + Persistent<Links = No>>(&self, word: &'t Word<T>) -> T {
        Tx::load(self, word)
    }
}

/// Reads the committed state; see [`Read`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Committed;

impl Sealed for Committed {}
impl<'a> Read<'a> for Committed {
    fn get<T: Target + ?Sized>(&self, link: &'a Link<T>) -> Option<&'a T> {
        link.get()
    }
    fn load<T: Copy + Persistent<Links = No>>(&self, word: &'a Word<T>) -> T {
        word.get()
    }
}

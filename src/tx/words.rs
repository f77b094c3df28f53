//! The verbs for words.

use super::Tx;
use crate::medium::Medium;
use crate::persistent::{No, Persistent};
use crate::word::Word;
use std::panic::Location;

impl<'t, M: Medium> Tx<'t, M> {
    /// Gives `word` this value when the transaction commits.
    ///
    /// # Panics
    ///
    /// If the word is outside this region.
    ///
    /// ```
    /// # use indelible::{Link, Persistent, Region, Word};
    /// # #[derive(Persistent)] #[repr(C)] struct Node { key: u64, hits: Word<u64>, next: Link<Node> }
    /// # let node = |key| Node { key, hits: Word::new(0), next: Link::null() };
    /// # let mut region = Region::new(1 << 20, node(0))?;
    /// region.transact(|tx, root| {
    ///     tx.store(&root.hits, 5);
    ///     Ok(())
    /// })?;
    /// assert_eq!(region.root().hits.get(), 5);
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[inline]
    #[track_caller]
    pub fn store<T: Copy + Persistent<Links = No>>(&self, word: &'t Word<T>, value: T) {
        let at = self.place(word.address());
        self.set_pending(at, Word::pack(value), Location::caller());
    }

    /// The value of `word`, with this transaction's own stores.
    ///
    /// ```
    /// # use indelible::{Link, Persistent, Region, Word};
    /// # #[derive(Persistent)] #[repr(C)] struct Node { key: u64, hits: Word<u64>, next: Link<Node> }
    /// # let node = |key| Node { key, hits: Word::new(0), next: Link::null() };
    /// # let mut region = Region::new(1 << 20, node(0))?;
    /// region.transact(|tx, root| {
    ///     tx.store(&root.hits, 5);
    ///     assert_eq!(tx.load(&root.hits), 5); // this transaction's own change
    ///     assert_eq!(root.hits.get(), 0); // the state at its start
    ///     Ok(())
    /// })?;
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[inline]
    pub fn load<T: Copy + Persistent<Links = No>>(&self, word: &'t Word<T>) -> T {
        if !self.any_pending.get() {
            return word.get();
        }
        let pending = self.offset_of(word.address()).and_then(|at| self.engine.borrow().pending.get(at));
        pending.map_or_else(|| word.get(), Word::unpack)
    }
}

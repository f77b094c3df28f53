//! Making objects: `alloc` and its kin, `stream_slice`, and `rewrite`.
//!
//! # Safety
//!
//! A block that the heap gives out belongs to this transaction alone until a link is committed to it; it is
//! written here before the handle exists.
#![allow(unsafe_code)]

use super::Tx;
use crate::error::{Error, Result};
use crate::format::block::{self, Extent, HEADER};
use crate::format::layout::MAX_LEN;
use crate::format::object;
use crate::format::ring::{
    FIRST, HEAD_SEQ, MAX_CAPACITY, MAX_NUMBER, NEXT, RING_ALIGN, Ring, Samples, ring_len,
};
use crate::link;
use crate::medium::Medium;
use crate::observe::Origin;
use crate::persistent::{Cells, Kind, No, Persistent, Target, TypeInfo, Visitor};
use crate::pm::{Pm, Taken};
use crate::state::{Dirty, Flushed};
use std::panic::Location;
use std::ptr::NonNull;

impl<'t, M: Medium> Tx<'t, M> {
    /// Puts `value` into the region. Nothing reaches it, and nothing of it is durable.
    ///
    /// # Errors
    ///
    /// [`Error::HeapFull`] or [`Error::DiskFull`] if there is no room and the region can't grow.
    ///
    /// ```
    /// # use indelible::{Link, Persistent, Region, Word};
    /// # #[derive(Persistent)] #[repr(C)] struct Node { key: u64, hits: Word<u64>, next: Link<Node> }
    /// # let node = |key| Node { key, hits: Word::new(0), next: Link::null() };
    /// # let mut region = Region::new(1 << 20, node(0))?;
    /// region.transact(|tx, root| {
    ///     let new = tx.alloc(node(1))?; // Pm<Node, Dirty>
    ///     tx.publish(&root.next, tx.persist(new)?);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), indelible::Error>(())
    /// ```
    // Always: a value that is handed over in memory is copied to its block by loads that are wider than the stores that made
    // it, and wait for them behind every flush before.
    #[inline(always)]
    #[track_caller]
    pub fn alloc<T: Persistent>(&self, value: T) -> Result<Pm<'t, T, Dirty>> {
        const { T::SOUND };
        let at = self.block(T::type_info(), 1, size_of::<T>(), Location::caller())?;
        // SAFETY: a block of this size and alignment, this transaction's own.
        let object = unsafe { object::write(self.medium.map(), at, value) };
        // SAFETY: written just now, and this is the first handle.
        Ok(unsafe { Pm::new(object) })
    }

    /// Puts a copy of `values` into the region, as a slice.
    ///
    /// The copy goes through the cache at any length, because a `Dirty` slice may still be read and changed, and
    /// nothing may touch what was streamed before its fence. For a long slice that stays as it is
    /// [`Tx::stream_slice`] is faster.
    ///
    /// # Errors
    ///
    /// As for [`Tx::alloc`]; [`Error::BadLength`] if the slice is larger than any region.
    ///
    /// ```
    /// # use indelible::{Link, Region};
    /// # let mut region = Region::new(1 << 20, Link::null())?;
    /// region.transact(|tx, bytes| {
    ///     let new = tx.alloc_slice(b"twelve bytes")?;
    ///     tx.publish(bytes, tx.persist(new)?);
    ///     Ok(())
    /// })?;
    /// assert_eq!(region.root().get(), Some(&b"twelve bytes"[..]));
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[track_caller]
    pub fn alloc_slice<T>(&self, values: &[T]) -> Result<Pm<'t, [T], Dirty>>
    where
        T: Persistent<Links = No> + Copy,
    {
        const { <[T] as Target>::TARGET_CHECKED };
        let at = self.block(<[T]>::target_info(), values.len(), size_of_val(values), Location::caller())?;
        // SAFETY: a block with room for these bytes, this transaction's own; they are valid values.
        unsafe { object::write_bytes(self.medium.map(), at, object::bytes_of(values)) };
        Ok(self.slice(at, values.len()))
    }

    /// Puts a slice of `len` values into the region, the one at index `i` made by `value(i)`.
    ///
    /// # Errors
    ///
    /// As for [`Tx::alloc_slice`].
    ///
    /// ```
    /// # use indelible::{Link, Region};
    /// # let mut region = Region::new(1 << 20, Link::<[Link<u64>]>::null())?;
    /// region.transact(|tx, buckets| {
    ///     let mut new = tx.alloc_slice_with(16, |_| Link::null())?;
    ///     tx.attach(&mut new, |buckets| &buckets[3], tx.flush(tx.alloc(7)?));
    ///     tx.publish(buckets, tx.persist(new)?);
    ///     Ok(())
    /// })?;
    /// assert_eq!(region.root().get().unwrap()[3].get(), Some(&7));
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[track_caller]
    pub fn alloc_slice_with<T: Persistent>(
        &self,
        len: usize,
        mut value: impl FnMut(usize) -> T,
    ) -> Result<Pm<'t, [T], Dirty>> {
        const { <[T] as Target>::TARGET_CHECKED };
        let size = len.checked_mul(size_of::<T>()).ok_or_else(|| too_long(len, size_of::<T>()))?;
        let at = self.block(<[T]>::target_info(), len, size, Location::caller())?;
        for index in 0..len {
            let value = value(index);
            // SAFETY: `index < len`, so that the element lies in the block, which is this transaction's own.
            unsafe { object::write(self.medium.map(), at + index * size_of::<T>(), value) };
        }
        Ok(self.slice(at, len))
    }

    /// Puts a copy of `text` into the region.
    ///
    /// # Errors
    ///
    /// As for [`Tx::alloc_slice`].
    ///
    /// ```
    /// # use indelible::{Link, Region};
    /// # let mut region = Region::new(1 << 20, Link::<str>::null())?;
    /// region.transact(|tx, name| {
    ///     tx.publish(name, tx.persist(tx.alloc_str("Ada")?)?);
    ///     Ok(())
    /// })?;
    /// assert_eq!(region.root().get(), Some("Ada"));
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[track_caller]
    pub fn alloc_str(&self, text: &str) -> Result<Pm<'t, str, Dirty>> {
        let at = self.block(str::target_info(), text.len(), text.len(), Location::caller())?;
        // SAFETY: a block with room for these bytes, this transaction's own.
        unsafe { object::write_bytes(self.medium.map(), at, text.as_bytes()) };
        let start = self.medium.map().pointer(at);
        let object = str::from_address(start.as_ptr(), |_| text.len());
        let object = NonNull::new(object).expect("no object lies at address 0");
        // SAFETY: UTF-8, written just now, and this is the first handle.
        Ok(unsafe { Pm::new(object) })
    }

    /// Puts a copy of `values` into the region and makes it durable, with the widest stores that bypass the cache
    /// (a short slice goes through the cache, where that is faster). The fence that such stores need is inside;
    /// ragged edges and the block's header are flushed.
    ///
    /// # Errors
    ///
    /// As for [`Tx::alloc_slice`]; [`Error::Poisoned`] if a write-back failed.
    ///
    /// ```
    /// # use indelible::{Link, Region};
    /// # let mut region = Region::new(4 << 20, Link::<[u64]>::null())?;
    /// # let samples = vec![5; 100_000];
    /// region.transact(|tx, slot| {
    ///     let new = tx.stream_slice(&samples)?; // Pm<[u64], Flushed>
    ///     tx.stage(slot, new);
    ///     Ok(())
    /// })?;
    /// assert_eq!(region.root().get().map(<[u64]>::len), Some(100_000));
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[track_caller]
    pub fn stream_slice<T>(&self, values: &[T]) -> Result<Pm<'t, [T], Flushed>>
    where
        T: Persistent<Links = No> + Copy,
    {
        const { <[T] as Target>::TARGET_CHECKED };
        let origin = Location::caller();
        let at = self.block(<[T]>::target_info(), values.len(), size_of_val(values), origin)?;
        let header = self.medium.map().pointer(at - HEADER).as_ptr();
        match self.medium.stream_block(header, object::bytes_of(values), origin) {
            Ok(()) => Ok(self.slice(at, values.len()).into_flushed()),
            Err(error) => Err(self.poison(error)),
        }
    }

    /// A copy of a taken object that can be changed, with the words and links that the transaction sees in
    /// it. The links move over: the old block owns nothing any more, and is freed at commit.
    ///
    /// # Errors
    ///
    /// As for [`Tx::alloc`]; the transaction can't commit then.
    ///
    /// ```
    /// # use indelible::{Link, Persistent, Region, Word};
    /// # #[derive(Persistent)] #[repr(C)] struct Node { key: u64, hits: Word<u64>, next: Link<Node> }
    /// # let node = |key| Node { key, hits: Word::new(0), next: Link::null() };
    /// # let mut region = Region::new(1 << 20, node(0))?;
    /// region.transact(|tx, root| {
    ///     # tx.publish(&root.next, tx.persist(tx.alloc(node(1))?)?);
    ///     if let Some(old) = tx.take(&root.next) {
    ///         let mut copy = tx.rewrite(old)?;
    ///         *copy.fields().key += 1;
    ///         tx.publish(&root.next, tx.persist(copy)?);
    ///     }
    ///     Ok(())
    /// })?;
    /// assert_eq!(region.root().next.get().unwrap().key, 2);
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[track_caller]
    pub fn rewrite<T: Target + ?Sized>(&self, old: Taken<'t, T>) -> Result<Pm<'t, T, Dirty>> {
        let origin = Location::caller();
        let info = T::target_info();
        if matches!(info.kind, Kind::Ring) {
            self.break_rule("the memory of a log can't be copied: its checksums hold in one place only");
        }
        let size = T::byte_len(old.pointer());
        let count = if info.counted() { size / info.size } else { 1 };
        let at = self.block(info, count, size, origin)?;
        self.owned(old.address()); // one handle goes, one comes
        let map = self.medium.map();
        let old_at = old.address() - map.address();
        // SAFETY: the object is not written to as long as the transaction runs.
        let bytes = unsafe { map.bytes(old_at, size) };
        // SAFETY: a block with room for these bytes, this transaction's own.
        unsafe { object::write_bytes(map, at, bytes) };

        if info.cells {
            let mut moved = Moved { tx: self, from: old.address(), to: map.address() + at, origin };
            let valid = (info.visit)(bytes, &mut Visitor::new(&mut moved));
            assert!(valid, "a published object is valid");
        }
        self.engine.borrow_mut().free(old_at, info);
        let start = map.pointer(at).as_ptr();
        let object = T::from_address(start, |_| count);
        let object = NonNull::new(object).expect("no object lies at address 0");
        // SAFETY: a copy of a valid object, whose links have no other owner now; this is the first handle.
        Ok(unsafe { Pm::new(object) })
    }

    /// An empty ring for at least `capacity` bytes of frames, whose first record will have this number.
    #[track_caller]
    pub(crate) fn alloc_ring(&self, capacity: u64, first: u64) -> Result<Pm<'t, Ring, Dirty>> {
        let origin = Location::caller();
        let refused = |reason| Err(Error::BadLength { len: capacity as usize, size: 1, reason });
        if capacity > MAX_CAPACITY {
            return refused("a log has at most 16 GiB; use several");
        }
        if first > MAX_NUMBER {
            self.break_rule("the numbers of a log's records begin at 2^62 or below");
        }
        let capacity = (capacity.max(1) as usize).next_multiple_of(RING_ALIGN);
        let words = ring_len(capacity) / 8;
        let at = self.block(Ring::target_info(), words, words * 8, origin)?;
        let map = self.medium.map();
        // Zeros: what was there before must not look like a frame.
        (0..words).for_each(|word| map.store(at + word * 8, 0));
        [HEAD_SEQ, FIRST, NEXT].into_iter().for_each(|word| map.store(at + word, first));
        let load = |word: usize| map.load(at + word);
        Samples { capacity, load }.clear(|word, value| map.store(at + word, value));
        let object = Ring::from_address(map.pointer(at).as_ptr(), |_| words);
        let object = NonNull::new(object).expect("no object lies at address 0");
        // SAFETY: written just now, and this is the first handle.
        Ok(unsafe { Pm::new(object) })
    }

    /// A block for an object of `size` bytes with its header written; counted as an open handle.
    #[inline(never)]
    fn block(&self, info: &'static TypeInfo, count: usize, size: usize, origin: Origin) -> Result<usize> {
        if count as u64 > block::COUNT_MASK || size as u64 > MAX_LEN {
            return Err(too_long(count, info.size));
        }
        let mut engine = self.engine.borrow_mut();
        engine.check_poison()?;
        let at = engine.allocate(&self.medium, size, info.align)?;
        let extent = Extent::of(at, size);
        self.medium.begin(extent, origin);
        object::write_header(self.medium.map(), at, count, info);
        drop(engine);
        self.opened(self.medium.map().address() + at, origin);
        Ok(at)
    }

    fn slice<T: Persistent>(&self, at: usize, len: usize) -> Pm<'t, [T], Dirty> {
        let start = self.medium.map().pointer(at).cast::<T>();
        // SAFETY: the caller wrote `len` values there just now, and this is the first handle.
        unsafe { Pm::new(NonNull::slice_from_raw_parts(start, len)) }
    }
}

/// The cells of an object at address `from`, while they go over to its copy at `to`.
struct Moved<'a, 't, M: Medium> {
    tx: &'a Tx<'t, M>,
    from: usize,
    to: usize,
    origin: Origin,
}

impl<M: Medium> Moved<'_, '_, M> {
    /// The offsets of a cell and of its copy.
    fn offsets(&self, cell: usize) -> (usize, usize) {
        let base = self.tx.medium.map().address();
        (cell - base, self.to - base + (cell - self.from))
    }
}

impl<M: Medium> Cells for Moved<'_, '_, M> {
    fn link(&mut self, cell: usize, _: &'static TypeInfo) {
        let (old, new) = self.offsets(cell);
        match self.tx.view(old) {
            0 => self.tx.medium.map().store(new, 0),
            offset => {
                self.tx.medium.map().store(new, link::offset_to(new, link::resolve(old, offset)));
                self.tx.set_pending(old, 0, self.origin);
            }
        }
    }

    fn word(&mut self, cell: usize, _: fn(u64) -> bool) {
        let (old, new) = self.offsets(cell);
        self.tx.medium.map().store(new, self.tx.view(old));
    }
}

fn too_long(len: usize, size: usize) -> Error {
    Error::BadLength { len, size, reason: "no region is so large; store it in parts" }
}

static_assertions::const_assert!(HEADER == 16);

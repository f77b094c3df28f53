//! [`Link`]: an owning, self-relative pointer inside a region.
//!
//! # Safety
//!
//! A link that is not null lies in a region's mapping, at an 8-byte aligned address, and its target is a
//! block of the same region with a header that names the link's target type. The walk at open establishes
//! this, and the transaction keeps it: a link is written in a block that is still `Dirty`
//! ([`Tx::attach`](crate::Tx::attach)) or when a transaction commits, and a target is reused only when no
//! reference to it can exist. A link can't be copied or moved while it is not null: it is not `Clone`, and
//! nothing gives `&mut` to a type with links.
#![allow(unsafe_code)]

use crate::flush::LINE;
use crate::format::block;
use crate::persistent::{FINGERPRINT_MASK, Kind, Persistent, Target, Visitor, Yes, fold_id, name_id};
use std::fmt;
use std::marker::{PhantomData, PhantomPinned};
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// An owning pointer to a `T`, a slice `[T]` or a `str` in the same region; 8 bytes; null by default.
///
/// Every object has exactly one owner. A link is made null and is then changed by the verbs of a
/// transaction only: [`attach`](crate::Tx::attach) while its object is being built,
/// [`publish`](crate::Tx::publish), [`take`](crate::Tx::take) and [`replace`](crate::Tx::replace)
/// afterwards. It holds the distance from itself to its target, so a region may be mapped anywhere.
///
/// ```
/// use indelible::{Link, Persistent};
///
/// #[derive(Persistent)]
/// #[repr(C)]
/// struct Node { key: u64, next: Link<Node> }
///
/// let node = Node { key: 1, next: Link::null() };
/// assert!(node.next.get().is_none());
/// ```
#[repr(transparent)]
pub struct Link<T: ?Sized> {
    offset: AtomicU64,
    target: Marker<T>,
}

/// Makes a link invariant in `T`, and not `Unpin`.
type Marker<T> = PhantomData<(fn(*mut T) -> *mut T, PhantomPinned)>;

impl<T: Target + ?Sized> Link<T> {
    /// A link to nothing.
    ///
    /// ```
    /// # use indelible::Link;
    /// let next: Link<u64> = Link::null();
    /// assert!(next.is_null() && next.get().is_none());
    /// ```
    pub const fn null() -> Self {
        Link { offset: AtomicU64::new(0), target: PhantomData }
    }

    /// The target, or `None` for a null link. A load, a test and an add; nothing is checked, because the
    /// walk at open did.
    ///
    /// Inside a transaction this shows the state at its start; [`Tx::get`](crate::Tx::get) shows the
    /// transaction's own changes.
    ///
    /// ```
    /// # use indelible::{Link, Region};
    /// # let mut region = Region::new(1 << 20, Link::<str>::null())?;
    /// # region.transact(|tx, slot| Ok(tx.stage(slot, tx.flush(tx.alloc_str("Ada")?))))?;
    /// let name: Option<&str> = region.root().get();
    /// assert_eq!(name, Some("Ada"));
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[inline]
    pub fn get(&self) -> Option<&T> {
        match self.offset.load(Relaxed) {
            0 => None,
            offset => {
                // SAFETY: by the module's invariant a link that is not null leads to an object.
                let target = unsafe { target(self.address(), offset) };
                // SAFETY: a valid `T`, neither changed nor reused while `self` is borrowed.
                Some(unsafe { &*target })
            }
        }
    }

    /// Begins to fetch the first `len` bytes of the target into the CPU's caches, and does not wait for them.
    ///
    /// It changes nothing but the time that a read takes which comes later: where a [`Link::get`] waits for one cache
    /// line, then for another that the first names, this asks for all at once. It is worth its while for an
    /// object of several lines, or one that is needed after the next. Bytes that are not needed cost the
    /// memory's bandwidth, and room in the cache: no more than 16 KiB are asked for. Nothing is fetched for a null link,
    /// nor on a CPU other than x86-64.
    ///
    /// ```
    /// # use indelible::{Link, Persistent, Region, Word};
    /// #[derive(Persistent)]
    /// #[repr(C)]
    /// struct Page { words: [u64; 64], next: Link<Page> }
    ///
    /// fn sum(mut slot: &Link<Page>) -> u64 {
    ///     let mut sum = 0;
    ///     while let Some(page) = slot.get() {
    ///         page.next.prefetch(size_of::<Page>()); // while this page is summed
    ///         sum += page.words.iter().sum::<u64>();
    ///         slot = &page.next;
    ///     }
    ///     sum
    /// }
    ///
    /// # let mut region = Region::new(1 << 20, Link::<Page>::null())?;
    /// # region.transact(|tx, slot| Ok(tx.stage(slot, tx.flush(tx.alloc(Page { words: [1; 64], next: Link::null() })?))))?;
    /// assert_eq!(sum(region.root()), 64);
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[inline(always)]
    pub fn prefetch(&self, len: usize) {
        let offset = self.offset.load(Relaxed);
        if offset != 0 {
            // The block's header is read too, where the target is a slice. So many lines whatever the address: the loop
            // has no branch then.
            let first = resolve(self.address(), offset).wrapping_sub(block::HEADER);
            let lines = (block::HEADER + len.min(MOST_PREFETCHED)).div_ceil(LINE);
            (0..lines).for_each(|line| prefetch_line(first.wrapping_add(line * LINE)));
        }
    }

    /// Whether it points to nothing.
    ///
    /// ```
    /// # use indelible::{Link, Region};
    /// # let mut region = Region::new(1 << 20, Link::<str>::null())?;
    /// assert!(region.root().is_null());
    /// region.transact(|tx, slot| Ok(tx.stage(slot, tx.flush(tx.alloc_str("Ada")?))))?;
    /// assert!(!region.root().is_null());
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[inline]
    pub fn is_null(&self) -> bool {
        self.offset.load(Relaxed) == 0
    }

    #[inline]
    pub(crate) fn address(&self) -> usize {
        ptr::from_ref(self).addr()
    }

    /// The word itself: 0, or the distance to the target.
    #[inline]
    pub(crate) fn cell(&self) -> &AtomicU64 {
        &self.offset
    }
}

/// More would drive out of the cache what was asked for first.
const MOST_PREFETCHED: usize = 16 << 10;

/// Begins to fetch a cache line, at any address.
#[inline(always)]
fn prefetch_line(at: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: SSE is part of x86-64. A prefetch reads nothing that the program sees, and one of an address that
        // can't be read does nothing (Intel SDM vol. 2, PREFETCHh; AMD APM vol. 3).
        unsafe { _mm_prefetch::<_MM_HINT_T0>(ptr::without_provenance(at)) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}

/// The address that a link at `slot` with this offset leads to.
#[inline]
pub(crate) fn resolve(slot: usize, offset: u64) -> usize {
    slot.wrapping_add(offset as usize)
}

/// The offset that makes a link at `slot` lead to `target`. It is 0, which means null, for one target only: an
/// object that begins with this link, published into it, which nothing could reach anyhow.
#[inline]
pub(crate) fn offset_to(slot: usize, target: usize) -> u64 {
    target.wrapping_sub(slot) as u64
}

/// The target of a link at `slot` with this offset.
///
/// # Safety
///
/// An object of type `T` of an open region lies there, with its block header.
#[inline]
pub(crate) unsafe fn target<T: Target + ?Sized>(slot: usize, offset: u64) -> *mut T {
    let at = ptr::with_exposed_provenance_mut(resolve(slot, offset));
    T::from_address(at, |at| {
        let header = at.wrapping_sub(block::HEADER).cast::<u64>();
        // SAFETY: a block's header stands before every object, 8-byte aligned, and never changes while the
        // block is in use.
        let first = unsafe { header.read() };
        (first & block::COUNT_MASK) as usize
    })
}

impl<T: Target + ?Sized> Default for Link<T> {
    fn default() -> Self {
        Link::null()
    }
}

impl<T: Target + ?Sized + fmt::Debug> fmt::Debug for Link<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.get() {
            None => f.write_str("null"),
            Some(target) => target.fmt(f),
        }
    }
}

static_assertions::assert_not_impl_any!(Link<u64>: Unpin, Clone);
static_assertions::assert_eq_size!(Link<u64>, Link<str>, u64);
static_assertions::assert_eq_align!(Link<u64>, u64);

// SAFETY: `Link` is `repr(transparent)` over eight bytes; the walk checks where it points.
unsafe impl<T: Target + ?Sized> Persistent for Link<T> {
    type Links = Yes;
    type Fields<'a> = ();
    const NAME: &'static str = "Link";
    const NAME_ID: u64 = fold_id(name_id("Link"), T::TARGET_ID);
    const FINGERPRINT: u64 = <Self as Persistent>::NAME_ID & FINGERPRINT_MASK;
    const KIND: Kind = Kind::Link(T::target_info);
    const CELLS: bool = true;
    const LINKED: bool = true;
    const PLAIN: bool = true;
    fn trace(bytes: &[u8], visitor: &mut Visitor<'_>) {
        visitor.link(bytes, T::target_info());
    }
    unsafe fn project<'a>(_: *mut Self) -> Self::Fields<'a> {}
}

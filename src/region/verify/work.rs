//! What the walk has still to do, in bounded memory.
//!
//! Links that were read wait in a stack; when it is full, the older half of them is followed, and each object
//! found waits as one bit of a map with a bit for each 16 bytes, zero pages until they are touched. Such an
//! object's type is read again from its block header: a fingerprint, which was compared with the link's type
//! before. Two types may have the same fingerprint (it knows the targets of links by name only); so each map
//! is for one type of each fingerprint, and objects of a second type wait in a second map.
//!
//! Links are taken from the stack in batches, so that the memory where they lead can be fetched for all of a batch
//! at once.

use crate::flush::PAGE;
use crate::format::block::GRANULE;
use crate::heap::Bitmap;
use crate::persistent::TypeInfo;
use std::collections::HashMap;
use std::ops::Range;

/// Entries in the stack.
const STACK: usize = 1 << 16;
/// How many of them make room at a time.
pub(super) const SPILLED: usize = STACK / 2;
/// Links whose targets are fetched together.
pub(super) const BATCH: usize = 16;
/// Bytes in a chunk: the map of a chunk without bits is passed over.
const CHUNK: usize = 512 << 10;
/// Words of a map for a chunk.
const CHUNK_WORDS: usize = CHUNK / GRANULE / 64;

/// A link that was read: where it is, where it leads, and to what.
#[derive(Clone, Copy)]
pub(super) struct Task {
    pub at: usize,
    pub slot: usize,
    pub info: &'static TypeInfo,
}

impl Task {
    /// The number of its map, if this object waited as a bit. `slot` holds that number then, which no real one is: no link
    /// lies in page 0.
    #[inline]
    pub fn waited(self) -> Option<usize> {
        (self.slot < PAGE).then_some(self.slot)
    }
}

pub(super) struct Work {
    stack: Vec<Task>,
    /// Taken from the stack already, the next one last.
    batch: Vec<Task>,
    len: usize,
    pub types: Types,
    maps: Vec<Waiting>,
}

impl Work {
    /// For a region of `len` bytes.
    pub fn new(len: usize) -> Self {
        Work { stack: Vec::new(), batch: Vec::new(), len, types: Types::default(), maps: Vec::new() }
    }

    pub fn is_full(&self) -> bool {
        self.stack.len() == STACK
    }

    #[inline]
    pub fn push(&mut self, task: Task) {
        self.stack.push(task);
    }

    #[inline]
    pub fn is_batch_done(&self) -> bool {
        self.batch.is_empty()
    }

    /// Takes links from the stack that are to be followed next.
    #[inline]
    pub fn next_batch(&mut self) -> &[Task] {
        if self.stack.is_empty() {
            self.refill();
        }
        self.batch.extend(self.stack.drain(self.stack.len().saturating_sub(BATCH)..));
        &self.batch
    }

    /// The next of the batch.
    #[inline]
    pub fn pop(&mut self) -> Option<Task> {
        self.batch.pop()
    }

    /// Some of the oldest links, which make room.
    pub fn waiting(&self, range: Range<usize>) -> &[Task] {
        &self.stack[range]
    }

    /// Something of what [`Work::wait`] will look at, most likely, so that it is in the cache.
    #[inline]
    pub fn peek(&self, at: usize) -> u64 {
        self.maps.first().map_or(0, |map| map.bits.peek(at / GRANULE / 64))
    }

    pub fn forget_spilled(&mut self) {
        self.stack.drain(..SPILLED);
    }

    /// An object waits as a bit.
    pub fn wait(&mut self, at: usize, info: &'static TypeInfo) {
        let (_, map) = self.types.number(info);
        while self.maps.len() <= map {
            self.maps.push(Waiting::new(self.len));
        }
        self.maps[map].add(at);
    }

    /// The same, for one that did so before.
    pub fn wait_again(&mut self, task: Task) {
        self.maps[task.slot].add(task.at);
    }

    /// Takes objects that wait as bits into the stack.
    #[cold]
    fn refill(&mut self) {
        let Some(any) = self.types.any() else { return };
        for (number, map) in self.maps.iter_mut().enumerate() {
            map.take(SPILLED - self.stack.len().min(SPILLED), |at| {
                self.stack.push(Task { at, slot: number, info: any });
            });
        }
    }
}

/// Objects that wait as bits.
struct Waiting {
    bits: Bitmap,
    /// How many wait in each chunk.
    chunks: Vec<u32>,
    total: usize,
    /// The chunk to look into first.
    cursor: usize,
}

impl Waiting {
    fn new(len: usize) -> Self {
        let chunks = len.div_ceil(CHUNK);
        Waiting { bits: Bitmap::new(chunks * CHUNK / GRANULE), chunks: vec![0; chunks], total: 0, cursor: 0 }
    }

    fn add(&mut self, at: usize) {
        *self.bits.word_mut(at / GRANULE / 64) |= 1 << (at / GRANULE % 64);
        self.chunks[at / CHUNK] += 1;
        self.total += 1;
    }

    /// Calls `each` with at most so many of the objects, which wait no longer.
    fn take(&mut self, most: usize, mut each: impl FnMut(usize)) {
        let mut left = most.min(self.total);
        self.total -= left;
        while left > 0 {
            let chunk = self.cursor;
            for index in chunk * CHUNK_WORDS..(chunk + 1) * CHUNK_WORDS {
                if self.chunks[chunk] == 0 || left == 0 {
                    break;
                }
                let word = self.bits.word_mut(index);
                while *word != 0 && left > 0 {
                    each((index * 64 + word.trailing_zeros() as usize) * GRANULE);
                    *word &= *word - 1;
                    self.chunks[chunk] -= 1;
                    left -= 1;
                }
            }
            if self.chunks[chunk] == 0 {
                self.cursor = (chunk + 1) % self.chunks.len();
            }
        }
    }
}

/// The types that the walk has to tell apart.
///
/// Two descriptions are of one type, as far as a walk is concerned, if they have the same fingerprint, size,
/// alignment and `visit`: then each checks the same and finds the same links. (A static may have several
/// addresses, and so its own says nothing.)
#[derive(Default)]
pub(super) struct Types {
    numbers: HashMap<Key, (usize, usize)>,
    known: Vec<(&'static TypeInfo, usize)>,
    last: Option<(&'static TypeInfo, (usize, usize))>,
}

type Key = (u64, usize, usize, bool, usize);

impl Types {
    /// The type's number, and how many others before it have its fingerprint.
    pub fn number(&mut self, info: &'static TypeInfo) -> (usize, usize) {
        if let Some((last, number)) = self.last
            && std::ptr::eq(last, info)
        {
            return number;
        }
        let key = (info.fingerprint, info.size, info.align, info.counted(), info.visit as usize);
        let known = &mut self.known;
        let number = *self.numbers.entry(key).or_insert_with(|| {
            let same = known.iter().filter(|(other, _)| other.fingerprint == info.fingerprint).count();
            known.push((info, same));
            (known.len() - 1, same)
        });
        self.last = Some((info, number));
        number
    }

    /// The type with this fingerprint before which there are so many others of it.
    pub fn get(&self, fingerprint: u64, same: usize) -> Option<&'static TypeInfo> {
        let matches =
            |&&(info, number): &&(&TypeInfo, usize)| info.fingerprint == fingerprint && number == same;
        self.known.iter().find(matches).map(|&(info, _)| info)
    }

    pub fn by_number(&self, number: usize) -> Option<&'static TypeInfo> {
        self.known.get(number).map(|&(info, _)| info)
    }

    /// Any of them.
    fn any(&self) -> Option<&'static TypeInfo> {
        self.known.first().map(|&(info, _)| info)
    }
}

#[cfg(test)]
mod tests;

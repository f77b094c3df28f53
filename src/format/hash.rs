//! What checksums of frames and of content are made of: [`hash_words`], XXH3-64 of memory that is read word by word, and
//! [`fold`], which binds a hash or a seed to its place.

use xxhash_rust::xxh3::{Xxh3, xxh3_64_with_seed};

/// Folds words into a value, one after the other: the result depends on each, and on their order.
#[inline]
pub(super) fn fold(into: u64, words: impl IntoIterator<Item = u64>) -> u64 {
    let step = |value: u64, word: u64| (value ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    words.into_iter().fold(into, step)
}

/// XXH3-64 of `len` bytes of which the word at a multiple of 8 is `load` of it, in bounded memory.
pub(super) fn hash_words(seed: u64, len: usize, load: &dyn Fn(usize) -> u64) -> u64 {
    let mut chunk = [0; 1024];
    let mut read = |from: usize, len: usize| {
        let words = chunk.chunks_exact_mut(8).zip((from..from + len).step_by(8));
        words.for_each(|(word, at)| word.copy_from_slice(&load(at).to_le_bytes()));
        chunk
    };
    if len <= 1024 {
        return xxh3_64_with_seed(&read(0, len)[..len], seed);
    }
    let mut hash = Xxh3::with_seed(seed);
    for from in (0..len).step_by(1024) {
        let len = (len - from).min(1024);
        hash.update(&read(from, len)[..len]);
    }
    hash.digest()
}

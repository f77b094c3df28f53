//! [`hash_words`]: XXH3-64 of memory that is read word by word.

use xxhash_rust::xxh3::{Xxh3, xxh3_64_with_seed};

/// XXH3-64 of `len` bytes of which the word at a multiple of 8 is `load` of it, in bounded memory.
pub(crate) fn hash_words(seed: u64, len: usize, load: &dyn Fn(usize) -> u64) -> u64 {
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

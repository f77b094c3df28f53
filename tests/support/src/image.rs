//! A region file as bytes, with the offsets that page 0 implies and the checksums that make a forgery
//! believable. Written from the format's description, not with the crate's own code.

use std::path::Path;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

pub const VERSION: usize = 8;
pub const REGION_ID: usize = 16;
pub const SCHEMA_LEN: usize = 24;
pub const SCHEMA_CHECKSUM: usize = 32;
pub const JOURNAL_WORDS: usize = 40;
pub const ROOT_SIZE: usize = 48;
pub const ROOT_ALIGN: usize = 56;
pub const CHECKSUM: usize = 64;
pub const SCHEMA: usize = 4096;

#[derive(Clone)]
pub struct Image(pub Vec<u8>);

impl Image {
    pub fn read(path: &Path) -> Self {
        Image(std::fs::read(path).expect("the test's own file"))
    }

    pub fn write(&self, path: &Path) {
        std::fs::write(path, &self.0).expect("the test's own file");
    }

    pub fn word(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.0[at..at + 8].try_into().expect("eight bytes"))
    }

    pub fn set(&mut self, at: usize, value: u64) -> &mut Self {
        self.0[at..at + 8].copy_from_slice(&value.to_le_bytes());
        self
    }

    /// `RET`, alone in its line behind the schema.
    pub fn retired(&self) -> usize {
        (SCHEMA + self.word(SCHEMA_LEN) as usize).next_multiple_of(64)
    }

    /// One of the two record slots; 2 is their end.
    pub fn slot(&self, index: usize) -> usize {
        let len = (24 + 16 * self.word(JOURNAL_WORDS) as usize).next_multiple_of(64);
        self.retired() + 64 + index * len
    }

    pub fn root(&self) -> usize {
        (self.slot(2) + 16).next_multiple_of(64)
    }

    pub fn heap(&self) -> usize {
        (self.root() + self.word(ROOT_SIZE) as usize).next_multiple_of(4096)
    }

    /// The object that the link at `slot` leads to.
    pub fn follow(&self, slot: usize) -> usize {
        assert_ne!(self.word(slot), 0, "a null link");
        slot.wrapping_add(self.word(slot) as usize)
    }

    /// Writes the header of a block for an object of `count` elements at `at`, of the type of another object.
    pub fn forge(&mut self, at: usize, count: u64, like: usize) -> &mut Self {
        let fingerprint = self.word(like - 16) >> 48 | (self.word(like - 8) & 0xffff_ffff) << 16;
        let covered = [at as u64, count, fingerprint].map(u64::to_le_bytes).concat();
        let checksum = u64::from(crc32c::crc32c(&covered));
        self.set(at - 16, count | fingerprint << 48).set(at - 8, fingerprint >> 16 | checksum << 32)
    }

    /// Makes page 0's checksum right.
    pub fn sign_header(&mut self) -> &mut Self {
        let checksum = xxh3_64(&self.0[VERSION..CHECKSUM]);
        self.set(CHECKSUM, checksum)
    }

    /// The slot of the one record that is not retired.
    pub fn outstanding(&self) -> usize {
        let mut slots = [self.slot(0), self.slot(1)].into_iter();
        let outstanding = |slot: &usize| self.word(*slot) > self.word(self.retired());
        slots.find(outstanding).expect("an outstanding record")
    }

    /// The offset of a record's entry: the word that it changes, and behind it the value.
    pub fn entry(record: usize, index: usize) -> usize {
        record + 24 + index * 16
    }

    /// Makes a record's checksum right.
    pub fn sign_record(&mut self, record: usize) -> &mut Self {
        let (number, count) = (self.word(record), self.word(record + 8));
        let end = Self::entry(record, count as usize).min(self.0.len());
        let covered = &self.0[Self::entry(record, 0)..end];
        let seed = self.word(REGION_ID) ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let checksum = xxh3_64_with_seed(covered, seed);
        self.set(record + 16, checksum)
    }
}

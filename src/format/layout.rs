//! Page 0 and what follows from it: where schema, journal, root and heap lie.
//!
//! ```text
//! 0      magic "indelibl"            } one line; the magic is stored last
//! 8      format version              }
//! 16     the region's random id      }
//! 24     schema length, bytes        } covered by the checksum
//! 32     schema checksum, XXH3-64    }
//! 40     words in a journal record   }
//! 48     size of the root, bytes     }
//! 56     alignment of the root       }
//! 64     checksum of words 1 to 7, XXH3-64
//! 1024   in-use mark: 0 when closed; what else it holds is in `mark.rs`
//! 1032   unsafe-shutdown count of the memory when the mark was set
//! 4096   schema text
//! …      RET, alone in its line; record slot 0; record slot 1
//! …      root, with its block header
//! …      heap, from a multiple of 4096 to the end of the file
//! ```
//!
//! All numbers are little-endian 8-byte words.

use super::block::HEADER;
use crate::error::{Error, Result};
use crate::flush::{LINE, PAGE};
use crate::medium::{Map, MediumImpl};
use crate::observe::Origin;
use std::path::Path;
use xxhash_rust::xxh3::xxh3_64;

/// The first eight bytes of every region.
pub(crate) const MAGIC: u64 = u64::from_le_bytes(*b"indelibl");
/// The format that this version writes, and the newest that it reads.
pub(crate) const FORMAT: u32 = 2;
/// The oldest format that it reads. Its records have no content; nothing else is different.
const FIRST_FORMAT: u32 = 1;
pub(crate) const IN_USE: usize = 1024;
pub(crate) const SHUTDOWNS: usize = 1032;
/// Where the checksum of page 0 is, in the second line.
pub(crate) const CHECKSUM: usize = 64;
/// Words of page 0 that the checksum covers.
const COVERED: std::ops::Range<usize> = 1..8;

/// Bytes before the entries of a journal record: three words, which are its number, counts and checksum.
pub(crate) const RECORD_HEADER: usize = 24;
/// Bytes of a record's entry: offset, value.
pub(crate) const ENTRY: usize = 16;
/// The longest region, in bytes: the heap's bookkeeping ends here.
pub(crate) const MAX_LEN: u64 = (1 << 40) - (1 << 20);
/// More than this is a damaged header, not a setting.
const MAX_JOURNAL_WORDS: usize = 1 << 24;
const MAX_SCHEMA: usize = 1 << 24;

/// The immutable settings of a region, and the offsets that follow from them, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    /// The version of the file's format. One of before is raised by open.
    pub format: u32,
    pub region_id: u64,
    pub schema_len: usize,
    pub schema_checksum: u64,
    /// Words that one journal record holds.
    pub journal_words: usize,
    pub root_size: usize,
    pub root_align: usize,
}

/// The next multiple of `align`, a power of two: without the division of `next_multiple_of`.
fn align_up(at: usize, align: usize) -> usize {
    (at + align - 1) & !(align - 1)
}

impl Layout {
    pub(crate) const SCHEMA: usize = PAGE;

    /// Offset of the word `RET`: the number of the last record that is not needed any more.
    pub(crate) fn retired(&self) -> usize {
        (Self::SCHEMA + self.schema_len).next_multiple_of(LINE)
    }

    pub(crate) fn slot(&self, index: usize) -> usize {
        let len = (RECORD_HEADER + ENTRY * self.journal_words).next_multiple_of(LINE);
        self.retired() + LINE + index * len
    }

    /// Offset of the root object; its header stands before it.
    pub(crate) fn root(&self) -> usize {
        align_up(self.slot(2) + HEADER, self.root_align.max(LINE))
    }

    pub(crate) fn heap(&self) -> usize {
        (self.root() + self.root_size.max(8)).next_multiple_of(PAGE)
    }

    /// The smallest region with this layout.
    pub(crate) fn min_len(&self) -> usize {
        self.heap()
    }

    /// Raises the version of a file of before, durably with the next fence. Programs that know only that one would take a
    /// record with content for none. The checksum comes after a fence, so that it is never there without its version.
    pub(crate) fn raise_version<M: MediumImpl>(&self, medium: &M, origin: Origin) -> Result<()> {
        if self.format == FORMAT {
            return Ok(());
        }
        let words = self.words();
        let raise = |at: usize| {
            let value = words.iter().find(|word| word.0 == at).map_or(0, |word| word.1);
            medium.store(at, value, origin);
            medium.flush_word(at, origin);
        };
        raise(COVERED.start * 8);
        medium.fence_at_open(origin)?;
        raise(COVERED.end * 8);
        Ok(())
    }

    /// The words of page 0, without the magic.
    pub(crate) fn words(&self) -> Vec<(usize, u64)> {
        let words = self.covered();
        let checksum = checksum(&words);
        let mut all: Vec<(usize, u64)> = COVERED.map(|i| i * 8).zip(words).collect();
        all.push((COVERED.end * 8, checksum));
        all
    }

    fn covered(&self) -> [u64; 7] {
        [
            u64::from(FORMAT),
            self.region_id,
            self.schema_len as u64,
            self.schema_checksum,
            self.journal_words as u64,
            self.root_size as u64,
            self.root_align as u64,
        ]
    }

    /// Reads page 0, which is mapped.
    pub(crate) fn read(map: &Map, path: &Path, exact_len: u64) -> Result<Self> {
        let magic = map.load(0);
        if magic != MAGIC {
            return Err(Error::NotARegion { path: path.to_path_buf(), found: magic.to_le_bytes().to_vec() });
        }
        // The version stands before everything that a newer one may have changed.
        let version = map.load(8);
        if version > u64::from(FORMAT) && version <= u64::from(u16::MAX) {
            let (found, supported) = (version as u32, FORMAT);
            return Err(Error::NewerFormat { path: path.to_path_buf(), found, supported });
        }
        let words: [u64; 7] = std::array::from_fn(|i| map.load((COVERED.start + i) * 8));
        let of_version = |version: u64| {
            let [_, rest @ ..] = words;
            let mut words = [version; 7];
            words[1..].copy_from_slice(&rest);
            checksum(&words)
        };
        let (found, of_format, of_first) =
            (map.load(COVERED.end * 8), of_version(u64::from(FORMAT)), of_version(u64::from(FIRST_FORMAT)));
        // When open raises the version, a power failure may keep the version without its checksum.
        let half_raised = version == u64::from(FORMAT) && found == of_first;
        let expected = if half_raised { found } else { of_version(version) };
        let damaged = |at: usize, found: String, expected: &str| {
            Err(Error::damaged(path, "header", at, found, expected))
        };
        if found != expected {
            return damaged(64, format!("checksum {found:#018x}"), &format!("{expected:#018x}"));
        }
        if !(u64::from(FIRST_FORMAT)..=u64::from(FORMAT)).contains(&version) {
            return damaged(8, format!("format {version}"), "1 or 2");
        }
        let layout = Layout {
            format: if found == of_format { FORMAT } else { FIRST_FORMAT },
            region_id: words[1],
            schema_len: words[2] as usize,
            schema_checksum: words[3],
            journal_words: words[4] as usize,
            root_size: words[5] as usize,
            root_align: words[6] as usize,
        };
        if layout.schema_len > MAX_SCHEMA {
            return damaged(24, format!("schema of {} bytes", words[2]), "at most 16 MiB");
        }
        if layout.journal_words == 0 || layout.journal_words > MAX_JOURNAL_WORDS {
            return damaged(40, format!("{} journal words", words[4]), "1 to 16777216");
        }
        if layout.root_size > 1 << 40 {
            return damaged(48, format!("root of {} bytes", words[5]), "less than 1 TiB");
        }
        if !layout.root_align.is_power_of_two() || layout.root_align > PAGE {
            return damaged(56, format!("root alignment {}", words[6]), "a power of two up to 4096");
        }
        let needed = layout.min_len() as u64;
        if exact_len < needed {
            return Err(Error::Truncated { path: path.to_path_buf(), len: exact_len, needed });
        }
        Ok(layout)
    }

    /// Refuses a schema text that could not be read back.
    pub(crate) fn check_schema(text: &str) -> Result<()> {
        match text.len() {
            0..=MAX_SCHEMA => Ok(()),
            len => Err(Error::BadLength {
                len,
                size: 1,
                reason: "the description of the root's type has at most 16 MiB; name fewer types and fields, or shorter",
            }),
        }
    }

    /// Refuses settings that no region can have.
    pub(crate) fn check_journal_words(words: usize) -> Result<()> {
        match words {
            1..=MAX_JOURNAL_WORDS => Ok(()),
            _ => Err(Error::BadOption { option: "journal_words", reason: "give 1 to 16,777,216 words" }),
        }
    }
}

/// A length that a region can have: whole pages, at least `needed`, at most [`MAX_LEN`].
pub(crate) fn region_len(len: u64, needed: usize) -> Result<usize> {
    let pages = len & !(PAGE as u64 - 1);
    if pages < needed as u64 {
        return Err(Error::TooSmall { len, needed: needed as u64 });
    }
    if pages > MAX_LEN {
        return Err(Error::TooLarge { len, most: MAX_LEN });
    }
    Ok(pages as usize)
}

fn checksum(words: &[u64; 7]) -> u64 {
    xxh3_64(zerocopy::IntoBytes::as_bytes(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What open refuses must not be made.
    #[test]
    fn a_schema_is_as_long_as_open_reads_at_most() {
        assert!(Layout::check_schema(&"x".repeat(MAX_SCHEMA)).is_ok());
        let refused = Layout::check_schema(&"x".repeat(MAX_SCHEMA + 1));
        assert!(matches!(refused, Err(Error::BadLength { len, .. }) if len == MAX_SCHEMA + 1));
    }

    #[test]
    fn parts_do_not_overlap_and_each_begins_on_its_line() {
        let layout = Layout {
            format: FORMAT,
            region_id: 1,
            schema_len: 777,
            schema_checksum: 2,
            journal_words: 5,
            root_size: 100,
            root_align: 8,
        };
        assert!(layout.retired() >= Layout::SCHEMA + 777);
        assert_eq!(layout.slot(0), layout.retired() + LINE);
        assert!(layout.slot(1) >= layout.slot(0) + RECORD_HEADER + 5 * ENTRY);
        assert!(layout.root() - HEADER >= layout.slot(2));
        assert!(layout.heap() >= layout.root() + 100);
        for at in [layout.retired(), layout.slot(0), layout.slot(1), layout.root()] {
            assert!(at.is_multiple_of(LINE));
        }
        assert!(layout.heap().is_multiple_of(PAGE));
    }
}

//! [`Tags`]: a byte of each key's hash, by which a hash map finds a key in a node without a look at the others.

/// The tags of a node's keys in one word, the first key's in its lowest byte.
///
/// A search compares all eight with the tag that it looks for, in a handful of instructions and without a branch, and
/// then looks only at the keys whose tags match: of the others one in 256 on average. A tag without a key is zero, and
/// so may match too: the search must see to it that there is a key.
#[derive(Clone, Copy)]
pub(crate) struct Tags(u64);

/// One in each byte.
const ONES: u64 = 0x0101_0101_0101_0101;
/// The highest bit of each byte.
const HIGHEST: u64 = ONES << 7;

impl Tags {
    /// How many tags there are in a word.
    pub(crate) const COUNT: usize = 8;

    /// The word as it stands in a node.
    #[inline(always)]
    pub(crate) fn of(word: u64) -> Self {
        Tags(word)
    }

    /// The tag of the key with this index.
    #[inline(always)]
    pub(crate) fn get(self, index: usize) -> u8 {
        (self.0 >> (index * 8)) as u8
    }

    /// The indices whose tag is `tag`, all of them, in ascending order. Now and then the index after one of these is
    /// there as well.
    ///
    /// After the exclusive or the bytes that match are zero. Subtracting one from each byte sets the highest bit of a
    /// zero byte, because it borrows; `!differ` drops the bytes that had that bit before. If bytes didn't borrow from
    /// each other, only zero bytes would be left. A byte above a zero byte lends it one, and so a 1 there becomes 0xff
    /// like a zero. (Larger bytes don't: from 2 on, two can be subtracted.) So a byte is found wrongly only above one
    /// that was found, and if its tag differs from `tag` in the lowest bit alone. The search compares the keys anyway,
    /// so a wrong index costs one more comparison, and instructions that would exclude it cost more.
    #[inline(always)]
    pub(crate) fn matching(self, tag: u8) -> Matches {
        let differ = self.0 ^ (ONES * u64::from(tag));
        Matches(differ.wrapping_sub(ONES) & !differ & HIGHEST)
    }
}

/// Indices in a node: those of the bytes whose highest bit is set. No other bit is.
///
/// No iterator, because [`Iterator::next`] would remove an index before it is looked at, and most searches end at the
/// first: that would be a twentieth more instructions for a look-up.
#[derive(Clone, Copy)]
pub(crate) struct Matches(u64);

impl Matches {
    /// The lowest index.
    #[inline(always)]
    pub(crate) fn first(self) -> Option<usize> {
        (self.0 != 0).then(|| self.0.trailing_zeros() as usize / 8)
    }

    /// Removes the lowest index. There must be one.
    #[inline(always)]
    pub(crate) fn remove_first(&mut self) {
        self.0 &= self.0 - 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const COUNT: usize = Tags::COUNT;

    /// Byte by byte: those that are `tag`, and behind a found one those that differ from it in the lowest bit.
    fn model(bytes: [u8; COUNT], tag: u8) -> Vec<usize> {
        let mut found = Vec::new();
        for (index, byte) in bytes.into_iter().enumerate() {
            let behind_found = index > 0 && found.last() == Some(&(index - 1));
            if byte == tag || behind_found && byte == tag ^ 1 {
                found.push(index);
            }
        }
        found
    }

    fn agree(bytes: [u8; COUNT], tag: u8) {
        let tags = Tags::of(u64::from_le_bytes(bytes));
        let (mut matches, mut found) = (tags.matching(tag), Vec::new());
        while let Some(index) = matches.first() {
            found.push(index);
            matches.remove_first();
        }
        assert_eq!(found, model(bytes, tag), "{bytes:02x?} and {tag:02x}");
        assert!((0..COUNT).all(|index| tags.get(index) == bytes[index]));
    }

    /// Every word of five bytes: the tag, and what differs from it in the lowest bit, in the next, in the highest, in
    /// all.
    #[test]
    fn matching_finds_what_a_search_byte_by_byte_finds() {
        for tag in [0x00, 0x01, 0x5a, 0x7f, 0x80, 0xff] {
            let alphabet = [tag, tag ^ 0x01, tag ^ 0x02, tag ^ 0x80, !tag];
            for word in 0..5_usize.pow(COUNT as u32) {
                agree(std::array::from_fn(|i| alphabet[word / 5_usize.pow(i as u32) % 5]), tag);
            }
        }
    }

    proptest! {
        #[test]
        fn matching_finds_what_a_search_byte_by_byte_finds_in_any_word(word: u64, tag: u8, at in 0..COUNT) {
            agree(word.to_le_bytes(), tag);
            let mut bytes = word.to_le_bytes();
            bytes[at] = tag;
            agree(bytes, tag);
        }
    }
}

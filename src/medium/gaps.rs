//! [`Gaps`]: which bytes of a file have no block that can be written where it is, and so would need room when
//! they are written through a mapping, where a full disk is a signal (`SIGBUS`).
//!
//! It is found out, instead of asking `fallocate` for the whole file, because a file system may want as much free
//! room as it is asked for, whatever is there already (Linux fs/xfs/xfs_bmap_util.c, `xfs_alloc_file_space`).

use super::extents::{self, Blocks, Extent};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::ops::Range;

/// Ranges in bytes from the file's start, in its order, disjoint and not empty.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Gaps {
    /// No blocks.
    pub holes: Vec<Range<u64>>,
    /// Blocks that another file has too.
    pub shared: Vec<Range<u64>>,
}

impl Gaps {
    /// Those among the first `len` bytes. `None`: the file system does not tell.
    pub(crate) fn of(file: &File, len: u64) -> io::Result<Option<Self>> {
        let found = loop {
            match extents::of(file) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        match found {
            Ok(extents) => Ok(Some(Self::between(&extents, len))),
            Err(error) => match error.raw_os_error().map(Errno::from_raw_os_error) {
                // Not known to the file system (fiemap.rst), or no ioctl is (ioctl(2); FUSE says ENOSYS).
                Some(Errno::OPNOTSUPP | Errno::NOTTY | Errno::NOSYS | Errno::INVAL) => Ok(None),
                _ => Err(error),
            },
        }
    }

    /// All that needs room.
    pub(crate) fn bytes(&self) -> u64 {
        self.holes.iter().chain(&self.shared).map(|range| range.end - range.start).sum()
    }

    /// What is missing where these extents, in the file's order, are there.
    fn between(extents: &[Extent], len: u64) -> Self {
        let (mut gaps, mut end) = (Self::default(), 0);
        for extent in extents {
            let range = extent.logical.max(end)..extent.logical.saturating_add(extent.len).min(len);
            if range.is_empty() {
                continue;
            }
            match extent.blocks {
                Blocks::None => continue, // like the space between extents
                Blocks::Shared => push(&mut gaps.shared, range.clone()),
                Blocks::Own => {}
            }
            push(&mut gaps.holes, end..range.start);
            end = range.end;
        }
        push(&mut gaps.holes, end..len);
        gaps
    }
}

/// Adds a range, to the last one where they touch.
fn push(ranges: &mut Vec<Range<u64>>, range: Range<u64>) {
    match ranges.last_mut() {
        _ if range.is_empty() => {}
        Some(last) if last.end == range.start => last.end = range.end,
        _ => ranges.push(range),
    }
}

#[cfg(test)]
#[expect(clippy::single_range_in_vec_init, reason = "a list of one range is meant")]
mod tests {
    use super::*;

    fn extent(range: Range<u64>, blocks: Blocks) -> Extent {
        Extent { logical: range.start, len: range.end - range.start, blocks, physical: Some(1 << 30) }
    }

    #[test]
    fn what_no_extent_covers_and_what_has_no_blocks_are_holes() {
        use Blocks::*;
        let extents = [
            extent(4..8, Own),
            extent(8..12, None),
            extent(16..20, Own),
            extent(20..24, Shared),
            extent(24..28, Shared),
            extent(40..64, Own),
        ];
        let gaps = Gaps { holes: vec![0..4, 8..16, 28..40], shared: vec![20..28] };
        assert_eq!(Gaps::between(&extents, 64), gaps);
        assert_eq!(Gaps::between(&[], 64), Gaps { holes: vec![0..64], shared: vec![] });
        assert_eq!(Gaps::between(&[extent(0..64, Own)], 64), Gaps::default());
    }

    /// A block may be longer than a page, and the last one then reaches beyond the file's end.
    #[test]
    fn nothing_behind_the_length_is_asked_for() {
        let extents = [extent(0..16, Blocks::Shared), extent(32..64, Blocks::Own)];
        assert_eq!(Gaps::between(&extents, 8), Gaps { holes: vec![], shared: vec![0..8] });
        assert_eq!(Gaps::between(&extents, 24), Gaps { holes: vec![16..24], shared: vec![0..16] });
        assert_eq!(Gaps::between(&extents, 40), Gaps { holes: vec![16..32], shared: vec![0..16] });
        assert_eq!(Gaps::between(&[extent(u64::MAX - 1..u64::MAX, Blocks::Own)], 8).holes, vec![0..8]);
    }

    /// Extents that say more than there is, or the same twice, leave nothing out.
    #[test]
    fn extents_that_overlap_are_read_once() {
        let extents = [extent(0..8, Blocks::Own), extent(4..12, Blocks::Shared), extent(4..6, Blocks::Own)];
        assert_eq!(Gaps::between(&extents, 16), Gaps { holes: vec![12..16], shared: vec![8..12] });
    }
}

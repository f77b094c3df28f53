//! The outcomes of a checksummed range: what recovery may find there, as far as it matters.
//!
//! A checksum publishes a range as a whole. So each state that verifies is tried, and for all others, which recovery
//! rejects alike, a few.

use crate::power::choices::Choices;
use crate::power::unit::Open;

/// The outcomes of a checksummed range that are tried, those last that verify: an index of a value for each unit.
pub(super) fn of(open: &[Open], verifies: impl Fn(&[usize]) -> bool) -> Vec<Vec<usize>> {
    let whole = whole(open, verifies);
    let mut all = torn(open, &whole);
    all.extend(whole);
    all
}

/// The outcomes that verify, of those that the range had after one of its stores.
fn whole(open: &[Open], verifies: impl Fn(&[usize]) -> bool) -> Vec<Vec<usize>> {
    let mut times: Vec<u64> =
        open.iter().flat_map(|open| open.stored.iter().map(|stored| stored.0)).collect();
    times.sort_unstable();
    times.dedup();
    let at = |time: u64| -> Vec<usize> {
        open.iter()
            .map(|open| open.stored.iter().rfind(|stored| stored.0 <= time).map_or(0, |stored| stored.1))
            .collect()
    };
    let mut whole: Vec<Vec<usize>> = Vec::new();
    for choice in times.into_iter().map(at) {
        if !whole.contains(&choice) && verifies(&choice) {
            whole.push(choice);
        }
    }
    whole
}

/// Some of the outcomes that do not verify: every unit lost, one unit lost, and a few with a fixed seed.
fn torn(open: &[Open], whole: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let newest: Vec<usize> = open.iter().map(Open::newest).collect();
    let mut torn: Vec<Vec<usize>> = vec![vec![0; open.len()]];
    for lost in 0..open.len() {
        let mut choice = newest.clone();
        choice[lost] = 0;
        torn.push(choice);
    }
    let mut random = Choices::random(open.len() as u64 * 0x9e37_79b9 + 1);
    for _ in 0..4 {
        torn.push(open.iter().map(|open| random.choose(open.values.len())).collect());
    }
    // The first ones, the middle, the last, and the random ones stand for all that were not stored together.
    let keep = |index: usize| index < 2 || index + 5 >= torn.len() || index == torn.len() / 2;
    let mut kept: Vec<Vec<usize>> = Vec::new();
    for (index, choice) in torn.iter().enumerate() {
        if keep(index) && !whole.contains(choice) && !kept.contains(choice) {
            kept.push(choice.clone());
        }
    }
    kept
}

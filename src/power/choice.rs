//! Walks of a tree of choices by running again: exhaustively, by chance, or along a given path.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::str::FromStr;

/// The choices of one run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Choices {
    /// What was chosen, and of how many.
    taken: Vec<(u32, u32)>,
    position: usize,
    /// The state of a random walk, or 0.
    random: u64,
}

impl Choices {
    /// A walk along a given path; after its end the last alternative, which is the newest value.
    pub(crate) fn along(path: &Path) -> Self {
        let taken = path.0.iter().map(|&choice| (choice, u32::MAX)).collect();
        Choices { taken, position: 0, random: 0 }
    }

    /// A walk by chance.
    pub(crate) fn random(seed: u64) -> Self {
        Choices { random: seed | 1, ..Choices::default() }
    }

    /// One of `n` alternatives.
    pub(crate) fn choose(&mut self, n: usize) -> usize {
        if n <= 1 {
            return 0;
        }
        let n = n as u32;
        if self.position == self.taken.len() {
            // First the newest value, which is what most often survives.
            let choice = match self.random {
                0 => n - 1,
                _ => self.next_random() as u32 % n,
            };
            self.taken.push((choice, n));
        }
        self.position += 1;
        let (choice, of) = &mut self.taken[self.position - 1];
        *of = n;
        *choice = (*choice).min(n - 1);
        *choice as usize
    }

    fn next_random(&mut self) -> u64 {
        let mut x = self.random;
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        self.random = x;
        x >> 20
    }

    /// Goes to the next run of an exhaustive walk; false when all have been.
    pub(crate) fn next(&mut self) -> bool {
        self.taken.truncate(self.position);
        self.position = 0;
        while let Some((choice, _)) = self.taken.last_mut() {
            if *choice > 0 {
                *choice -= 1;
                return true;
            }
            self.taken.pop();
        }
        false
    }

    /// Stands at the end of a path that was taken by hand.
    pub(crate) fn replay_end(&mut self) {
        self.position = self.taken.len();
    }

    /// What was chosen so far.
    pub(crate) fn path(&self) -> Path {
        Path(self.taken[..self.position].iter().map(|&(choice, _)| choice).collect())
    }
}

/// The choices of a run, as text: `2.0.1`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Path(pub Vec<u32>);

impl Path {
    /// A number that other paths don't have.
    pub(crate) fn number(&self) -> u64 {
        let mut state = DefaultHasher::new();
        self.0.hash(&mut state);
        state.finish()
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, choice) in self.0.iter().enumerate() {
            write!(f, "{}{choice}", if index == 0 { "" } else { "." })?;
        }
        Ok(())
    }
}

impl FromStr for Path {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split('.').filter(|part| !part.is_empty()).map(str::parse).collect::<Result<_, _>>().map(Path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exhaustive_walk_meets_every_leaf_once() {
        let mut choices = Choices::default();
        let mut leaves = Vec::new();
        loop {
            let first = choices.choose(3);
            let second = if first == 1 { 9 } else { choices.choose(2) };
            leaves.push((first, second));
            let path = choices.path();
            let mut again = Choices::along(&path.to_string().parse().unwrap());
            assert_eq!(again.choose(3), first);
            if !choices.next() {
                break;
            }
        }
        leaves.sort_unstable();
        assert_eq!(leaves, [(0, 0), (0, 1), (1, 9), (2, 0), (2, 1)]);
    }
}

//! [`Choices`]: walks a tree of choices by running again, exhaustively, at random, or along a given path.

use super::path::Path;

/// The choices of one run.
#[derive(Clone, Debug, Default)]
pub(super) struct Choices {
    /// Each choice, and the number of its alternatives.
    taken: Vec<(u32, u32)>,
    /// How many of `taken` this run has used.
    position: usize,
    /// The state of the random generator; 0 for an exhaustive walk.
    random: u64,
}

impl Choices {
    /// A walk along a given path. After the end of the path it takes the last alternative, which is the newest value.
    pub(super) fn along(path: &Path) -> Self {
        let taken = path.0.iter().map(|&choice| (choice, u32::MAX)).collect();
        Choices { taken, position: 0, random: 0 }
    }

    /// A random walk.
    pub(super) fn random(seed: u64) -> Self {
        Choices { random: seed | 1, ..Choices::default() }
    }

    /// Chooses one of `n` alternatives.
    pub(super) fn choose(&mut self, n: usize) -> usize {
        if n <= 1 {
            return 0;
        }
        let n = n as u32;
        if self.position == self.taken.len() {
            // The newest value first: it survives most often.
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

    /// Moves to the next leaf of an exhaustive walk. Returns false when there is none.
    pub(super) fn next(&mut self) -> bool {
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

    /// The walk as it stands after a run that took this path.
    pub(super) fn after(path: &Path) -> Self {
        let mut choices = Self::along(path);
        choices.position = choices.taken.len();
        choices
    }

    /// The choices so far.
    pub(super) fn path(&self) -> Path {
        Path(self.taken[..self.position].iter().map(|&(choice, _)| choice).collect())
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

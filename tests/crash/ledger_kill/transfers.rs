//! Inputs for the ledger, and the choices that a seed makes.

use indelible_test_support::chance::Chance;
use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::Path;

#[derive(Clone)]
pub struct Transfers {
    pub rows: Vec<Transfer>,
}

#[derive(Clone)]
pub struct Transfer {
    from: String,
    to: String,
    pub cents: i64,
}

impl Transfers {
    /// Rows in which new accounts go on to appear, on either side or both.
    pub fn random(count: usize, chance: &mut Chance) -> Self {
        let mut this = Transfers { rows: vec![] };
        let name = |number| match number % 4 {
            0 => format!("Jürgen, \"{number}\""),
            _ => format!("account {number}"),
        };
        for row in 0..count {
            let from = chance.below(row + 1);
            let to = (from + 1 + chance.below(row + 1)) % (row + 2);
            this.push(&name(from), &name(to), chance.below(1_000_000) as i64 + 1);
        }
        this
    }

    pub fn push(&mut self, from: &str, to: &str, cents: i64) {
        self.rows.push(Transfer { from: from.to_string(), to: to.to_string(), cents });
    }

    pub fn write(&self, path: &Path) {
        let mut csv = csv::Writer::from_path(path).expect("created");
        csv.write_record(["date", "from", "to", "amount", "reference"]).expect("written");
        for (number, Transfer { from, to, cents }) in self.rows.iter().enumerate() {
            let amount = format!("{}.{:02}", cents / 100, cents % 100);
            csv.write_record(["2025-01-01", from, to, &amount, &number.to_string()]).expect("written");
        }
        csv.flush().expect("written");
    }

    pub fn balances(&self, count: usize) -> BTreeMap<String, i64> {
        let mut all = BTreeMap::new();
        for Transfer { from, to, cents } in &self.rows[..count] {
            *all.entry(from.clone()).or_default() -= cents;
            *all.entry(to.clone()).or_default() += cents;
        }
        all
    }
}

/// Choices that differ in each run. `LEDGER_SEED` repeats those of an earlier run, though not the scheduler's.
pub fn chance() -> Chance {
    let given = std::env::var("LEDGER_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| RandomState::new().build_hasher().finish());
    println!("LEDGER_SEED={seed}");
    Chance::new(seed)
}

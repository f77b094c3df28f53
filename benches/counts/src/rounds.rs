//! What the programs have in common whose work is counted.

#[path = "../../../tests/dax/guest/src/count.rs"]
#[allow(dead_code, reason = "these programs are counted, and count nothing")]
mod count;

use indelible::Result;

/// What `PROGRAM WORK ROUNDS [traced]` asks for.
pub struct Rounds {
    pub work: String,
    count: u64,
    /// Step by step, by `waits`.
    traced: bool,
}

impl Rounds {
    pub fn from_arguments() -> Self {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let (work, count, traced) = match &arguments[..] {
            [work, count] => (work, count, false),
            [work, count, traced] if traced == "traced" => (work, count, true),
            _ => panic!("WORK ROUNDS [traced]"),
        };
        if traced {
            count::be_traced();
        }
        Rounds { work: work.clone(), count: count.parse().expect("a number of rounds"), traced }
    }

    /// Does this as often as was asked for, and ends the program without what closing would cost.
    pub fn run(self, mut round: impl FnMut(u64) -> Result<()>) -> Result<()> {
        if self.traced {
            count::mark();
        }
        for n in 10..10 + self.count {
            round(n)?;
        }
        if self.traced {
            count::mark();
        }
        std::process::exit(0)
    }
}

//! The engine under the explorer: every kind of transaction, alone and mixed, in every crash image.

mod ops;

use indelible::power::{Explorer, Model, Report};
use ops::{Forest, Op, State, explorer};

/// Adds up reports, and prints what the issue asks for.
#[derive(Default)]
struct Total {
    workloads: usize,
    points: usize,
    images: usize,
    seconds: f64,
}

impl Total {
    fn add(&mut self, report: Report, name: &dyn std::fmt::Debug) {
        assert!(report.failure().is_none(), "{name:?}:\n{report}");
        assert!(report.is_exhaustive(), "{name:?}:\n{report}");
        self.workloads += 1;
        self.points += report.crash_points();
        self.images += report.images();
        self.seconds += report.seconds();
    }
    fn print(&self, what: &str) {
        let Total { workloads, points, images, seconds } = self;
        println!("{what}: {workloads} workloads, {points} crash points, {images} images, {seconds:.1} s");
    }
}

fn run(program: &[Op], set: impl Fn(Explorer<Forest, State>) -> Explorer<Forest, State>) -> Report {
    set(explorer(program.to_vec())).run()
}

#[test]
fn every_pair_of_transactions_is_failure_atomic() {
    let mut total = Total::default();
    for &first in Op::ALL {
        for &second in Op::ALL {
            let program = [first, second];
            total.add(run(&program, |explorer| explorer), &program);
        }
    }
    total.print("pairs, depth 2, kills");
}

#[test]
fn models() {
    for model in [Model::X86, Model::Eadr] {
        let mut total = Total::default();
        for &first in Op::ALL {
            let program = [Op::StoreBoth, first, Op::PushAndStore, Op::Pop];
            total.add(run(&program, |explorer| explorer.model(model).depth(1)), &program);
        }
        total.print(&format!("{model:?}"));
    }
}

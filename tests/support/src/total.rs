//! [`Total`]: what the explorer did for several programs.

use indelible::power::Report;
use std::fmt::Debug;

/// Adds up reports, none of which may have found anything, and prints what was explored.
#[derive(Default)]
pub struct Total {
    workloads: usize,
    points: usize,
    images: usize,
    seconds: f64,
}

impl Total {
    /// Panics if a crash broke the program `name`, or not all crashes were tried.
    #[track_caller]
    pub fn add(&mut self, report: &Report, name: &dyn Debug) {
        assert!(report.failure().is_none(), "{name:?}:\n{report}");
        assert!(report.is_exhaustive(), "{name:?}:\n{report}");
        self.workloads += 1;
        self.points += report.crash_points();
        self.images += report.images();
        self.seconds += report.seconds();
    }

    pub fn print(&self, what: &str) {
        let Total { workloads, points, images, seconds } = self;
        println!("{what}: {workloads} workloads, {points} crash points, {images} images, {seconds:.1} s");
    }
}

//! What a process holds: descriptors and mappings; and what a folder does.

use std::path::Path;

/// What must be as before after an operation that failed, or after a region was closed.
#[derive(Debug, PartialEq, Eq)]
pub struct Holdings {
    descriptors: Vec<String>,
    /// Mappings of files in the folder, and of much address space.
    mappings: Vec<String>,
}

impl Holdings {
    pub fn now(folder: &Path) -> Self {
        let mut descriptors: Vec<String> = (0..256)
            .filter_map(|fd| {
                let to = std::fs::read_link(format!("/proc/self/fd/{fd}")).ok()?;
                // The standard library keeps this one, where there is no getrandom.
                (to != Path::new("/dev/urandom")).then_some(())?;
                Some(format!("{fd} {}", to.display()))
            })
            .collect();
        descriptors.sort();
        let folder = folder.display().to_string();
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
        let mappings = maps.lines().filter(|line| line.contains(&folder) || size(line) >= 1 << 30);
        Holdings { descriptors, mappings: mappings.map(str::to_string).collect() }
    }

    /// What there is now and was not before.
    pub fn more_than(&self, before: &Self) -> Vec<String> {
        let new = |now: &[String], before: &[String]| -> Vec<String> {
            now.iter().filter(|one| !before.contains(one)).cloned().collect()
        };
        let mut more = new(&self.descriptors, &before.descriptors);
        more.extend(new(&self.mappings, &before.mappings));
        more
    }
}

/// Bytes of a line of `/proc/self/maps`.
fn size(line: &str) -> u64 {
    let range = line.split(' ').next().unwrap_or_default();
    let Some((start, end)) = range.split_once('-') else { return 0 };
    let number = |text| u64::from_str_radix(text, 16).unwrap_or(0);
    number(end).saturating_sub(number(start))
}

/// The names in a folder.
pub fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .map(|entries| {
            entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
        })
        .unwrap_or_default();
    names.sort();
    names
}

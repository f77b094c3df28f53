//! What happens to region files: snapshots that change nothing, migrations that are killed anywhere.

mod child;
mod kill;
mod locks;
mod migrate;
mod paths;
mod race;
mod snapshot;
mod support;

//! `examples/ledger.rs` as a child process, killed with SIGKILL at random moments: rows that it acknowledged
//! are there, and no row is there in part or twice. Also what it says to files and ledgers that are wrong.

use indelible::medium::{Auto, MemoryFileSystem};
use indelible::{Link, Options, Persistent, Region, Word};
use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{BufRead, BufReader};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output};
use std::sync::mpsc;
use tempfile::TempDir;

const SIGKILL: i32 = 9;
/// The size that the example gives a new region, in bytes.
const NEW: u64 = 64 << 10;

/// On disk a row spends its time in `msync`, and there most kills hit.
#[test]
fn an_import_that_is_killed_100_times_counts_every_row_once() {
    killed_import(Place::on_disk, 1_000, 100);
}

/// In memory `msync` is next to nothing, and the kills hit between stores.
#[test]
fn so_does_one_that_is_killed_between_its_stores() {
    killed_import(Place::in_memory, 10_000, 30);
}

fn killed_import(place: fn() -> Place, count: usize, kills: usize) {
    // On a busy machine kills come late and the rows run out: again, with more of them.
    let enough = (0..4).any(|attempt| try_killed_import(&place(), count << attempt, kills));
    assert!(enough, "the import ended before {kills} kills had hit it");
}

/// False if the import was over before enough kills had hit it.
fn try_killed_import(place: &Place, count: usize, kills: usize) -> bool {
    let mut random = Random::new();
    let transfers = Transfers::random(count, &mut random);
    transfers.write(&place.csv);

    let (mut rows, mut hits, mut unacknowledged, mut sizes) = (0, 0, 0, vec![NEW]);
    while hits < kills {
        if rows == count {
            println!("{count} rows were imported after {hits} kills");
            return false;
        }
        // As many rows per kill as are left; sometimes none, so that creating and opening are hit too.
        let share = 1 + (count - rows) / (kills - hits);
        let acknowledgements = if random.below(8) == 0 { 0 } else { 1 + random.below(share) };
        let run = place.run_and_kill(acknowledgements, &mut random);
        assert!(
            run.rows.iter().copied().eq(rows + 1..=rows + run.rows.len()),
            "rows {:?} after {rows}",
            run.rows
        );
        let acknowledged = rows + run.rows.len();

        // Half of the time recovery is left to the next import, and what is checked is a copy.
        let copy = random.below(2) == 0 && place.region.exists();
        rows = if copy { place.check_copy() } else { place.check_if_any() };
        let in_flight = rows.checked_sub(acknowledged);
        assert!(matches!(in_flight, Some(0 | 1)), "{acknowledged} rows acknowledged, {rows} in the ledger");
        unacknowledged += in_flight.unwrap_or(0);

        let killed = run.status.signal() == Some(SIGKILL);
        if killed && !run.rows.is_empty() && rows < count {
            hits += 1;
        }
        sizes.extend(place.size());
    }
    println!("{hits} kills hit, at the last {rows} of {count} rows; {unacknowledged} rows unacknowledged");
    let left = place.import();
    assert!(left.status.success(), "{left:?}");
    assert_eq!(place.check(), count);
    sizes.extend(place.size());
    sizes.dedup();
    assert!(sizes.len() > 1 && sizes.is_sorted(), "the region grew: {sizes:?}");

    // Not only by the example's own account.
    let ledger = place.open();
    let plain = transfers.balances(count);
    assert_eq!(ledger.root().rows.get(), count as u64);
    assert_eq!(ledger.root().count.get(), plain.len() as u64);
    assert_eq!(balances(&ledger), plain);
    let usage = ledger.usage().expect("the region is sound");
    assert_eq!(usage.unreached_bytes, 0, "what killed transactions allocated is free again");
    true
}

#[test]
fn a_kill_while_the_region_grows_loses_nothing() {
    let mut random = Random::new();
    let mut transfers = Transfers { rows: vec![] };
    for row in 0..5 {
        transfers.push("Ada", &format!("account {row}"), 1);
    }
    // More than a new region has room for: row 6 makes it grow.
    transfers.push("Ada", &"Lovelace ".repeat(3_000), 1);
    transfers.push("account 1", "account 2", 1);

    let mut hits = 0;
    for _ in 0..1_000 {
        let place = Place::on_disk();
        transfers.write(&place.csv);
        place.run_and_kill(5, &mut random);
        let rows = place.check();
        hits += usize::from(rows == 5 && place.size() > Some(NEW));
        assert!(rows >= 5, "{rows}");
        assert!(place.import().status.success());
        assert_eq!(place.check(), 7);
        if hits == 5 {
            return;
        }
    }
    panic!("{hits} of 1000 kills hit between growth and commit");
}

#[test]
fn the_bundled_file_is_imported_once_and_the_region_grows() {
    let place = Place::in_memory();
    let run = || output(ledger(&place.region, &["--allow-tmpfs"]));
    let [first, second] = [run(), run()];
    assert!(stdout(&first).contains("rows imported now: 6000, in all: 6000\naccounts: 660, "), "{first:?}");
    assert!(stdout(&second).contains("rows imported now: 0, in all: 6000\naccounts: 660, "), "{second:?}");
    assert!(stdout(&second).contains("total of their balances: 0.00\n"), "{second:?}");
    let check = output(ledger(&place.region, &["--allow-tmpfs", "--check"]));
    assert!(check.status.success(), "{check:?}");
    assert!(place.size() > Some(NEW));
}

#[test]
fn a_malformed_row_is_named_by_its_line_and_nothing_of_it_is_imported() {
    let start = "date,from,to,amount,reference\nd,Ada,Bob,1.00,r\nd,\"Bob\n\",\"C, D\",2.00,r\n";
    let limit = "d,Ada,Eve,92233720368547757.00,r\n";
    for (row, line, what) in [
        ("d,New,Ada,1.5,r", 5, "`1.5` is not an amount"),
        ("d,New,Ada,1.005,r", 5, "`1.005` is not an amount"),
        ("d,New,Ada,-1.00,r", 5, "`-1.00` is not an amount"),
        ("d,New,Ada,+1.00,r", 5, "`+1.00` is not an amount"),
        ("d,New,Ada,0.00,r", 5, "`0.00` is not an amount"),
        ("d,New,Ada,92233720368547758.08,r", 5, "`92233720368547758.08` is not an amount"),
        ("d,New,Ada,,r", 5, "`` is not an amount"),
        ("d,New,Ada,1.00", 5, "4 fields instead of 5"),
        ("d,New,Ada,1.00,r,s", 5, "6 fields instead of 5"),
        ("d,New,\"Ada,1.00,r", 5, "3 fields instead of 5"),
        ("d,New,New,1.00,r", 5, "two different accounts"),
        ("d,New,,1.00,r", 5, "two different accounts"),
        ("\n\nd,New,,1.00,r", 7, "two different accounts"),
        ("\r\n\r\nd,New,Ada,,r\r\n", 7, "`` is not an amount"),
        (&format!("{limit}d,New,Eve,1.08,r"), 6, "would not fit into 64 bits"),
    ] {
        let place = Place::in_memory();
        // The last row is good, and is not reached.
        std::fs::write(&place.csv, format!("{start}{row}\nd,New,Last,1.00,r\n")).expect("written");
        let expected = format!("{}, line {line}: ", place.csv.display());
        let before = if row.starts_with(limit) { 3 } else { 2 };
        for attempt in [before, 0] {
            let output = place.import();
            assert_eq!(output.status.code(), Some(1), "{output:?}");
            assert!(stderr(&output).starts_with(&expected) && stderr(&output).contains(what), "{output:?}");
            assert!(stdout(&output).contains(&format!("now: {attempt}, in all: {before}")), "{output:?}");
        }
        assert_eq!(place.check(), before);
        assert!(!balances(&place.open()).contains_key("New"));

        // Mended, the file goes on where it stopped.
        let end = if before == 3 { limit } else { "" };
        std::fs::write(&place.csv, format!("{start}{end}d,New,Last,1.00,r\n")).expect("written");
        assert!(place.import().status.success());
        assert_eq!(place.check(), before + 1);
    }
}

#[test]
fn an_import_does_not_go_on_in_another_file() {
    let place = Place::in_memory();
    let mut random = Random::new();
    let transfers = Transfers::random(50, &mut random);
    transfers.write(&place.csv);
    assert!(place.import().status.success());
    for change in [
        |rows: &mut Vec<Transfer>| rows.truncate(49),
        |rows: &mut Vec<Transfer>| rows.clear(),
        |rows: &mut Vec<Transfer>| rows.swap(0, 49),
        |rows: &mut Vec<Transfer>| rows[20].cents += 1,
    ] {
        let mut other = transfers.clone();
        change(&mut other.rows);
        other.write(&place.csv);
        let output = place.import();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(stderr(&output).contains("does not begin with the 50 rows"), "{output:?}");
        assert!(!place.try_check().status.success());
    }
    transfers.write(&place.csv);
    assert_eq!(place.check(), 50);
}

#[test]
fn check_finds_a_balance_that_is_one_cent_off() {
    let place = Place::in_memory();
    let mut random = Random::new();
    let transfers = Transfers::random(50, &mut random);
    transfers.write(&place.csv);
    assert!(place.import().status.success());
    let mut ledger = place.open();
    ledger
        .transact(|tx, root| {
            let account = tx.get(&root.accounts).expect("there are accounts");
            tx.store(&account.balance, tx.load(&account.balance) + 1);
            Ok(())
        })
        .expect("committed");
    drop(ledger);
    let output = place.try_check();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(stderr(&output).starts_with("balance of "), "{output:?}");
}

/// What is in the region, as the example declares it.
#[derive(Persistent)]
#[repr(C)]
struct Ledger {
    accounts: Link<Account>,
    count: Word<u64>,
    rows: Word<u64>,
    checksum: Word<u64>,
}

#[derive(Persistent)]
#[repr(C)]
struct Account {
    hash: u64,
    balance: Word<i64>,
    left: Link<Account>,
    right: Link<Account>,
    name: Link<str>,
}

fn balances(ledger: &Region<Ledger, Auto>) -> BTreeMap<String, i64> {
    let mut all = BTreeMap::new();
    let mut open = vec![&ledger.root().accounts];
    while let Some(slot) = open.pop() {
        if let Some(account) = slot.get() {
            let name = account.name.get().expect("every account has a name");
            assert!(all.insert(name.to_string(), account.balance.get()).is_none(), "{name} is there twice");
            open.extend([&account.left, &account.right]);
        }
    }
    all
}

/// A folder with a CSV file and a ledger.
struct Place {
    folder: TempDir,
    csv: PathBuf,
    region: PathBuf,
    /// The binary logarithm of the time for some rows, in spins of a loop: about.
    spins: usize,
}

/// One run of the example that was killed, unless it was over before.
struct Run {
    status: ExitStatus,
    /// Rows that it acknowledged.
    rows: Vec<usize>,
}

impl Place {
    fn on_disk() -> Self {
        Self::of(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder for the test"), 17)
    }

    fn in_memory() -> Self {
        tempfile::tempdir_in("/dev/shm").map_or_else(|_| Self::on_disk(), |folder| Self::of(folder, 11))
    }

    fn of(folder: TempDir, spins: usize) -> Self {
        let (csv, region) = (folder.path().join("transfers.csv"), folder.path().join("ledger.pm"));
        Place { folder, csv, region, spins }
    }

    fn command(&self, region: &Path, options: &[&str]) -> Command {
        let mut command = ledger(region, options);
        command.arg("--allow-tmpfs").arg(&self.csv);
        command
    }

    fn import(&self) -> Output {
        output(self.command(&self.region, &[]))
    }

    /// Starts an import and kills it a moment after it acknowledged so many rows.
    fn run_and_kill(&self, acknowledgements: usize, random: &mut Random) -> Run {
        // A socket holds fewer unread lines than a pipe: however slow this process is, the child soon waits.
        let (ours, childs) = UnixStream::pair().expect("two ends");
        let mut command = self.command(&self.region, &["--acknowledge"]);
        let mut child = command.stdout(OwnedFd::from(childs)).spawn().expect("the example starts");
        drop(command); // and with it our copy of the child's end
        let mut lines = BufReader::new(ours);
        let mut rows: Vec<usize> = vec![];
        // From next to nothing to some rows' time.
        let limit = 1 << random.below(self.spins);
        let spins = random.below(limit);
        std::thread::scope(|scope| {
            let (tell, told) = mpsc::channel();
            let child = &mut child;
            // A thread of its own: this one has often just taken the CPU from the child, in its `write`.
            scope.spawn(move || {
                let _ = told.recv(); // an error if the import is over
                (0..spins).for_each(|_| std::hint::spin_loop());
                child.kill().expect("killed, or over already");
            });
            let mut line = String::new();
            loop {
                if rows.len() == acknowledgements {
                    let _ = tell.send(());
                }
                line.clear();
                if lines.read_line(&mut line).expect("UTF-8") == 0 {
                    break;
                }
                rows.extend(line.strip_suffix('\n').and_then(|row| row.parse::<usize>().ok()));
            }
        });
        Run { status: child.wait().expect("waited for"), rows }
    }

    fn try_check(&self) -> Output {
        output(self.command(&self.region, &["--check"]))
    }

    /// Rows in the ledger, which must be what their part of the file gives.
    fn check(&self) -> usize {
        checked_rows(&self.try_check())
    }

    /// The same; 0 if the kill came before there was a ledger.
    fn check_if_any(&self) -> usize {
        if self.region.exists() { self.check() } else { 0 }
    }

    /// The same for a copy, so that the ledger stays as the kill left it.
    fn check_copy(&self) -> usize {
        let copy = self.folder.path().join("copy.pm");
        std::fs::copy(&self.region, &copy).expect("copied");
        checked_rows(&output(self.command(&copy, &["--check"])))
    }

    fn size(&self) -> Option<u64> {
        self.region.metadata().ok().map(|metadata| metadata.len())
    }

    fn open(&self) -> Region<Ledger, Auto> {
        let options = Options::new().allow_memory_file_system(MemoryFileSystem::Tmpfs);
        // SAFETY: the folder is this test's own, and no child of it is running.
        unsafe { options.open(&self.region) }.expect("the ledger opens")
    }
}

fn checked_rows(output: &Output) -> usize {
    assert!(output.status.success(), "{output:?}");
    let rows = stdout(output).lines().find_map(|line| line.strip_prefix("rows imported now: 0, in all: "));
    rows.and_then(|rows| rows.parse().ok()).unwrap_or_else(|| panic!("no number of rows: {output:?}"))
}

/// The example with these arguments; on foreign machines through the runner that cargo uses.
fn ledger(region: &Path, options: &[&str]) -> Command {
    let example = example();
    let runner = std::env::var("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER");
    let mut command = match runner {
        Ok(runner) if cfg!(target_arch = "aarch64") && !runner.trim().is_empty() => {
            let mut words = runner.split_whitespace();
            let mut command = Command::new(words.next().expect("not empty"));
            command.args(words).arg(example);
            command
        }
        _ => Command::new(example),
    };
    command.arg("--region").arg(region).args(options);
    command
}

/// `cargo test` builds examples first, `cargo test --test ledger_kill` does not: it must be there, and newer
/// than all that it was made from.
fn example() -> PathBuf {
    let test = std::env::current_exe().expect("the test's own path");
    let example = test.ancestors().nth(2).expect("target/<profile>/deps/<test>").join("examples/ledger");
    let time = |path: &Path| path.metadata().and_then(|metadata| metadata.modified()).ok();
    let made = time(&example)
        .unwrap_or_else(|| panic!("{} is missing: cargo build --example ledger", example.display()));
    let sources = std::fs::read_to_string(example.with_extension("d")).unwrap_or_default();
    let newer = sources.split_whitespace().skip(1).find(|source| time(Path::new(source)) > Some(made));
    if let Some(source) = newer {
        panic!("{} is older than {source}: cargo build --example ledger", example.display());
    }
    example
}

fn output(mut command: Command) -> Output {
    command.output().expect("the example starts")
}

fn stdout(output: &Output) -> &str {
    str::from_utf8(&output.stdout).expect("UTF-8")
}

fn stderr(output: &Output) -> &str {
    str::from_utf8(&output.stderr).expect("UTF-8")
}

#[derive(Clone)]
struct Transfers {
    rows: Vec<Transfer>,
}

#[derive(Clone)]
struct Transfer {
    from: String,
    to: String,
    cents: i64,
}

impl Transfers {
    /// Rows in which new accounts go on to appear, on either side or both.
    fn random(count: usize, random: &mut Random) -> Self {
        let mut this = Transfers { rows: vec![] };
        let name = |number| match number % 4 {
            0 => format!("Jürgen, \"{number}\""),
            _ => format!("account {number}"),
        };
        for row in 0..count {
            let from = random.below(row + 1);
            let to = (from + 1 + random.below(row + 1)) % (row + 2);
            this.push(&name(from), &name(to), random.below(1_000_000) as i64 + 1);
        }
        this
    }

    fn push(&mut self, from: &str, to: &str, cents: i64) {
        self.rows.push(Transfer { from: from.to_string(), to: to.to_string(), cents });
    }

    fn write(&self, path: &Path) {
        let mut csv = csv::Writer::from_path(path).expect("created");
        csv.write_record(["date", "from", "to", "amount", "reference"]).expect("written");
        for (number, Transfer { from, to, cents }) in self.rows.iter().enumerate() {
            let amount = format!("{}.{:02}", cents / 100, cents % 100);
            csv.write_record(["2025-01-01", from, to, &amount, &number.to_string()]).expect("written");
        }
        csv.flush().expect("written");
    }

    fn balances(&self, count: usize) -> BTreeMap<String, i64> {
        let mut all = BTreeMap::new();
        for Transfer { from, to, cents } in &self.rows[..count] {
            *all.entry(from.clone()).or_default() -= cents;
            *all.entry(to.clone()).or_default() += cents;
        }
        all
    }
}

/// SplitMix64. `LEDGER_SEED` repeats the choices of an earlier run, though not the scheduler's.
struct Random(u64);

impl Random {
    fn new() -> Self {
        let given = std::env::var("LEDGER_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or_else(|| RandomState::new().build_hasher().finish());
        println!("LEDGER_SEED={seed}");
        Random(seed)
    }

    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) % limit as u64) as usize
    }
}

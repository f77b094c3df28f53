//! `examples/ledger.rs` as a child process, killed with SIGKILL at random moments: rows that it acknowledged
//! are there, and no row is there in part or twice. Also what it says to files and ledgers that are wrong.

mod place;
mod transfers;

use indelible::medium::Auto;
use indelible::{Link, Persistent, Region, Word};
use place::{Place, ledger, output, stderr, stdout};
use std::collections::BTreeMap;
use transfers::{Transfer, Transfers, chance};

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
    let mut chance = chance();
    let transfers = Transfers::random(count, &mut chance);
    transfers.write(&place.csv);

    let (mut rows, mut hits, mut unacknowledged) = (0, 0, 0);
    while hits < kills {
        if rows == count {
            println!("{count} rows were imported after {hits} kills");
            return false;
        }
        // As many rows per kill as are left; sometimes none, so that creating and opening are hit too.
        let share = 1 + (count - rows) / (kills - hits);
        let acknowledgements = if chance.below(8) == 0 { 0 } else { 1 + chance.below(share) };
        let run = place.run_and_kill(acknowledgements, &mut chance);
        assert!(
            run.rows.iter().copied().eq(rows + 1..=rows + run.rows.len()),
            "rows {:?} after {rows}",
            run.rows
        );
        let acknowledged = rows + run.rows.len();

        // Half of the time recovery is left to the next import, and what is checked is a copy.
        let copy = chance.below(2) == 0 && place.region.exists();
        rows = if copy { place.check_copy() } else { place.check_if_any() };
        let in_flight = rows.checked_sub(acknowledged);
        assert!(matches!(in_flight, Some(0 | 1)), "{acknowledged} rows acknowledged, {rows} in the ledger");
        unacknowledged += in_flight.unwrap_or(0);

        if run.killed && !run.rows.is_empty() && rows < count {
            hits += 1;
        }
    }
    println!("{hits} kills hit, at the last {rows} of {count} rows; {unacknowledged} rows unacknowledged");
    place.import();
    assert_eq!(place.check(), count);
    assert!(place.size() > Some(NEW), "the region grew");

    // Not only by the example's own account.
    let ledger = place.open_copy();
    let plain = transfers.balances(count);
    assert_eq!(ledger.root().rows.get(), count as u64);
    assert_eq!(ledger.root().count.get(), plain.len() as u64);
    assert_eq!(balances(&ledger), plain);
    true
}

#[test]
fn a_kill_while_the_region_grows_loses_nothing() {
    let mut chance = chance();
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
        Transfers { rows: vec![] }.write(&place.csv);
        place.import();
        assert_eq!(place.size(), Some(NEW));
        transfers.write(&place.csv);
        place.run_and_kill(5, &mut chance);
        let rows = place.check();
        hits += usize::from(rows == 5 && place.size() > Some(NEW));
        assert!(rows >= 5, "{rows}");
        place.import();
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
            let output = place.try_import();
            assert_eq!(output.status.code(), Some(1), "{output:?}");
            assert!(stderr(&output).starts_with(&expected) && stderr(&output).contains(what), "{output:?}");
            assert!(stdout(&output).contains(&format!("now: {attempt}, in all: {before}")), "{output:?}");
        }
        assert_eq!(place.check(), before);
        assert!(!balances(&place.open_copy()).contains_key("New"));

        // Mended, the file goes on where it stopped.
        let end = if before == 3 { limit } else { "" };
        std::fs::write(&place.csv, format!("{start}{end}d,New,Last,1.00,r\n")).expect("written");
        place.import();
        assert_eq!(place.check(), before + 1);
    }
}

#[test]
fn an_import_does_not_go_on_in_another_file() {
    let place = Place::in_memory();
    let mut chance = chance();
    let transfers = Transfers::random(50, &mut chance);
    transfers.write(&place.csv);
    place.import();
    for change in [
        |rows: &mut Vec<Transfer>| rows.truncate(49),
        |rows: &mut Vec<Transfer>| rows.clear(),
        |rows: &mut Vec<Transfer>| rows.swap(0, 49),
        |rows: &mut Vec<Transfer>| rows[20].cents += 1,
    ] {
        let mut other = transfers.clone();
        change(&mut other.rows);
        other.write(&place.csv);
        let output = place.try_import();
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
    let mut chance = chance();
    let transfers = Transfers::random(50, &mut chance);
    transfers.write(&place.csv);
    place.import();
    let mut ledger = place.open_copy();
    ledger
        .transact(|tx, root| {
            let account = tx.get(&root.accounts).expect("there are accounts");
            tx.store(&account.balance, tx.load(&account.balance) + 1);
            Ok(())
        })
        .expect("committed");
    ledger.close().expect("closed");
    std::fs::copy(place.copy_path(), &place.region).expect("copied back");
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

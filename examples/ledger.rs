//! An importer that counts every row exactly once, whenever it is killed: it moves money between accounts
//! as a CSV file says, and keeps the accounts and its place in the file in one region. Each row is one
//! transaction, which changes two balances, makes the accounts that aren't there yet, and advances the row
//! counter: so a row is there with all its effects or not at all, and the next run knows where to go on.
//!
//! ```text
//! cargo run --release --example ledger               # imports the bundled file into ledger.pm
//! cargo run --release --example ledger -- --check    # computes everything again in DRAM, and compares
//! ```

use csv::ByteRecord;
use indelible::medium::{Auto, MemoryFileSystem};
use indelible::{Committed, Link, Options, Persistent, Read, Region, Word};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::error::Error;
use std::ffi::OsString;
use std::fmt::{self, Display};
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The root: everything else in the region is reached from here.
#[derive(Persistent, Default)]
#[repr(C)]
struct Ledger {
    accounts: Link<Account>,
    count: Word<u64>,
    /// Rows imported: where the next run goes on.
    rows: Word<u64>,
    /// Of these rows, so that it goes on in the same file only.
    checksum: Word<u64>,
}

/// An account, and a node of the tree of accounts. The tree is ordered by hash (and by name, should two
/// hashes be equal): hashes come in random order, which keeps it flat without ever moving a node.
#[derive(Persistent, Default)]
#[repr(C)]
struct Account {
    hash: u64,
    balance: Word<i64>,
    left: Link<Account>,
    right: Link<Account>,
    name: Link<str>,
}

/// The link that leads to the account of this name, or the empty one where it belongs. `read` is a
/// transaction, or `Committed` outside of one.
fn find<'a>(read: &impl Read<'a>, ledger: &'a Ledger, name: &str) -> &'a Link<Account> {
    let key = (xxh3_64(name.as_bytes()), Some(name));
    let mut slot = &ledger.accounts;
    while let Some(account) = read.get(slot) {
        match key.cmp(&(account.hash, read.get(&account.name))) {
            Ordering::Less => slot = &account.left,
            Ordering::Greater => slot = &account.right,
            Ordering::Equal => break,
        }
    }
    slot
}

/// Imports one row: all of it, or nothing if this answers an error.
fn import(ledger: &mut Region<Ledger, Auto>, row: &Row) -> Result<()> {
    ledger.try_transact(|tx, root| {
        for (name, change) in row.changes() {
            let slot = find(tx, root, name);
            if let Some(account) = tx.get(slot) {
                tx.store(&account.balance, add(tx.load(&account.balance), change)?);
                continue;
            }
            let hash = xxh3_64(name.as_bytes());
            let mut account = tx.alloc(Account { hash, balance: Word::new(change), ..Default::default() })?;
            let name = tx.flush(tx.alloc_str(name)?);
            tx.attach(&mut account, |account| &account.name, name);
            // This fence makes the account and its name durable; before it, `publish` doesn't compile.
            let account = tx.persist(account)?;
            tx.publish(slot, account);
            tx.store(&root.count, tx.load(&root.count) + 1);
        }
        tx.store(&root.rows, tx.load(&root.rows) + 1);
        tx.store(&root.checksum, row.checksum);
        Ok(())
    })
}

/// Imports the rows that the ledger doesn't have yet.
fn import_all(ledger: &mut Region<Ledger, Auto>, input: &Input, acknowledge: bool) -> Result<()> {
    let (done, checksum) = (ledger.root().rows.get(), ledger.root().checksum.get());
    let other_file = || {
        format!(
            "{} does not begin with the {done} rows that this ledger has imported: give the file that \
             they came from, or another --region",
            input.name
        )
    };
    let mut number = 0;
    for row in input.rows()? {
        let row = row?;
        number += 1;
        if number == done && row.checksum != checksum {
            return Err(other_file().into());
        }
        if number > done {
            import(ledger, &row).map_err(|error| input.error(row.at, error))?;
            if acknowledge {
                // The row is durable now, and whoever reads this may rely on it.
                writeln!(io::stdout(), "{number}")?;
                io::stdout().flush()?;
            }
        }
    }
    if number < done { Err(other_file().into()) } else { Ok(()) }
}

/// Compares the ledger with what the same rows give in plain DRAM.
fn check(ledger: &Ledger, input: &Input) -> Result<()> {
    let mut plain = BTreeMap::new();
    let (mut rows, mut checksum) = (0, 0);
    for (_, row) in (0..ledger.rows.get()).zip(input.rows()?) {
        let row = row?;
        for (name, change) in row.changes() {
            let balance = plain.entry(name.to_string()).or_insert(0);
            *balance = add(*balance, change)?;
        }
        rows += 1;
        checksum = row.checksum;
    }
    same("number of rows", ledger.rows.get(), rows)?;
    for (name, &balance) in &plain {
        let account = find(&Committed, ledger, name).get();
        let account = account.ok_or_else(|| format!("the ledger has no account of {name}"))?;
        same(&format!("balance of {name}"), Cents(account.balance.get().into()), Cents(balance.into()))?;
    }
    same("number of accounts", accounts(ledger).count(), plain.len())?;
    same("counter of accounts", ledger.count.get(), plain.len() as u64)?;
    same("checksum of rows", ledger.checksum.get(), checksum)
}

fn same<T: PartialEq + Display>(what: &str, ledger: T, plain: T) -> Result<()> {
    if ledger == plain {
        return Ok(());
    }
    Err(format!("{what}: the ledger has {ledger}, and its rows give {plain}").into())
}

/// All accounts, in no order that means anything.
fn accounts(ledger: &Ledger) -> impl Iterator<Item = &Account> {
    let mut open = vec![&ledger.accounts];
    std::iter::from_fn(move || {
        loop {
            if let Some(account) = open.pop()?.get() {
                open.extend([&account.left, &account.right]);
                return Some(account);
            }
        }
    })
}

fn add(balance: i64, change: i64) -> Result<i64> {
    balance.checked_add(change).ok_or_else(|| "the balance would not fit into 64 bits".into())
}

/// An amount of money, to be printed.
#[derive(PartialEq)]
struct Cents(i128);

impl Display for Cents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, cents) = (if self.0 < 0 { "-" } else { "" }, self.0.unsigned_abs());
        write!(f, "{sign}{}.{:02}", cents / 100, cents % 100)
    }
}

/// The cents of an amount with two decimals.
fn parse_cents(text: &str) -> Option<i64> {
    let (whole, cents) = text.split_once('.')?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(cents) || cents.len() != 2 {
        return None;
    }
    whole.parse::<i64>().ok()?.checked_mul(100)?.checked_add(cents.parse().ok()?)
}

const COLUMNS: [&str; 5] = ["date", "from", "to", "amount", "reference"];

/// A row of the input: so much goes from one account to another.
struct Row {
    from: String,
    to: String,
    cents: i64,
    /// Of this row and all before it.
    checksum: u64,
    /// Where it begins, in bytes.
    at: usize,
}

impl Row {
    fn parse(record: &ByteRecord, at: usize, checksum_before: u64) -> Result<Self> {
        let fields = record.iter().map(str::from_utf8).collect::<std::result::Result<Vec<_>, _>>()?;
        let &[_, from, to, amount, _] = &fields[..] else {
            return Err(format!("{} fields instead of {}", fields.len(), COLUMNS.len()).into());
        };
        if from.is_empty() || to.is_empty() || from == to {
            return Err("a transfer needs two different accounts".into());
        }
        let Some(cents @ 1..) = parse_cents(amount) else {
            return Err(format!("`{amount}` is not an amount such as 12.50").into());
        };
        let checksum = record.iter().fold(checksum_before, |sum, field| xxh3_64_with_seed(field, sum));
        Ok(Row { from: from.to_string(), to: to.to_string(), cents, checksum, at })
    }

    fn changes(&self) -> [(&str, i64); 2] {
        [(&self.from, -self.cents), (&self.to, self.cents)]
    }
}

/// The CSV file, and what to call it in messages.
struct Input {
    name: String,
    bytes: Cow<'static, [u8]>,
}

impl Input {
    fn read(path: Option<PathBuf>) -> Result<Self> {
        let Some(path) = path else {
            let bytes = include_bytes!("data/transfers.csv");
            return Ok(Input { name: "the bundled transfers.csv".to_string(), bytes: bytes.into() });
        };
        let name = path.display().to_string();
        let bytes = std::fs::read(path).map_err(|error| format!("{name}: {error}"))?;
        Ok(Input { name, bytes: bytes.into() })
    }

    fn rows(&self) -> Result<impl Iterator<Item = Result<Row>>> {
        // Flexible: `Row::parse` counts the fields, because only it knows the line.
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(&self.bytes[..]);
        if *reader.byte_headers()? != COLUMNS[..] {
            return Err(self.error(0, format!("the first line must be `{}`", COLUMNS.join(","))));
        }
        let mut checksum = 0;
        Ok(reader.into_byte_records().map(move |record| {
            let record = record?;
            let at = record.position().map_or(0, |position| position.byte() as usize);
            let row = Row::parse(&record, at, checksum).map_err(|error| self.error(at, error))?;
            checksum = row.checksum;
            Ok(row)
        }))
    }

    /// An error in the row that begins at this byte. The reader knows line numbers too, but takes line
    /// breaks before a row (empty lines, the second half of CR LF) for a part of it.
    fn error(&self, at: usize, error: impl Display) -> Box<dyn Error> {
        let breaks = self.bytes[at..].iter().take_while(|byte| b"\r\n".contains(byte)).count();
        let line = 1 + self.bytes[..at + breaks].iter().filter(|&&byte| byte == b'\n').count();
        format!("{}, line {line}: {error}", self.name).into()
    }
}

const USAGE: &str = "\
usage: ledger [--check] [--region PATH] [--acknowledge] [--allow-tmpfs] [FILE]

Imports a CSV file of transfers (the bundled one if no FILE is given), and goes on where it stopped.

  --check        import nothing: compute everything from FILE again, in DRAM, and compare
  --region PATH  where the ledger is kept; ledger.pm in the current directory if not given
  --acknowledge  print the number of each row when it is durable
  --allow-tmpfs  accept a file system that loses its files with the power";

fn run(mut words: impl Iterator<Item = OsString>) -> Result<()> {
    let (mut only_check, mut acknowledge, mut options) = (false, false, Options::new());
    let (mut path, mut file) = (PathBuf::from("ledger.pm"), None);
    while let Some(word) = words.next() {
        match word.to_str() {
            Some("--check") => only_check = true,
            Some("--acknowledge") => acknowledge = true,
            Some("--allow-tmpfs") => options = options.allow_memory_file_system(MemoryFileSystem::Tmpfs),
            Some("--region") => path = words.next().ok_or(USAGE)?.into(),
            Some(option) if option.starts_with('-') => return Err(USAGE.into()),
            _ if file.is_none() => file = Some(PathBuf::from(word)),
            _ => return Err(USAGE.into()),
        }
    }
    let input = Input::read(file)?;
    if only_check && !path.exists() {
        return Err(format!("{}: there is no ledger to check", path.display()).into());
    }
    // It starts small, and grows by itself.
    let len = 64 << 10;
    // SAFETY: nothing else writes or truncates this file while the region is open.
    let mut ledger = unsafe { options.open_or_create::<Ledger, Auto>(&path, len, Ledger::default)? };

    let mut out = io::stdout();
    writeln!(out, "{} on {}", path.display(), ledger.medium())?;
    let before = ledger.root().rows.get();
    let outcome =
        if only_check { check(ledger.root(), &input) } else { import_all(&mut ledger, &input, acknowledge) };
    if let Ok(root) = ledger.try_root() {
        let total = accounts(root).map(|account| i128::from(account.balance.get())).sum();
        writeln!(out, "rows imported now: {}, in all: {}", root.rows.get() - before, root.rows.get())?;
        writeln!(out, "accounts: {}, total of their balances: {}", root.count.get(), Cents(total))?;
    }
    outcome?;
    if only_check {
        writeln!(out, "all as computed from {}", input.name)?;
    }
    Ok(ledger.close()?)
}

fn main() -> ExitCode {
    match run(std::env::args_os().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

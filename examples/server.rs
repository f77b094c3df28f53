//! A bank as a network service: one thread writes, many read, and what arrives while a commit is under way is
//! committed together by the next one (group commit).
//!
//! ```text
//! cargo run --release --example server                          # checks itself, with clients of its own
//! cargo run --release --example server -- bank.pm 127.0.0.1:7070
//! printf 'deposit Ada 500\nmove Ada Bob 200\nbalance Bob\n' | nc -N 127.0.0.1 7070
//! ```
//!
//! An answer `ok …` to `deposit` or `move` is sent when the change is durable, and not before.

use indelible::medium::{Auto, Medium, MemoryFileSystem};
use indelible::{Committed, Error, Link, Options, Persistent, Read, Region, Result, Tx, Word};
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{RwLock, mpsc};
use std::thread;

#[derive(Persistent)]
#[repr(C)]
struct Account {
    balance: Word<i64>,
    name: Link<str>,
    next: Link<Account>,
}

#[derive(Persistent)]
#[repr(C)]
struct Bank {
    accounts: Link<Account>,
}

/// A change that a client asks for.
enum Change {
    Deposit { to: String, cents: i64 },
    Move { from: String, to: String, cents: i64 },
}

/// Why a change is not made. The rest of its batch is.
#[derive(Debug, PartialEq)]
enum Refusal {
    NoSuchAccount,
    NotEnough { balance: i64 },
}

fn find<'a>(read: &impl Read<'a>, bank: &'a Bank, name: &str) -> Option<&'a Account> {
    let mut slot = &bank.accounts;
    while let Some(account) = read.get(slot) {
        if read.get(&account.name) == Some(name) {
            return Some(account);
        }
        slot = &account.next;
    }
    None
}

fn find_or_open<'t, M: Medium>(tx: &Tx<'t, M>, bank: &'t Bank, name: &str) -> Result<&'t Account> {
    if let Some(account) = find(tx, bank, name) {
        return Ok(account);
    }
    let mut account = tx.alloc(Account { balance: Word::new(0), name: Link::null(), next: Link::null() })?;
    let name = tx.flush(tx.alloc_str(name)?);
    tx.attach(&mut account, |account| &account.name, name);
    tx.attach(&mut account, |account| &account.next, tx.take(&bank.accounts));
    tx.stage(&bank.accounts, tx.flush(account));
    Ok(tx.get(&bank.accounts).expect("it was staged just now"))
}

// ANCHOR: apply
/// Applies one change inside a transaction. Everything is checked before anything is stored, so a refusal
/// changes nothing and the others of the batch go on. An `Error` aborts the whole batch.
fn apply<'t, M: Medium>(tx: &Tx<'t, M>, bank: &'t Bank, change: &Change) -> Result<Result<i64, Refusal>> {
    let add = |account: &'t Account, cents: i64| {
        let balance = tx.load(&account.balance) + cents;
        tx.store(&account.balance, balance);
        balance
    };
    Ok(match change {
        Change::Deposit { to, cents } => Ok(add(find_or_open(tx, bank, to)?, *cents)),
        Change::Move { from, to, cents } => match find(tx, bank, from) {
            None => Err(Refusal::NoSuchAccount),
            Some(from) if tx.load(&from.balance) < *cents => {
                Err(Refusal::NotEnough { balance: tx.load(&from.balance) })
            }
            Some(from) => {
                add(find_or_open(tx, bank, to)?, *cents);
                Ok(add(from, -cents))
            }
        },
    })
}
// ANCHOR_END: apply

// ANCHOR: writer
/// A change, and where its outcome is sent when it is durable.
struct Request {
    change: Change,
    reply: mpsc::Sender<Result<Result<i64, Refusal>>>,
}

/// Commits what has arrived, again and again, until nobody can send any more. Answers the number of commits.
fn write_all(bank: &RwLock<Region<Bank, Auto>>, requests: mpsc::Receiver<Request>) -> u64 {
    let mut commits = 0;
    while let Ok(first) = requests.recv() {
        let mut batch = vec![first];
        batch.extend(requests.try_iter().take(99)); // each changes three words at the most
        let mut region = bank.write().expect("no reader or writer panics");
        let outcomes: Result<Vec<_>> = region
            .transact(|tx, bank| batch.iter().map(|request| apply(tx, bank, &request.change)).collect());
        drop(region); // readers may go on
        commits += 1;
        // Durable now, so that it may be told.
        let mut outcomes = outcomes.map_err(|error| error.to_string());
        for (index, request) in batch.into_iter().enumerate() {
            let outcome = match &mut outcomes {
                Ok(outcomes) => Ok(std::mem::replace(&mut outcomes[index], Ok(0))),
                Err(error) => Err(Error::other(error.clone())),
            };
            let _ = request.reply.send(outcome); // a client that has gone needs no answer
        }
    }
    commits
}
// ANCHOR_END: writer

/// Serves one client, line by line.
fn serve(
    client: &TcpStream,
    bank: &RwLock<Region<Bank, Auto>>,
    requests: &mpsc::Sender<Request>,
) -> io::Result<()> {
    let mut out = client;
    for line in BufReader::new(client).lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        let cents = |word: &str| word.parse().ok().filter(|&cents: &i64| (0..1 << 40).contains(&cents));
        let change = match words[..] {
            ["balance", name] => {
                // ANCHOR: reader
                let region = bank.read().expect("no reader or writer panics");
                let balance = find(&Committed, region.root(), name).map(|account| account.balance.get());
                drop(region); // not held while the client is waited for
                // ANCHOR_END: reader
                match balance {
                    Some(balance) => writeln!(out, "ok {balance}")?,
                    None => writeln!(out, "no such account")?,
                }
                continue;
            }
            ["deposit", to, amount] => {
                cents(amount).map(|cents| Change::Deposit { to: to.to_string(), cents })
            }
            ["move", from, to, amount] => {
                cents(amount).map(|cents| Change::Move { from: from.to_string(), to: to.to_string(), cents })
            }
            _ => None,
        };
        let Some(change) = change else {
            writeln!(out, "try: balance NAME | deposit NAME CENTS | move FROM TO CENTS")?;
            continue;
        };
        let (reply, outcome) = mpsc::channel();
        requests.send(Request { change, reply }).expect("the writer outlives its clients");
        match outcome.recv().expect("the writer answers everything") {
            Ok(Ok(balance)) => writeln!(out, "ok {balance}")?,
            Ok(Err(Refusal::NoSuchAccount)) => writeln!(out, "no such account")?,
            Ok(Err(Refusal::NotEnough { balance })) => writeln!(out, "not enough: {balance}")?,
            Err(error) => writeln!(out, "failed: {error}")?,
        }
    }
    Ok(())
}

/// Serves as many clients as are expected, or clients without end.
fn run(path: &Path, options: &Options, listener: &TcpListener, clients: Option<usize>) -> Result<u64> {
    let empty = || Bank { accounts: Link::null() };
    // SAFETY: nothing else writes or truncates this file while the region is open.
    let region = unsafe { options.open_or_create::<Bank, Auto>(path, 1 << 20, empty)? };
    eprintln!("{} on {}", path.display(), region.medium());
    let bank = RwLock::new(region);
    let (sender, requests) = mpsc::channel();
    let commits = thread::scope(|scope| {
        let writer = scope.spawn(|| write_all(&bank, requests));
        for client in listener.incoming().take(clients.unwrap_or(usize::MAX)) {
            let (bank, sender) = (&bank, sender.clone());
            scope.spawn(move || match client {
                Ok(client) => serve(&client, bank, &sender).unwrap_or_else(|error| eprintln!("{error}")),
                Err(error) => eprintln!("{error}"),
            });
        }
        drop(sender); // the writer ends with its last client
        writer.join().expect("the writer does not panic")
    });
    bank.into_inner().expect("no thread panicked").close()?;
    Ok(commits)
}

/// Eight clients at a time move money about; the server is stopped and started in between; none is lost.
fn check() -> Result<()> {
    const CLIENTS: usize = 8;
    const MOVES: usize = 200;
    let folder = tempfile::tempdir().map_err(Error::other)?;
    let path = folder.path().join("bank.pm");
    // It need not survive a power failure: the folder is removed in a moment.
    let options = Options::new().allow_memory_file_system(MemoryFileSystem::Tmpfs);
    let listener = TcpListener::bind("127.0.0.1:0").map_err(Error::other)?;
    let address = listener.local_addr().map_err(Error::other)?;
    let ask = |lines: &str| -> io::Result<Vec<String>> {
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(lines.as_bytes())?;
        stream.shutdown(std::net::Shutdown::Write)?;
        BufReader::new(stream).lines().collect()
    };
    for round in 0..2 {
        thread::scope(|scope| -> Result<()> {
            let server = scope.spawn(|| run(&path, &options, &listener, Some(2 * CLIENTS)));
            let talk = |client: usize| {
                let line = |n: usize| format!("move {client} {} {}\n", (client + n) % CLIENTS, n % 7);
                let deposit = if round == 0 { format!("deposit {client} 1000\n") } else { String::new() };
                ask(&(deposit + &(0..MOVES).map(line).collect::<String>())).map(|answers| answers.len())
            };
            let clients: Vec<_> = (0..CLIENTS).map(|client| scope.spawn(move || talk(client))).collect();
            for client in clients {
                let answers = client.join().expect("no client panics").map_err(Error::other)?;
                assert_eq!(answers, MOVES + usize::from(round == 0));
            }
            let mut total = 0;
            for client in 0..CLIENTS {
                let answer = ask(&format!("balance {client}\n")).map_err(Error::other)?;
                total += answer[0].strip_prefix("ok ").expect("a balance").parse::<i64>().expect("a number");
            }
            assert_eq!(total, 1000 * CLIENTS as i64, "money is neither made nor lost");
            let commits = server.join().expect("the server does not panic")?;
            println!("round {round}: {} changes in {commits} commits, {total} cents", CLIENTS * MOVES);
            Ok(())
        })?;
    }
    Ok(())
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments[..] {
        [] => check(),
        [path, address] => {
            let listener = TcpListener::bind(address).map_err(Error::other)?;
            run(Path::new(path), &Options::new(), &listener, None).map(drop)
        }
        _ => Err(Error::other("usage: server [REGION ADDRESS]")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_changes_nothing_and_the_batch_goes_on() {
        let mut bank = Region::new(1 << 20, Bank { accounts: Link::null() }).unwrap();
        let change = |from: &str, to: &str, cents| Change::Move { from: from.into(), to: to.into(), cents };
        let batch = [
            Change::Deposit { to: "Ada".into(), cents: 100 },
            change("Ada", "Bob", 101),
            change("Eve", "Bob", 1),
            change("Ada", "Bob", 60),
        ];
        let outcomes: Vec<_> =
            bank.transact(|tx, bank| batch.iter().map(|change| apply(tx, bank, change)).collect()).unwrap();
        let expected =
            [Ok(100), Err(Refusal::NotEnough { balance: 100 }), Err(Refusal::NoSuchAccount), Ok(40)];
        assert_eq!(outcomes, expected);
        let balance = |name| find(&Committed, bank.root(), name).map(|account| account.balance.get());
        assert_eq!([balance("Ada"), balance("Bob"), balance("Eve")], [Some(40), Some(60), None]);
    }

    #[test]
    fn the_example_runs() {
        check().unwrap();
    }
}

//! A crash test: a shop's program with a real mistake, what the power-failure explorer says about it, and the
//! program without the mistake. The book's chapter on testing is about this file.
//!
//! ```text
//! cargo run --example crash_test               # shows the reports; fails if one is not as it should be
//! cargo run --example crash_test -- --bless    # writes what the book shows of them
//! ```

use std::path::{Path, PathBuf};

// ANCHOR: types
use indelible::medium::Writable;
use indelible::power::{Explorer, Failure, History, Log, Model, Recorder, Report};
use indelible::{Link, Persistent, Region, Result, Word};

/// What a shop has, and what it has sold.
#[derive(Persistent)]
#[repr(C)]
struct Shop {
    stock: Word<u64>,
    orders: Link<Order>,
}

#[derive(Persistent)]
#[repr(C)]
struct Order {
    number: u64,
    quantity: u64,
    customer: Link<str>,
    next: Link<Order>,
}

impl Shop {
    fn new(stock: u64) -> Self {
        Shop { stock: Word::new(stock), orders: Link::null() }
    }
}

impl Order {
    fn new(number: u64, quantity: u64) -> Self {
        Order { number, quantity, customer: Link::null(), next: Link::null() }
    }
}
// ANCHOR_END: types

// ANCHOR: wrong
fn order_wrong<M: Writable>(shop: &mut Region<Shop, M>, number: u64, quantity: u64) -> Result<()> {
    // The goods leave the shelf...
    shop.transact(|tx, shop| {
        tx.store(&shop.stock, shop.stock.get() - quantity);
        Ok(())
    })?;
    // ...and the order is written down.
    shop.transact(|tx, shop| {
        let mut order = tx.alloc(Order::new(number, quantity))?;
        let customer = tx.alloc_str("a customer")?;
        tx.attach(&mut order, |order| &order.customer, tx.flush(customer));
        tx.attach(&mut order, |order| &order.next, tx.take(&shop.orders));
        tx.publish(&shop.orders, tx.persist(order)?);
        Ok(())
    })
}
// ANCHOR_END: wrong

// ANCHOR: right
fn order<M: Writable>(shop: &mut Region<Shop, M>, number: u64, quantity: u64) -> Result<()> {
    shop.transact(|tx, shop| {
        tx.store(&shop.stock, shop.stock.get() - quantity);
        let mut order = tx.alloc(Order::new(number, quantity))?;
        let customer = tx.alloc_str("a customer")?;
        tx.attach(&mut order, |order| &order.customer, tx.flush(customer));
        tx.attach(&mut order, |order| &order.next, tx.take(&shop.orders));
        tx.publish(&shop.orders, tx.persist(order)?);
        Ok(())
    })
}
// ANCHOR_END: right

// ANCHOR: slow
fn order_slow<M: Writable>(shop: &mut Region<Shop, M>, number: u64, quantity: u64) -> Result<()> {
    shop.transact(|tx, shop| {
        tx.store(&shop.stock, shop.stock.get() - quantity);
        let customer = tx.persist(tx.alloc_str("a customer")?)?;
        let mut order = tx.alloc(Order::new(number, quantity))?;
        tx.attach(&mut order, |order| &order.customer, customer);
        tx.attach(&mut order, |order| &order.next, tx.take(&shop.orders));
        tx.publish(&shop.orders, tx.persist(order)?);
        Ok(())
    })
}
// ANCHOR_END: slow

// ANCHOR: check
/// What must hold after every crash. `History` knows which orders were begun, and which acknowledged.
fn check(shop: &Shop, history: &History<u64>) {
    let mut numbers = Vec::new();
    let mut ordered = 0;
    let mut link = &shop.orders;
    while let Some(order) = link.get() {
        assert_eq!(order.customer.get(), Some("a customer"));
        numbers.push(order.number);
        ordered += order.quantity;
        link = &order.next;
    }
    assert_eq!(shop.stock.get() + ordered, 10, "goods are on the shelf or in an order");
    for number in history.acknowledged() {
        assert!(numbers.contains(number), "order {number} was acknowledged and is missing");
    }
    for number in numbers {
        assert!(history.begun().contains(&number), "nobody ordered {number}");
    }
}
// ANCHOR_END: check

// ANCHOR: explorer
type PlaceOrder = fn(&mut Region<Shop, Recorder>, u64, u64) -> Result<()>;

/// Two orders, of two and three pieces.
fn explorer(order: PlaceOrder) -> Explorer<Shop, u64> {
    let workload = move |shop: &mut Region<Shop, Recorder>, log: &Log<u64>| {
        for number in 1..=2 {
            log.begin(number);
            order(shop, number, number + 1)?;
            log.acknowledge();
        }
        Ok(())
    };
    Explorer::new(|| Shop::new(10), workload, check)
}
// ANCHOR_END: explorer

// ANCHOR: going_on
/// The same, and after every recovery a customer comes who buys what is left.
fn going_on(order: PlaceOrder) -> Explorer<Shop, u64> {
    explorer(order).then(move |shop, log| {
        let left = shop.root().stock.get();
        let number = log.count() as u64 + 1;
        log.begin(number);
        order(shop, number, left)
    })
}
// ANCHOR_END: going_on

// ANCHOR: models
fn on_other_hardware(order: PlaceOrder) -> Vec<Report> {
    [Model::Word8, Model::X86, Model::Eadr].map(|model| explorer(order).model(model).run()).into()
}
// ANCHOR_END: models

/// What the book shows: the file, and its text.
fn book() -> [(&'static str, String); 5] {
    // With one thread, so that the numbers of crash points and images are always the same.
    let wrong = explorer(order_wrong).threads(1).run();
    let right = explorer(order).run();
    assert!(wrong.failure().is_some(), "the explorer finds the mistake");
    assert!(right.is_exhaustive(), "and none in the corrected program: {right}");
    let slow = explorer(order_slow).mutants();
    let fast = explorer(order).mutants();
    assert!(slow.redundant().next().is_some() && fast.redundant().next().is_none());
    [
        ("generated/crash_test_report.txt", format!("{wrong:#}\n")),
        ("generated/crash_test_right.txt", format!("{right:#}\n")),
        ("generated/crash_test_slow.txt", format!("{slow}\n")),
        ("generated/crash_test_fast.txt", format!("{fast}\n")),
        ("img/crash_test.svg", wrong.svg()),
    ]
}

fn path(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("book/src").join(file)
}

fn main() -> std::io::Result<()> {
    let bless = std::env::args().any(|argument| argument == "--bless");
    for (file, text) in book() {
        if bless {
            let path = path(file);
            std::fs::create_dir_all(path.parent().expect("a folder in the book"))?;
            std::fs::write(path, text)?;
        } else if file.ends_with(".txt") {
            println!("{text}");
        }
    }
    for report in on_other_hardware(order).into_iter().chain([going_on(order).run()]) {
        assert!(report.is_exhaustive(), "{report}");
    }
    let report = explorer(order_wrong).run();
    let again = replay(&report).expect("it goes wrong again");
    assert_eq!(Some(again.message()), report.failure().map(Failure::message));
    Ok(())
}

// ANCHOR: replay
fn replay(report: &Report) -> Option<Failure> {
    let seed = report.failure()?.seed();
    explorer(order_wrong).replay(&seed)
}
// ANCHOR_END: replay

// ANCHOR: test
#[test]
fn no_crash_breaks_the_shop() {
    let report = explorer(order).run().assert();
    assert!(report.is_exhaustive(), "{report}");
}
// ANCHOR_END: test

// ANCHOR: mutants
#[test]
fn the_check_notices_what_is_left_out() {
    let mutants = explorer(order).mutants();
    assert!(mutants.redundant().next().is_none(), "{mutants}");
    assert!(mutants.unchecked().next().is_none(), "{mutants}");
}
// ANCHOR_END: mutants

#[test]
fn nor_one_after_recovery() {
    assert!(going_on(order).run().assert().is_exhaustive());
    assert!(going_on(order_wrong).run().failure().is_some());
}

// ANCHOR: proptest
#[cfg(test)]
proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(16))]
    #[test]
    fn no_crash_breaks_any_shop(quantities in proptest::collection::vec(0_u64..=2, 0..5)) {
        let workload = move |shop: &mut Region<Shop, Recorder>, log: &Log<u64>| {
            for (number, &quantity) in (1..).zip(&quantities) {
                log.begin(number);
                order(shop, number, quantity)?;
                log.acknowledge();
            }
            Ok(())
        };
        let _ = Explorer::new(|| Shop::new(10), workload, check).progress(false).run().assert();
    }
}
// ANCHOR_END: proptest

#[test]
fn the_book_shows_what_the_explorer_says() {
    for (file, text) in book() {
        let shown = std::fs::read_to_string(path(file)).unwrap_or_default();
        assert!(shown == text, "{file} is out of date: cargo run --example crash_test -- --bless\n{text}");
    }
}

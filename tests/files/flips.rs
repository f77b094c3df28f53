//! Every byte of a small rich region is changed, and the file cut off at every 8 bytes; each time it is
//! opened for real. What must come of it is known beforehand, from a map of the file that is made from its
//! contents:
//!
//! - *protected* (header, schema, block headers; the end of the file): an error that names a place;
//! - *links*, *words* and plain values that not every byte pattern is a value of (`bool`, `char`, enums, the
//!   zeros above a small word, text): such an error, or the changed value in that field. A link's word has no
//!   checksum: changed, it may read as null, or lead to an object of its type that nothing else owns then:
//!   one that was freed, or one further down the way that it led before;
//! - *payload* (integers): the changed value, in exactly that field;
//! - *journal*: as committed, or as it was before the last transaction. A damaged record can't be told from
//!   one that was never written whole, which is what its checksum is for;
//! - everything else: as committed.
//!
//! In a short run there are fewer values for each byte, and fewer lengths.
//!
//! No outcome is a panic, and a file that is refused keeps every byte. The table of outcomes is printed:
//! `cargo test --test flips -- --nocapture`.

use indelible::medium::{MemoryFileSystem, PageCache};
use indelible::{Error, Link, Options, Persistent, Region, Result, Word};
use indelible_test_support::folder;
use indelible_test_support::image::{self, Image};
use indelible_test_support::long::{is_long, short_or};
use std::collections::BTreeMap;
use std::os::unix::fs::FileExt;
use std::path::Path;

#[derive(Persistent, Clone, Copy, Debug, PartialEq)]
#[repr(u8)]
enum Colour {
    Red = 1,
    Green = 2,
    Blue = 4,
}

#[derive(Persistent)]
#[repr(u64)]
enum Shape {
    Circle(u64) = 1,
    Square(Link<str>) = 2,
    Empty(u64) = 3,
}

#[derive(Persistent)]
#[repr(C)]
struct Item {
    id: u64,
    balance: Word<i64>,
    next: Link<Item>,
    name: Link<str>,
}

#[derive(Persistent)]
#[repr(C)]
struct Tree {
    key: u64,
    left: Link<Tree>,
    right: Link<Tree>,
}

#[derive(Persistent)]
#[repr(C)]
struct Root {
    list: Link<Item>,
    tree: Link<Tree>,
    shapes: Link<[Shape]>,
    numbers: Link<[u32]>,
    count: Word<u64>,
    small: Word<u16>,
    frozen: Word<bool>,
    letter: Word<char>,
    colour: Word<Colour>,
    pair: [Word<u32>; 2],
    plain: u64,
    initial: char,
    hue: Colour,
    on: bool,
    bytes: [u8; 2],
}

const LEN: u64 = 44 << 10;

fn options() -> Options {
    Options::new().journal_words(6).max_len(1 << 20).allow_memory_file_system(MemoryFileSystem::Tmpfs)
}

fn open(path: &Path) -> Result<Region<Root, PageCache>> {
    // SAFETY: the file is the test's own.
    unsafe { options().open(path) }
}

/// A region in which something was freed too.
fn build(path: &Path) -> Result<Region<Root, PageCache>> {
    let root = Root {
        list: Link::null(),
        tree: Link::null(),
        shapes: Link::null(),
        numbers: Link::null(),
        count: Word::new(3),
        small: Word::new(0x1234),
        frozen: Word::new(false),
        letter: Word::new('ß'),
        colour: Word::new(Colour::Green),
        pair: [Word::new(7), Word::new(8)],
        plain: 0x0102_0304_0506_0708,
        initial: 'Q',
        hue: Colour::Blue,
        on: true,
        bytes: [1, 2],
    };
    // SAFETY: as above.
    let mut region: Region<Root, PageCache> = unsafe { options().create(path, LEN, root)? };
    region.transact(|tx, root| {
        let mut names = ["Lorenzo", "Giuliano", "a freed one", "Cosimo"].into_iter();
        let mut next = None;
        for id in 0..4 {
            let mut item =
                tx.alloc(Item { id, balance: Word::new(100), next: Link::null(), name: Link::null() })?;
            let name = tx.flush(tx.alloc_str(names.next().unwrap())?);
            tx.attach(&mut item, |item| &item.name, name);
            tx.attach(&mut item, |item| &item.next, next);
            next = Some(tx.flush(item));
        }
        tx.stage(&root.list, next);

        let leaf =
            |key| tx.alloc(Tree { key, left: Link::null(), right: Link::null() }).map(|leaf| tx.flush(leaf));
        let mut tree = tx.alloc(Tree { key: 50, left: Link::null(), right: Link::null() })?;
        let mut left = tx.alloc(Tree { key: 25, left: Link::null(), right: Link::null() })?;
        tx.attach(&mut left, |tree| &tree.right, leaf(30)?);
        tx.attach(&mut tree, |tree| &tree.left, tx.flush(left));
        tx.attach(&mut tree, |tree| &tree.right, leaf(75)?);
        tx.stage(&root.tree, tx.flush(tree));

        let mut shapes = tx.alloc_slice_with(3, |i| match i {
            0 => Shape::Circle(9),
            1 => Shape::Square(Link::null()),
            _ => Shape::Empty(11),
        })?;
        let text = tx.flush(tx.alloc_str("a square's text, grüßend")?);
        tx.attach(
            &mut shapes,
            |shapes| match &shapes[1] {
                Shape::Square(link) => link,
                _ => unreachable!("made above"),
            },
            text,
        );
        tx.stage(&root.shapes, tx.flush(shapes));
        let numbers = tx.alloc_slice(&[3_u32; 300])?;
        tx.stage(&root.numbers, tx.flush(numbers));
        Ok(())
    })?;
    // The second item goes, with its name.
    region.transact(|tx, root| {
        let first = root.list.get().expect("it is there");
        let second = tx.take(&first.next).expect("it is there");
        tx.publish(&first.next, tx.take(&second.get().next));
        tx.free(second);
        Ok(())
    })?;
    Ok(region)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Header,
    Schema,
    Retired,
    Slots,
    BlockHeader,
    Link,
    Word,
    /// Plain values that not every pattern is one of.
    Checked,
    Payload,
    Unreached,
    Unused,
    Truncated,
}

/// A field of a reachable object: its path, where it lies, its bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Entry {
    path: String,
    at: usize,
    bytes: Vec<u8>,
    part: Part,
    /// Bytes of a word in which any value is one.
    any: usize,
}

/// Everything that the root reaches.
struct Dump {
    base: usize,
    entries: Vec<Entry>,
    objects: Vec<usize>,
}

impl Dump {
    fn of(region: &Region<Root, PageCache>, root_at: usize) -> Self {
        let root = region.root();
        let mut dump = Dump {
            base: std::ptr::from_ref(root).addr() - root_at,
            entries: Vec::new(),
            objects: Vec::new(),
        };
        dump.objects.push(root_at);
        dump.list("root.list", &root.list);
        dump.tree("root.tree", &root.tree);
        if let Some(shapes) = dump.link("root.shapes", &root.shapes) {
            for (i, shape) in shapes.iter().enumerate() {
                let path = format!("root.shapes[{i}]");
                // The tag, then what is behind it.
                let at = std::ptr::from_ref(shape).addr() - dump.base;
                let mut tag = |tag: u64| {
                    dump.push(format!("{path}.tag"), at, &tag.to_le_bytes(), Part::Checked, 0);
                };
                match shape {
                    Shape::Circle(value) => {
                        tag(1);
                        dump.plain(format!("{path}.0"), value, &value.to_le_bytes());
                    }
                    Shape::Empty(value) => {
                        tag(3);
                        dump.plain(format!("{path}.0"), value, &value.to_le_bytes());
                    }
                    Shape::Square(link) => {
                        tag(2);
                        dump.text(&format!("{path}.0"), link);
                    }
                }
            }
        }
        if let Some(numbers) = dump.link("root.numbers", &root.numbers) {
            let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
            dump.plain("root.numbers[..]".into(), &numbers[0], &bytes);
        }
        dump.word("root.count", &root.count, root.count.get(), 8);
        dump.word("root.small", &root.small, u64::from(root.small.get()), 2);
        dump.word("root.frozen", &root.frozen, u64::from(root.frozen.get()), 0);
        dump.word("root.letter", &root.letter, u64::from(u32::from(root.letter.get())), 0);
        dump.word("root.colour", &root.colour, root.colour.get() as u64, 0);
        dump.word("root.pair[0]", &root.pair[0], u64::from(root.pair[0].get()), 4);
        dump.word("root.pair[1]", &root.pair[1], u64::from(root.pair[1].get()), 4);
        dump.plain("root.plain".into(), &root.plain, &root.plain.to_le_bytes());
        let at = |of: usize| of - dump.base;
        let (initial, hue, on) = (
            at(std::ptr::from_ref(&root.initial).addr()),
            at(std::ptr::from_ref(&root.hue).addr()),
            at(std::ptr::from_ref(&root.on).addr()),
        );
        dump.push("root.initial".into(), initial, &u32::from(root.initial).to_le_bytes(), Part::Checked, 0);
        dump.push("root.hue".into(), hue, &[root.hue as u8], Part::Checked, 0);
        dump.push("root.on".into(), on, &[u8::from(root.on)], Part::Checked, 0);
        dump.plain("root.bytes".into(), &root.bytes, &root.bytes);
        dump
    }

    fn push(&mut self, path: String, at: usize, bytes: &[u8], part: Part, any: usize) {
        self.entries.push(Entry { path, at, bytes: bytes.to_vec(), part, any });
    }

    fn plain<T>(&mut self, path: String, field: &T, bytes: &[u8]) {
        self.push(path, std::ptr::from_ref(field).addr() - self.base, bytes, Part::Payload, bytes.len());
    }

    fn word<T>(&mut self, path: &str, word: &Word<T>, value: u64, any: usize) {
        let at = std::ptr::from_ref(word).addr() - self.base;
        self.push(path.into(), at, &value.to_le_bytes(), Part::Word, any);
    }

    fn link<'a, T: ?Sized + indelible::Target>(&mut self, path: &str, link: &'a Link<T>) -> Option<&'a T> {
        let slot = std::ptr::from_ref(link).addr();
        let target = link.get();
        let to = target.map(|target| std::ptr::from_ref(target).cast::<u8>().addr());
        let offset = to.map_or(0, |to| to.wrapping_sub(slot) as u64);
        self.push(path.into(), slot - self.base, &offset.to_le_bytes(), Part::Link, 0);
        self.objects.extend(to.map(|to| to - self.base));
        target
    }

    fn text(&mut self, path: &str, link: &Link<str>) {
        if let Some(text) = self.link(path, link) {
            let at = text.as_ptr().addr() - self.base;
            self.push(format!("{path}.text"), at, text.as_bytes(), Part::Checked, 0);
        }
    }

    fn list(&mut self, path: &str, link: &Link<Item>) {
        if let Some(item) = self.link(path, link) {
            self.plain(format!("{path}.id"), &item.id, &item.id.to_le_bytes());
            self.word(&format!("{path}.balance"), &item.balance, item.balance.get() as u64, 8);
            self.text(&format!("{path}.name"), &item.name);
            self.list(&format!("{path}.next"), &item.next);
        }
    }

    fn tree(&mut self, path: &str, link: &Link<Tree>) {
        if let Some(tree) = self.link(path, link) {
            self.plain(format!("{path}.key"), &tree.key, &tree.key.to_le_bytes());
            self.tree(&format!("{path}.left"), &tree.left);
            self.tree(&format!("{path}.right"), &tree.right);
        }
    }

    fn at(&self, at: usize) -> Option<&Entry> {
        self.entries.iter().find(|entry| (entry.at..entry.at + entry.bytes.len()).contains(&at))
    }
}

/// What was found when a damaged file was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Refused,
    AsCommitted,
    BeforeTheLast,
    ChangedValue,
    ChangedLink,
}

/// How often a change of this part had this outcome.
type Table = BTreeMap<(Part, Outcome), usize>;

struct Variant {
    name: &'static str,
    image: Image,
    committed: Dump,
    /// Contents without the outstanding record.
    before: Dump,
    /// Words that the record says the value of.
    journaled: Vec<usize>,
    parts: Vec<Part>,
}

impl Variant {
    fn new(name: &'static str, image: Image, before: &Image, path: &Path) -> Self {
        let dump = |image: &Image| {
            image.write(path);
            Dump::of(&open(path).expect("a good region opens"), image.root())
        };
        let (before, committed) = (dump(before), dump(&image));
        let mut parts = vec![Part::Unused; image.0.len()];
        let mut mark = |range: std::ops::Range<usize>, part| parts[range].fill(part);
        mark(0..image::CHECKSUM + 8, Part::Header);
        mark(image::SCHEMA..image::SCHEMA + image.word(image::SCHEMA_LEN) as usize, Part::Schema);
        mark(image.retired()..image.retired() + 8, Part::Retired);
        mark(image.slot(0)..image.slot(2), Part::Slots);
        mark(image.heap()..image.0.len(), Part::Unreached);
        for &at in &committed.objects {
            mark(at - 16..at, Part::BlockHeader);
        }
        for entry in &committed.entries {
            mark(entry.at..entry.at + entry.bytes.len(), entry.part);
        }
        let journaled =
            match image.word(image.retired()) < image.word(image.slot(0)).max(image.word(image.slot(1))) {
                true => {
                    let record = image.outstanding();
                    (0..image.word(record + 8) as usize)
                        .map(|i| image.word(Image::entry(record, i)) as usize)
                        .collect()
                }
                false => Vec::new(),
            };
        Variant { name, image, committed, before, journaled, parts }
    }

    /// Writes the file, opens it, and says what came of it; panics if that is not what may come of it.
    fn try_case(
        &self,
        path: &Path,
        file: &std::fs::File,
        at: usize,
        damaged: &[u8],
        part: Part,
        what: &str,
    ) -> Outcome {
        let case = || format!("{}: {part:?} {what}", self.name);
        match open(path) {
            Err(error) => {
                assert!(
                    matches!(
                        error,
                        Error::Damaged { .. }
                            | Error::Truncated { .. }
                            | Error::NotARegion { .. }
                            | Error::NewerFormat { .. }
                            | Error::TooSmall { .. }
                    ),
                    "{}: {error:?}",
                    case()
                );
                let mut now = vec![0; damaged.len() + 1];
                let len = file.read_at(&mut now, 0).expect("the test's own file");
                assert!(now[..len] == *damaged, "{}: the file was changed by {error}", case());
                Outcome::Refused
            }
            Ok(region) => {
                let dump = Dump::of(&region, self.image.root());
                drop(region);
                if dump.entries == self.committed.entries {
                    return Outcome::AsCommitted;
                }
                if dump.entries == self.before.entries {
                    return Outcome::BeforeTheLast;
                }
                let entry = self.committed.at(at).unwrap_or_else(|| panic!("{}: contents changed", case()));
                let mut expected = entry.clone();
                expected.bytes[at - entry.at] = damaged[at];
                let changed = dump.entries.iter().find(|other| other.path == entry.path);
                assert_eq!(changed, Some(&expected), "{}", case());
                // Nothing else may differ, but for what a link led to and leads to.
                let tagged = entry.path.strip_suffix(".tag");
                let below = |other: &&Entry| match (part, tagged) {
                    (Part::Link, _) => !other.path.starts_with(&entry.path),
                    (_, Some(shape)) => !other.path.starts_with(shape),
                    _ => true,
                };
                let beside = |other: &&Entry| other.path != entry.path;
                let rest = |dump: &Dump| -> Vec<Entry> {
                    dump.entries.iter().filter(beside).filter(below).cloned().collect()
                };
                assert!(rest(&dump) == rest(&self.committed), "{}: something else changed", case());
                match part {
                    Part::Link => {
                        // What it leads to has no other owner.
                        let mut objects = dump.objects.clone();
                        objects.sort_unstable();
                        assert!(objects.is_sorted_by(|a, b| a < b), "{}: a second owner", case());
                        Outcome::ChangedLink
                    }
                    _ => Outcome::ChangedValue,
                }
            }
        }
    }

    /// Whether this outcome may be, for a change of the byte at `at`.
    fn check(&self, at: usize, part: Part, outcome: Outcome, what: &str) {
        use Outcome::*;
        let journaled = self.journaled.iter().any(|&word| (word..word + 8).contains(&at));
        let outstanding = !self.journaled.is_empty();
        let good = match part {
            Part::Header | Part::Schema | Part::BlockHeader => outcome == Refused,
            Part::Retired | Part::Slots => match outcome {
                Refused | AsCommitted => true,
                BeforeTheLast => outstanding,
                _ => false,
            },
            // What a record is about to overwrite counts for nothing.
            Part::Link | Part::Word if journaled => outcome == AsCommitted,
            Part::Link => matches!(outcome, Refused | ChangedLink),
            Part::Word => {
                let entry = self.committed.at(at).expect("a word");
                match at - entry.at < entry.any {
                    true => outcome == ChangedValue,
                    false => outcome == Refused || entry.any == 0 && outcome == ChangedValue,
                }
            }
            Part::Checked => matches!(outcome, Refused | ChangedValue),
            Part::Payload => outcome == ChangedValue,
            Part::Unreached | Part::Unused => outcome == AsCommitted,
            Part::Truncated => matches!(outcome, Refused | AsCommitted),
        };
        assert!(good, "{}: {part:?} {what}: {outcome:?}", self.name);
    }

    /// Changes the bytes in `range`, and cuts the file off there.
    fn run(&self, range: std::ops::Range<usize>, path: &Path) -> Table {
        let mut table = Table::new();
        self.image.write(path);
        let file = std::fs::File::options().read(true).write(true).open(path).expect("ours");
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        let mut damaged = self.image.0.clone();
        for at in range.clone() {
            let (part, byte) = (self.parts[at], self.image.0[at]);
            // A journal makes no difference for what it can't refer to.
            if matches!(part, Part::Unreached | Part::Unused) && !self.journaled.is_empty() {
                continue;
            }
            let mut values: Vec<u8> = match part {
                Part::Header | Part::Retired | Part::Slots if is_long() => (0..=255).collect(),
                _ => {
                    random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    let flips = [0, 7, 2, 5, 1, 3, 4, 6].map(|bit| byte ^ 1 << bit);
                    let mut values = Vec::new();
                    for value in [0, 0xff, random.to_be_bytes()[0]].into_iter().chain(flips) {
                        if value != byte && !values.contains(&value) && values.len() < short_or(2, 8) {
                            values.push(value);
                        }
                    }
                    values
                }
            };
            values.retain(|&value| value != byte);
            assert!(values.len() >= short_or(2, 8), "{values:?} for {byte}");
            for value in values {
                damaged[at] = value;
                file.write_all_at(&damaged[at..=at], at as u64).expect("ours");
                let what = format!("byte {at:#x} from {byte:#04x} to {value:#04x}");
                let outcome = self.try_case(path, &file, at, &damaged, part, &what);
                self.check(at, part, outcome, &what);
                *table.entry((part, outcome)).or_default() += 1;
                match outcome {
                    Outcome::Refused => file.write_all_at(&[byte], at as u64).expect("ours"),
                    _ => file.write_all_at(&self.image.0, 0).expect("ours"),
                }
            }
            damaged[at] = byte;
        }
        for len in range.step_by(short_or(64, 8)) {
            let cut = &self.image.0[..len];
            self.image.write(path);
            file.set_len(len as u64).expect("ours");
            let what = format!("to {len} bytes");
            let outcome = self.try_case(path, &file, len, cut, Part::Truncated, &what);
            let reached = self.parts.iter().rposition(|&part| part != Part::Unreached).expect("parts");
            assert!(outcome == Outcome::Refused || len > reached, "{}: {what}", self.name);
            self.check(len, Part::Truncated, outcome, &what);
            *table.entry((Part::Truncated, outcome)).or_default() += 1;
        }
        table
    }
}

#[test]
fn every_byte_is_protected_or_shows_its_change_in_its_own_field() {
    let folder = folder::in_memory();
    let path = folder.path().join("built");
    let region = build(&path).expect("a good region");
    region.close().expect("closed");
    // An open retires the records of before: what they hold is stored again otherwise, whatever was flipped there.
    open(&path).and_then(Region::close).expect("good");
    let closed = Image::read(&path);

    // A killed process: a record of three words, which were not applied.
    let mut region = open(&path).expect("good");
    let before = Image::read(&path);
    region
        .transact(|tx, root| {
            tx.store(&root.count, 33);
            tx.store(&root.frozen, true);
            tx.free(tx.take(&root.tree.get().expect("a tree").right));
            Ok(())
        })
        .expect("room");
    let mut killed = Image::read(&path);
    drop(region);
    let record = killed.outstanding();
    for i in 0..killed.word(record + 8) as usize {
        let at = killed.word(Image::entry(record, i)) as usize;
        killed.set(at, before.word(at));
    }

    let variants = [
        Variant::new("closed", closed.clone(), &closed, &folder.path().join("closed")),
        Variant::new("killed", killed, &before, &folder.path().join("killed")),
    ];
    assert_eq!(variants[1].journaled.len(), 3);
    let tables: Vec<Table> = std::thread::scope(|scope| {
        let threads: Vec<_> = variants
            .iter()
            .flat_map(|variant| {
                let len = variant.image.0.len();
                let middle = (len / 2) & !7;
                [(variant, 0..middle), (variant, middle..len)]
            })
            .enumerate()
            .map(|(number, (variant, range))| {
                let path = folder.path().join(number.to_string());
                scope.spawn(move || variant.run(range, &path))
            })
            .collect();
        let halves: Vec<Table> = threads.into_iter().map(|thread| thread.join().expect("no panic")).collect();
        halves
            .chunks(2)
            .map(|halves| {
                let mut table = halves[0].clone();
                for (&key, count) in &halves[1] {
                    *table.entry(key).or_default() += count;
                }
                table
            })
            .collect()
    });
    for (variant, table) in variants.iter().zip(&tables) {
        println!("{} ({} bytes)", variant.name, variant.image.0.len());
        println!(
            "  {:<12} {:>8} {:>13} {:>15} {:>13} {:>12}",
            "part", "refused", "as committed", "before the last", "changed value", "changed link"
        );
        let mut parts: Vec<Part> = table.keys().map(|&(part, _)| part).collect();
        parts.dedup();
        for part in parts {
            let count = |outcome| table.get(&(part, outcome)).copied().unwrap_or(0);
            println!(
                "  {:<12} {:>8} {:>13} {:>15} {:>13} {:>12}",
                format!("{part:?}"),
                count(Outcome::Refused),
                count(Outcome::AsCommitted),
                count(Outcome::BeforeTheLast),
                count(Outcome::ChangedValue),
                count(Outcome::ChangedLink)
            );
        }
        let cases: usize = table.values().sum();
        println!("  {cases} cases");
        assert!(cases > short_or(5_000, 80_000));
        for part in [Part::Header, Part::Schema, Part::BlockHeader, Part::Link, Part::Word, Part::Checked] {
            assert!(table[&(part, Outcome::Refused)] > 0);
        }
    }
}

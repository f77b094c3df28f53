//! Valid regions, changed with some knowledge of the format, and opened: whatever comes of it, nothing is read
//! outside the mapping, nothing panics, and a file that is refused keeps every byte. What opens is walked
//! through the public interface, changed by transactions, closed, opened again and compared.
#![no_main]

#[path = "../../tests/support/src/image.rs"]
#[allow(dead_code)]
mod image;

use arbitrary::Arbitrary;
use image::Image;
use indelible::medium::{MemoryFileSystem, PageCache};
use indelible::{Error, Link, Options, Persistent, Region, Result, Word};
use libfuzzer_sys::fuzz_target;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

#[derive(Persistent, Clone, Copy, PartialEq)]
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
    Tagged(Word<u64>) = 3,
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
    shapes: Link<[Shape]>,
}

/// Large, and aligned to more than a slot of its size would be.
#[derive(Persistent, Clone, Copy)]
#[repr(C, align(64))]
struct Wide {
    words: [u64; 24],
}

#[derive(Persistent)]
#[repr(C)]
struct Root {
    list: Link<Item>,
    tree: Link<Tree>,
    buckets: Link<[Link<Item>]>,
    bytes: Link<[u8]>,
    wide: Link<[Wide]>,
    unit: Link<()>,
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
    rest: [u8; 2],
}

const LEN: u64 = 64 << 10;

fn options() -> Options {
    Options::new().journal_words(8).max_len(256 << 10).allow_memory_file_system(MemoryFileSystem::Tmpfs)
}

fn open(path: &Path) -> Result<Region<Root, PageCache>> {
    // SAFETY: the file is this process's own.
    unsafe { options().open(path) }
}

/// Everything that the root reaches, as text; links, words and objects by their offsets if wanted.
#[derive(Default)]
struct Dump {
    text: Vec<u64>,
    base: usize,
    links: Vec<usize>,
    words: Vec<usize>,
    objects: Vec<usize>,
}

impl Dump {
    fn of(region: &Region<Root, PageCache>, root_at: usize) -> Self {
        let root = region.root();
        let mut dump = Dump { base: std::ptr::from_ref(root).addr() - root_at, ..Dump::default() };
        dump.objects.push(root_at);
        dump.list(&root.list);
        dump.tree(&root.tree);
        if let Some(buckets) = dump.link(&root.buckets) {
            buckets.iter().for_each(|bucket| dump.list(bucket));
        }
        if let Some(bytes) = dump.link(&root.bytes) {
            dump.text.extend(bytes.iter().map(|&byte| u64::from(byte)));
        }
        if let Some(wide) = dump.link(&root.wide) {
            wide.iter().for_each(|wide| dump.text.extend(wide.words));
        }
        dump.link(&root.unit);
        dump.word(&root.count, root.count.get());
        dump.word(&root.small, u64::from(root.small.get()));
        dump.word(&root.frozen, u64::from(root.frozen.get()));
        dump.word(&root.letter, u64::from(u32::from(root.letter.get())));
        dump.word(&root.colour, root.colour.get() as u64);
        root.pair.iter().for_each(|word| dump.word(word, u64::from(word.get())));
        dump.text.extend([
            root.plain,
            u64::from(u32::from(root.initial)),
            root.hue as u64,
            u64::from(root.on),
        ]);
        dump
    }

    fn word<T>(&mut self, word: &Word<T>, value: u64) {
        self.words.push(std::ptr::from_ref(word).addr() - self.base);
        self.text.push(value);
    }

    fn link<'a, T: ?Sized + indelible::Target>(&mut self, link: &'a Link<T>) -> Option<&'a T> {
        self.links.push(std::ptr::from_ref(link).addr() - self.base);
        let target = link.get();
        self.text.push(target.map_or(0, |target| size_of_val(target) as u64 + 1));
        self.objects.extend(target.map(|target| std::ptr::from_ref(target).cast::<u8>().addr() - self.base));
        target
    }

    fn string(&mut self, link: &Link<str>) {
        if let Some(text) = self.link(link) {
            self.text.extend(text.chars().map(|c| u64::from(u32::from(c))));
        }
    }

    fn list(&mut self, mut link: &Link<Item>) {
        while let Some(item) = self.link(link) {
            self.text.push(item.id);
            self.word(&item.balance, item.balance.get() as u64);
            self.string(&item.name);
            link = &item.next;
        }
    }

    fn tree(&mut self, link: &Link<Tree>) {
        let mut links = vec![link];
        while let Some(link) = links.pop() {
            let Some(tree) = self.link(link) else { continue };
            self.text.push(tree.key);
            for shape in self.link(&tree.shapes).into_iter().flatten() {
                match shape {
                    Shape::Circle(value) => self.text.push(*value),
                    Shape::Square(link) => self.string(link),
                    Shape::Tagged(word) => self.word(word, word.get()),
                }
            }
            links.extend([&tree.right, &tree.left]);
        }
    }
}

fn item<'t>(
    tx: &indelible::Tx<'t, PageCache>,
    id: u64,
    name: &str,
) -> Result<indelible::Pm<'t, Item, indelible::state::Dirty>> {
    let mut item = tx.alloc(Item { id, balance: Word::new(1), next: Link::null(), name: Link::null() })?;
    let name = tx.flush(tx.alloc_str(name)?);
    tx.attach(&mut item, |item| &item.name, name);
    Ok(item)
}

/// A transaction that touches most kinds of object.
fn change(region: &mut Region<Root, PageCache>) -> Result<()> {
    region.transact(|tx, root| {
        let mut new = item(tx, 77, "a new one")?;
        tx.attach(&mut new, |item| &item.next, tx.take(&root.list));
        tx.stage(&root.list, tx.flush(new));
        tx.store(&root.count, tx.load(&root.count).wrapping_add(1));
        tx.free(tx.take(&root.wide));
        tx.free(tx.take(&root.tree));
        let bytes = tx.stream_slice(&[5_u8; 1500])?;
        tx.free(tx.take(&root.bytes));
        tx.stage(&root.bytes, bytes);
        Ok(())
    })
}

fn build(path: &Path) -> Result<Region<Root, PageCache>> {
    let root = Root {
        list: Link::null(),
        tree: Link::null(),
        buckets: Link::null(),
        bytes: Link::null(),
        wide: Link::null(),
        unit: Link::null(),
        count: Word::new(3),
        small: Word::new(0x1234),
        frozen: Word::new(false),
        letter: Word::new('ß'),
        colour: Word::new(Colour::Green),
        pair: [Word::new(7), Word::new(8)],
        plain: 1,
        initial: 'Q',
        hue: Colour::Blue,
        on: true,
        rest: [1, 2],
    };
    // SAFETY: as above.
    let mut region: Region<Root, PageCache> = unsafe { options().create(path, LEN, root)? };
    region.transact(|tx, root| {
        let mut next = None;
        for id in 0..5 {
            let mut item = item(tx, id, ["Lorenzo", "Giuliano", "Cosimo", "Piero", "ältere"][id as usize])?;
            tx.attach(&mut item, |item| &item.next, next);
            next = Some(tx.flush(item));
        }
        tx.stage(&root.list, next);
        let mut below = None;
        for key in 0..4 {
            let mut tree =
                tx.alloc(Tree { key, left: Link::null(), right: Link::null(), shapes: Link::null() })?;
            tx.attach(&mut tree, |tree| if key % 2 == 0 { &tree.left } else { &tree.right }, below);
            let mut shapes = tx.alloc_slice_with(3, |i| match i {
                0 => Shape::Circle(9),
                1 => Shape::Square(Link::null()),
                _ => Shape::Tagged(Word::new(11)),
            })?;
            let text = tx.flush(tx.alloc_str("a square's text")?);
            tx.attach(
                &mut shapes,
                |shapes| match &shapes[1] {
                    Shape::Square(link) => link,
                    _ => unreachable!("made above"),
                },
                text,
            );
            tx.attach(&mut tree, |tree| &tree.shapes, tx.flush(shapes));
            below = Some(tx.flush(tree));
        }
        tx.stage(&root.tree, below);
        let mut buckets = tx.alloc_slice_with(4, |_| Link::null())?;
        for i in 0..3 {
            let item = tx.flush(item(tx, i as u64, "in a bucket")?);
            tx.attach(&mut buckets, |buckets| &buckets[i], item);
        }
        tx.stage(&root.buckets, tx.flush(buckets));
        tx.stage(&root.bytes, tx.flush(tx.alloc_slice(&[3_u8; 3000])?));
        tx.stage(&root.wide, tx.flush(tx.alloc_slice(&[Wide { words: [4; 24] }; 6])?));
        tx.stage(&root.unit, tx.flush(tx.alloc(())?));
        Ok(())
    })?;
    // A freed block of each of two types.
    region.transact(|tx, root| {
        let first = tx.take(&root.list).expect("it is there");
        tx.stage(&root.list, tx.take(&first.get().next));
        tx.free(first);
        Ok(())
    })?;
    Ok(region)
}

/// A valid image, and where its parts are.
struct Seed {
    image: Image,
    links: Vec<usize>,
    words: Vec<usize>,
    objects: Vec<usize>,
}

struct Seeds {
    path: PathBuf,
    closed: Seed,
    /// Of a process that was killed between commit and apply.
    killed: Seed,
}

static SEEDS: LazyLock<Seeds> = LazyLock::new(|| {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { memory.to_path_buf() } else { std::env::temp_dir() };
    let path = folder.join(format!("indelible-fuzz-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    build(&path).expect("room").close().expect("closed");
    let seed = |image: Image| {
        image.write(&path);
        let dump = Dump::of(&open(&path).expect("a valid image"), image.root());
        Seed { links: dump.links, words: dump.words, objects: dump.objects, image }
    };
    let closed = Image::read(&path);
    let mut region = open(&path).expect("valid");
    let before = Image::read(&path);
    region
        .transact(|tx, root| {
            tx.store(&root.count, 33);
            tx.store(&root.frozen, true);
            tx.free(tx.take(&root.unit));
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
    Seeds { closed: seed(closed), killed: seed(killed), path: path.clone() }
});

#[derive(Arbitrary, Debug)]
enum Place {
    Header(u8),
    Schema(u16),
    Journal(u8),
    BlockHeader(u8, bool),
    Link(u8),
    Word(u8),
    InObject(u8, u8),
    Anywhere(u16),
}

#[derive(Arbitrary, Debug)]
enum Value {
    Any(u64),
    Small(u8),
    Power(u8, i8),
    Flip(u8),
    Plus(i16),
    /// The distance to an object.
    To(u8, i8),
    Offset(Box<Place>),
}

#[derive(Arbitrary, Debug)]
enum Mutation {
    Set(Place, Value),
    Byte(u16, u8),
    Swap(u8, u8),
    CopyLink(u8, u8),
    /// A block header with a right checksum, for an object like another.
    Forge {
        at: u16,
        count: Value,
        like: u8,
    },
    /// A header for what is there already, with another count.
    Recount {
        object: u8,
        count: Value,
    },
    /// A header in the middle of an object, and a link to it.
    ForgeInside {
        object: u8,
        granule: u8,
        like: u8,
        count: u8,
        link: u8,
    },
    CopyBlock {
        from: u8,
        to: u16,
        granules: u8,
        link: u8,
    },
    Entry {
        index: u8,
        target: Place,
        value: Value,
    },
    Cut(u16),
}

#[derive(Arbitrary, Debug)]
struct Input {
    killed: bool,
    sign_header: bool,
    sign_schema: bool,
    sign_records: bool,
    mutations: Vec<Mutation>,
}

struct Mutant<'a> {
    seed: &'a Seed,
    image: Image,
}

impl Mutant<'_> {
    fn pick(all: &[usize], index: u8) -> usize {
        all[usize::from(index) % all.len()]
    }

    /// The offset of a whole word inside the file.
    fn place(&self, place: &Place) -> usize {
        let image = &self.seed.image;
        let at = match *place {
            Place::Header(word) => usize::from(word % 9) * 8,
            Place::Schema(at) => image::SCHEMA + usize::from(at) % image.word(image::SCHEMA_LEN) as usize,
            Place::Journal(word) => {
                let words = (image.slot(2) - image.retired()) / 8;
                image.retired() + usize::from(word) % words * 8
            }
            Place::BlockHeader(object, second) => {
                Self::pick(&self.seed.objects, object) - 16 + usize::from(second) * 8
            }
            Place::Link(link) => Self::pick(&self.seed.links, link),
            Place::Word(word) => Self::pick(&self.seed.words, word),
            Place::InObject(object, word) => Self::pick(&self.seed.objects, object) + usize::from(word) * 8,
            Place::Anywhere(word) => usize::from(word) * 8,
        };
        at.min(image.0.len() - 8) & !7
    }

    fn value(&self, at: usize, value: &Value) -> u64 {
        match value {
            Value::Any(value) => *value,
            Value::Small(value) => u64::from(*value),
            Value::Power(bit, plus) => (1_u64 << (bit % 64)).wrapping_add(*plus as u64),
            Value::Flip(bit) => self.image.word(at) ^ 1 << (bit % 64),
            Value::Plus(plus) => self.image.word(at).wrapping_add(*plus as u64),
            Value::To(object, plus) => {
                let to = Self::pick(&self.seed.objects, *object).wrapping_add_signed(isize::from(*plus) * 16);
                to.wrapping_sub(at) as u64
            }
            Value::Offset(place) => self.place(place) as u64,
        }
    }

    /// A block's header where there is room for it.
    fn forge(&mut self, at: usize, count: u64, like: u8) {
        if (16..self.image.0.len() - 16).contains(&at) {
            self.image.forge(at & !7, count, Self::pick(&self.seed.objects, like));
        }
    }

    fn apply(&mut self, mutation: &Mutation) {
        let len = self.image.0.len();
        match mutation {
            Mutation::Set(place, value) => {
                let at = self.place(place);
                self.image.set(at, self.value(at, value));
            }
            Mutation::Byte(at, value) => self.image.0[usize::from(*at) % len] = *value,
            Mutation::Swap(a, b) => {
                let (a, b) = (Self::pick(&self.seed.links, *a), Self::pick(&self.seed.links, *b));
                let targets = [a, b].map(|at| at.wrapping_add(self.image.word(at) as usize));
                self.image
                    .set(a, targets[1].wrapping_sub(a) as u64)
                    .set(b, targets[0].wrapping_sub(b) as u64);
            }
            Mutation::CopyLink(from, to) => {
                let (from, to) = (Self::pick(&self.seed.links, *from), Self::pick(&self.seed.links, *to));
                let target = from.wrapping_add(self.image.word(from) as usize);
                self.image.set(to, target.wrapping_sub(to) as u64);
            }
            Mutation::Forge { at, count, like } => {
                let at = usize::from(*at) * 16 % len;
                let count = self.value(at.min(len - 8), count);
                self.forge(at, count & ((1 << 48) - 1), *like);
            }
            Mutation::Recount { object, count } => {
                let at = Self::pick(&self.seed.objects, *object);
                let count = self.value(at - 16, count);
                self.forge(at, count & ((1 << 48) - 1), *object);
            }
            Mutation::ForgeInside { object, granule, like, count, link } => {
                let at = Self::pick(&self.seed.objects, *object) + 16 + usize::from(*granule) * 16;
                self.forge(at, u64::from(*count), *like);
                let link = Self::pick(&self.seed.links, *link);
                self.image.set(link, at.wrapping_sub(link) as u64);
            }
            Mutation::CopyBlock { from, to, granules, link } => {
                let from = Self::pick(&self.seed.objects, *from);
                let to = (self.seed.image.heap() + usize::from(*to) * 16) % len;
                let bytes = usize::from(*granules) * 16;
                if to >= 16 && to + bytes <= len && from + bytes <= len {
                    let (count, like) = (self.seed.image.word(from - 16) & ((1 << 48) - 1), from);
                    self.image.0.copy_within(from..from + bytes, to);
                    if to + 16 <= len {
                        self.image.forge(to, count, like);
                    }
                    let link = Self::pick(&self.seed.links, *link);
                    self.image.set(link, to.wrapping_sub(link) as u64);
                }
            }
            Mutation::Entry { index, target, value } => {
                let record = self.seed.image.slot(usize::from(index & 1));
                let entry = Image::entry(record, usize::from(index >> 1) % 8);
                let target = self.place(target);
                let value = self.value(target, value);
                self.image.set(entry, target as u64).set(entry + 8, value);
            }
            Mutation::Cut(_) => {}
        }
    }
}

fuzz_target!(|input: Input| {
    let seeds = &*SEEDS;
    let seed = if input.killed { &seeds.killed } else { &seeds.closed };
    let mut mutant = Mutant { seed, image: seed.image.clone() };
    input.mutations.iter().for_each(|mutation| mutant.apply(mutation));
    let mut image = mutant.image;
    if input.sign_schema {
        let text = image::SCHEMA..image::SCHEMA + seed.image.word(image::SCHEMA_LEN) as usize;
        let checksum = xxhash_rust::xxh3::xxh3_64(&image.0[text]);
        image.set(image::SCHEMA_CHECKSUM, checksum);
    }
    if input.sign_header {
        image.sign_header();
    }
    if input.sign_records {
        for index in 0..2 {
            let record = seed.image.slot(index);
            if image.word(record + 8) <= 8 {
                image.sign_record(record);
            }
        }
    }
    for mutation in &input.mutations {
        if let Mutation::Cut(len) = mutation {
            image.0.truncate(usize::from(*len));
        }
    }
    image.write(&seeds.path);
    let file = std::fs::File::open(&seeds.path).expect("ours");
    let root_at = seed.image.root();
    match open(&seeds.path) {
        Err(error) => {
            assert!(!error.to_string().is_empty());
            let mut now = vec![0; image.0.len() + 1];
            let len = file.read_at(&mut now, 0).expect("ours");
            assert!(now[..len] == image.0[..], "a refused file was changed: {error}");
        }
        Ok(mut region) => {
            let before = Dump::of(&region, root_at).text;
            let usage = region.usage().expect("it was walked a moment ago");
            assert_eq!(usage.unreached_bytes, 0);
            let changed = match change(&mut region) {
                Ok(()) => true,
                Err(Error::HeapFull { .. }) => false,
                Err(error) => panic!("{error}"),
            };
            let after = Dump::of(&region, root_at).text;
            assert!(changed || before == after, "an aborted transaction changed something");
            assert_eq!(region.usage().expect("we changed it").unreached_bytes, 0);
            region.close().expect("closed");
            let region = open(&seeds.path).expect("what was open opens again");
            assert!(Dump::of(&region, root_at).text == after, "something was lost");
        }
    }
});

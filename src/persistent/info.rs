//! The run-time description of a type: what the schema text, the verification walk and `free` work from.
//!
//! Constants can't recurse, so a description names other types through functions, and a link
//! contributes only its target's *name id* to the fingerprint. Everything here is safe code.

use super::Persistent;
use zerocopy::IntoBytes;

fn is_aligned<T>(bytes: &[u8]) -> bool {
    bytes.as_ptr().addr().is_multiple_of(align_of::<T>())
}

/// Layout of one type; the element's layout for slices and `str`.
#[doc(hidden)]
#[derive(Debug)]
pub struct TypeInfo {
    pub name: &'static str,
    pub args: &'static [Arg],
    pub kind: Kind,
    pub size: usize,
    pub align: usize,
    pub fingerprint: u64,
    /// Whether there is a link or a word inside.
    pub cells: bool,
    /// Checks the bytes of `count` values and reports their links and words; false if they are invalid.
    pub visit: fn(&[u8], &mut Visitor<'_>) -> bool,
}

/// A generic argument: a type by its id and its description, or a constant.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub enum Arg {
    Type(u64, fn() -> &'static TypeInfo),
    Const(i128),
}

impl Arg {
    /// For the derive, which has an `Arg` to begin with: see [`Part`].
    pub const fn number(self, value: i128) -> Self {
        Arg::Const(value)
    }

    pub(super) const fn id(self) -> u64 {
        match self {
            Arg::Type(id, _) => id,
            Arg::Const(value) => value as u64,
        }
    }
}

#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Leaf,
    Struct(&'static [Field]),
    Enum(&'static [Variant]),
    Array(fn() -> &'static TypeInfo, usize),
    Slice(fn() -> &'static TypeInfo),
    Str,
    Link(fn() -> &'static TypeInfo),
    Word(fn() -> &'static TypeInfo),
    /// The memory of a log: 8-byte words.
    Ring,
}

/// A type, as what it is part of sees it.
///
/// The derive takes it from the trait, `<F as Persistent>::PART`, and makes a [`Field`] of it by a method: what a
/// constant's type is, and what its methods are, no name in the scope of an expansion can change.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Part {
    pub size: usize,
    pub align: usize,
    pub fingerprint: u64,
    pub cells: bool,
    pub linked: bool,
    /// Any bytes are valid.
    pub plain: bool,
    /// The derive has failed, and said so: nothing is concluded from what it left.
    pub broken: bool,
    pub info: fn() -> &'static TypeInfo,
    pub valid: fn(&[u8]) -> bool,
    pub trace: fn(&[u8], &mut Visitor<'_>),
}

impl Part {
    /// A field of this type, so many bytes from its object's start.
    pub const fn at(self, name: &'static str, offset: isize) -> Field {
        // One before the start is not inside of the object either: see `layout::check`.
        Field { name, offset: offset as usize, part: self }
    }
}

#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Field {
    pub name: &'static str,
    pub offset: usize,
    pub part: Part,
}

#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Variant {
    pub name: &'static str,
    pub discriminant: i128,
    pub fields: &'static [Field],
    /// Whether a place with this number in its tag was seen to be this variant.
    pub seen: bool,
}

impl Variant {
    /// None yet; for the derive, as [`Part::at`].
    pub(super) const NONE: Variant = Variant { name: "", discriminant: 0, fields: &[], seen: false };

    pub const fn of(
        self,
        name: &'static str,
        discriminant: i128,
        (seen, fields): (bool, &'static [Field]),
    ) -> Variant {
        Variant { name, discriminant, fields, seen }
    }
}

/// What an object's links and words are reported to, as addresses of 8-byte words inside its bytes.
pub(crate) trait Cells {
    fn link(&mut self, at: usize, target: &'static TypeInfo);
    fn word(&mut self, at: usize, valid: fn(u64) -> bool);
}

/// Links and words that nobody asks for.
struct Nothing;

impl Cells for Nothing {
    fn link(&mut self, _: usize, _: &'static TypeInfo) {}
    fn word(&mut self, _: usize, _: fn(u64) -> bool) {}
}

/// Hands [`Cells`] through the derived tracing.
#[doc(hidden)]
pub struct Visitor<'a> {
    cells: &'a mut dyn Cells,
}

impl<'a> Visitor<'a> {
    pub(crate) fn new(cells: &'a mut dyn Cells) -> Self {
        Visitor { cells }
    }

    pub(crate) fn link<T>(&mut self, at: &[T], target: &'static TypeInfo) {
        self.cells.link(at.as_ptr().addr(), target);
    }

    pub(crate) fn word<T>(&mut self, at: &[T], valid: fn(u64) -> bool) {
        self.cells.word(at.as_ptr().addr(), valid);
    }
}

impl TypeInfo {
    /// A type that is described by its own `Persistent` constants.
    pub(super) const fn new<T: Persistent>() -> Self {
        TypeInfo {
            name: T::NAME,
            args: T::ARGS,
            kind: T::KIND,
            size: size_of::<T>(),
            align: align_of::<T>(),
            fingerprint: T::FINGERPRINT,
            cells: T::CELLS,
            visit: |bytes, visitor| {
                let valid = bytes.len() == size_of::<T>() && is_aligned::<T>(bytes) && T::valid(bytes);
                if valid && T::CELLS {
                    T::trace(bytes, visitor);
                }
                valid
            },
        }
    }

    pub(super) const fn slice<T: Persistent>() -> Self {
        TypeInfo {
            name: "[]",
            args: &[],
            kind: Kind::Slice(T::type_info),
            size: size_of::<T>(),
            align: align_of::<T>(),
            fingerprint: fold_id(name_id("[]"), T::FINGERPRINT) & FINGERPRINT_MASK,
            cells: T::CELLS,
            visit: |bytes, visitor| {
                let valid = bytes.len().is_multiple_of(size_of::<T>())
                    && is_aligned::<T>(bytes)
                    && (T::PLAIN || bytes.chunks_exact(size_of::<T>()).all(T::valid));
                if valid && T::CELLS {
                    bytes.chunks_exact(size_of::<T>()).for_each(|element| T::trace(element, visitor));
                }
                valid
            },
        }
    }

    pub(super) const fn str() -> Self {
        TypeInfo {
            name: "str",
            args: &[],
            kind: Kind::Str,
            size: 1,
            align: 1,
            fingerprint: name_id("str") & FINGERPRINT_MASK,
            cells: false,
            visit: |bytes, _| std::str::from_utf8(bytes).is_ok(),
        }
    }

    /// The innermost field or element that makes an object's bytes invalid, and where in them it is.
    pub(crate) fn invalid_in(&'static self, bytes: &[u8]) -> (usize, &'static TypeInfo) {
        let is_invalid = |&(at, part): &(usize, &'static TypeInfo)| {
            let bytes = bytes.get(at..at + part.size);
            bytes.is_some_and(|bytes| !(part.visit)(bytes, &mut Visitor::new(&mut Nothing)))
        };
        let found = match self.kind {
            Kind::Struct(fields) => {
                fields.iter().map(|field| (field.offset, (field.part.info)())).find(is_invalid)
            }
            Kind::Array(of, _) | Kind::Slice(of) if of().size > 0 => {
                (0..bytes.len()).step_by(of().size).map(|at| (at, of())).find(is_invalid)
            }
            _ => None,
        };
        match found {
            Some((at, part)) => {
                let (within, part) = part.invalid_in(&bytes[at..at + part.size]);
                (at + within, part)
            }
            None => (0, self),
        }
    }

    /// Whether the number of elements is part of each object.
    pub(crate) fn counted(&self) -> bool {
        matches!(self.kind, Kind::Slice(_) | Kind::Str | Kind::Ring)
    }

    /// Bytes of an object of `count` elements; `None` where that overflows.
    pub(crate) fn byte_len(&self, count: u64) -> Option<usize> {
        match self.counted() {
            true => usize::try_from(count).ok()?.checked_mul(self.size),
            false => (count == 1).then_some(self.size),
        }
    }

    /// `Node<u64, 4>`, from the names that the types themselves supply.
    pub(crate) fn display_name(&self) -> String {
        match self.kind {
            Kind::Array(of, n) => format!("[{}; {n}]", of().display_name()),
            Kind::Slice(of) => format!("[{}]", of().display_name()),
            Kind::Link(to) => format!("Link<{}>", to().display_name()),
            Kind::Word(of) => format!("Word<{}>", of().display_name()),
            _ if self.args.is_empty() => self.name.to_string(),
            _ => {
                let args: Vec<String> = self
                    .args
                    .iter()
                    .map(|arg| match arg {
                        Arg::Type(_, info) => info().display_name(),
                        Arg::Const(value) => value.to_string(),
                    })
                    .collect();
                format!("{}<{}>", self.name, args.join(", "))
            }
        }
    }

    /// The field path of the byte at `offset`: `.balance`, `[3].next`, or nothing for the object itself.
    pub(crate) fn path_to(&self, offset: usize) -> String {
        let inside = |fields: &'static [Field]| {
            let field = fields.iter().rev().find(|field| {
                field.offset <= offset && offset < field.offset + (field.part.info)().size.max(1)
            });
            match field {
                Some(field) => {
                    format!(".{}{}", field.name, (field.part.info)().path_to(offset - field.offset))
                }
                None => String::new(),
            }
        };
        match self.kind {
            Kind::Struct(fields) => inside(fields),
            Kind::Array(of, _) | Kind::Slice(of) if of().size > 0 => {
                let size = of().size;
                format!("[{}]{}", offset / size, of().path_to(offset % size))
            }
            _ => String::new(),
        }
    }
}

/// A fingerprint has 48 bits.
pub(crate) const FINGERPRINT_MASK: u64 = (1 << 48) - 1;

/// Hash of a name (FNV-1a, then a finalizer so that every bit counts).
pub(crate) const fn name_id(name: &str) -> u64 {
    let bytes = name.as_bytes();
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut i = 0;
    while i < bytes.len() {
        hash = (hash ^ bytes[i] as u64).wrapping_mul(0x100_0000_01b3);
        i += 1;
    }
    mix(hash)
}

/// Hash of an ordered pair of hashes.
pub(crate) const fn fold_id(left: u64, right: u64) -> u64 {
    mix(left.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ right.rotate_left(23))
}

/// SplitMix64's finalizer.
const fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Whether the low bytes of `value` are a `T` and the rest is zero.
pub(crate) fn word_is_valid<T: Persistent>(value: u64) -> bool {
    // Little-endian memory.
    let (low, high) = value.as_bytes().split_at(size_of::<T>());
    T::valid(low) && high.iter().all(|&byte| byte == 0)
}

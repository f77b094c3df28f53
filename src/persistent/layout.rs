//! What follows from a derived type's table of fields: its fingerprint, which bytes are valid, where its cells are,
//! and whether it keeps the rules.
//!
//! The derive says only what it saw, in constants whose types the trait fixes: each field's name, its own
//! [`Part`](super::Part), and its offset, which the compiler measured on the type itself. All that is concluded from
//! it is concluded here, because the names in an expansion can lead to a module of the user's own. So there is no
//! second type of untrusted bytes whose layout would have to be shown to be the same.
//!
//! # Safety
//!
//! [`check`] evaluates only if the fields, and the tag of an enum, cover every byte of the type, in order and without a
//! gap: that is the promise of no padding. It is evaluated by `Persistent::SOUND`.

use super::info::{FINGERPRINT_MASK, Field, Kind, Variant, Visitor, fold_id, name_id};
use super::{Arg, Flag, Persistent, require};
use std::alloc::Layout;
use std::ffi::c_int;

/// Hash of a type's name and generic arguments.
pub(super) const fn id(name: &str, args: &[Arg]) -> u64 {
    let mut id = name_id(name);
    let mut i = 0;
    while i < args.len() {
        id = fold_id(id, args[i].id());
        i += 1;
    }
    id
}

/// Hash of a derived type's layout.
pub(super) const fn fingerprint<T: Persistent>() -> u64 {
    let id = fold_id(fold_id(T::NAME_ID, T::SIZE as u64), align_of::<T>() as u64);
    let id = match T::KIND {
        Kind::Struct(fields) => fold_fields(id, fields),
        Kind::Enum(variants) => {
            let mut id = id;
            let mut i = 0;
            while i < variants.len() {
                let Variant { name, discriminant, fields, .. } = variants[i];
                id = fold_fields(fold_id(fold_id(id, name_id(name)), discriminant as u64), fields);
                i += 1;
            }
            id
        }
        _ => id,
    };
    id & FINGERPRINT_MASK
}

const fn fold_fields(mut id: u64, fields: &[Field]) -> u64 {
    let mut i = 0;
    while i < fields.len() {
        let Field { name, offset, part } = fields[i];
        id = fold_id(fold_id(fold_id(id, name_id(name)), offset as u64), part.fingerprint);
        i += 1;
    }
    id
}

/// What is true of a type if it is of one of its fields; `plain` if it is of all.
pub(super) struct Traits {
    pub cells: bool,
    pub linked: bool,
    pub plain: bool,
    pub broken: bool,
}

pub(super) const fn traits(kind: Kind) -> Traits {
    let mut all = Traits { cells: false, linked: false, plain: true, broken: false };
    match kind {
        Kind::Struct(fields) => add(&mut all, fields),
        Kind::Enum(variants) => {
            all.plain = false;
            let mut i = 0;
            while i < variants.len() {
                add(&mut all, variants[i].fields);
                i += 1;
            }
        }
        // Those say it themselves.
        _ => {}
    }
    all
}

const fn add(all: &mut Traits, fields: &[Field]) {
    let mut i = 0;
    while i < fields.len() {
        let part = fields[i].part;
        all.cells |= part.cells;
        all.linked |= part.linked;
        all.plain &= part.plain;
        all.broken |= part.broken;
        i += 1;
    }
}

/// Whether these bytes, as many as the type has, are a value of it.
#[inline]
pub(super) fn valid<T: Persistent>(bytes: &[u8]) -> bool {
    match T::KIND {
        _ if T::PLAIN => true,
        Kind::Struct(fields) => fields_are_valid(fields, bytes),
        Kind::Enum(variants) => {
            let tag = tag::<T>(bytes);
            let variant = variants.iter().find(|variant| variant.discriminant == tag);
            variant.is_some_and(|variant| fields_are_valid(variant.fields, bytes))
        }
        _ => false,
    }
}

#[inline]
fn fields_are_valid(fields: &[Field], bytes: &[u8]) -> bool {
    fields.iter().all(|field| field.part.plain || (field.part.valid)(field.of(bytes)))
}

/// Reports every link and word of the value that these bytes are.
#[inline]
pub(super) fn trace<T: Persistent>(bytes: &[u8], visitor: &mut Visitor<'_>) {
    match T::KIND {
        _ if !T::CELLS => {}
        Kind::Struct(fields) => trace_fields(fields, bytes, visitor),
        Kind::Enum(variants) => {
            let tag = tag::<T>(bytes);
            if let Some(variant) = variants.iter().find(|variant| variant.discriminant == tag) {
                trace_fields(variant.fields, bytes, visitor);
            }
        }
        _ => {}
    }
}

#[inline]
fn trace_fields(fields: &[Field], bytes: &[u8], visitor: &mut Visitor<'_>) {
    for field in fields.iter().filter(|field| field.part.cells) {
        (field.part.trace)(field.of(bytes), visitor);
    }
}

impl Field {
    #[inline]
    fn of<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        &bytes[self.offset..self.offset + self.part.size]
    }
}

/// Bytes of the tag of an enum with this `repr`, and whether it has a sign; no bytes where there is no tag.
const fn tag_of(repr: &str) -> (usize, bool) {
    match repr.as_bytes() {
        b"C" => (size_of::<c_int>(), true),
        b"u8" => (1, false),
        b"u16" => (2, false),
        b"u32" => (4, false),
        b"u64" | b"usize" => (8, false),
        b"u128" => (16, false),
        b"i8" => (1, true),
        b"i16" => (2, true),
        b"i32" => (4, true),
        b"i64" | b"isize" => (8, true),
        b"i128" => (16, true),
        _ => (0, false),
    }
}

/// The number in these little-endian bytes.
const fn number(mut bytes: [u8; 16], (len, signed): (usize, bool)) -> i128 {
    if signed && bytes[len - 1] >= 0x80 {
        let mut i = len;
        while i < bytes.len() {
            bytes[i] = 0xff;
            i += 1;
        }
    }
    i128::from_le_bytes(bytes)
}

/// The tag of the enum that these bytes may be.
#[inline]
fn tag<T: Persistent>(bytes: &[u8]) -> i128 {
    let (len, signed) = const { tag_of(T::TAG) };
    let mut tag = [0; 16];
    tag[..len].copy_from_slice(&bytes[..len]);
    number(tag, (len, signed))
}

const OTHER_TOKENS: &str =
    "the type's layout is not that of the tokens the derive was given: another macro changed it";

/// Fails to evaluate if the layout of a derived type breaks a rule. The derive calls it too, for the place that the
/// message then shows; whether it does makes no difference.
#[doc(hidden)]
#[track_caller]
pub const fn check<T: Persistent>() {
    // Its message is there already.
    if T::BROKEN {
        return;
    }
    if std::mem::needs_drop::<T>() {
        let text = Text::new().quoted(T::NAME);
        text.str(" has drop glue: nothing in persistent memory is ever dropped; remove the `Drop` implementation or the field that has one").fail();
    }
    if align_of::<T>() > 4096 {
        let text = Text::new().quoted(T::NAME);
        text.str(" is aligned to more than 4096 bytes, a page: lower its `repr(align)`").fail();
    }
    require(
        T::LINKED == <T::Links as Flag>::LINKED,
        "`Links` does not say what the fields do: the derive was led to another `Flag` than this crate's",
    );
    match T::KIND {
        Kind::Struct(fields) => {
            let text = Text::new().quoted(T::NAME).str(
                " has padding, which has no defined value in memory: put larger fields first, or fill it with ",
            );
            let (text, gaps) = covered(text, 0, "", 0, fields, Layout::new::<T>());
            if gaps > 0 {
                text.fail();
            }
        }
        Kind::Enum(variants) => check_enum::<T>(variants),
        _ => {}
    }
}

#[track_caller]
const fn check_enum<T: Persistent>(variants: &[Variant]) {
    let (tag, signed) = tag_of(T::TAG);
    require(tag > 0, "an enum's `repr` is an integer type, or `C`");
    let mut text = Text::new().quoted(T::NAME).str(
        " has padding, which has no defined value in memory: give it an integer `repr` as large as its fields are aligned, put larger fields first or a large variant's behind a `Link`, or fill it with ",
    );
    let mut gaps = 0;
    let mut i = 0;
    while i < variants.len() {
        let Variant { name, fields, seen, .. } = variants[i];
        require(seen, OTHER_TOKENS);
        // The union behind the tag begins with the first field of each variant.
        if matches!(T::TAG.as_bytes(), b"C") && !fields.is_empty() && fields[0].offset > tag {
            let text = Text::new().quoted(T::NAME).str(" has ").number(fields[0].offset - tag);
            text.str(" bytes of padding behind its tag, which have no defined value in memory: give it an integer `repr` as large as its fields are aligned, like `#[repr(u64)]`").fail();
        }
        (text, gaps) = covered(text, gaps, name, tag, fields, Layout::new::<T>());
        i += 1;
    }
    if gaps > 0 {
        text.fail();
    }
    // Where no variant has fields, there is a value of each.
    let mut i = 0;
    while i < T::VALUES.len() {
        let mut bytes = [0; 16];
        let mut at = 0;
        while at < tag {
            let start = (&raw const T::VALUES[i]).cast::<u8>();
            // SAFETY: the tag is all that there is of the value, by the check above.
            bytes[at] = unsafe { start.wrapping_add(at).read() };
            at += 1;
        }
        require(number(bytes, (tag, signed)) == variants[i].discriminant, OTHER_TOKENS);
        i += 1;
    }
}

/// Adds to the text what would fill each gap between the fields, before and behind them; `gaps` counts them.
#[track_caller]
const fn covered(
    mut text: Text,
    mut gaps: usize,
    variant: &str,
    start: usize,
    fields: &[Field],
    layout: Layout,
) -> (Text, usize) {
    let size = layout.size();
    let mut end = start;
    let mut i = 0;
    while i <= fields.len() {
        if i < fields.len() {
            // Else the type is packed, by another macro.
            let Field { offset, part, .. } = fields[i];
            require(part.align <= layout.align() && offset.is_multiple_of(part.align), OTHER_TOKENS);
        }
        let (at, len) = if i < fields.len() { (fields[i].offset, fields[i].part.size) } else { (size, 0) };
        // Where nothing is, is all the same.
        if len > 0 || i == fields.len() {
            require(at >= end && at <= size && len <= size - at, OTHER_TOKENS);
            if at > end {
                if gaps > 0 {
                    text = text.str(", ");
                }
                text = match tuple(fields) {
                    true => text.str("`[u8; ").number(at - end).str("]`"),
                    false => text.str("`_gap").number(gaps).str(": [u8; ").number(at - end).str("]`"),
                };
                text = match i < fields.len() {
                    true => text.str(" before ").quoted(fields[i].name),
                    false => text.str(" at the end"),
                };
                if !variant.is_empty() {
                    text = text.str(" of ").quoted(variant);
                }
                gaps += 1;
            }
            end = at + len;
        }
        i += 1;
    }
    (text, gaps)
}

/// Whether the fields have no names, but numbers.
const fn tuple(fields: &[Field]) -> bool {
    fields.is_empty() || fields[0].name.as_bytes()[0].is_ascii_digit()
}

/// A message that is put together while a constant is evaluated.
struct Text {
    bytes: [u8; Text::MAX],
    len: usize,
}

impl Text {
    const MAX: usize = 2048;

    const fn new() -> Self {
        Text { bytes: [0; Text::MAX], len: 0 }
    }

    /// As much of it as there is room for.
    const fn str(mut self, part: &str) -> Self {
        let part = part.as_bytes();
        let mut i = 0;
        while i < part.len() && self.len < self.bytes.len() {
            self.bytes[self.len] = part[i];
            self.len += 1;
            i += 1;
        }
        self
    }

    const fn quoted(self, name: &str) -> Self {
        self.str("`").str(name).str("`")
    }

    const fn number(self, value: usize) -> Self {
        let mut digits = [0; 20];
        let (mut first, mut rest) = (digits.len(), value);
        while rest > 0 || first == digits.len() {
            first -= 1;
            digits[first] = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        match std::str::from_utf8(digits.split_at(first).1) {
            Ok(digits) => self.str(digits),
            Err(_) => self,
        }
    }

    #[track_caller]
    const fn fail(self) -> ! {
        match std::str::from_utf8(self.bytes.split_at(self.len).0) {
            Ok(text) => panic!("{}", text),
            Err(_) => panic!("the layout of a type breaks a rule: padding, `Drop`, or its alignment"),
        }
    }
}

//! What the walk finds: an [`Object`], or something [`Bad`] and its [`Place`].

use crate::persistent::TypeInfo;
use std::fmt::Display;

/// The file stores no length, so truncation shows only in pointers past the end.
pub(super) const PAST_THE_END: &str = "past the end of the file (was it truncated?)";

/// An object whose header was checked.
#[derive(Clone, Copy)]
pub(super) struct Object {
    pub at: usize,
    pub len: usize,
    pub info: &'static TypeInfo,
}

/// Something that is not as it was written.
pub(super) struct Bad {
    pub place: Place,
    pub found: String,
    pub expected: String,
}

/// Where something is wrong; offsets are in bytes from the region's start.
#[derive(Clone, Copy)]
pub(super) enum Place {
    /// The object at this offset as a whole.
    Object(usize),
    /// A field of it.
    Field(Object, usize),
    /// Where the link at this offset leads.
    Link(usize),
}

impl Bad {
    pub(super) fn new(place: Place, found: impl Display, expected: impl Display) -> Box<Self> {
        Box::new(Bad { place, found: found.to_string(), expected: expected.to_string() })
    }
}

//! The rules of a transaction that types can't see: each is checked at run time, and whoever breaks one gets
//! an answer that names it, while the region stays as it was and usable.

mod aborts;
mod nested;
mod orphans;
mod slots;

//! `indelible::collections`, against std's as models; in every crash image; and what each change costs.

mod btree;
mod costs;
mod damage;
mod full;
mod hash;
mod long;
mod power;
mod support;

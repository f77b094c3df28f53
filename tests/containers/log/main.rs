//! `collections::Log`: what it holds, in every crash image, what it costs, and beside a plain model.

mod calls;
mod costs;
mod damage;
mod fences;
mod files;
mod long;
mod model;
mod ops;
mod power;
mod rules;

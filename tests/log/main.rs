//! `collections::Log`: what it holds, in every crash image, what it costs, and beside a plain model.

mod costs;
mod model;
mod ops;
mod power;
mod rules;

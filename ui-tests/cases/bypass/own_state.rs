//! `State` is sealed, and no verb takes a state of a user's.

use indelible::state::State;

enum Durable {}

impl State for Durable {}

fn main() {}

//! Pages about the tree say what is in it.

mod tests_page;
mod unsafe_page;

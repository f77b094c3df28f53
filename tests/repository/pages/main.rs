//! Pages about the tree say what is in it.

mod unsafe_page;

//! Forms of output: one file a form. Each prints a [`Report`](super::Report) and decides nothing.

pub mod csv;
pub mod markdown;
pub mod picture;
pub mod terminal;

//! Forms of output: one file a form. Each prints and decides nothing.

pub mod ci;
pub mod csv;
pub mod markdown;
pub mod picture;
pub mod series;
pub mod terminal;
pub mod trace;

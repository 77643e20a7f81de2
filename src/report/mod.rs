//! Between results and what people see: headings, sentences and tables, composed once for every format.
//!
//! Rounding, wording and units are decided here; the formats in [`mod@format`] only print. JSON prints the results
//! themselves ([`json`]), not the sentences.

mod calculated;
mod compared;
mod explained;
pub mod figure;
pub mod format;
pub mod json;
mod planned;
mod solved;
mod swept;
mod tested;

pub use calculated::calculated;
pub use compared::{Difference, differences};
pub use planned::{no_plan, planned};
pub use solved::{checked, solved};
pub use swept::swept;
pub use tested::tested;

use crate::analytic::Tolerances;

/// Headings, sentences and tables, in reading order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Report {
    /// The parts.
    pub blocks: Vec<Block>,
}

/// A part of a report.
#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    /// The answer in one line.
    Headline(String, Tone),
    /// A section begins.
    Heading(String),
    /// A sentence or two.
    Paragraph(String),
    /// Short items.
    List(Vec<String>),
    /// A table.
    Table(Table),
}

/// A table: a header and rows of cells.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    /// Column heads.
    pub header: Vec<String>,
    /// Rows, each as long as the header.
    pub rows: Vec<Vec<Cell>>,
    /// How many of the first columns are text; the others are figures and stand to the right.
    pub text_columns: usize,
    /// Columns that may be left out where the page is narrow, the first to go first.
    pub optional: Vec<usize>,
}

/// A cell of a table.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Cell {
    /// What is shown.
    pub text: String,
    /// How it is meant.
    pub tone: Tone,
}

/// How a text is meant: formats with colours show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tone {
    /// As it is.
    #[default]
    Plain,
    /// All is well.
    Good,
    /// Look at this.
    Careful,
    /// This does not hold.
    Bad,
}

impl From<String> for Cell {
    fn from(text: String) -> Cell {
        Cell { text, tone: Tone::Plain }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Cell {
        Cell { text: text.to_string(), tone: Tone::Plain }
    }
}

impl Cell {
    /// A cell with a tone.
    pub fn toned(text: impl Into<String>, tone: Tone) -> Cell {
        Cell { text: text.into(), tone }
    }
}

/// Where a result comes from, so that it can be made again years later.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// SHA-256 of the model's text, in hexadecimal.
    pub model_sha256: String,
    /// Version of the program.
    pub version: &'static str,
    /// How it was solved.
    pub method: &'static str,
    /// Where the random numbers of a simulation come from.
    pub seed: Option<u64>,
    /// How closely it was computed.
    pub tolerances: Tolerances,
    /// Changes from the command line, as they were given.
    pub changes: Vec<String>,
}

impl Report {
    pub(crate) fn push(&mut self, block: Block) {
        self.blocks.push(block);
    }

    pub(crate) fn list(&mut self, heading: &str, items: &[String]) {
        if !items.is_empty() {
            self.push(Block::Heading(heading.to_string()));
            self.push(Block::List(items.to_vec()));
        }
    }
}

/// The last line of a report: where its figures come from.
pub(crate) fn manifest_line(manifest: &Manifest) -> String {
    let changes =
        if manifest.changes.is_empty() { String::new() } else { format!(" · {}", manifest.changes.join(" ")) };
    format!(
        "{} · plimsoll {} · model {}{changes}",
        manifest.method,
        manifest.version,
        &manifest.model_sha256[..manifest.model_sha256.len().min(12)]
    )
}

//! `plimsoll init`: a commented model to start from.

use super::{Failure, Outcome, output};
use clap::Args;
use std::path::PathBuf;

/// The model that is written; also read by a test, so that it stays correct.
const TEMPLATE: &str = include_str!("template.toml");

/// Write a commented model to start from.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  plimsoll init > shop.toml\n  plimsoll init -o shop.toml     refuses to write over a file that is there"
)]
pub(crate) struct Init {
    /// Write to a new file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Init {
    pub(crate) fn run(self) -> Outcome {
        if let Some(file) = self.output.as_ref().filter(|file| file.exists()) {
            return Err(Failure::Wrong(format!("error: {} is there already: choose another name", file.display())));
        }
        output::write(self.output.as_deref(), TEMPLATE)?;
        Ok(0)
    }
}

//! `plimsoll schema`: the JSON Schema of the model language.

use super::{Outcome, output};
use clap::Args;
use plimsoll::document::schema;

/// Print the JSON Schema of the model language, for completion in editors.
#[derive(Args)]
#[command(
    after_help = "Example:\n  plimsoll schema > plimsoll.schema.json\nIn a model: #:schema ./plimsoll.schema.json on the first line, for editors with a TOML language server."
)]
pub(crate) struct SchemaCommand {}

impl SchemaCommand {
    pub(crate) fn run(self) -> Outcome {
        let text = serde_json::to_string_pretty(&schema::schema()).unwrap_or_default();
        output::write(None, &(text + "\n"))?;
        Ok(0)
    }
}

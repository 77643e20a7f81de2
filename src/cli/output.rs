//! Writing results: to standard output, or beside a file and then over it.

use super::{Color, Failure, Format, OutputArgs, input};
use plimsoll::document::Style;
use plimsoll::report::{Report, format};
use serde_json::Value;
use std::io::{IsTerminal, Write};
use std::path::Path;

/// Prints a result in the form asked for; only what that form needs is made.
pub(crate) fn print(
    args: &OutputArgs,
    report: impl FnOnce() -> Report,
    json: impl FnOnce() -> Value,
) -> Result<(), Failure> {
    let text = match args.format {
        Format::Table => format::terminal::print(&report(), width(), color(args, args.output.is_none())),
        Format::Markdown => format::markdown::print(&report()),
        Format::Json => serde_json::to_string_pretty(&json()).unwrap_or_default() + "\n",
        Format::Csv => {
            let json = &json();
            let csv = if json.get("points").is_some() {
                format::csv::swept(json)
            } else if json.get("formula").is_some() {
                format::csv::flat(json)
            } else {
                format::csv::tidy(json)
            };
            csv.map_err(|error| Failure::Outside(format!("error: {error}")))?
        }
    };
    write(args.output.as_deref(), &text)
}

/// Writes a text to standard output, or to a file.
pub(crate) fn write(file: Option<&Path>, text: &str) -> Result<(), Failure> {
    match file {
        Some(file) => write_file(file, text.as_bytes()),
        None => match std::io::stdout().write_all(text.as_bytes()) {
            // Whoever reads has seen enough, as `head` does.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            Err(error) => Err(Failure::Outside(format!("error: standard output cannot be written: {error}"))),
            Ok(()) => Ok(()),
        },
    }
}

/// Writes beside the file and renames, so that a failure leaves the old file as it was.
pub(crate) fn write_file(file: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::Outside(format!("error: {} cannot be written: {}", file.display(), input::reason(&error)))
    };
    let mut beside = file.as_os_str().to_owned();
    beside.push(format!(".{}.part", std::process::id()));
    let beside = std::path::PathBuf::from(beside);
    std::fs::write(&beside, bytes).map_err(failed)?;
    std::fs::rename(&beside, file).map_err(|error| {
        let _ = std::fs::remove_file(&beside);
        failed(error)
    })
}

/// How messages on standard error look.
pub(crate) fn style(args: &OutputArgs) -> Style {
    let terminal = std::io::stderr().is_terminal();
    let color = match args.color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => terminal && no_color_unset(),
    };
    Style { color, width: Some(width()) }
}

fn color(args: &OutputArgs, to_terminal: bool) -> bool {
    match args.color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => to_terminal && std::io::stdout().is_terminal() && no_color_unset(),
    }
}

fn no_color_unset() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Columns of the terminal: what the environment says, 100 where it says nothing.
fn width() -> usize {
    let columns = std::env::var("COLUMNS").ok().and_then(|c| c.parse().ok());
    columns
        .or_else(|| terminal_size::terminal_size().map(|(width, _)| usize::from(width.0)))
        .unwrap_or(100)
        .clamp(40, 250)
}

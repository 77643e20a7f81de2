//! Writing results: to standard output, or beside a file and then over it.

use super::{Color, Failure, Format, OutputArgs, input};
use plimsoll::document::Style;
use plimsoll::report::json::Facts;
use plimsoll::report::{Report, format};
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

/// Prints a result in the form asked for; only what that form needs is made.
pub(crate) fn print<'f>(
    args: &OutputArgs,
    report: impl FnOnce() -> Report,
    facts: impl FnOnce() -> Facts<'f>,
) -> Result<(), Failure> {
    let color = color(args, args.output.is_none());
    stream(args.output.as_deref(), |out| match args.format {
        Format::Table => out.write_all(format::terminal::print(&report(), width(), color).as_bytes()),
        Format::Markdown => out.write_all(format::markdown::print(&report()).as_bytes()),
        Format::Json => {
            serde_json::to_writer_pretty(&mut *out, &facts())?;
            out.write_all(b"\n")
        }
        Format::Csv => Ok(format::csv::print(&facts(), out)?),
    })
}

/// Writes a text to standard output, or to a file.
pub(crate) fn write(file: Option<&Path>, text: &str) -> Result<(), Failure> {
    stream(file, |out| out.write_all(text.as_bytes()))
}

fn stream(file: Option<&Path>, print: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    let Some(file) = file else {
        let mut out = BufWriter::new(io::stdout().lock());
        return match print(&mut out).and_then(|()| out.flush()) {
            // Whoever reads has seen enough, as `head` does.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Err(error) => Err(Failure::Outside(format!("error: standard output cannot be written: {error}"))),
            Ok(()) => Ok(()),
        };
    };
    write_file(file, print)
}

/// Writes beside the file and renames, so that a failure leaves the old file as it was; what a link leads to is written where it
/// is, and into what is no file, such as a device or a pipe, it is written as it is.
pub(crate) fn write_file(file: &Path, print: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    let failed = |error: &io::Error| {
        Failure::Outside(format!("error: {} cannot be written: {}", file.display(), input::reason(error)))
    };
    if std::fs::metadata(file).is_ok_and(|known| !known.is_file() && !known.is_dir()) {
        let written = File::options().write(true).open(file).map(BufWriter::new).and_then(|mut out| {
            print(&mut out)?;
            out.flush()
        });
        return written.map_err(|error| failed(&error));
    }
    let place = std::fs::canonicalize(file).unwrap_or_else(|_| file.to_path_buf());
    let mut beside = place.as_os_str().to_owned();
    beside.push(format!(".{}.part", std::process::id()));
    let beside = PathBuf::from(beside);
    let written = File::create(&beside).map(BufWriter::new).and_then(|mut out| {
        print(&mut out)?;
        out.flush()?;
        std::fs::rename(&beside, &place)
    });
    written.map_err(|error| {
        let _ = std::fs::remove_file(&beside);
        failed(&error)
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

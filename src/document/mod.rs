//! The model language: text to [`System`], with everything that is wrong said at once.
//!
//! [`read`] is the door. The keys and their meanings are one table, [`language`], which the reader, the JSON Schema
//! and the reference page share.

mod diagnostic;
pub mod language;
mod laws;
mod locate;
mod pieces;
mod reader;
pub mod reference;
pub mod schema;
mod services;
mod steps;
mod values;
mod workloads;

pub use diagnostic::{Diagnostic, Severity, Style, line_and_column, render};
pub use reader::Files;

use crate::system::{Change, Path, System, check};
use pieces::Piece;
use reader::{Node, Reader};
use toml::de::{DeTable, DeValue};

/// A text that was read, with what is worth saying about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// What it means.
    pub system: System,
    /// What is odd about it, though it can be solved.
    pub warnings: Vec<Diagnostic>,
}

/// Reads a model.
///
/// `files` gives the text of a file of samples named in the model.
///
/// # Errors
/// Every mistake found, in the order of the text.
pub fn read(text: &str, files: Files<'_>) -> Result<Document, Vec<Diagnostic>> {
    let mut reader = Reader::at(Path::default(), files);
    if text.trim().is_empty() {
        reader.error("empty", 0..0, "this model is empty", "", "write one with `plimsoll init`");
        return Err(reader.diagnostics);
    }
    let (mut system, kept, mut reader) = match reader.system(pieces::pieces(text)) {
        Some((system, kept)) => (system, kept, reader),
        None => read_whole(text, files)?,
    };
    // Where a whole section could not be read, what refers to it would be blamed for nothing.
    if reader.diagnostics.iter().all(|d| !["type", "name"].contains(&d.code)) {
        reader.diagnostics.extend(placed(text, &kept, check::check(&system)));
    }
    system.uncertainties = std::mem::take(&mut reader.uncertainties);
    system.assumptions = std::mem::take(&mut reader.assumptions);
    let (errors, warnings): (Vec<_>, Vec<_>) =
        reader.diagnostics.into_iter().partition(|d| d.severity == Severity::Error);
    if errors.is_empty() { Ok(Document { system, warnings: in_order(warnings) }) } else { Err(in_order(errors)) }
}

/// Reads a text that is no TOML in pieces, or none at all.
fn read_whole<'t, 'f>(
    text: &'t str,
    files: Files<'f>,
) -> Result<(System, Vec<Piece<'t>>, Reader<'f>), Vec<Diagnostic>> {
    let (whole, syntax) = pieces::whole(text);
    let mut reader = Reader::at(Path::default(), files);
    for error in &syntax {
        let span = error.span().unwrap_or(0..0);
        if error.message().contains("recurs") {
            let advice = "move the inner steps into operations of their own";
            reader.error("depth", span, "this is nested too deeply", "too many levels", advice);
        } else {
            reader.error("syntax", span, format!("this is not TOML: {}", error.message()), "", "");
        }
    }
    // A text that does not parse has lost keys: what follows would blame the reader for them.
    let system = if syntax.is_empty() { reader.system([Some(whole)].into_iter()) } else { None };
    match system {
        Some((system, kept)) => Ok((system, kept, reader)),
        None => Err(in_order(reader.diagnostics)),
    }
}

/// Problems of a system at their places in the text it was read from.
pub fn place(text: &str, problems: Vec<check::Problem>) -> Vec<Diagnostic> {
    in_order(placed(text, &[], problems))
}

/// Problems at their places; with the whole text parsed already when it is among the pieces kept.
fn placed(text: &str, kept: &[Piece<'_>], problems: Vec<check::Problem>) -> Vec<Diagnostic> {
    if problems.is_empty() {
        return Vec::new();
    }
    let paths: Vec<&Path> = problems.iter().map(|problem| &problem.path).collect();
    let places = match kept {
        [piece] if piece.whole => paths.iter().map(|path| piece.locate(path)).collect(),
        _ => pieces::locate_all(text, &paths),
    };
    problems
        .into_iter()
        .zip(places)
        .map(|(problem, span)| Diagnostic {
            severity: problem.severity,
            code: problem.code,
            span,
            message: problem.message,
            label: problem.label,
            advice: problem.advice,
        })
        .collect()
}

fn in_order(mut diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    diagnostics.sort_by_key(|d| (d.span.start, d.span.end));
    diagnostics
}

/// Reads a `PATH=VALUE` of the command line: the value as in a scenario, with or without quotes.
///
/// # Errors
/// What is wrong and what to write instead, in one line.
pub fn read_change(text: &str, system: &mut System) -> Result<(Path, Change), String> {
    let (path, value) = text
        .split_once('=')
        .ok_or_else(|| format!("\"{text}\" is not PATH=VALUE: write for example workload.shoppers.rate=x2"))?;
    let path = Path::parse(path);
    let kind = system.kind(&path).map_err(|error| error.to_string())?;
    let value = value.trim();
    // A value that is no TOML by itself is text: rate=120/s needs no quotes on the command line.
    let as_toml = |source: &str| source.parse::<toml::Table>().is_ok();
    let plain = format!("value = {value}\n");
    let quoted = format!("value = \"{}\"\n", value.replace('\\', "\\\\").replace('"', "\\\""));
    let source = if as_toml(&plain) && !value.starts_with(['+', '-']) { plain } else { quoted };
    let table = DeTable::parse(&source).map_err(|error| error.message().to_string())?;
    let no_files = |_: &str| Err("samples cannot be given on the command line".to_string());
    let mut reader = Reader::at(path.clone(), &no_files);
    let change = table.get_ref().get("value").and_then(|node| reader.change(&path, kind, node));
    match (change, reader.diagnostics.first()) {
        (Some(change), None) => Ok((path, change)),
        (_, Some(problem)) => Err(format!("{}: {}", problem.message, problem.advice)),
        (None, None) => Err(format!("\"{value}\" does not suit `{path}`")),
    }
}

/// Reads a law as the command line gives it: `10ms`, or a table of the language.
///
/// # Errors
/// What is wrong and what to write instead, in one line.
pub fn read_law(text: &str, files: Files<'_>) -> Result<crate::distribution::Law, String> {
    let text = text.trim();
    let source = if text.starts_with('{') { format!("value = {text}\n") } else { format!("value = \"{text}\"\n") };
    let table = DeTable::parse(&source).map_err(|error| error.message().to_string())?;
    let mut reader = Reader::at(Path::default(), files);
    let law = table.get_ref().get("value").and_then(|node| reader.law("service time", node));
    match (law, reader.diagnostics.first()) {
        (Some(law), None) => Ok(law),
        (_, Some(problem)) => Err(format!("{}: {}", problem.message, problem.advice)),
        (None, None) => Err(format!("\"{text}\" is not a distribution")),
    }
}

/// Reads an arrival law as the command line gives it: `regular`, or a table without its mean.
///
/// # Errors
/// What is wrong and what to write instead, in one line.
pub fn read_arrivals(text: &str) -> Result<crate::system::ArrivalLaw, String> {
    let text = text.trim();
    let value = if text.starts_with('{') { text.to_string() } else { format!("\"{text}\"") };
    let source = format!(
        "[service.s.operations.o]\nwork = \"1s\"\n[workload.w]\nentry = \"s.o\"\nrate = \"1/s\"\narrivals = {value}\n"
    );
    let no_files = |_: &str| Err("a trace needs a model".to_string());
    match read(&source, &no_files) {
        Ok(document) => match &document.system.workloads[0].load {
            crate::system::Load::Open { arrivals, .. } => Ok(arrivals.clone()),
            _ => Err(format!("\"{text}\" is not a law of arrivals")),
        },
        Err(problems) => Err(problems.first().map_or_else(String::new, |p| format!("{}: {}", p.message, p.advice))),
    }
}

impl Reader<'_> {
    /// What the pieces of a text mean together, with those that are worth keeping; `None` where one is not right by
    /// itself.
    fn system<'t>(&mut self, pieces: impl Iterator<Item = Option<Piece<'t>>>) -> Option<(System, Vec<Piece<'t>>)> {
        let mut system = System { currency: "USD".to_string(), ..System::default() };
        let mut kept = Vec::new();
        for piece in pieces {
            let piece = piece?;
            self.start = piece.start;
            self.sections(&piece.table, &mut system);
            if piece.whole || piece.table.contains_key("scenario") {
                kept.push(piece);
            }
        }
        // Scenarios change what may stand behind them.
        let mut draft = if kept.iter().any(|piece| piece.table.contains_key("scenario")) {
            system.clone()
        } else {
            System::default()
        };
        for piece in &kept {
            self.start = piece.start;
            let read = self.all(&piece.table, "scenario", |r, name, node| r.scenario(name, node, &mut draft));
            system.scenarios.extend(read);
        }
        Some((system, kept))
    }

    /// All but the scenarios of a piece.
    fn sections(&mut self, table: &DeTable<'_>, system: &mut System) {
        let keys = self.keys(table, 0..0, &language::ROOT);
        if let Some(node) = keys.get("model")
            && let Some(keys) = self.table("model", node, &language::MODEL)
        {
            for (key, slot) in [
                ("name", &mut system.name),
                ("description", &mut system.description),
                ("currency", &mut system.currency),
            ] {
                if let Some(text) = keys.get(key).and_then(|n| self.text(key, n)) {
                    *slot = text;
                }
            }
        }
        system.services.extend(self.all(table, "service", |r, name, node| r.service(name, node)));
        system.externals.extend(self.all(table, "external", |r, name, node| r.external(name, node)));
        system.pools.extend(self.all(table, "pool", |r, name, node| r.pool(name, node)));
        system.caches.extend(self.all(table, "cache", |r, name, node| r.cache(name, node)));
        system.workloads.extend(self.all(table, "workload", |r, name, node| r.workload(name, node)));
        if let Some(node) = keys.get("objective") {
            for item in self.list("objective", node).unwrap_or_default() {
                let place = system.objectives.len().to_string();
                let read = self.within("objective", |r| r.within(&place, |r| r.objective(item)));
                system.objectives.extend(read);
            }
        }
    }

    /// The named tables of a kind; names with a dot cannot be called, and are refused.
    fn all<T>(
        &mut self,
        table: &DeTable<'_>,
        kind: &str,
        mut read: impl FnMut(&mut Self, &str, Node<'_>) -> Option<T>,
    ) -> Vec<T> {
        let Some(node) = table.get(kind) else { return Vec::new() };
        let DeValue::Table(entries) = node.get_ref() else {
            self.wrong_type(kind, node, &format!("a table: [{kind}.NAME]"));
            return Vec::new();
        };
        let mut values = Vec::with_capacity(entries.len());
        for (key, node) in entries {
            let name: &str = key.get_ref();
            if name.contains('.') || name.trim().is_empty() {
                self.error(
                    "name",
                    key.span(),
                    format!("\"{name}\" cannot be the name of a {kind}"),
                    "not a name",
                    "write a name without a dot",
                );
                continue;
            }
            values.extend(self.within(kind, |r| r.within(name, |r| read(r, name, node))));
        }
        values
    }
}

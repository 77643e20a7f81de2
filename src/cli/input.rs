//! Reading models: the file, its scenarios, and changes from the command line.

use super::{Failure, ModelArgs, OutputArgs, output};
use plimsoll::analytic;
use plimsoll::document::{self, Diagnostic};
use plimsoll::plan;
use plimsoll::report::Manifest;
use plimsoll::system::System;
use plimsoll::system::check::Problem;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A model as it was read.
pub(crate) struct Model {
    /// Its text.
    pub text: String,
    /// Its name in messages.
    pub name: String,
    /// What it means, with the changes of the command line.
    pub system: System,
    /// What is odd about it.
    pub warnings: Vec<String>,
    /// Where results come from.
    pub manifest: Manifest,
}

/// Reads a model and applies `--set`; scenarios are left to the caller.
pub(crate) fn read(args: &ModelArgs, output: &OutputArgs) -> Result<Model, Failure> {
    let (text, name, folder) = source(&args.model)?;
    let files = |file: &str| -> Result<String, String> {
        std::fs::read_to_string(folder.join(file)).map_err(|error| reason(&error))
    };
    let style = output::style(output);
    let document = document::read(&text, &files)
        .map_err(|problems| Failure::Wrong(document::render(&problems, &text, &name, style)))?;
    if !document.warnings.is_empty() && !output.quiet {
        eprint!("{}", document::render(&document.warnings, &text, &name, style));
    }
    let mut system = document.system;
    for change in &args.set {
        let (path, change) = document::read_change(change, &mut system)
            .map_err(|why| Failure::Wrong(format!("error: --set {change}: {why}")))?;
        system.edit(&path, &change).map_err(|why| Failure::Wrong(format!("error: --set: {why}")))?;
    }
    let hash = Sha256::digest(text.as_bytes());
    let manifest = Manifest {
        model_sha256: hash.iter().map(|byte| format!("{byte:02x}")).collect(),
        version: env!("CARGO_PKG_VERSION"),
        method: "analytic",
        seed: None,
        tolerances: analytic::TOLERANCES,
        changes: args
            .set
            .iter()
            .map(|c| format!("--set {c}"))
            .chain(args.scenario.iter().map(|s| format!("--scenario {s}")))
            .collect(),
    };
    let warnings = document.warnings.iter().map(|w| w.message.clone()).collect();
    Ok(Model { text, name, system, warnings, manifest })
}

impl Model {
    /// The system with all these scenarios applied, one after the other.
    pub(crate) fn with_scenarios(&self, names: &[String]) -> Result<Cow<'_, System>, Failure> {
        let mut system = Cow::Borrowed(&self.system);
        for name in names {
            let changed = system.with_scenario(name);
            system = Cow::Owned(changed.map_err(|why| Failure::Wrong(format!("error: --scenario: {why}")))?);
        }
        Ok(system)
    }

    /// Refuses users who wait for their answers: more instances change what they ask for, and no bound on counts holds.
    pub(crate) fn without_users(&self, system: &System, output: &OutputArgs) -> Result<(), Failure> {
        self.refuse(plan::waiting_users(system), output)
    }

    /// Refuses what changes from the command line made wrong.
    pub(crate) fn correct(&self, system: &System, output: &OutputArgs) -> Result<(), Failure> {
        self.refuse(mistakes(system), output)
    }

    fn refuse(&self, problems: Vec<Problem>, output: &OutputArgs) -> Result<(), Failure> {
        if problems.is_empty() {
            return Ok(());
        }
        let diagnostics: Vec<Diagnostic> = document::place(&self.text, problems);
        Err(Failure::Wrong(document::render(&diagnostics, &self.text, &self.name, output::style(output))))
    }
}

fn mistakes(system: &System) -> Vec<Problem> {
    let all = plimsoll::system::check::check(system).into_iter();
    all.filter(|problem| problem.severity == plimsoll::document::Severity::Error).collect()
}

/// The text of a model, its name in messages, and the folder its files are relative to.
fn source(model: &str) -> Result<(String, String, PathBuf), Failure> {
    if model == "-" {
        let mut bytes = Vec::new();
        std::io::stdin()
            .read_to_end(&mut bytes)
            .map_err(|error| Failure::Outside(format!("error: standard input cannot be read: {error}")))?;
        let text = decode(bytes, "standard input")?;
        return Ok((text, "<stdin>".to_string(), PathBuf::from(".")));
    }
    let path = Path::new(model);
    if path.is_dir() {
        return Err(Failure::Wrong(format!("error: {model} is a folder, not a model: name the TOML file in it")));
    }
    let bytes = std::fs::read(path).map_err(|error| {
        let advice = if error.kind() == std::io::ErrorKind::NotFound { "; `plimsoll init` writes one" } else { "" };
        Failure::Outside(format!("error: {model} cannot be read: {}{advice}", reason(&error)))
    })?;
    let folder = path.parent().map_or_else(PathBuf::new, Path::to_path_buf);
    Ok((decode(bytes, model)?, model.to_string(), folder))
}

fn decode(bytes: Vec<u8>, name: &str) -> Result<String, Failure> {
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Failure::Wrong(format!("error: {name} is not text: byte {at} is not UTF-8"))
    })
}

/// Why the system could not do something, in a few words.
pub(crate) fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_string(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_string(),
        _ => error.to_string(),
    }
}

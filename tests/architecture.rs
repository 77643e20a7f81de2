//! The code keeps to its own rules: folders use only what stands above them, files stay readable, and every code of a
//! diagnostic is explained.

#![allow(clippy::disallowed_methods)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The folders in the order of docs/architecture.md: each uses the ones before it.
const FLOORS: [&str; 16] = [
    "unit",
    "math",
    "distribution",
    "discipline",
    "system",
    "network",
    "prediction",
    "analytic",
    "simulate",
    "exact",
    "predict",
    "plan",
    "calculator",
    "document",
    "report",
    "cli",
];

/// No file may grow beyond this.
const MOST_LINES: usize = 600;

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn all() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    sources(&root, &mut found);
    let name = |path: &PathBuf| path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
    found.iter().map(|path| (name(path), std::fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn folders_use_only_what_stands_above_them() {
    let floor = |folder: &str| FLOORS.iter().position(|f| *f == folder);
    for (file, text) in all() {
        let Some(own) = file.split('/').next().and_then(floor) else { continue };
        // Tests may look anywhere.
        let code = text.split("#[cfg(test)]").next().unwrap();
        for word in code.split("crate::").skip(1) {
            let used: String = word.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if let Some(other) = floor(&used) {
                assert!(other <= own, "src/{file} uses crate::{used}, which stands below it");
            }
        }
    }
}

#[test]
fn the_table_of_folders_is_the_one_in_the_docs() {
    let docs = include_str!("../docs/architecture.md");
    let listed: Vec<&str> = docs.lines().filter_map(|line| line.strip_prefix("| `src/")?.split('`').next()).collect();
    assert_eq!(listed, FLOORS);
}

#[test]
fn files_stay_readable() {
    for (file, text) in all() {
        let lines = text.lines().count();
        assert!(lines <= MOST_LINES, "src/{file} has {lines} lines: it has more than one subject");
    }
}

#[test]
fn every_diagnostic_is_explained() {
    let docs = include_str!("../docs/diagnostics.md");
    let explained: BTreeSet<&str> =
        docs.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let faulty = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faulty");
    let mut seen = BTreeSet::new();
    for entry in std::fs::read_dir(faulty).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "txt") {
            for line in std::fs::read_to_string(path).unwrap().lines() {
                let code = line.strip_prefix("error[").or_else(|| line.strip_prefix("warning["));
                if let Some(code) = code.and_then(|rest| rest.split(']').next()) {
                    seen.insert(code.to_string());
                }
            }
        }
    }
    for code in &seen {
        assert!(explained.contains(code.as_str()), "docs/diagnostics.md does not explain `{code}`");
    }
    let code: String = all().into_iter().map(|(_, text)| text).collect();
    for explained in explained {
        assert!(
            code.contains(&format!("\"{explained}\"")),
            "docs/diagnostics.md explains `{explained}`, which is no more"
        );
    }
}

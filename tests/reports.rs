//! What people see: every model in every format, as it was when somebody last looked at it.
//!
//! After a change that is meant, `INSTA_UPDATE=always cargo test --test reports` writes the new pages; read them.

#![allow(clippy::disallowed_methods)]

use assert_cmd::Command;

fn models() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/models");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut names: Vec<String> = entries
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn run(args: &[&str], columns: &str) -> (String, String) {
    let output = Command::cargo_bin("plimsoll")
        .unwrap()
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("COLUMNS", columns)
        .args(args)
        .output()
        .unwrap();
    (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
}

fn print(args: &[&str], columns: &str) -> String {
    let (out, err) = run(args, columns);
    steady(&(out + &err))
}

/// Numbers to four digits: the last ones depend on the machine's library of functions.
fn steady(text: &str) -> String {
    let mut out = String::new();
    let mut number = String::new();
    for c in text.chars().chain(['\n']) {
        if c.is_ascii_digit() || (c == '.' && !number.is_empty()) {
            number.push(c);
            continue;
        }
        if number.len() > 6 && number.contains('.') {
            let short = number.parse::<f64>().map_or(number.clone(), |value| format!("{value:.4}"));
            out.push_str(&short);
        } else {
            out.push_str(&number);
        }
        number.clear();
        out.push(c);
    }
    out.pop();
    out
}

fn settings(folder: &str) -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(format!("reports/{folder}"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings
}

#[test]
fn every_model_solved_in_every_format() {
    for format in ["table", "markdown", "csv", "json"] {
        settings(format).bind(|| {
            for model in models() {
                let path = format!("models/{model}.toml");
                insta::assert_snapshot!(model.clone(), print(&["solve", &path, "--format", format], "100"));
            }
        });
    }
}

#[test]
fn every_model_planned() {
    settings("plan").bind(|| {
        for model in models() {
            let path = format!("models/{model}.toml");
            insta::assert_snapshot!(model.clone(), print(&["plan", &path], "100"));
        }
    });
}

#[test]
fn tables_fit_the_screen() {
    for (columns, width) in [("80", 80), ("120", 120)] {
        for model in models() {
            for command in ["solve", "plan"] {
                let (text, _) = run(&[command, &format!("models/{model}.toml")], columns);
                for line in text.lines() {
                    assert!(line.chars().count() <= width, "{command} {model} at {columns}: {line}");
                }
            }
        }
    }
}

//! Wrong models, each with the message a person gets. `tests/faulty/NAME.toml` is the model, `NAME.txt` the message.
//!
//! Set `UPDATE=1` to write the messages anew, and read the difference before committing it.

#![allow(clippy::disallowed_methods, clippy::disallowed_macros)]

use std::process::Command;

fn folder() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faulty")
}

#[test]
fn every_wrong_model_gets_its_message() {
    let mut models: Vec<_> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "toml"))
        .collect();
    models.sort();
    assert!(models.len() >= 60, "{}", models.len());
    let mut differing = Vec::new();
    for model in models {
        let name = model.file_name().unwrap().to_str().unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_plimsoll"))
            .current_dir(folder())
            .env("COLUMNS", "100")
            .args(["solve", name])
            .output()
            .unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{name}: {message}");
        assert!(output.stdout.is_empty(), "{name} printed a result");
        let golden = model.with_extension("txt");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&golden, &message).unwrap();
        }
        if std::fs::read_to_string(&golden).unwrap_or_default() != message {
            differing.push(format!("{name}:\n{message}"));
        }
    }
    assert!(differing.is_empty(), "{} messages differ:\n{}", differing.len(), differing.join("\n"));
}

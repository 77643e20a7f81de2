//! The documentation says what the program does: generated tables are up to date, every TOML block is read.

#![allow(clippy::disallowed_methods)]

use plimsoll::document;

fn path(name: &str) -> String {
    format!("{}/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Set `UPDATE=1` to write the generated part anew.
#[test]
fn the_reference_page_lists_every_key() {
    let file = path("docs/model.md");
    let page = std::fs::read_to_string(&file).unwrap();
    let marker = "## Every key\n";
    let at = page.find(marker).expect("the page has its marker") + marker.len();
    let wanted = format!("{}\n{}", &page[..at], document::reference::tables());
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, &wanted).unwrap();
    }
    let page = std::fs::read_to_string(&file).unwrap();
    assert!(page == wanted, "docs/model.md is out of date: run UPDATE=1 cargo test --test docs");
}

#[test]
fn every_model_in_the_documentation_is_read() {
    let mut read = 0;
    for name in ["README.md", "docs/guide.md"] {
        let page = std::fs::read_to_string(path(name)).unwrap();
        for block in page.split("```toml\n").skip(1) {
            let model = block.split("```").next().unwrap();
            let no_files = |_: &str| Err("none".to_string());
            // A fragment stands on the whole model before it; only whole ones have a workload.
            if model.contains("[workload.") {
                if let Err(problems) = document::read(model, &no_files) {
                    panic!("{name}: {}", document::render(&problems, model, name, document::Style::default()));
                }
                read += 1;
            }
        }
    }
    assert!(read >= 3, "{read}");
}

//! Markdown, for pull requests and wikis.

use crate::report::{Block, Report, Table};

/// Prints a report as Markdown.
pub fn print(report: &Report) -> String {
    let mut out = String::new();
    for block in &report.blocks {
        match block {
            Block::Headline(text, _) => out.push_str(&format!("# {text}\n\n")),
            Block::Heading(text) => out.push_str(&format!("## {text}\n\n")),
            Block::Paragraph(text) => out.push_str(&format!("{text}\n\n")),
            Block::List(items) => {
                items.iter().for_each(|item| out.push_str(&format!("- {item}\n")));
                out.push('\n');
            }
            Block::Table(table) => out.push_str(&grid(table)),
        }
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

fn grid(table: &Table) -> String {
    let row = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let escape = |text: &str| text.replace('|', "\\|");
    let mut out = row(table.header.iter().map(|head| escape(head)).collect());
    let rule = |column: usize| if column < table.text_columns { "---" } else { "---:" }.to_string();
    out.push_str(&row((0..table.header.len()).map(rule).collect()));
    for cells in &table.rows {
        out.push_str(&row(cells.iter().map(|cell| escape(&cell.text)).collect()));
    }
    out.push('\n');
    out
}

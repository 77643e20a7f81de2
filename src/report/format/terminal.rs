//! For a terminal: aligned tables that fit its width, colours where it has them.

use crate::report::{Block, Cell, Report, Table, Tone};
use comfy_table::{CellAlignment, ContentArrangement, Table as Grid, presets};

/// Prints a report for a terminal of so many columns.
pub fn print(report: &Report, width: usize, color: bool) -> String {
    let mut out = String::new();
    for block in &report.blocks {
        match block {
            Block::Headline(text, tone) => {
                out.push_str(&format!("{}\n\n", paint(&wrap(text, width, ""), *tone, color, true)));
            }
            Block::Heading(text) => {
                out.push_str(&format!("{}\n", paint(&wrap(text, width, ""), Tone::Plain, color, true)));
            }
            Block::Paragraph(text) => out.push_str(&format!("{}\n\n", wrap(text, width, ""))),
            Block::List(items) => {
                items.iter().for_each(|item| out.push_str(&format!("- {}\n", wrap(item, width - 2, "  "))));
                out.push('\n');
            }
            Block::Table(table) => out.push_str(&format!("{}\n\n", grid(table, width, color))),
        }
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

/// The table with as many of its optional columns as fit.
fn grid(table: &Table, width: usize, color: bool) -> String {
    let mut dropped: Vec<usize> = Vec::new();
    let mut optional = table.optional.iter();
    loop {
        let shown: Vec<usize> = (0..table.header.len()).filter(|c| !dropped.contains(c)).collect();
        let natural: usize = shown.iter().map(|c| column_width(table, *c) + 2).sum();
        if natural <= width {
            return draw(table, &shown, width, color);
        }
        match optional.next() {
            Some(column) => dropped.push(*column),
            None => return draw(table, &shown, width, color),
        }
    }
}

fn column_width(table: &Table, column: usize) -> usize {
    let cells = table.rows.iter().map(|row| row[column].text.chars().count());
    cells.chain([table.header[column].chars().count()]).max().unwrap_or(0)
}

fn draw(table: &Table, shown: &[usize], width: usize, color: bool) -> String {
    let mut grid = Grid::new();
    grid.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_width(width as u16);
    if table.header.iter().any(|word| !word.is_empty()) {
        grid.set_header(shown.iter().map(|c| dim(&table.header[*c], color)));
    }
    for row in &table.rows {
        grid.add_row(shown.iter().map(|c| cell(&row[*c], color)));
    }
    for (i, column) in grid.column_iter_mut().enumerate() {
        // Sentences at the end of a row read from the left, as text does.
        let prose = table.rows.iter().any(|row| row[shown[i]].text.len() > 24);
        let right = shown[i] >= table.text_columns && !prose;
        column.set_cell_alignment(if right { CellAlignment::Right } else { CellAlignment::Left });
        column.set_padding((if i == 0 { 0 } else { 1 }, 1));
    }
    let text = grid.to_string();
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

fn cell(cell: &Cell, color: bool) -> String {
    paint(&cell.text, cell.tone, color, false)
}

fn dim(text: &str, color: bool) -> String {
    if color { format!("\x1b[2m{text}\x1b[0m") } else { text.to_string() }
}

fn paint(text: &str, tone: Tone, color: bool, bold: bool) -> String {
    if !color {
        return text.to_string();
    }
    let code = match tone {
        Tone::Plain => "",
        Tone::Good => "32",
        Tone::Careful => "33",
        Tone::Bad => "31",
    };
    match (code, bold) {
        ("", false) => text.to_string(),
        ("", true) => format!("\x1b[1m{text}\x1b[0m"),
        (code, false) => format!("\x1b[{code}m{text}\x1b[0m"),
        (code, true) => format!("\x1b[1;{code}m{text}\x1b[0m"),
    }
}

/// Breaks a text into lines of at most `width` characters; further lines start with `indent`.
fn wrap(text: &str, width: usize, indent: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.len() - 1;
        let length = lines[line].chars().count();
        if length > 0 && length + 1 + word.chars().count() > width {
            lines.push(format!("{indent}{word}"));
        } else {
            if length > 0 {
                lines[line].push(' ');
            }
            lines[line].push_str(word);
        }
    }
    lines.join("\n")
}

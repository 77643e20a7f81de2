//! The report of `calc`: what went in, what came out, and what it assumes.

use super::{Block, Cell, Report, Table, Tone};
use crate::calculator::{Calculation, FORMULAS, Figure, Unit};
use crate::unit::{duration, number, rate, ratio};

/// The report of a calculation.
pub fn calculated(calculation: &Calculation) -> Report {
    let mut report = Report::default();
    let what = FORMULAS.iter().find(|(f, _, _)| *f == calculation.formula).map_or("", |(_, _, what)| what);
    let name = calculation.formula.word();
    if calculation.stable {
        report.push(Block::Headline(format!("{name}: {what}"), Tone::Plain));
    } else {
        report.push(Block::Headline(format!("{name}: overloaded"), Tone::Bad));
    }
    let shown = calculation.inputs.iter().chain(&calculation.results);
    let rows = shown.map(|figure| vec![label(&figure.key).into(), Cell::from(print(figure))]).collect();
    let header = vec![String::new(), String::new()];
    report.push(Block::Table(Table { header, rows, text_columns: 1, optional: Vec::new() }));
    report.push(Block::Paragraph(calculation.assumes.clone()));
    report
}

fn label(key: &str) -> String {
    key.replace('_', " ").replace("p999", "p99.9")
}

fn print(figure: &Figure) -> String {
    let Some(value) = figure.value else { return "–".to_string() };
    match figure.unit {
        Unit::Time => duration::print_digits(value, 4),
        Unit::Rate => rate::print(value),
        Unit::Ratio => ratio::print(value),
        Unit::Number => number::print_digits(value, 5),
    }
}

//! The report of `sweep`: one row for each value of the parameter.

use super::{Block, Cell, Manifest, Report, Table, Tone, manifest_line};
use crate::plan::{Overloaded, Point, assess, overloaded};
use crate::system::{Kind, System};
use crate::unit::{duration, number, rate, ratio};

/// The report of a sweep along a parameter of this kind.
pub fn swept(
    system: &System,
    path: &str,
    kind: Kind,
    points: &[Point],
    knee: Option<f64>,
    manifest: &Manifest,
) -> Report {
    let mut report = Report::default();
    let name = if system.name.is_empty() { "Model" } else { &system.name };
    report.push(Block::Headline(format!("{name}: along {path}"), Tone::Plain));
    let mut header = vec![path.rsplit('.').next().unwrap_or(path).to_string()];
    for workload in &system.workloads {
        for figure in ["p50", "p95", "p99"] {
            header.push(format!("{} {figure}", workload.name));
        }
    }
    header.push("busiest".to_string());
    header.push("busy".to_string());
    if !system.objectives.is_empty() {
        header.push("verdict".to_string());
    }
    let rows = points.iter().map(|point| row(point, kind)).collect();
    report.push(Block::Table(Table { header, rows, text_columns: 0, optional: Vec::new() }));
    if let Some(knee) = knee {
        report.push(Block::Paragraph(format!("The knee of p95 lies near {}.", value(kind, knee))));
    }
    if let Some(overloaded) = overloaded(points) {
        report.push(Block::Paragraph(match overloaded {
            Overloaded::From(first) => format!("From {} on it is overloaded.", value(kind, first)),
            Overloaded::UpTo(last) => format!("Up to {} it is overloaded.", value(kind, last)),
            Overloaded::Everywhere => "It is overloaded everywhere.".to_string(),
        }));
    }
    report.push(Block::Paragraph(manifest_line(manifest)));
    report
}

fn row(point: &Point, kind: Kind) -> Vec<Cell> {
    let mut cells: Vec<Cell> = vec![value(kind, point.value).into()];
    for workload in &point.prediction.workloads {
        for level in [0.5, 0.95, 0.99] {
            let time = workload.response.percentile(level);
            cells.push(time.map_or_else(|| Cell::toned("–", Tone::Bad), |t| duration::print(t).into()));
        }
    }
    let busiest = point
        .prediction
        .services
        .iter()
        .filter_map(|s| s.utilization.map(|u| (u, s.name.as_str())))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    cells.push(busiest.map_or("–", |(_, name)| name).into());
    cells.push(busiest.map_or_else(|| "–".to_string(), |(u, _)| ratio::print(u)).into());
    let verdicts = assess(&point.system, &point.prediction);
    if !verdicts.is_empty() {
        let missed = verdicts.iter().filter(|v| !v.met).count();
        cells.push(if missed == 0 {
            Cell::toned("met", Tone::Good)
        } else {
            Cell::toned(format!("{missed} missed"), Tone::Bad)
        });
    }
    cells
}

/// A value of the parameter with its unit.
pub(super) fn value(kind: Kind, value: f64) -> String {
    match kind {
        Kind::Duration | Kind::Law => duration::print(value),
        Kind::Rate => rate::print(value),
        Kind::Ratio => ratio::print(value),
        _ => number::print_digits(value, 6),
    }
}

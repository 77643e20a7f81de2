//! What holds each objective back.

use super::{Block, Cell, Report, Table};
use crate::plan::{CHANGE, Elasticity, Explanation, Made, Remedy};
use crate::system::Metric;
use crate::unit::{duration, number, price, rate, ratio};

/// Effects that are shown.
const MOST_EFFECTS: usize = 12;

/// Why a prediction is as it is.
pub(super) fn explained(explanation: &Explanation, currency: &str, report: &mut Report) {
    for made in &explanation.workloads {
        let Some(p95) = made.p95.filter(|_| !made.parts.is_empty()) else { continue };
        report.push(Block::Heading(format!("What the p95 of {} is made of", made.workload)));
        report.push(Block::Paragraph(sentence(made, p95)));
        let rows = made.parts.iter().map(|part| {
            vec![
                Cell::from(part.place.clone()),
                part.cause.word().into(),
                duration::print(part.time).into(),
                ratio::print(part.share).into(),
            ]
        });
        let header = ["where", "spent on", "of the p95", "share"].map(String::from).to_vec();
        report.push(Block::Table(Table { header, rows: rows.collect(), text_columns: 2, optional: Vec::new() }));
    }
    // How busy something is follows the load by itself.
    let plain = |elasticity: &&Elasticity| elasticity.figure.ends_with(" utilization");
    let mut shown: Vec<&Elasticity> = explanation.elasticities.iter().filter(|e| !plain(e)).collect();
    if shown.is_empty() {
        shown = explanation.elasticities.iter().collect();
    }
    if !shown.is_empty() {
        report.push(Block::Heading(format!("What {} more does", ratio::print(CHANGE))));
        let rows = shown.into_iter().take(MOST_EFFECTS).map(|elasticity| {
            let effect = elasticity.effect.map_or_else(
                || "no longer exists".to_string(),
                |effect| format!("{}{}", if effect > 0.0 { "+" } else { "" }, ratio::print(effect)),
            );
            vec![Cell::from(elasticity.input.clone()), elasticity.figure.clone().into(), effect.into()]
        });
        let header = ["input", "figure", "effect"].map(String::from).to_vec();
        report.push(Block::Table(Table { header, rows: rows.collect(), text_columns: 2, optional: Vec::new() }));
    }
    if let Some(next) = &explanation.next {
        let text = if next.now == next.then {
            let headroom = number::print_digits(next.headroom, 3);
            format!(
                "{} saturates first, and still does with twice as much of it, at {headroom} times this load.",
                next.now
            )
        } else {
            format!(
                "{} saturates first; with twice as much of it {} would, at {} times this load.",
                next.now,
                next.then,
                number::print_digits(next.headroom, 3)
            )
        };
        report.push(Block::Paragraph(text));
    }
    let remedies: Vec<String> = explanation.remedies.iter().map(|remedy| remedy_sentence(remedy, currency)).collect();
    report.list("What would help, the cheapest first", &remedies);
}

/// What a p95 is made of, in a sentence.
pub(super) fn sentence(made: &Made, p95: f64) -> String {
    let mut largest = made.parts.iter().take(2).map(|part| {
        let what = match part.cause.word() {
            "service" => format!("work at {}", part.place),
            "network" => "the network".to_string(),
            "retries" => "attempts that failed".to_string(),
            "other" => "small places together".to_string(),
            cause => format!("waiting for {} {cause}", part.place),
        };
        format!("{} ({})", what, ratio::print(part.share))
    });
    let first = largest.next().unwrap_or_default();
    let second = largest.next().map_or_else(String::new, |second| format!(", then {second}"));
    format!("The slow requests of {}, around {}, spend most on {first}{second}.", made.workload, duration::print(p95))
}

/// What would help, in a sentence.
pub(super) fn remedy_sentence(remedy: &Remedy, currency: &str) -> String {
    let value = |value: f64| match remedy.metric {
        Metric::Mean | Metric::Percentile(_) => duration::print(value),
        Metric::Throughput => rate::print(value),
        _ => ratio::print(value),
    };
    let before = remedy.before.map_or_else(|| "not existing".to_string(), value);
    let cost = match remedy.price {
        Some(cost) if cost > 0.0 => format!(" for {} more", price::print(cost, currency)),
        _ => String::new(),
    };
    format!(
        "{} from {} to {} takes {} from {before} to {}{cost}",
        remedy.path,
        number::print(remedy.from),
        number::print(remedy.to),
        remedy.figure,
        value(remedy.after)
    )
}

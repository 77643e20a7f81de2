//! What theory says beside what was simulated.

use super::{Block, Cell, Report, Table, Tone};
use crate::prediction::{Accuracy, Agreement, Confidence, Prediction, Times, Widths};
use crate::system::Metric;
use crate::unit::{duration, number, rate, ratio};

/// Differences up to this share of a figure are as good as none, however narrow the interval.
const NEAR: f64 = 0.02;

/// A figure that both engines have.
#[derive(Debug, Clone)]
pub struct Difference {
    /// The workload or service.
    pub subject: String,
    /// Which of them.
    pub is_service: bool,
    /// The figure, by its name in JSON: `response_p95`.
    pub metric: String,
    /// By theory.
    pub computed: Option<f64>,
    /// By simulation.
    pub simulated: Option<f64>,
    /// Half the width of its 95% interval.
    pub half_width: Option<f64>,
    print: fn(f64) -> String,
}

impl Difference {
    /// Theory less simulation over simulation; `None` where there is nothing to compare.
    pub fn relative(&self) -> Option<f64> {
        let (computed, simulated) = self.computed.zip(self.simulated)?;
        if computed == simulated { Some(0.0) } else { Some(computed / simulated - 1.0).filter(|d| d.is_finite()) }
    }

    /// Whether theory lies inside the interval; `None` where there is nothing to compare.
    pub fn is_inside(&self) -> Option<bool> {
        let (computed, simulated) = self.computed.zip(self.simulated)?;
        Some((computed - simulated).abs() <= self.half_width? + 1e-12 * simulated.abs())
    }
}

/// Every figure that two predictions of a model share, workloads first.
pub fn differences(computed: &Prediction, simulated: &Prediction) -> Vec<Difference> {
    let mut found = Vec::new();
    for (theory, run) in computed.workloads.iter().zip(&simulated.workloads) {
        let none = Confidence::default();
        let confidence = if let Accuracy::Simulated(confidence) = &run.accuracy { confidence } else { &none };
        let mut put = |metric: &str, figures: [Option<f64>; 3], print| {
            found.push(difference(&theory.name, false, metric, figures, print));
        };
        put("throughput", [Some(theory.throughput), Some(run.throughput), confidence.throughput], rate::print);
        put("error_rate", [Some(theory.error_rate), Some(run.error_rate), confidence.error_rate], ratio::print);
        times("response", &theory.response, &run.response, &confidence.response, &mut put);
    }
    for (theory, run) in computed.services.iter().zip(&simulated.services) {
        let Some(confidence) = run.confidence.as_deref().filter(|_| run.arrival_rate > 0.0) else { continue };
        let mut put = |metric: &str, figures: [Option<f64>; 3], print| {
            found.push(difference(&theory.name, true, metric, figures, print));
        };
        if theory.utilization.is_some() {
            put("utilization", [theory.utilization, run.utilization, confidence.utilization], ratio::print);
        }
        put("queue_length", [theory.queue_length, run.queue_length, confidence.queue_length], number::print);
        times("wait", &theory.wait, &run.wait, &confidence.wait, &mut put);
        times("response", &theory.response, &run.response, &confidence.response, &mut put);
    }
    found
}

fn difference(
    subject: &str,
    is_service: bool,
    metric: &str,
    figures: [Option<f64>; 3],
    print: fn(f64) -> String,
) -> Difference {
    let [computed, simulated, half_width] = figures;
    Difference {
        subject: subject.to_string(),
        is_service,
        metric: metric.to_string(),
        computed,
        simulated,
        half_width,
        print,
    }
}

type Put<'p> = dyn FnMut(&str, [Option<f64>; 3], fn(f64) -> String) + 'p;

fn times(name: &str, theory: &Times, run: &Times, widths: &Widths, put: &mut Put<'_>) {
    put(&format!("{name}_mean"), [theory.mean, run.mean, widths.mean], duration::print);
    for (i, (word, _)) in Metric::PERCENTILES.iter().enumerate() {
        let figures = [theory.percentiles[i], run.percentiles[i], widths.percentiles[i]];
        put(&format!("{name}_{word}"), figures, duration::print);
    }
}

/// Figures of services that are worth a row; those of workloads all are.
const OF_SERVICES: [&str; 4] = ["utilization", "wait_mean", "response_mean", "response_p95"];

/// The figures of both engines side by side.
pub(super) fn compared(computed: &Prediction, simulated: &Prediction, report: &mut Report) {
    let all = differences(computed, simulated);
    let shown: Vec<&Difference> = all
        .iter()
        .filter(|d| !d.is_service || OF_SERVICES.contains(&d.metric.as_str()))
        .filter(|d| d.computed.is_some() || d.simulated.is_some())
        .collect();
    let compared = shown.iter().filter_map(|d| d.is_inside()).count();
    let inside = shown.iter().filter(|d| d.is_inside() == Some(true)).count();
    let far =
        shown.iter().filter(|d| d.is_inside() == Some(false) && d.relative().is_some_and(|r| r.abs() > NEAR)).count();
    report.push(Block::Heading("Analytic beside simulated".to_string()));
    report.push(Block::Paragraph(format!(
        "{inside} of {compared} analytic figures lie inside the simulated 95% interval; {far} of those outside are more than 2% off."
    )));
    let rows = shown.into_iter().map(|d| {
        let figure = |value: Option<f64>| Cell::from(value.map_or_else(|| "–".to_string(), d.print));
        let tone = match (d.is_inside(), d.relative()) {
            (Some(true), _) => Tone::Good,
            (Some(false), Some(relative)) if relative.abs() > NEAR => Tone::Careful,
            _ => Tone::Plain,
        };
        let relative = d.relative().map_or_else(|| "–".to_string(), |r| number::print_digits(100.0 * r, 2) + "%");
        vec![
            d.subject.clone().into(),
            d.metric.replace('_', " ").replace("p999", "p99.9").into(),
            figure(d.computed),
            figure(d.simulated),
            figure(d.half_width),
            Cell::toned(relative, tone),
            Cell::toned(d.is_inside().map_or("–", |inside| if inside { "inside" } else { "outside" }), tone),
        ]
    });
    let header = ["", "figure", "analytic", "simulated", "±", "difference", "interval"].map(String::from).to_vec();
    report.push(Block::Table(Table { header, rows: rows.collect(), text_columns: 2, optional: Vec::new() }));
}

/// What both engines together say.
pub(super) fn agreed(agreement: &Agreement, report: &mut Report) {
    report.push(Block::Heading("Verdict".to_string()));
    report.push(Block::Paragraph(agreement.sentence()));
    let rows = agreement.apart.iter().map(|apart| {
        vec![
            apart.subject.clone().into(),
            apart.metric.replace('_', " ").replace("p999", "p99.9").into(),
            apart.cause.code.into(),
            apart.cause.service.clone().into(),
        ]
    });
    if !agreement.holds() {
        let header = ["", "figure apart", "assumption", "at"].map(String::from).to_vec();
        report.push(Block::Table(Table { header, rows: rows.collect(), text_columns: 4, optional: Vec::new() }));
    }
}

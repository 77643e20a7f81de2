//! The report of `solve` and `check`: the answer first, then who gets what, where the time goes, what each service
//! does.

use super::compared::{agreed, compared};
use super::explained::explained;
use super::{Block, Cell, Manifest, Report, Table, Tone, manifest_line};
use crate::plan::{Explanation, Verdict};
use crate::prediction::{Accuracy, Agreement, Bounds, Prediction, ServiceResult, Simulation, WorkloadResult};
use crate::system::{Metric, System};
use crate::unit::{duration, number, price, rate, ratio};

/// Utilizations above this are worth a look.
const BUSY: f64 = 0.8;

/// The report of one solved model; of a simulated one perhaps with what was computed beside it, and with why.
pub fn solved(
    system: &System,
    prediction: &Prediction,
    computed: Option<(&Prediction, &Agreement)>,
    explanation: Option<&Explanation>,
    verdicts: &[Verdict],
    warnings: &[String],
    manifest: &Manifest,
) -> Report {
    let mut report = Report::default();
    report.push(headline(system, prediction, verdicts));
    if let Some(table) = objectives(system, verdicts) {
        report.push(Block::Table(table));
    }
    if let Some(advice) = advice(prediction, verdicts) {
        report.push(Block::Paragraph(advice));
    }
    report.push(Block::Heading("Workloads".to_string()));
    report.push(Block::Table(workloads(prediction)));
    if let Some(table) = crowds(prediction) {
        report.push(Block::Heading("Users".to_string()));
        report.push(Block::Table(table));
    }
    for workload in &prediction.workloads {
        if let Some(table) = breakdown(workload) {
            report.push(Block::Heading(format!("Where the time of {} goes", workload.name)));
            report.push(Block::Table(table));
        }
    }
    report.push(Block::Heading("Services".to_string()));
    report.push(Block::Table(services(prediction)));
    if let Some(more) = amplified(prediction) {
        report.push(Block::Paragraph(more));
    }
    if let Some((computed, agreement)) = computed {
        compared(computed, prediction, &mut report);
        agreed(agreement, &mut report);
    }
    if let Some(explanation) = explanation {
        explained(explanation, &system.currency, &mut report);
    }
    if let Some(simulation) = &prediction.simulation {
        report.push(Block::Paragraph(simulated(simulation)));
    }
    report.list("Warnings", warnings);
    report.list("Assumptions", &system.assumptions);
    report.push(Block::Paragraph(manifest_line(manifest)));
    report
}

/// Less than this part more is not worth a word.
const MORE: f64 = 0.005;

/// What trying again and copies bring, in a sentence.
fn amplified(prediction: &Prediction) -> Option<String> {
    let more = |service: &ServiceResult| {
        let times = service.amplification.filter(|times| *times > 1.0 + MORE)?;
        Some(format!("{} {} times", service.name, number::print_digits(times, 3)))
    };
    let found: Vec<String> = prediction.services.iter().filter_map(more).collect();
    (!found.is_empty()).then(|| {
        format!("Calls that are made again bring {} as many calls as first attempts alone.", enumerate(&found))
    })
}

/// How it was simulated, in a sentence or two.
fn simulated(simulation: &Simulation) -> String {
    let Simulation { replications, warmup, duration, requests, seed, .. } = simulation;
    let warmup =
        if *warmup > 0.0 { format!(" after a warm-up of {}", duration::print(*warmup)) } else { String::new() };
    let precise = match simulation.precision {
        Some(precision) => {
            let least = &simulation.least_certain;
            format!(" The least certain figure ({least}) is known to {} (95% interval).", ratio::print(precision))
        }
        None => String::new(),
    };
    format!(
        "Simulated {} requests in {replications} {} of {}{warmup}, seed {seed}.{precise}",
        number::print(*requests as f64),
        plural(*replications as usize, "replication"),
        duration::print(*duration),
    )
}

/// The report of `check`: the objectives alone.
pub fn checked(system: &System, prediction: &Prediction, verdicts: &[Verdict]) -> Report {
    let mut report = Report::default();
    report.push(headline(system, prediction, verdicts));
    if let Some(table) = objectives(system, verdicts) {
        report.push(Block::Table(table));
    }
    report
}

fn title(system: &System) -> String {
    if system.name.is_empty() { "Model".to_string() } else { system.name.clone() }
}

fn headline(system: &System, prediction: &Prediction, verdicts: &[Verdict]) -> Block {
    let missed = verdicts.iter().filter(|v| !v.met).count();
    let name = title(system);
    let dead = &prediction.deadlocked;
    let (text, tone) = if !dead.is_empty() {
        (format!("{name}: deadlocked, requests wait for one another at {}", enumerate(dead)), Tone::Bad)
    } else if !prediction.stable {
        let over: Vec<String> = prediction.overloads.iter().map(|o| o.station.clone()).collect();
        (format!("{name}: overloaded, {} cannot keep up", enumerate(&over)), Tone::Bad)
    } else if verdicts.is_empty() {
        let headroom =
            prediction.headroom.map_or_else(String::new, |h| format!(", load can grow {} times", number::print(h)));
        (format!("{name}: stable, no objectives stated{headroom}"), Tone::Plain)
    } else if missed == 0 {
        let all = if verdicts.len() == 1 {
            "the objective is met".to_string()
        } else {
            format!("all {} objectives are met", verdicts.len())
        };
        (format!("{name}: {all}"), Tone::Good)
    } else {
        (format!("{name}: {missed} of {} {} missed", verdicts.len(), plural(verdicts.len(), "objective")), Tone::Bad)
    };
    Block::Headline(text, tone)
}

/// What to do about it, in a sentence or two.
fn advice(prediction: &Prediction, verdicts: &[Verdict]) -> Option<String> {
    if !prediction.overloads.is_empty() {
        let each: Vec<String> = prediction
            .overloads
            .iter()
            .map(|o| {
                let fix = if o.external {
                    "its limit must rise, or fewer calls be made".to_string()
                } else {
                    format!(
                        "{} {} would bring it to 80% busy",
                        o.instances_needed,
                        plural(o.instances_needed as usize, "instance")
                    )
                };
                format!("{} gets {} of the work it can do; {fix}.", o.station, ratio::print(o.load))
            })
            .collect();
        return Some(each.join(" "));
    }
    if verdicts.iter().any(|v| !v.met) {
        return Some("`plimsoll plan` finds the cheapest instance counts that meet every objective.".to_string());
    }
    if !prediction.stable {
        return None;
    }
    let bottleneck = prediction.bottleneck.as_ref()?;
    let headroom = prediction.headroom?;
    Some(format!("{bottleneck} saturates first, at {} times this load.", number::print(headroom)))
}

pub(super) fn objectives(system: &System, verdicts: &[Verdict]) -> Option<Table> {
    if verdicts.is_empty() {
        return None;
    }
    let rows = verdicts
        .iter()
        .map(|v| {
            let tone = if v.met { Tone::Good } else { Tone::Bad };
            vec![
                Cell::toned(if v.met { "met" } else { "MISSED" }, tone),
                v.name.clone().into(),
                figure(v.metric, v.predicted, system).into(),
                bound(v.metric, v.target, system).into(),
                Cell::toned(distance(v), tone),
            ]
        })
        .collect();
    let header = ["", "objective", "predicted", "target", "margin"].map(String::from).to_vec();
    Some(Table { header, rows, text_columns: 2, optional: Vec::new() })
}

/// How far a verdict is from its bound, in words.
pub(super) fn distance(verdict: &Verdict) -> String {
    match verdict.margin {
        None => "does not exist".to_string(),
        Some(margin) => {
            let text = ratio::print(margin.abs());
            let (good, bad) = if verdict.metric.wants_more() { ("above", "short") } else { ("below", "over") };
            format!("{text} {}", if margin >= 0.0 { good } else { bad })
        }
    }
}

/// A figure of a metric with its unit.
pub(super) fn figure(metric: Metric, value: Option<f64>, system: &System) -> String {
    let Some(value) = value else { return "–".to_string() };
    match metric {
        Metric::Mean | Metric::Percentile(_) => duration::print(value),
        Metric::Throughput => rate::print(value),
        Metric::ErrorRate | Metric::Utilization | Metric::Within(_) | Metric::Availability => ratio::print(value),
        Metric::Cost => price::print(value, &system.currency),
    }
}

/// A bound of a metric with the side it is on.
pub(super) fn bound(metric: Metric, target: f64, system: &System) -> String {
    let sign = if metric.wants_more() { "≥" } else { "≤" };
    format!("{sign} {}", figure(metric, Some(target), system))
}

fn workloads(prediction: &Prediction) -> Table {
    let rows = prediction
        .workloads
        .iter()
        .map(|w| {
            let time = |value: Option<f64>| Cell::from(value.map_or_else(|| "–".to_string(), duration::print));
            let errors = if w.error_rate > 0.0 { Tone::Careful } else { Tone::Plain };
            vec![
                w.name.clone().into(),
                rate::print(w.arrival_rate).into(),
                rate::print(w.throughput).into(),
                Cell::toned(ratio::print(w.error_rate), errors),
                time(w.response.mean),
                time(w.response.percentile(0.5)),
                time(w.response.percentile(0.95)),
                time(w.response.percentile(0.99)),
                time(w.response.percentile(0.999)),
                w.saturation_rate.map_or_else(|| "–".to_string(), rate::print).into(),
                trust(&w.accuracy, w.response.p95()).into(),
            ]
        })
        .collect();
    let header =
        ["workload", "arrivals", "throughput", "errors", "mean", "p50", "p95", "p99", "p99.9", "saturates", "p95 ±"];
    Table { header: header.map(String::from).to_vec(), rows, text_columns: 1, optional: vec![2, 8, 5, 3] }
}

/// How many users fill the system, and what they cannot exceed.
fn crowds(prediction: &Prediction) -> Option<Table> {
    let between = |low: Option<String>, high: Option<String>| match (low, high) {
        (Some(low), Some(high)) => format!("{low} to {high}"),
        (Some(low), None) => format!("at least {low}"),
        (None, Some(high)) => format!("at most {high}"),
        (None, None) => "–".to_string(),
    };
    let bounds = |within: &Bounds| -> [Cell; 2] {
        let (throughput, response) = (within.throughput, within.response);
        [
            between(throughput.0.map(rate::print), throughput.1.map(rate::print)).into(),
            between(Some(duration::print(response.0)), response.1.map(duration::print)).into(),
        ]
    };
    let mut rows = Vec::new();
    for (workload, crowd) in prediction.workloads.iter().filter_map(|w| Some((w, w.crowd.as_ref()?))) {
        let knee = if crowd.knee.is_finite() { number::print_digits(crowd.knee, 3) } else { "–".to_string() };
        let mut row: Vec<Cell> =
            vec![workload.name.clone().into(), crowd.users.to_string().into(), knee.into(), "asymptotic".into()];
        row.extend(bounds(&crowd.asymptotic));
        rows.push(row);
        if let Some(balanced) = &crowd.balanced {
            let mut row: Vec<Cell> = vec!["".into(), "".into(), "".into(), "balanced".into()];
            row.extend(bounds(balanced));
            rows.push(row);
        }
    }
    let header = ["workload", "users", "knee at", "bounds", "throughput", "mean response"];
    let table = Table { header: header.map(String::from).to_vec(), rows, text_columns: 1, optional: Vec::new() };
    (!table.rows.is_empty()).then_some(table)
}

fn trust(accuracy: &Accuracy, p95: Option<f64>) -> String {
    match accuracy {
        Accuracy::Exact => "exact".to_string(),
        Accuracy::Approximate { p95_error } => number::print_digits(p95_error * 100.0, 2) + "%",
        Accuracy::Simulated(confidence) => {
            let width = confidence.response.p95().zip(p95).filter(|(_, p95)| *p95 > 0.0);
            width.map_or_else(|| "–".to_string(), |(width, p95)| number::print_digits(width / p95 * 100.0, 2) + "%")
        }
        Accuracy::Overloaded => "–".to_string(),
    }
}

fn breakdown(workload: &WorkloadResult) -> Option<Table> {
    let mean = workload.response.mean.filter(|mean| *mean > 0.0)?;
    let mut shares: Vec<_> = workload.breakdown.iter().filter(|s| s.queueing + s.service_time > 0.0).collect();
    shares.sort_by(|a, b| (b.queueing + b.service_time).total_cmp(&(a.queueing + a.service_time)));
    let rows = shares
        .into_iter()
        .take(12)
        .map(|share| {
            vec![
                share.service.clone().into(),
                number::print(share.visits).into(),
                duration::print(share.queueing).into(),
                duration::print(share.service_time).into(),
                ratio::print((share.queueing + share.service_time) / mean).into(),
            ]
        })
        .collect();
    let header = ["service", "visits", "queueing", "service time", "share of mean"].map(String::from).to_vec();
    Some(Table { header, rows, text_columns: 1, optional: Vec::new() })
}

fn services(prediction: &Prediction) -> Table {
    let rows = prediction
        .services
        .iter()
        .filter(|s| s.arrival_rate > 0.0)
        .map(|s| {
            let time = |value: Option<f64>| Cell::from(value.map_or_else(|| "–".to_string(), duration::print));
            let tone = match s.utilization {
                Some(u) if u >= 1.0 => Tone::Bad,
                Some(u) if u > BUSY => Tone::Careful,
                _ => Tone::Plain,
            };
            vec![
                s.name.clone().into(),
                if s.external { "ext".into() } else { s.instances.to_string().into() },
                Cell::toned(s.utilization.map_or_else(|| "–".to_string(), ratio::print), tone),
                rate::print(s.arrival_rate).into(),
                s.queue_length.map_or_else(|| "–".to_string(), number::print).into(),
                time(s.wait.mean),
                time(s.wait.p95()),
                time(s.response.mean),
                time(s.response.p95()),
                s.saturation_rate.map_or_else(|| "–".to_string(), rate::print).into(),
            ]
        })
        .collect();
    let header = [
        "service",
        "instances",
        "busy",
        "arrivals",
        "waiting",
        "mean wait",
        "p95 wait",
        "mean response",
        "p95 response",
        "saturates",
    ];
    Table { header: header.map(String::from).to_vec(), rows, text_columns: 1, optional: vec![4, 5, 7] }
}

/// `a`, `a and b`, `a, b and c`.
pub(super) fn enumerate(items: &[String]) -> String {
    match items {
        [] => "a resource".to_string(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// A word in singular or plural.
pub(super) fn plural(count: usize, word: &str) -> String {
    if count == 1 { word.to_string() } else { format!("{word}s") }
}

//! The report of a load test: what was done to the system, what it found, and its stages.

use super::solved::{enumerate, objectives};
use super::{Block, Cell, Manifest, Report, Table, Tone, manifest_line};
use crate::plan::{Finding, Limit, LoadTest, Recovery, Stage, TestKind};
use crate::system::System;
use crate::unit::{duration, number, rate, ratio};

/// The report of a load test.
pub fn tested(system: &System, test: &LoadTest, warnings: &[String], manifest: &Manifest) -> Report {
    let mut report = Report::default();
    let name = if system.name.is_empty() { "Model" } else { &system.name };
    let (text, tone) = headline(test);
    report.push(Block::Headline(format!("{name}: {text}"), tone));
    for sentence in sentences(test) {
        report.push(Block::Paragraph(sentence));
    }
    if let Finding::Verdicts(verdicts) = &test.finding
        && let Some(table) = objectives(system, verdicts)
    {
        report.push(Block::Table(table));
    }
    report.push(Block::Heading("Stages".to_string()));
    report.push(Block::Table(stages(test)));
    report.list("Warnings", warnings);
    report.push(Block::Paragraph(manifest_line(manifest)));
    report
}

fn times(factor: f64) -> String {
    format!("{} times the load", number::print(factor))
}

fn headline(test: &LoadTest) -> (String, Tone) {
    let word = test.kind.word();
    let (text, tone) = match &test.finding {
        Finding::Verdicts(verdicts) => {
            let missed = verdicts.iter().filter(|verdict| !verdict.met).count();
            let stable = test.stages.iter().all(|stage| stage.prediction.stable);
            match (stable, missed) {
                (false, _) => ("does not keep up with the stated load".to_string(), Tone::Bad),
                (true, 0) => ("holds the stated load".to_string(), Tone::Good),
                (true, n) => (format!("misses {n} of {} objectives under the stated load", verdicts.len()), Tone::Bad),
            }
        }
        Finding::Limits { breaking: Some(Limit { holds, why, .. }), .. } => {
            let tone = if *holds >= 1.0 { Tone::Good } else { Tone::Bad };
            (format!("breaks beyond {} at {}", times(*holds), enumerate(why)), tone)
        }
        Finding::Limits { breaking: None, .. } => {
            let most = test.stages.iter().map(|stage| stage.factor).fold(0.0, f64::max);
            (format!("does not break up to {}", times(most)), Tone::Good)
        }
        Finding::Recovery(all) => {
            let lost: Vec<String> =
                all.iter().filter(|r| r.time.is_none()).map(|recovery| recovery.subject.clone()).collect();
            let slowest = all.iter().filter_map(|recovery| recovery.time).fold(0.0, f64::max);
            if lost.is_empty() {
                (format!("is as before within {} after the spike", duration::print(slowest)), Tone::Good)
            } else {
                (format!("{} did not come back after the spike", enumerate(&lost)), Tone::Bad)
            }
        }
        Finding::Drift(all) => {
            let drifting: Vec<String> =
                all.iter().filter(|(_, drift)| drift.is_some()).map(|(name, _)| name.clone()).collect();
            if drifting.is_empty() {
                ("nothing drifts".to_string(), Tone::Good)
            } else {
                (format!("{} drifts", enumerate(&drifting)), Tone::Bad)
            }
        }
        Finding::Efficiency(all) => {
            let last = all.last().copied().flatten();
            let count = test.stages.last().map_or(1, |stage| stage.instances);
            let text = last.map_or_else(
                || "cannot be told".to_string(),
                |last| {
                    format!(
                        "{count} times the instances bear {} times the load",
                        number::print(last * f64::from(count))
                    )
                },
            );
            (text, Tone::Plain)
        }
    };
    (format!("{word} test, {text}"), tone)
}

fn sentences(test: &LoadTest) -> Vec<String> {
    let mut said = Vec::new();
    match &test.finding {
        Finding::Verdicts(_) => {}
        Finding::Limits { objectives, breaking } => {
            if let Some(Limit { holds, fails, why }) = objectives {
                said.push(format!(
                    "The objectives hold up to {}; at {} {} is missed.",
                    times(*holds),
                    times(*fails),
                    enumerate(why)
                ));
            }
            if let Some(Limit { holds, fails, why }) = breaking {
                said.push(format!(
                    "It keeps up with {}, not with {}: {} cannot keep up.",
                    times(*holds),
                    times(*fails),
                    enumerate(why)
                ));
            }
        }
        Finding::Recovery(all) => {
            for Recovery { subject, is_service, before, worst, errors, time } in all {
                let unit = if *is_service { number::print } else { duration::print };
                let print = |figure: &Option<f64>| figure.map_or_else(|| "–".to_string(), unit);
                let back = match time {
                    Some(time) if *time > 0.0 => format!("it was as before {} after the spike", duration::print(*time)),
                    Some(_) => "it was as before at once".to_string(),
                    None => "it did not come back while one looked".to_string(),
                };
                let (before, worst) = (print(before), print(worst));
                said.push(if *is_service {
                    format!("{subject}: {before} waiting before, at worst {worst}; {back}.")
                } else {
                    let errors = ratio::print(*errors);
                    format!("{subject}: p95 {before} before, at worst {worst}, errors up to {errors}; {back}.")
                });
            }
        }
        Finding::Drift(all) => {
            for (workload, drift) in all {
                said.push(match drift {
                    Some(drift) => {
                        format!(
                            "{workload}: its p95 changed by {} from the first to the last stretch.",
                            ratio::print(*drift)
                        )
                    }
                    None => format!("{workload}: its p95 changes no more than by chance."),
                });
            }
        }
        Finding::Efficiency(all) => {
            let told = test.stages.iter().zip(all).filter_map(|(stage, efficiency)| Some((stage, (*efficiency)?)));
            for (stage, efficiency) in told.filter(|(stage, _)| stage.instances > 1) {
                let limit = stage.prediction.bottleneck.as_deref().unwrap_or("nothing");
                said.push(format!(
                    "{} times the instances: each does {} of what one does alone; {limit} limits.",
                    stage.instances,
                    ratio::print(efficiency)
                ));
            }
        }
    }
    if test.stopped {
        said.push("It was stopped before its end.".to_string());
    }
    said
}

fn stages(test: &LoadTest) -> Table {
    let in_time = matches!(test.kind, TestKind::Load | TestKind::Spike | TestKind::Soak);
    let mut rows = Vec::new();
    for stage in &test.stages {
        let Stage { name, factor, start, end, prediction, .. } = stage;
        let busiest = prediction
            .services
            .iter()
            .filter_map(|service| Some((service.utilization?, &service.name)))
            .max_by(|a, b| a.0.total_cmp(&b.0));
        for w in &prediction.workloads {
            let time = |value: Option<f64>| Cell::from(value.map_or_else(|| "–".to_string(), duration::print));
            let errors = if w.error_rate > 0.0 { Tone::Careful } else { Tone::Plain };
            let keeps_up = if prediction.stable { Tone::Plain } else { Tone::Bad };
            rows.push(vec![
                Cell::toned(name.clone(), keeps_up),
                w.name.clone().into(),
                if in_time {
                    format!("{}–{}", duration::print(*start), duration::print(*end)).into()
                } else {
                    number::print(*factor).into()
                },
                rate::print(w.arrival_rate).into(),
                rate::print(w.throughput).into(),
                Cell::toned(ratio::print(w.error_rate), errors),
                time(w.response.mean),
                time(w.response.p95()),
                time(w.response.percentile(0.99)),
                busiest.map_or_else(|| "–".to_string(), |(busy, name)| format!("{name} {}", ratio::print(busy))).into(),
            ]);
        }
    }
    let header = [
        "stage",
        "workload",
        if in_time { "time" } else { "load ×" },
        "arrivals",
        "throughput",
        "errors",
        "mean",
        "p95",
        "p99",
        "busiest",
    ];
    Table { header: header.map(String::from).to_vec(), rows, text_columns: 2, optional: vec![6, 8] }
}

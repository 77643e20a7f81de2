//! How far analysis is from simulation, over random models of the whole language.
//!
//! `cargo bench --bench accuracy -- --models 500` prints the tables of docs/accuracy.md; `--seed` draws other models,
//! `--draw FILE.svg` draws every p95, `--worst` lists the models that are furthest off, `--first N --models 1 --show` prints a model;
//! `--alone` is analysis without brief simulations, `--exact` compares it with the Markov chains of small models. Simulations and chains
//! are kept in `target/accuracy`, by model.

#![allow(clippy::disallowed_macros, clippy::disallowed_methods)]

mod generator;
mod small;

use generator::{FEATURES, Model, model};
use plimsoll::network::{Network, compile};
use plimsoll::prediction::{Accuracy, Confidence, Prediction};
use plimsoll::simulate::{Effort, simulate};
use plimsoll::system::System;
use plimsoll::{analytic, document, exact, predict};
use plotters::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::PathBuf;
use std::time::Instant;

/// Requests that each model is simulated for.
const REQUESTS: u64 = 500_000;

/// Events after which the simulation of a model ends.
const EVENTS: u64 = 40_000_000;

/// An error that is expected from here on is a warning.
const WARNING: f64 = 0.1;

/// A figure with half the width of its interval.
type Known = (f64, f64);

/// What is compared of a workload.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Workload {
    error_rate: Known,
    mean: Known,
    percentiles: [Known; 3],
}

/// What is compared of a model.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Simulated {
    stable: bool,
    workloads: Vec<Workload>,
    utilizations: Vec<Option<Known>>,
}

/// The percentiles that are compared: p50, p95, p99.
const PERCENTILES: [f64; 3] = [0.5, 0.95, 0.99];

fn system(text: &str) -> System {
    let no_files = |_: &str| Err("none".to_string());
    match document::read(text, &no_files) {
        Ok(document) => document.system,
        Err(wrong) => panic!("{text}\n{:?}", wrong.first()),
    }
}

/// What is right of a model; `None` where its chain is too large.
fn right(text: &str, network: &Network, by_chain: bool) -> Option<Simulated> {
    let key: String = Sha256::digest(text.as_bytes()).iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    let file = PathBuf::from("target/accuracy").join(format!("{key}.json"));
    if let Some(known) = std::fs::read(&file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
        return known;
    }
    let right = if by_chain {
        exact::solve(network).ok().map(|prediction| of(&prediction))
    } else {
        let effort = Effort { requests: Some(REQUESTS), ..Effort::default() };
        Some(of(&simulate(network, &effort, &|progress| progress.events < EVENTS).prediction))
    };
    std::fs::create_dir_all("target/accuracy").unwrap();
    std::fs::write(&file, serde_json::to_vec(&right).unwrap()).unwrap();
    right
}

fn of(prediction: &Prediction) -> Simulated {
    let known = |value: Option<f64>, width: Option<f64>| (value.unwrap_or(-1.0), width.unwrap_or(-1.0));
    let workloads = prediction.workloads.iter().map(|workload| {
        let confidence = match &workload.accuracy {
            Accuracy::Simulated(confidence) => (**confidence).clone(),
            Accuracy::Exact => Confidence::default(),
            _ => return Workload { error_rate: (-1.0, 0.0), mean: (-1.0, 0.0), percentiles: [(-1.0, 0.0); 3] },
        };
        let place = |level: f64| plimsoll::system::Metric::PERCENTILES.iter().position(|(_, p)| *p == level).unwrap();
        Workload {
            error_rate: known(Some(workload.error_rate), confidence.error_rate),
            mean: known(workload.response.mean, confidence.response.mean),
            percentiles: PERCENTILES
                .map(|level| known(workload.response.percentile(level), confidence.response.percentiles[place(level)])),
        }
    });
    let utilization = |service: &plimsoll::prediction::ServiceResult| {
        let width = service.confidence.as_ref().and_then(|confidence| confidence.utilization);
        service.utilization.map(|value| known(Some(value), width))
    };
    Simulated {
        stable: prediction.stable,
        workloads: workloads.collect(),
        utilizations: prediction.services.iter().map(utilization).collect(),
    }
}

/// A comparison of one workload.
struct Row {
    number: u64,
    workload: usize,
    warned: f64,
    /// Relative errors of mean, p50, p95, p99 beyond the interval of the simulation.
    errors: [f64; 4],
    error_rate: (f64, f64),
    p95: (f64, f64),
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let value = |name: &str, default: u64| {
        let place = arguments.iter().position(|argument| argument == name);
        place.and_then(|place| arguments.get(place + 1)?.parse().ok()).unwrap_or(default)
    };
    let (seed, models, first) = (value("--seed", 1), value("--models", 100), value("--first", 0));
    let show = arguments.iter().any(|argument| argument == "--show");
    let [by_chain, alone] = ["--exact", "--alone"].map(|name| arguments.iter().any(|argument| argument == name));
    let verbose = arguments.iter().any(|argument| argument == "--each");
    let mut rows: Vec<(Row, Model)> = Vec::new();
    let mut busy: Vec<(f64, u64, String)> = Vec::new();
    let (mut unstable, mut too_large, mut apart, mut took) = (0, 0, Vec::new(), Vec::new());
    for number in first..first + models {
        let drawn = if by_chain { small::model } else { model };
        let model = drawn(seed, number);
        if arguments.iter().any(|argument| argument == "--plain") {
            println!("{}", model.text(1.0));
            continue;
        }
        let text = if by_chain {
            model.text(1.0)
        } else {
            let headroom = analytic::solve(&compile(&system(&model.text(1.0)))).headroom.unwrap_or(1.0);
            model.text(model.utilization * headroom.min(1e4))
        };
        if show {
            println!("{text}");
        }
        let network = compile(&system(&text));
        let Some(right) = right(&text, &network, by_chain) else {
            too_large += 1;
            continue;
        };
        let solve = if alone || by_chain { analytic::solve } else { predict::solve };
        let begun = Instant::now();
        let own = of_analytic(&solve(&network));
        took.push(begun.elapsed().as_secs_f64());
        if right.stable != own.stable {
            apart.push((number, right.stable));
            continue;
        }
        if !right.stable {
            unstable += 1;
            continue;
        }
        for (own, right) in own.utilizations.iter().zip(&right.utilizations).enumerate().map(|(i, (a, b))| ((i, a), b))
        {
            if let ((i, Some(own)), Some((right, width))) = (own, right) {
                let error = ((own - right).abs() - width.max(0.0)).max(0.0) / right.max(0.02);
                busy.push((error, number, format!("s{i} {own:.4} {right:.4}")));
            }
        }
        for (w, (own, right)) in own.workloads.iter().zip(&right.workloads).enumerate() {
            let beyond = |own: f64, (right, width): Known| {
                let excess = ((own - right).abs() - width.max(0.0)).max(0.0);
                if own.is_nan() || right <= 0.0 { f64::NAN } else { excess.copysign(own - right) / right }
            };
            let [p50, p95, p99] = std::array::from_fn(|i| beyond(own.percentiles[i], right.percentiles[i]));
            let errors = [beyond(own.mean, right.mean), p50, p95, p99];
            let row = Row {
                number,
                workload: w,
                warned: own.warned,
                errors,
                error_rate: (own.error_rate, right.error_rate.0),
                p95: (own.percentiles[1], right.percentiles[1].0),
            };
            if verbose {
                println!(
                    "{number:4} w{w} n={:2} u={:.2} p95 {:+6.1}% mean {:+6.1}% p99 {:+6.1}% warned {:4.0}%  err {:.4} {:.4}  {:?}",
                    model.services,
                    model.utilization,
                    100.0 * row.errors[2],
                    100.0 * row.errors[0],
                    100.0 * row.errors[3],
                    100.0 * row.warned,
                    row.error_rate.0,
                    row.error_rate.1,
                    model.features
                );
            }
            rows.push((row, drawn(seed, number)));
        }
    }
    summary(&rows, &busy, arguments.iter().any(|argument| argument == "--worst"));
    let by = |stable: bool| -> Vec<u64> {
        apart.iter().filter(|(_, is)| *is == stable).map(|(number, _)| *number).collect()
    };
    println!(
        "{unstable} more models overloaded by both; by analysis alone {:?}, by simulation alone {:?}.",
        by(true),
        by(false)
    );
    if by_chain {
        println!("{too_large} more models whose chain is too large.");
    }
    took.sort_by(f64::total_cmp);
    let [median, p95, p99, most] = [0.5, 0.95, 0.99, 1.0]
        .map(|share| took.get((took.len().saturating_sub(1) as f64 * share).round() as usize).map_or(0.0, |t| 1e3 * t));
    println!(
        "\nA prediction took {median:.3} ms at the median, {p95:.0} ms at p95, {p99:.0} ms at p99, {most:.0} ms at most."
    );
    if let Some(place) = arguments.iter().position(|argument| argument == "--draw") {
        draw(&rows, &arguments[place + 1]).unwrap();
    }
}

struct Own {
    stable: bool,
    workloads: Vec<OwnWorkload>,
    utilizations: Vec<Option<f64>>,
}

struct OwnWorkload {
    warned: f64,
    error_rate: f64,
    mean: f64,
    percentiles: [f64; 3],
}

fn of_analytic(prediction: &Prediction) -> Own {
    let workloads = prediction.workloads.iter().map(|workload| OwnWorkload {
        warned: match workload.accuracy {
            Accuracy::Approximate { p95_error } => p95_error,
            _ => 0.0,
        },
        error_rate: workload.error_rate,
        mean: workload.response.mean.unwrap_or(f64::NAN),
        percentiles: PERCENTILES.map(|level| workload.response.percentile(level).unwrap_or(f64::NAN)),
    });
    Own {
        stable: prediction.stable,
        workloads: workloads.collect(),
        utilizations: prediction.services.iter().map(|service| service.utilization).collect(),
    }
}

/// Errors in short.
struct Spread {
    count: usize,
    median: f64,
    p90: f64,
    p95: f64,
    most: f64,
    within: f64,
}

impl Spread {
    fn of(errors: impl Iterator<Item = f64>) -> Option<Spread> {
        let mut errors: Vec<f64> = errors.filter(|error| !error.is_nan()).map(f64::abs).collect();
        errors.sort_by(f64::total_cmp);
        let at = |share: f64| errors[((errors.len() - 1) as f64 * share).round() as usize];
        let within = errors.iter().filter(|error| **error <= 0.1).count();
        (!errors.is_empty()).then(|| Spread {
            count: errors.len(),
            median: at(0.5),
            p90: at(0.9),
            p95: at(0.95),
            most: at(1.0),
            within: within as f64 / errors.len() as f64,
        })
    }
}

/// A table of errors in percent.
fn table(title: &str, rows: impl Iterator<Item = (String, Option<Spread>)>) {
    println!("| {title} | number | median | p90 | p95 | most | within 10% |\n|---|---|---|---|---|---|---|");
    for (name, spread) in rows {
        let Some(Spread { count, median, p90, p95, most, within }) = spread else { continue };
        let [median, p90, p95, most, within] = [median, p90, p95, most, within].map(|x| 100.0 * x);
        println!("| {name} | {count} | {median:.1} | {p90:.1} | {p95:.1} | {most:.0} | {within:.1}% |");
    }
    println!();
}

fn summary(rows: &[(Row, Model)], busy: &[(f64, u64, String)], all: bool) {
    let p95 = |row: &Row| row.errors[2];
    let rates = rows.iter().map(|(row, _)| {
        let (own, right) = row.error_rate;
        ((own - right).abs() - 0.001).max(0.0) / right.max(0.01)
    });
    let figures = ["mean", "p50", "p95", "p99"].iter().enumerate();
    let times = figures.map(|(i, name)| (name.to_string(), Spread::of(rows.iter().map(|(row, _)| row.errors[i]))));
    let others = [
        ("error rate, beyond 0.001".to_string(), Spread::of(rates)),
        ("utilization".to_string(), Spread::of(busy.iter().map(|(error, ..)| *error))),
    ];
    table("figure", times.chain(others));
    let beyond = busy.iter().filter(|(error, ..)| *error > 0.005).count();
    println!("Utilizations off by more than 0.5%: {beyond} of {}.\n", busy.len());
    let far = |row: &&(Row, Model)| row.0.errors[2].abs() > 0.25;
    let warned = rows.iter().filter(far).filter(|(row, _)| row.warned >= WARNING).count();
    println!(
        "p95 off by more than 25%: {} of {}, {warned} of them with a warning.\n",
        rows.iter().filter(far).count(),
        rows.len()
    );
    let said = |low: f64, high: f64| {
        let of = rows.iter().filter(|(row, _)| (low..high).contains(&row.warned));
        (format!("{:.0} to {:.0}%", 100.0 * low, 100.0 * high), Spread::of(of.map(|(row, _)| p95(row))))
    };
    let bands = [(0.0, 0.025), (0.025, 0.05), (0.05, 0.1), (0.1, 0.2), (0.2, 0.4), (0.4, 10.0)];
    table("p95 by the error that was expected", bands.iter().map(|(low, high)| said(*low, *high)));
    let with = |feature: &'static str| {
        let of = rows.iter().filter(|(_, model)| model.features.contains(feature));
        (feature.to_string(), Spread::of(of.map(|(row, _)| p95(row))))
    };
    table("p95 by what the model has", FEATURES.iter().map(|(feature, _)| with(feature)));
    let loaded = |low: f64, high: f64| {
        let of = rows.iter().filter(|(_, model)| (low..high).contains(&model.utilization));
        (format!("{low:.2} to {high:.2}"), Spread::of(of.map(|(row, _)| p95(row))))
    };
    let loads = [(0.1, 0.3), (0.3, 0.5), (0.5, 0.7), (0.7, 0.85), (0.85, 0.95)];
    table("p95 by load", loads.iter().map(|(low, high)| loaded(*low, *high)));
    let sized = |low: usize, high: usize| {
        let of = rows.iter().filter(|(_, model)| (low..=high).contains(&model.services));
        (format!("{low} to {high}"), Spread::of(of.map(|(row, _)| p95(row))))
    };
    table("p95 by services", [(1, 1), (2, 4), (5, 10), (11, 30)].iter().map(|(low, high)| sized(*low, *high)));
    if all {
        worst(rows, busy);
    }
}

fn worst(rows: &[(Row, Model)], busy: &[(f64, u64, String)]) {
    let mut worst: Vec<&(Row, Model)> = rows.iter().filter(|(row, _)| !row.errors[2].is_nan()).collect();
    worst.sort_by(|a, b| b.0.errors[2].abs().total_cmp(&a.0.errors[2].abs()));
    for (row, model) in worst.iter().take(40) {
        println!(
            "{:4} w{} n={:2} u={:.2} {:+6.1}% expected {:3.0}% ({:.4} {:.4}) {:?}",
            row.number,
            row.workload,
            model.services,
            model.utilization,
            100.0 * row.errors[2],
            100.0 * row.warned,
            row.p95.0,
            row.p95.1,
            model.features
        );
    }
    let mut busy: Vec<_> = busy.iter().collect();
    busy.sort_by(|a, b| b.0.total_cmp(&a.0));
    for (error, number, text) in busy.iter().take_while(|(error, ..)| *error > 0.005) {
        println!("{number:4} {:6.2}% {text}", 100.0 * error);
    }
}

/// Every p95 by the load of its model, with what was expected of it.
fn draw(rows: &[(Row, Model)], file: &str) -> Result<(), Box<dyn std::error::Error>> {
    let root = SVGBackend::new(file, (760, 420)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(60)
        .build_cartesian_2d(0.1f64..0.95, (0.0005f64..10.0).log_scale())?;
    chart
        .configure_mesh()
        .x_desc("load over what saturates it")
        .y_desc("error of p95")
        .y_label_formatter(&|y| format!("{}%", 100.0 * y))
        .draw()?;
    for (row, model) in rows.iter().filter(|(row, _)| !row.errors[2].is_nan()) {
        let color = if row.warned >= WARNING { RGBColor(214, 120, 40) } else { RGBColor(40, 96, 160) };
        let place = (model.utilization, row.errors[2].abs().clamp(0.0006, 9.0));
        chart.draw_series(std::iter::once(Circle::new(place, 2, color.mix(0.7).filled())))?;
    }
    root.present()?;
    Ok(())
}

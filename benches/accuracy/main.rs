//! How far analysis is from simulation, over random models of the whole language.

#![allow(clippy::disallowed_macros, clippy::disallowed_methods)]

mod generator;

use generator::{FEATURES, Model, model};
use plimsoll::network::{Network, compile};
use plimsoll::prediction::{Accuracy, Prediction};
use plimsoll::simulate::{Effort, simulate};
use plimsoll::system::System;
use plimsoll::{analytic, document};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::PathBuf;

/// Requests that each model is simulated for.
const REQUESTS: u64 = 500_000;

/// Events after which the simulation of a model ends.
const EVENTS: u64 = 40_000_000;

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

fn simulated(text: &str, network: &Network) -> Simulated {
    let key: String = Sha256::digest(text.as_bytes()).iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    let file = PathBuf::from("target/accuracy").join(format!("{key}.json"));
    if let Some(known) = std::fs::read(&file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
        return known;
    }
    let effort = Effort { requests: Some(REQUESTS), ..Effort::default() };
    let simulated = of(&simulate(network, &effort, &|progress| progress.events < EVENTS).prediction);
    std::fs::create_dir_all("target/accuracy").unwrap();
    std::fs::write(&file, serde_json::to_vec(&simulated).unwrap()).unwrap();
    simulated
}

fn of(prediction: &Prediction) -> Simulated {
    let known = |value: Option<f64>, width: Option<f64>| (value.unwrap_or(-1.0), width.unwrap_or(-1.0));
    let workloads = prediction.workloads.iter().map(|workload| {
        let Accuracy::Simulated(confidence) = &workload.accuracy else {
            return Workload { error_rate: (-1.0, 0.0), mean: (-1.0, 0.0), percentiles: [(-1.0, 0.0); 3] };
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
    let verbose = arguments.iter().any(|argument| argument == "--each");
    let mut rows: Vec<(Row, Model)> = Vec::new();
    let mut busy: Vec<(f64, u64, String)> = Vec::new();
    let (mut unstable, mut apart) = (0, Vec::new());
    for number in first..first + models {
        let model = self::model(seed, number);
        if arguments.iter().any(|argument| argument == "--plain") {
            println!("{}", model.text(1.0));
            continue;
        }
        let plain = system(&model.text(1.0));
        let headroom = analytic::solve(&compile(&plain)).headroom.unwrap_or(1.0);
        let text = model.text(model.utilization * headroom.min(1e4));
        if show {
            println!("{text}");
        }
        let network = compile(&system(&text));
        let right = simulated(&text, &network);
        let own = of_analytic(&analytic::solve(&network));
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
                let error = ((own - right).abs() - width).max(0.0) / right.max(0.02);
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
            rows.push((row, self::model(seed, number)));
        }
    }
    summary(&rows, &busy);
    println!("{unstable} unstable, stability apart: {apart:?}");
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

fn spread(mut errors: Vec<f64>) -> String {
    errors.retain(|error| !error.is_nan());
    errors.iter_mut().for_each(|error| *error = error.abs());
    errors.sort_by(f64::total_cmp);
    let n = errors.len();
    if n == 0 {
        return "none".to_string();
    }
    let at = |share: f64| 100.0 * errors[((n - 1) as f64 * share).round() as usize];
    let within = errors.iter().filter(|error| **error <= 0.1).count();
    format!(
        "n {n:4}  median {:5.1}%  p90 {:5.1}%  p95 {:5.1}%  most {:6.1}%  within 10%: {:5.1}%",
        at(0.5),
        at(0.9),
        at(0.95),
        at(1.0),
        100.0 * within as f64 / n as f64
    )
}

fn summary(rows: &[(Row, Model)], busy: &[(f64, u64, String)]) {
    for (i, name) in ["mean", "p50", "p95", "p99"].iter().enumerate() {
        println!("{name:5} {}", spread(rows.iter().map(|(row, _)| row.errors[i]).collect()));
    }
    let rates = rows
        .iter()
        .map(|(row, _)| ((row.error_rate.0 - row.error_rate.1).abs() - 0.001).max(0.0) / row.error_rate.1.max(1e-9));
    println!("error {}", spread(rates.collect()));
    println!("util  {}", spread(busy.iter().map(|(error, ..)| *error).collect()));
    let beyond = busy.iter().filter(|(error, ..)| *error > 0.005).count();
    println!("utilization beyond 0.5%: {beyond} of {}", busy.len());
    let unwarned = rows.iter().filter(|(row, _)| row.errors[2].abs() > 0.25 && row.warned < 0.25).count();
    println!("beyond 25% without warning: {unwarned}");
    println!("by feature (p95):");
    for (feature, _) in FEATURES {
        let with = rows.iter().filter(|(_, model)| model.features.contains(feature));
        println!("  {feature:12} {}", spread(with.map(|(row, _)| row.errors[2]).collect()));
    }
    println!("by load (p95):");
    for (low, high) in [(0.0, 0.3), (0.3, 0.5), (0.5, 0.7), (0.7, 0.85), (0.85, 1.0)] {
        let of = rows.iter().filter(|(_, model)| (low..high).contains(&model.utilization));
        println!("  {low:.2}-{high:.2}    {}", spread(of.map(|(row, _)| row.errors[2]).collect()));
    }
    let mut worst: Vec<&(Row, Model)> = rows.iter().filter(|(row, _)| !row.errors[2].is_nan()).collect();
    worst.sort_by(|a, b| b.0.errors[2].abs().total_cmp(&a.0.errors[2].abs()));
    println!("worst (p95):");
    for (row, model) in worst.iter().take(30) {
        println!(
            "  {:4} w{} n={:2} u={:.2} {:+6.1}% warned {:3.0}% ({:.4} {:.4}) {:?}",
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
    println!("worst utilizations:");
    for (error, number, text) in busy.iter().take(12) {
        println!("  {number:4} {:6.2}% {text}", 100.0 * error);
    }
}

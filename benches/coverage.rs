//! Whether 95% intervals hold the truth 95 times of 100: a thousand short simulations of each of a few systems.
//!
//! `cargo bench --bench coverage` prints a table; it takes some minutes. Every run is a whole one as users make it: warm-up by
//! rule, usual replications, the interval that is printed. Truths are exact theory; the p95 of the closed network, for
//! which there is none, is that of one run as long as all others together.

#![allow(clippy::disallowed_macros, clippy::disallowed_methods)]

use plimsoll::network::{Network, compile};
use plimsoll::prediction::{Accuracy, WorkloadResult};
use plimsoll::simulate::{Effort, simulate};
use plimsoll::{analytic, document};
use rayon::prelude::*;

const RUNS: u64 = 1_000;

struct Case {
    name: &'static str,
    model: String,
    requests: u64,
}

fn queue(cores: u32, rate: f64) -> String {
    format!(
        "[service.s]\ncores = {cores}\noperations.o.work = \"1s\"\n[workload.w]\nentry = \"s.o\"\nrate = \"{rate}/s\"\n"
    )
}

/// Five services in a row, each M/M/1.
fn row() -> String {
    let mut text = String::new();
    for (i, work) in [0.5, 0.7, 0.8, 0.6, 0.4].iter().enumerate() {
        let next = if i < 4 { format!(", {{ call = \"s{}.o\" }}", i + 1) } else { String::new() };
        text += &format!("[service.s{i}]\noperations.o.steps = [ {{ work = \"{work}s\" }}{next} ]\n");
    }
    text + "[workload.w]\nentry = \"s0.o\"\nrate = \"1/s\"\n"
}

/// Users who think, two services in a row.
const CLOSED: &str = "[service.a]\noperations.o.steps = [ { work = \"0.1s\" }, { call = \"b.o\" } ]\n[service.b]\ncores = 2\noperations.o.work = \"0.15s\"\n[workload.w]\nentry = \"a.o\"\nusers = 15\nthink = \"1s\"\n";

fn compiled(model: &str) -> Network {
    let no_files = |_: &str| Err("none".to_string());
    compile(&document::read(model, &no_files).unwrap_or_else(|wrong| panic!("{:?}", wrong.first())).system)
}

/// Mean and p95 with their half-widths.
fn figures(w: &WorkloadResult) -> [(f64, f64); 2] {
    let Accuracy::Simulated(confidence) = &w.accuracy else { return [(f64::NAN, f64::NAN); 2] };
    let pair = |value: Option<f64>, width: Option<f64>| value.zip(width).unwrap_or((f64::NAN, f64::NAN));
    [pair(w.response.mean, confidence.response.mean), pair(w.response.p95(), confidence.response.p95())]
}

fn run(network: &Network, seed: u64, requests: u64) -> WorkloadResult {
    let effort = Effort { seed, requests: Some(requests), ..Effort::default() };
    simulate(network, &effort, &|_| true).prediction.workloads.remove(0)
}

fn main() {
    let cases = [
        Case { name: "M/M/1 at 0.5", model: queue(1, 0.5), requests: 32_000 },
        Case { name: "M/M/1 at 0.8", model: queue(1, 0.8), requests: 100_000 },
        Case { name: "M/M/1 at 0.95", model: queue(1, 0.95), requests: 1_000_000 },
        Case { name: "M/M/8 at 0.85", model: queue(8, 6.8), requests: 250_000 },
        Case { name: "five services in a row", model: row(), requests: 150_000 },
        Case { name: "closed, two services", model: CLOSED.to_string(), requests: 60_000 },
    ];
    println!(
        "{:24} {:>9} {:>12} {:>12} {:>12} {:>12}",
        "system", "requests", "mean", "half-width", "p95", "half-width"
    );
    for Case { name, model, requests } in cases {
        let network = compiled(&model);
        let truth = if name.starts_with("closed") {
            figures(&run(&network, 0, RUNS * requests)).map(|(value, _)| value)
        } else {
            let exact = analytic::solve(&network).workloads.remove(0);
            assert!(matches!(exact.accuracy, Accuracy::Exact));
            [exact.response.mean.unwrap_or(f64::NAN), exact.response.p95().unwrap_or(f64::NAN)]
        };
        let all: Vec<[(f64, f64); 2]> =
            (1..=RUNS).into_par_iter().map(|seed| figures(&run(&network, seed, requests))).collect();
        print!("{name:24} {requests:>9}");
        for (i, truth) in truth.into_iter().enumerate() {
            let covers = all.iter().filter(|run| (run[i].0 - truth).abs() <= run[i].1).count();
            let width = all.iter().map(|run| run[i].1 / run[i].0).sum::<f64>() / RUNS as f64;
            print!(" {:>11.1}% {:>11.2}%", 100.0 * covers as f64 / RUNS as f64, 100.0 * width);
        }
        println!();
    }
}

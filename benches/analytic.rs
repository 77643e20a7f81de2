//! Speed of the analytic engine, of planning and of reading, on generated models.
//!
//! `cargo bench --bench analytic` prints the median of several runs of each; docs/methods.md holds the figures of one
//! machine.

#![allow(clippy::disallowed_macros, clippy::disallowed_methods)]

use plimsoll::plan::{Survive, size};
use plimsoll::system::System;
use plimsoll::{analytic, document, network};
use std::fmt::Write;
use std::hint::black_box;
use std::process::Command;
use std::time::Instant;

/// A layered call graph: each service calls up to three of the next layer, work of several laws.
fn model(services: usize, objectives: usize) -> String {
    let mut text = String::new();
    let layer = (services as f64).sqrt().ceil() as usize;
    for i in 0..services {
        let work = match i % 4 {
            0 => "\"2ms\"".to_string(),
            1 => "{ mean = \"3ms\", cv = 1.3 }".to_string(),
            2 => "{ p50 = \"1ms\", p99 = \"9ms\" }".to_string(),
            _ => "\"1ms\"".to_string(),
        };
        let next = (i / layer + 1) * layer;
        let calls: Vec<String> = (0..3)
            .map(|k| next + (i * 3 + k) % layer)
            .filter(|callee| *callee < services)
            .map(|callee| format!("{{ call = \"s{callee}.run\", probability = 0.3 }}"))
            .collect();
        let steps = std::iter::once(format!("{{ work = {work} }}")).chain(calls).collect::<Vec<_>>().join(", ");
        let _ = writeln!(text, "[service.s{i}]\ninstances = 2\ncores = 2\noperations.run.steps = [ {steps} ]");
    }
    for w in 0..layer.min(5) {
        let _ = writeln!(text, "[workload.w{w}]\nentry = \"s{w}.run\"\nrate = \"{}/s\"", 150 + 30 * w);
    }
    for o in 0..objectives {
        let _ = writeln!(text, "[[objective]]\nworkload = \"w{o}\"\np95 = \"60ms\"");
    }
    text
}

fn read(text: &str) -> System {
    let no_files = |_: &str| Err("none".to_string());
    document::read(text, &no_files).unwrap_or_else(|e| panic!("{:?}", e.first())).system
}

fn median(runs: usize, mut run: impl FnMut()) -> f64 {
    run();
    let mut times: Vec<f64> = (0..runs)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed().as_secs_f64()
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[runs / 2]
}

fn main() {
    for services in [10, 100, 1_000, 10_000] {
        let text = model(services, 0);
        let runs = if services > 1_000 { 5 } else { 21 };
        let parse = median(runs, || {
            black_box(read(&text));
        });
        let system = read(&text);
        let solve = median(runs, || {
            black_box(analytic::solve(&network::compile(&system)));
        });
        println!("{services:6} services: read {:9.3} ms, solve {:9.3} ms", parse * 1e3, solve * 1e3);
    }
    let system = read(include_str!("every.toml"));
    let every = median(11, || {
        black_box(analytic::solve(&network::compile(&system)));
    });
    println!("ten services with nearly every word of the language: solve {:.1} ms", every * 1e3);
    let system = read(&model(50, 5));
    let predict = |system: &System| analytic::solve(&network::compile(system));
    let mut evaluations = 0;
    let plan = median(3, || {
        let plan = size(&[(None, system.clone())], Survive::Nothing, &predict).expect("there is a plan");
        evaluations = plan.evaluations;
        assert!(plan.optimal || plan.objective_value >= plan.lower_bound);
    });
    println!("plan of 50 services with 5 objectives: {:.1} ms, {evaluations} predictions", plan * 1e3);
    let command = |args: &[&str]| {
        median(21, || {
            let output = Command::new(env!("CARGO_BIN_EXE_plimsoll")).args(args).output().expect("the command runs");
            assert!(output.status.success());
        })
    };
    println!("process start: {:.1} ms", command(&["--version"]) * 1e3);
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/models/web-shop.toml");
    println!("solve of models/web-shop.toml as a command: {:.1} ms", command(&["solve", model]) * 1e3);
}

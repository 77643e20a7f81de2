//! What `solve` says of models that analysis does not know well.

#![allow(clippy::disallowed_methods)]

use plimsoll::network::{Network, compile};
use plimsoll::prediction::{Accuracy, Prediction};
use plimsoll::{analytic, document, predict};
use std::process::Command;

/// Branches that meet at one server three calls further down, over and over.
const FAN: &str = r#"
[service.front]
operations.page.steps = [
    { parallel = [ [ { call = "middle.part", times = 4 } ], [ { call = "middle.part", times = 4 } ], [ { call = "leaf.get", times = 6 } ] ] },
]
[service.middle]
cores = 2
operations.part.steps = [ { work = "2ms" }, { parallel = [ { call = "leaf.get" }, { call = "leaf.get" } ] } ]
[service.leaf]
cores = 1
operations.get.work = "1ms"
[workload.w]
entry = "front.page"
rate = "30/s"
"#;

/// Its p95 in 16 runs of 250,000 requests each, which is right to 0.5%.
const FAN_P95: f64 = 0.1730;

fn network(model: &str) -> Network {
    let no_files = |_: &str| Err("none".to_string());
    compile(&document::read(model, &no_files).unwrap_or_else(|wrong| panic!("{:?}", wrong.first())).system)
}

fn p95(prediction: &Prediction) -> (f64, f64) {
    let workload = &prediction.workloads[0];
    let Accuracy::Approximate { p95_error } = workload.accuracy else { panic!("{:?}", workload.accuracy) };
    (workload.response.p95().unwrap(), p95_error)
}

#[test]
fn what_analysis_is_unsure_of_is_simulated_briefly() {
    let network = network(FAN);
    let (alone, doubt) = p95(&analytic::solve(&network));
    assert!(alone < 0.85 * FAN_P95 && alone > (1.0 - doubt) * FAN_P95, "{alone} ± {doubt}");
    let (both, error) = p95(&predict::solve(&network));
    // Two of its half-widths: a seed that is further off would be one of 10,000.
    assert!((both / FAN_P95 - 1.0).abs() < 2.0 * error && error < 0.1, "{both} ± {error}");
}

/// A copy that is sent after four times the work finds the queue that made the first one late, and makes it longer: the p95 of 30 million
/// requests is 53.4 ms, right to 2.4%. Without copies it would be 18 ms.
#[test]
fn copies_that_come_back_to_one_queue_are_simulated() {
    let network = network(
        "[service.api]\ncores = \"unlimited\"\noperations.get.steps = [ { call = \"kv.get\", hedge = \"20ms\" } ]\n\
         [service.kv]\noperations.get.work = { mean = \"5ms\", cv = 0.5 }\n[workload.w]\nentry = \"api.get\"\nrate = \"90/s\"\n",
    );
    let (p95, error) = p95(&predict::solve(&network));
    assert!((p95 / 0.0534 - 1.0).abs() < 2.0 * error && error < 0.25, "{p95} ± {error}");
}

/// Fan-outs four levels deep, 1,339 calls of each request: more than can be followed one by one.
#[test]
fn requests_too_large_to_be_followed_are_simulated() {
    let mut model = "[workload.w]\nentry = \"s0.o\"\nrate = \"10/s\"\n".to_string();
    let cores = [1, 2, 2, 4, 8];
    for (depth, calls) in [6, 6, 6, 5, 0].into_iter().enumerate() {
        let call = format!("{{ call = \"s{}.o\" }}, ", depth + 1);
        let fork = if calls > 0 { format!(", {{ parallel = [ {} ] }}", call.repeat(calls)) } else { String::new() };
        let (cores, work) = (cores[depth], if depth == 0 { "1ms" } else { "200us" });
        model +=
            &format!("[service.s{depth}]\ncores = {cores}\noperations.o.steps = [ {{ work = \"{work}\" }}{fork} ]\n");
    }
    let network = network(&model);
    let (_, doubt) = p95(&analytic::solve(&network));
    assert!(doubt >= 1.0, "{doubt}");
    // A simulation with --precision 0.5% finds 55.5 ms.
    let (both, error) = p95(&predict::solve(&network));
    assert!((both / 0.0555 - 1.0).abs() < 2.0 * error && error < 0.15, "{both} ± {error}");
}

/// Attempts that follow each other at once find the queue as full as the first one did: as many fail as are refused at M/M/1/4, and analysis
/// knows it. After a pause they find it as others of their kind left it, which analysis doubts.
#[test]
fn attempts_that_are_refused_again_are_known_or_simulated() {
    let network = |retries: &str| {
        network(&format!(
            r#"
            [service.a]
            operations.o.steps = [ {{ work = "2ms" }}, {{ call = "b.o", {retries} }} ]
            [service.b]
            queue = 3
            operations.o.work = "8ms"
            [workload.w]
            entry = "a.o"
            rate = "100/s"
            "#
        ))
    };
    let at_once = analytic::solve(&network("retries = 2"));
    let refused = 0.8f64.powi(4) * 0.2 / (1.0 - 0.8f64.powi(5));
    assert!((at_once.workloads[0].error_rate / refused - 1.0).abs() < 1e-6, "{refused}");
    // Each retry is made in vain, and seen.
    let asked = at_once.services.iter().find(|service| service.name == "b").unwrap().arrival_rate;
    assert!((asked / (100.0 + 200.0 * refused) - 1.0).abs() < 1e-6, "{asked}");
    assert!(p95(&at_once).1 < 0.1);
    let later = network("retries = 2, backoff = \"8ms\"");
    assert!(p95(&analytic::solve(&later)).1 > 0.1);
    // A simulation with --precision 0.5% finds 7.62%.
    let own = &predict::solve(&later).workloads[0];
    assert!((own.error_rate / 0.0762 - 1.0).abs() < 0.05, "{}", own.error_rate);
}

/// Nine calls of a request at once to a server with room for four: analysis counts on others alone to fill it.
#[test]
fn requests_that_refuse_themselves_are_found() {
    let network = network(
        r#"
        [service.front]
        operations.page.steps = [ { parallel = [ { call = "middle.part" }, { call = "middle.part" }, { call = "middle.part" } ] } ]
        [service.middle]
        cores = 8
        [service.middle.operations.part]
        steps = [
            { work = "2ms" },
            { parallel = [ { call = "leaf.get" }, { call = "leaf.get" }, { call = "leaf.get" } ], wait = 2 },
        ]
        [service.leaf]
        cores = 1
        queue = 5
        operations.get.work = "4ms"
        [workload.w]
        entry = "front.page"
        rate = "2/s"
        "#,
    );
    let (_, doubt) = p95(&analytic::solve(&network));
    assert!(doubt > 0.3, "{doubt}");
    let both = predict::solve(&network);
    let (p95, error) = p95(&both);
    // 82.9% of 400,000 requests failed, and the p95 of the others was 45.9 ms.
    assert!((both.workloads[0].error_rate - 0.829).abs() < 0.01, "{}", both.workloads[0].error_rate);
    assert!((p95 / 0.0459 - 1.0).abs() < 2.0 * error, "{p95} ± {error}");
}

#[test]
fn threads_do_not_matter() {
    let network = network(FAN);
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| predict::solve(&network))
    };
    assert_eq!(on(1), on(3));
}

#[test]
fn what_analysis_knows_is_left_to_it() {
    let mut known = 0;
    for entry in std::fs::read_dir("models").unwrap() {
        let file = entry.unwrap().path();
        let Some(text) = file.extension().filter(|e| *e == "toml").and_then(|_| std::fs::read_to_string(&file).ok())
        else {
            continue;
        };
        let files = |name: &str| std::fs::read_to_string(file.with_file_name(name)).map_err(|error| error.to_string());
        let network =
            compile(&document::read(&text, &files).unwrap_or_else(|wrong| panic!("{:?}", wrong.first())).system);
        let computed = analytic::solve(&network);
        if computed.stable && computed.doubt(0.1).is_none() {
            assert_eq!(predict::solve(&network), computed, "{}", file.display());
            known += 1;
        }
    }
    assert!(known > 5, "{known}");
}

#[test]
fn the_command_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("fan.toml");
    std::fs::write(&file, FAN).unwrap();
    let output =
        Command::new(env!("CARGO_BIN_EXE_plimsoll")).args(["solve".as_ref(), file.as_os_str()]).output().unwrap();
    assert!(output.status.success());
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("w: analysis expects its p95 to be off by"), "{said}");
}

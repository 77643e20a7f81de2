//! The Markov chain of small models, against formulas that are exact too, and against simulations of everything it knows.

#![allow(clippy::disallowed_methods, clippy::disallowed_macros)]

use plimsoll::network::{Network, compile};
use plimsoll::prediction::{Accuracy, Prediction};
use plimsoll::simulate::{Effort, simulate};
use plimsoll::{analytic, document, exact};
use std::process::Command;

fn network(model: &str) -> Network {
    let no_files = |_: &str| Err("none".to_string());
    compile(&document::read(model, &no_files).unwrap_or_else(|wrong| panic!("{:?}\n{model}", wrong.first())).system)
}

fn solve(model: &str) -> Prediction {
    exact::solve(&network(model)).unwrap_or_else(|why| panic!("{why:?}\n{model}"))
}

/// One station with this work, asked by these workloads.
fn station(more: &str, work: &str, load: &str) -> String {
    format!("[service.a]\n{more}\noperations.o.work = {work}\n[workload.w]\nentry = \"a.o\"\n{load}\n")
}

/// Two services one after the other.
fn pair(front: &str, steps: &str, back: &str, work: &str, load: &str) -> String {
    format!(
        "[service.a]\n{front}\noperations.o.steps = [ {steps} ]\n[service.b]\n{back}\noperations.o.steps = [ {work} ]\n\
         [workload.w]\nentry = \"a.o\"\n{load}\n"
    )
}

#[test]
fn where_theory_is_exact_the_chain_says_the_same() {
    let erlang = "{ dist = \"erlang\", mean = \"10ms\", k = 3 }";
    let mixed = "{ dist = \"hyperexponential\", mean = \"10ms\", cv = 1.5 }";
    let models = [
        station("cores = 1", "\"10ms\"", "rate = \"60/s\""),
        station("cores = 3", "\"10ms\"", "rate = \"200/s\""),
        station("cores = 1", erlang, "rate = \"50/s\""),
        station("cores = 1", mixed, "rate = \"40/s\""),
        station("cores = 1\ndiscipline = \"ps\"", "\"10ms\"", "rate = \"50/s\""),
        station("cores = 2\nqueue = 3", "\"10ms\"", "rate = \"250/s\""),
        station("cores = 1", "\"10ms\"", "rate = \"50/s\"\narrivals = { dist = \"erlang\", k = 3 }"),
        station("cores = 2", "\"10ms\"", "users = 6\nthink = \"20ms\""),
        station("cores = 2\ninstances = 2\nbalancer = \"random\"", "\"10ms\"", "rate = \"120/s\""),
        pair(
            "cores = 1",
            "{ work = \"4ms\" }, { call = \"b.o\" }",
            "cores = 2",
            "{ work = \"12ms\" }",
            "rate = \"70/s\"",
        ),
    ];
    for model in models {
        let (chain, theory) = (solve(&model), analytic::solve(&network(&model)));
        let (own, right) = (&chain.workloads[0], &theory.workloads[0]);
        assert_eq!(right.accuracy, Accuracy::Exact, "{model}");
        assert_eq!(own.accuracy, Accuracy::Exact);
        let near =
            |a: f64, b: f64, allowed: f64| assert!((a - b).abs() <= allowed * b.abs() + 1e-9, "{a} {b}\n{model}");
        near(own.throughput, right.throughput, 1e-6);
        near(own.error_rate, right.error_rate, 1e-6);
        near(own.response.mean.unwrap(), right.response.mean.unwrap(), 1e-5);
        // Analysis reads percentiles to a few ten-thousandths.
        for (a, b) in own.response.percentiles.iter().zip(&right.response.percentiles) {
            near(a.unwrap(), b.unwrap(), 1e-3);
        }
        let (own, right) = (&chain.services[0], &theory.services[0]);
        near(own.utilization.unwrap(), right.utilization.unwrap(), 1e-6);
        near(own.queue_length.unwrap(), right.queue_length.unwrap(), 1e-5);
        if right.error_rate == 0.0 {
            near(own.wait.mean.unwrap(), right.wait.mean.unwrap(), 1e-5);
            near(own.response.mean.unwrap(), right.response.mean.unwrap(), 1e-5);
        }
    }
}

/// Models of which theory knows no exact solution: analysis within 10% of the p95, 10% or 0.001 of the error rate, and 5% of throughput,
/// utilization and calls.
#[test]
fn analysis_is_near_the_chain_where_no_theory_is_exact() {
    for model in include_str!("exact/models.txt").split("\n---\n") {
        let (chain, own) = (solve(model), analytic::solve(&network(model)));
        for (own, right) in own.workloads.iter().zip(&chain.workloads) {
            let (a, b) = (own.response.p95().unwrap(), right.response.p95().unwrap());
            assert!((a / b - 1.0).abs() < 0.1, "{} p95 {a} {b}\n{model}", own.name);
            let (a, b) = (own.error_rate, right.error_rate);
            assert!((a - b).abs() < (0.1 * b).max(0.001), "{} errors {a} {b}\n{model}", own.name);
            assert!((own.throughput / right.throughput - 1.0).abs() < 0.05, "{}\n{model}", own.name);
        }
        for (own, right) in own.services.iter().zip(&chain.services) {
            let (a, b) = (own.utilization.unwrap(), right.utilization.unwrap());
            assert!((a / b - 1.0).abs() < 0.05, "{} utilization {a} {b}\n{model}", own.name);
            // Attempts in vain are counted too.
            assert!((own.arrival_rate / right.arrival_rate - 1.0).abs() < 0.05, "{}\n{model}", own.name);
        }
    }
}

/// Every figure of a simulation that is long enough, within its interval at 1e-6.
fn agrees(model: &str) {
    let network = network(model);
    let chain = exact::solve(&network).unwrap_or_else(|why| panic!("{why:?}\n{model}"));
    let effort = Effort { requests: Some(200_000), ..Effort::default() };
    let simulated = simulate(&network, &effort, &|_| true).prediction;
    // 4.9 standard deviations where an interval has two of them; histograms have buckets of a thousandth.
    let near = |what: &str, own: Option<f64>, right: Option<f64>, width: Option<f64>| {
        if let (Some(own), Some(right)) = (own, right) {
            let allowed = 2.5 * width.unwrap_or(0.0) + 2e-3 * right.abs() + 1e-9;
            assert!((own - right).abs() <= allowed, "{what}: {own} {right} ± {width:?}\n{model}");
        }
    };
    for (own, right) in chain.workloads.iter().zip(&simulated.workloads) {
        let Accuracy::Simulated(confidence) = &right.accuracy else { panic!("{model}") };
        near("throughput", Some(own.throughput), Some(right.throughput), confidence.throughput);
        near("error rate", Some(own.error_rate), Some(right.error_rate), confidence.error_rate);
        near("mean", own.response.mean, right.response.mean, confidence.response.mean);
        for i in 0..4 {
            let width = confidence.response.percentiles[i];
            assert!(own.response.percentiles[i].is_some(), "{model}");
            near("percentile", own.response.percentiles[i], right.response.percentiles[i], width);
        }
    }
    for (own, right) in chain.services.iter().zip(&simulated.services) {
        let confidence = right.confidence.as_deref().unwrap();
        near("calls", Some(own.arrival_rate), Some(right.arrival_rate), confidence.arrival_rate);
        near("busy", own.utilization, right.utilization, confidence.utilization);
        near("queue", own.queue_length, right.queue_length, confidence.queue_length);
        near("workers", own.workers_utilization, right.workers_utilization, confidence.workers_utilization);
        near("wait", own.wait.mean, right.wait.mean, confidence.wait.mean);
        near("response", own.response.mean, right.response.mean, confidence.response.mean);
        for i in 0..4 {
            assert_eq!(own.response.percentiles[i].is_some(), right.response.percentiles[i].is_some(), "{model}");
            let width = confidence.response.percentiles[i];
            near("percentile of a service", own.response.percentiles[i], right.response.percentiles[i], width);
        }
    }
}

#[test]
fn what_stations_do_is_as_simulated() {
    let two = |discipline: &str, cores: u32| {
        format!(
            "[service.a]\ncores = {cores}\ndiscipline = \"{discipline}\"\noperations.o.work = \"10ms\"\noperations.p.work = {{ dist = \"erlang\", mean = \"10ms\", k = 2 }}\n\
             [workload.u]\nentry = \"a.o\"\nrate = \"{}/s\"\npriority = 1\n[workload.v]\nentry = \"a.p\"\nrate = \"{}/s\"\npriority = 2\n",
            25 * cores,
            20 * cores
        )
    };
    agrees(&two("priority", 1));
    agrees(&two("preemptive", 1));
    agrees(&two("preemptive", 2));
    agrees(&station("cores = 1\ndiscipline = \"lifo\"", "\"10ms\"", "rate = \"50/s\""));
    let contention = "cores = 2\ncontention = { alpha = 0.1, beta = 0.02 }";
    agrees(&station(contention, "{ dist = \"hyperexponential\", mean = \"10ms\", cv = 2 }", "rate = \"100/s\""));
    agrees(&station(&format!("{contention}\ndiscipline = \"ps\"\nqueue = 8"), "\"10ms\"", "rate = \"100/s\""));
    for balancer in ["round-robin", "least-outstanding", "power-of-two"] {
        agrees(&station(
            &format!("cores = 1\ninstances = 2\nbalancer = \"{balancer}\""),
            "\"10ms\"",
            "rate = \"90/s\"",
        ));
    }
}

#[test]
fn what_requests_do_is_as_simulated() {
    let call = "{ work = \"2ms\" }, { call = \"b.o\" }";
    let work = "{ work = \"8ms\" }";
    agrees(&pair("cores = 1\nworkers = 2\nqueue = 3", call, "cores = 1", work, "rate = \"110/s\""));
    let holds = "{ work = \"2ms\" }, { hold = \"p\", steps = [ { call = \"b.o\" } ] }";
    agrees(&(pair("cores = 2", holds, "cores = 2", work, "rate = \"90/s\"") + "[pool.p]\nsize = 1\n"));
    let again = "{ work = \"1ms\" }, { call = \"b.o\", retries = 2 }";
    agrees(&pair("cores = 2", again, "cores = 1\nqueue = 2", "{ work = \"6ms\" }, { fail = 0.1 }", "rate = \"90/s\""));
    let loops = "{ repeat = 2, steps = [ { call = \"b.o\", probability = 0.5 }, { delay = \"3ms\" } ] }, { choose = [ { weight = 0.3, steps = [ { delay = \"5ms\" } ] }, { weight = 0.7, steps = [ { work = \"1ms\" } ] } ] }";
    agrees(&pair("", loops, "cores = 1", work, "users = 4\nthink = \"20ms\""));
    let sends = "{ work = \"2ms\" }, { send = \"b.o\" }";
    agrees(&pair("cores = 1", sends, "cores = 1", work, "rate = \"60/s\""));
    let both = |wait: &str| {
        format!(
            "{{ parallel = [ [ {{ work = \"4ms\" }} ], [ {{ call = \"b.o\" }} ], [ {{ delay = \"3ms\" }} ] ]{wait} }}"
        )
    };
    for wait in ["", ", wait = \"any\"", ", wait = 2"] {
        agrees(&pair("cores = 1", &both(wait), "cores = 1", work, "rate = \"8/s\""));
    }
    let cached = "[cache.c]\nhit = 0.7\n";
    let lookup = "{ work = \"2ms\" }, { cache = \"c\", miss = [ { call = \"b.o\" } ] }";
    agrees(&(pair("cores = 1", lookup, "cores = 1", work, "rate = \"100/s\"") + cached));
    let bursts = "rate = \"60/s\"\narrivals = { burst = { ratio = 3, on = \"200ms\", off = \"400ms\" } }";
    agrees(&pair("cores = 1", call, "cores = 2", work, bursts));
}

#[test]
fn what_has_no_small_chain_is_refused_by_name() {
    let fixed = station("cores = 1", "{ constant = \"10ms\" }", "rate = \"50/s\"");
    let timed = pair(
        "cores = 1",
        "{ call = \"b.o\", timeout = \"1s\", network = \"1ms\" }",
        "cores = 1",
        "{ work = \"8ms\" }",
        "rate = \"60/s\"",
    );
    for (model, words) in [
        (fixed, "the work of a.o is constant"),
        (timed.clone(), "`timeout`"),
        (timed, "`network`"),
        (station("cores = 1", "\"10ms\"", "rate = \"101/s\""), "no steady state"),
        (
            pair("", "{ repeat = 100000, steps = [ { call = \"b.o\" } ] }", "", "{ work = \"1ms\" }", "users = 1"),
            "repeats",
        ),
    ] {
        let why = exact::solve(&network(&model)).err().unwrap_or_default();
        assert!(why.iter().any(|sentence| sentence.contains(words)), "{why:?}\n{model}");
    }
}

#[test]
fn the_command_says_what_was_solved_and_what_cannot_be() {
    let run = |model: &str| {
        Command::new(env!("CARGO_BIN_EXE_plimsoll")).args(["solve", model, "--method", "exact"]).output().unwrap()
    };
    let solved = run("models/textbook/cobham-priorities.toml");
    let text = String::from_utf8_lossy(&solved.stdout);
    assert!(solved.status.success() && text.contains("a Markov chain of"), "{text}");
    let refused = run("models/web-shop.toml");
    let text = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text.contains("cannot be solved exactly") && text.contains("--method both"), "{text}");
}

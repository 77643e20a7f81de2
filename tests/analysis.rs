//! What analysis says of the whole language, on whole models: layers, feedback, time, and why.

#![allow(clippy::disallowed_methods, clippy::disallowed_macros)]

use plimsoll::network::compile;
use plimsoll::prediction::{Accuracy, Prediction};
use plimsoll::simulate::{Effort, simulate};
use plimsoll::system::System;
use plimsoll::{analytic, document, plan};
use serde_json::Value;
use std::process::Command;

fn read(model: &str) -> System {
    let no_files = |_: &str| Err("none".to_string());
    document::read(model, &no_files).unwrap_or_else(|wrong| panic!("{:?}", wrong.first())).system
}

fn solve(model: &str) -> Prediction {
    analytic::solve(&compile(&read(model)))
}

fn run(args: &[&str]) -> (i32, Value) {
    let output = Command::new(env!("CARGO_BIN_EXE_plimsoll")).args(args).output().unwrap();
    (output.status.code().unwrap(), serde_json::from_slice(&output.stdout).unwrap_or(Value::Null))
}

/// Analysis beside a simulation long enough: the p95 of every workload within `allowed` and the interval at 1e-6.
fn agrees(model: &str, allowed: f64) {
    let network = compile(&read(model));
    let own = analytic::solve(&network);
    let effort = Effort { requests: Some(300_000), ..Effort::default() };
    let right = simulate(&network, &effort, &|_| true).prediction;
    for (own, right) in own.workloads.iter().zip(&right.workloads) {
        let Accuracy::Simulated(confidence) = &right.accuracy else { panic!("{model}") };
        let (a, b) = (own.response.p95().unwrap(), right.response.p95().unwrap());
        // 4.9 standard deviations where the interval has two of them.
        let width = 2.5 * confidence.response.p95().unwrap();
        assert!((a - b).abs() < allowed * b + width, "{} {a} {b} ± {width}\n{model}", own.name);
        let width = 2.5 * confidence.error_rate.unwrap_or(0.0) + (0.1 * right.error_rate).max(0.001);
        assert!((own.error_rate - right.error_rate).abs() < width, "{} {}", own.error_rate, right.error_rate);
    }
}

const BACK: &str = "[service.b]\ncores = 2\noperations.o.work = \"8ms\"\n";

fn front(step: &str, more: &str, load: &str) -> String {
    format!(
        "[service.a]\ncores = 4\n{more}operations.o.steps = [ {{ work = \"1ms\" }}, {step} ]\n{BACK}[workload.w]\nentry = \"a.o\"\n{load}\n"
    )
}

#[test]
fn what_is_held_limits_what_is_behind_it() {
    let call = "{ call = \"b.o\" }";
    agrees(&front(call, "workers = 6\n", "rate = \"190/s\""), 0.06);
    agrees(&front(call, "workers = 3\nqueue = 10\n", "rate = \"220/s\""), 0.08);
    let pool = "[pool.p]\nsize = 4\n";
    agrees(
        &(front("{ hold = \"p\", steps = [ { call = \"b.o\", network = \"2ms\" } ] }", "", "rate = \"180/s\"") + pool),
        0.08,
    );
}

#[test]
fn calls_are_given_up_and_tried_again() {
    agrees(
        &front("{ call = \"b.o\", timeout = \"45ms\", retries = 2, backoff = \"20ms\" }", "", "rate = \"80/s\""),
        0.05,
    );
    agrees(&front("{ call = \"b.o\", hedge = \"20ms\" }", "", "rate = \"80/s\""), 0.08);
    let failing = BACK.replace("work = \"8ms\"", "steps = [ { work = \"8ms\" }, { fail = 0.2 } ]");
    let model = front("{ call = \"b.o\", retries = 1 }", "", "rate = \"120/s\"").replace(BACK, &failing);
    agrees(&model, 0.05);
}

#[test]
fn a_server_that_slows_down_and_one_that_is_asked_in_bursts() {
    let contended = BACK.replace("cores = 2", "cores = 6\ncontention = { alpha = 0.05, beta = 0.002 }");
    agrees(&front("{ call = \"b.o\" }", "", "rate = \"400/s\"").replace(BACK, &contended), 0.05);
    let burst = "rate = \"150/s\"\narrivals = { burst = { ratio = 4, on = \"0.5s\", off = \"2s\" } }";
    agrees(&front("{ call = \"b.o\" }", "", burst), 0.1);
}

#[test]
fn users_beside_others_and_with_work_of_any_law() {
    let users = "users = 30\nthink = \"100ms\"\n[workload.other]\nentry = \"b.o\"\nrate = \"60/s\"";
    agrees(&front("{ call = \"b.o\" }", "", users), 0.06);
    let varied = BACK.replace("\"8ms\"", "{ mean = \"8ms\", cv = 0.5 }");
    agrees(&front("{ call = \"b.o\" }", "", "users = 40\nthink = \"100ms\"").replace(BACK, &varied), 0.06);
    // All of them wait at one server, several times in a row: nearly as long each time, and nobody much longer than the others.
    let crowd = "[service.a]\noperations.o.steps = [ { work = \"1ms\" }, { work = \"4ms\" }, { work = \"6ms\" } ]\n[workload.w]\nentry = \"a.o\"\nusers = 20\nthink = \"90ms\"\n";
    agrees(crowd, 0.3);
}

#[test]
fn a_circle_is_drawn_out_as_far_as_anyone_gets() {
    let circle = "[service.a]\noperations.o.steps = [ { work = \"1ms\" }, { call = \"b.o\", probability = 0.5 } ]\n[service.b]\noperations.o.steps = [ { work = \"2ms\" }, { call = \"a.o\", probability = 0.4 } ]\n[workload.w]\nentry = \"a.o\"\nrate = \"100/s\"\n";
    let found = solve(circle);
    // A turn begins again with 0.2: 1.25 visits to a, 0.625 to b.
    assert!((found.services[0].arrival_rate - 125.0).abs() < 1e-3, "{}", found.services[0].arrival_rate);
    assert!((found.services[1].arrival_rate - 62.5).abs() < 1e-3);
    agrees(circle, 0.03);
}

#[test]
fn who_waits_for_one_another_is_found_out() {
    let deadlock = "[service.a]\nworkers = 2\noperations.x.steps = [ { work = \"1ms\" }, { call = \"a.y\" } ]\noperations.y.work = \"1ms\"\n[workload.w]\nentry = \"a.x\"\nrate = \"400/s\"\n";
    let found = solve(deadlock);
    assert!(!found.stable);
    assert_eq!(found.deadlocked, ["a"]);
    // Nothing gets through, and nothing is refused.
    let stuck = &found.workloads[0];
    assert_eq!((stuck.arrival_rate, stuck.throughput, stuck.error_rate), (400.0, 0.0, 0.0));
    assert_eq!(found.services[0].utilization, Some(0.0));
    // Who gives up goes on.
    assert!(
        solve(&deadlock.replace("{ call = \"a.y\" }", "{ call = \"a.y\", timeout = \"50ms\" }")).deadlocked.is_empty()
    );
}

#[test]
fn a_second_state_is_found_from_its_load_on() {
    let storm = |rate: u32| {
        let step = "{ call = \"b.o\", timeout = \"60ms\", retries = 3 }";
        solve(&front(step, "", &format!("rate = \"{rate}/s\""))).metastable
    };
    // Two servers of 125 a second, four attempts: from 62.5 requests a second on.
    assert_eq!(storm(60), None);
    let state = storm(100).unwrap();
    assert_eq!(state.resource, "b");
    assert!((state.from - 0.625).abs() < 1e-9 && (state.load - 1.6).abs() < 1e-9);
    assert!(state.workloads[0].error_rate > 0.999 && state.waiting > 10.0);
}

#[test]
fn copies_keep_a_queue_overloaded_too() {
    let model =
        |call: &str, rate: u32| front(&format!("{{ call = \"b.o\", {call} }}"), "", &format!("rate = \"{rate}/s\""));
    // Two servers of 125 a second; two copies of each call.
    assert_eq!(solve(&model("hedge = \"400ms\"", 120)).metastable, None);
    let found = solve(&model("hedge = \"400ms\"", 180));
    let state = found.metastable.as_ref().unwrap();
    assert!(found.stable && (state.from - 250.0 / 360.0).abs() < 1e-3 && !state.given_up, "{state:?}");
    assert!((state.waiting / 100.0 - 1.0).abs() < 1e-2, "{state:?}");
    assert!((state.workloads[0].throughput - 125.0).abs() < 0.1 && state.workloads[0].error_rate < 1e-9, "{state:?}");
    assert!(state.sentence().contains("second copies"));
    // Of what nobody gives up only as much gets through an overloaded queue as can be done there, copies among it.
    for (call, through) in [("retries = 2", 250.0), ("hedge = \"40ms\"", 125.0)] {
        let found = solve(&model(call, 300));
        let own = &found.workloads[0];
        assert!(!found.stable && (own.throughput / through - 1.0).abs() < 1e-6, "{call} {}", own.throughput);
        assert_eq!(own.error_rate, 0.0);
    }
}

/// What retries and copies bring, at the service that is called again and at those behind it.
#[test]
fn calls_made_again_are_told_apart() {
    let model = |call: &str| {
        let fails = if call.contains("hedge") { 0.0 } else { 0.3 };
        format!(
            "[service.a]\ncores = 4\noperations.o.steps = [ {{ work = \"1ms\" }}, {{ call = \"b.o\", {call} }}, {{ call = \"d.o\" }} ]\n\
             [service.b]\ncores = 2\noperations.o.steps = [ {{ work = \"8ms\" }}, {{ parallel = [ {{ call = \"c.o\" }} ] }}, {{ send = \"e.o\" }}, {{ fail = {fails} }} ]\n\
             [service.c]\noperations.o.work = \"1ms\"\n[service.d]\noperations.o.work = \"1ms\"\n[service.e]\noperations.o.work = \"1ms\"\n\
             [workload.w]\nentry = \"a.o\"\nrate = \"60/s\"\n"
        )
    };
    let times = |found: &Prediction| found.services.iter().map(|service| service.amplification).collect::<Vec<_>>();
    // 0.3 of the first attempts fail, and 0.3 of the second.
    let found = solve(&model("retries = 2"));
    let exact = [1.0, 1.39, 1.39, 1.0, 1.39];
    assert!(
        times(&found).iter().zip(exact).all(|(own, exact)| (own.unwrap() - exact).abs() < 1e-6),
        "{:?}",
        times(&found)
    );
    let found = solve(&model("timeout = \"60ms\""));
    assert_eq!(times(&found), [None; 5]);
    for call in ["retries = 2", "hedge = \"12ms\"", "timeout = \"20ms\", retries = 1, backoff = \"5ms\""] {
        let computed = times(&solve(&model(call)));
        let effort = Effort { requests: Some(40_000), replications: Some(4), ..Effort::default() };
        let simulated = times(&simulate(&compile(&read(&model(call))), &effort, &|_| true).prediction);
        for (own, run) in computed.iter().zip(&simulated) {
            assert!((own.unwrap() / run.unwrap() - 1.0).abs() < 0.03, "{call} {computed:?} {simulated:?}");
        }
    }
}

#[test]
fn branches_are_left_in_a_queue_together() {
    // Three calls at once to a queue that does 250 a second: as many requests get through as it does of one of them.
    let calls = ["{ call = \"b.o\" }"; 3].join(", ");
    for (needed, after) in [(3, ""), (1, ""), (2, ", { call = \"b.o\" }")] {
        let found =
            solve(&front(&format!("{{ parallel = [ {calls} ], wait = {needed} }}{after}"), "", "rate = \"120/s\""));
        let through = found.services[1].throughput / found.services[1].arrival_rate;
        let own = found.workloads[0].throughput / 120.0;
        let passes = if after.is_empty() { 1 } else { 2 };
        assert!(!found.stable && (own / through.powi(passes) - 1.0).abs() < 1e-6, "{needed} {own} {through}");
        assert_eq!(found.workloads[0].error_rate, 0.0);
    }
}

#[test]
fn a_load_that_changes_piles_up_and_recovers() {
    let profile = "profile = [ { at = \"0s\", rate = \"100/s\" }, { at = \"100s\", rate = \"300/s\" }, { at = \"120s\", rate = \"100/s\" } ]\nperiod = \"300s\"\nshape = \"steps\"";
    let found = solve(&front("{ call = \"b.o\" }", "", profile));
    assert!(found.stable);
    // 50 a second too many for 20 s: 1,000, done at 150 a second, after 20 + 6.7 s; the last wait 4 s.
    let [note] = found.notes.as_slice() else { panic!("{:?}", found.notes) };
    assert!(note.contains("over capacity from 100 s to 120 s"), "{note}");
    let workload = &found.workloads[0];
    assert!((workload.arrival_rate - (280.0 * 100.0 + 20.0 * 300.0) / 300.0).abs() < 1e-6);
    // 20 s of arrivals at 300 and 6.7 s at 100 wait, of 34,000: the p95 lies among them.
    assert!(workload.response.p95().unwrap() > 2.0 && workload.response.percentile(0.5).unwrap() < 0.05);
}

#[test]
fn who_passes_by_does_not_wait_for_what_has_piled_up() {
    let profile = "profile = [ { at = \"0s\", rate = \"40/s\" }, { at = \"100s\", rate = \"130/s\" }, { at = \"120s\", rate = \"40/s\" } ]\nperiod = \"300s\"\nshape = \"steps\"";
    let found = solve(&format!(
        "[service.a]\ndiscipline = \"ps\"\noperations.o.work = \"10ms\"\n[service.b]\noperations.o.work = \"10ms\"\n\
         operations.half.steps = [ {{ call = \"a.o\", probability = 0.5 }} ]\n[workload.all]\nentry = \"a.o\"\n{profile}\n\
         [workload.none]\nentry = \"b.o\"\nrate = \"20/s\"\n[workload.half]\nentry = \"b.half\"\nrate = \"1/s\"\n"
    ));
    let [all, none, half] = [0, 1, 2].map(|w| found.workloads[w].response.mean.unwrap());
    assert!((none / 0.0125 - 1.0).abs() < 0.01, "{none}");
    // Most of all come when much has piled up, of the others as many at all times.
    assert!(half > 0.1 && half < 0.5 * all, "{all} {half}");
    let median = found.workloads[2].response.percentile(0.5).unwrap();
    assert!(median < 0.02 && found.workloads[2].response.percentile(0.99).unwrap() > 1.0, "{median}");
    // What requests wait the service says too.
    let wait = found.services[0].wait.mean.unwrap();
    let queueing = found.workloads[0].breakdown.iter().find(|share| share.service == "a").unwrap().queueing;
    assert!(wait > 0.1 && queueing > wait, "{wait} {queueing}");
}

/// Five calls of a request at once wait for each other, whether or not others could fill the queue that they come to.
#[test]
fn a_limit_does_not_keep_calls_of_a_request_apart() {
    let model = |queue: u32| {
        let calls = ["{ call = \"leaf.get\" }"; 5].join(", ");
        format!(
            "[service.front]\noperations.page.steps = [ {{ parallel = [ {calls} ], wait = 3 }} ]\n[service.leaf]\ncores = 1\n\
             queue = {queue}\noperations.get.work = \"4ms\"\n[workload.w]\nentry = \"front.page\"\nrate = \"4/s\"\n"
        )
    };
    agrees(&model(20), 0.05);
    // With room for hardly more than the five it is not known how many of them are refused, and said.
    let tight = &solve(&model(5)).workloads[0];
    assert!((tight.response.p95().unwrap() / 0.0263 - 1.0).abs() < 0.1, "{:?}", tight.response.p95());
    assert!(matches!(tight.accuracy, Accuracy::Approximate { p95_error } if p95_error > 0.1), "{:?}", tight.accuracy);
}

#[test]
fn a_p95_is_made_of_its_parts() {
    let model = front("{ call = \"b.o\", network = \"2ms\" }", "workers = 5\n", "rate = \"180/s\"");
    let system = read(&model);
    let prediction = analytic::solve(&compile(&system));
    let explanation = plan::explain(&system, &prediction);
    let made = &explanation.workloads[0];
    let sum: f64 = made.parts.iter().map(|part| part.time).sum();
    assert!((sum / made.p95.unwrap() - 1.0).abs() < 0.03, "{sum} {:?}", made.p95);
    // The slow ones wait for workers more than they do on average.
    let workers = made.parts.iter().find(|part| part.cause.word() == "workers").unwrap();
    let mean = prediction.workloads[0].breakdown.iter().find(|share| share.service == "a").unwrap();
    assert!(workers.share > mean.queueing / prediction.workloads[0].response.mean.unwrap());
    let rate = explanation.elasticities.iter().find(|e| e.input == "workload.w.rate").unwrap();
    assert!(rate.effect.unwrap() > 0.1);
    assert!(explanation.remedies.len() <= 3 && !explanation.remedies.is_empty());
    assert!(explanation.remedies.iter().all(|remedy| remedy.after < remedy.before.unwrap()));
    assert_eq!(explanation.next.as_ref().map(|next| next.now.as_str()), Some("b"));
}

#[test]
fn the_commands_say_why_and_agree() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("m.toml");
    std::fs::write(&file, front("{ call = \"b.o\" }", "", "rate = \"150/s\"")).unwrap();
    let file = file.to_str().unwrap();
    let (code, why) = run(&["solve", file, "--explain", "--format", "json"]);
    assert_eq!(code, 0);
    let explanation = &why["explanation"];
    assert!(explanation["workloads"]["w"]["sentence"].as_str().unwrap().contains("slow requests of w"));
    assert!(explanation["elasticities"].as_array().unwrap().len() >= 3);
    assert!(explanation["changes"][0]["sentence"].is_string());
    let (_, both) = run(&["solve", file, "--method", "both", "--requests", "200k", "--format", "json"]);
    assert_eq!(both["verdict"]["agrees"], Value::Bool(true), "{}", both["verdict"]);
    // Analysis is trusted with this, and not where it expects to be far off.
    let (_, auto) = run(&["solve", file, "--method", "auto", "--format", "json"]);
    assert_eq!(auto["method"], "analytic");
    let parallel = "{ parallel = [ { call = \"b.o\", network = \"3ms\" }, { call = \"b.o\", network = \"3ms\" }, { call = \"b.o\", network = \"3ms\" } ], wait = \"any\" }";
    std::fs::write(file, front(parallel, "", "rate = \"50/s\"")).unwrap();
    let (_, auto) = run(&["solve", file, "--method", "auto", "--requests", "20k", "--format", "json"]);
    assert_eq!(auto["method"], "simulate");
    assert!(auto["warnings"][0].as_str().unwrap().contains("simulated instead"));
}

#[cfg(unix)]
#[test]
fn links_and_devices_stay_what_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let (model, real, link) = (folder.path().join("m.toml"), folder.path().join("real"), folder.path().join("link"));
    std::fs::write(&model, front("{ call = \"b.o\" }", "", "rate = \"150/s\"")).unwrap();
    std::fs::write(&real, "old").unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    let solve = |to: &std::path::Path| {
        let args = [model.as_os_str(), "--format".as_ref(), "json".as_ref(), "-o".as_ref(), to.as_os_str()];
        Command::new(env!("CARGO_BIN_EXE_plimsoll")).arg("solve").args(args).output().unwrap()
    };
    assert!(solve(&link).status.success());
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(std::fs::read_to_string(&real).unwrap().contains("\"workloads\""));
    let through_pipe = solve("/dev/stdout".as_ref());
    assert!(String::from_utf8_lossy(&through_pipe.stdout).contains("\"workloads\""));
}

#[test]
fn several_workloads_of_users_are_exact_where_product_form_is() {
    let model = |discipline: &str, works: [&str; 3], users: [u32; 2]| {
        format!(
            "[service.a]\ncores = 2\n{discipline}operations.x.steps = [ {{ work = \"{}\" }}, {{ call = \"b.x\", times = 2 }} ]\n\
             operations.y.steps = [ {{ work = \"{}\" }}, {{ call = \"b.x\" }} ]\n\
             [service.b]\ncores = 1\n{discipline}operations.x.work = \"{}\"\n\
             [workload.u]\nentry = \"a.x\"\nusers = {}\nthink = \"100ms\"\n\
             [workload.v]\nentry = \"a.y\"\nusers = {}\nthink = \"50ms\"\n",
            works[0], works[1], works[2], users[0], users[1]
        )
    };
    for (model, allowed) in [
        (model("", ["10ms", "10ms", "8ms"], [4, 3]), 0.02),
        (model("discipline = \"ps\"\n", ["25ms", "9ms", "8ms"], [3, 2]), 0.06),
    ] {
        let network = compile(&read(&model));
        let (own, right) = (analytic::solve(&network), plimsoll::exact::solve(&network).unwrap());
        for (own, right) in own.workloads.iter().zip(&right.workloads) {
            let near = |a: f64, b: f64, allowed: f64| assert!((a / b - 1.0).abs() < allowed, "{a} {b}\n{model}");
            near(own.throughput, right.throughput, 1e-6);
            near(own.response.mean.unwrap(), right.response.mean.unwrap(), 1e-5);
            near(own.response.p95().unwrap(), right.response.p95().unwrap(), allowed);
        }
    }
}

/// One server that users share with others who come at this rate.
fn shared(users: u32, rate: f64) -> String {
    format!(
        "[service.s]\noperations.o.work = \"10ms\"\n[workload.u]\nentry = \"s.o\"\nusers = {users}\nthink = \"100ms\"\n\
         [workload.other]\nentry = \"s.o\"\nrate = \"{rate}/s\"\n"
    )
}

#[test]
fn users_beside_others_are_exact_where_product_form_is() {
    let (work, think, load) = (0.01, 0.1, 0.6);
    let found = solve(&shared(1, load / work));
    // The only user finds what M/M/1 of the others is: its response is exponential. They find it, and the user.
    let response = work / (1.0 - load);
    let rate = 1.0 / (think + response);
    let near = |a: f64, b: f64| assert!((a / b - 1.0).abs() < 1e-6, "{a} {b}");
    let [user, other] = found.workloads.as_slice() else { panic!("two workloads") };
    near(user.throughput, rate);
    near(user.response.mean.unwrap(), response);
    near(user.response.p95().unwrap(), -response * 0.05f64.ln());
    near(other.response.mean.unwrap(), work * (1.0 + rate * response) / (1.0 - load));
    assert!(user.accuracy == Accuracy::Exact && other.accuracy == Accuracy::Exact);
    agrees(&shared(10, 60.0), 0.0);
    // At several servers and shared ones, with others of other work.
    let network = "[service.a]\ncores = 4\noperations.o.steps = [ { work = \"10ms\" }, { call = \"b.o\" }, { call = \"c.o\", probability = 0.6 } ]\n\
         [service.b]\ndiscipline = \"ps\"\noperations.o.work = \"5ms\"\noperations.q.work = { constant = \"3ms\" }\n\
         [service.c]\noperations.o.work = \"6ms\"\n\
         [workload.u]\nentry = \"a.o\"\nusers = 8\nthink = \"20ms\"\n\
         [workload.other]\nmix = { \"a.o\" = 0.7, \"b.q\" = 0.3 }\nrate = \"50/s\"\n\
         [workload.v]\nentry = \"c.o\"\nusers = 3\nthink = \"50ms\"\n";
    agrees(network, 0.04);
}

#[test]
fn users_are_as_many_as_they_are_whatever_they_do() {
    let fork = "[service.b]\ncores = 2\noperations.o.steps = [ { work = \"12ms\" }, { work = \"7ms\" } ]\n\
         [service.a]\ncores = 4\noperations.o.steps = [ { work = \"1ms\" }, { parallel = [ { call = \"b.o\" }, { call = \"b.o\" }, { call = \"b.o\" } ] } ]\n\
         [workload.u]\nentry = \"a.o\"\nusers = 6\nthink = \"50ms\"\n[workload.other]\nentry = \"b.o\"\nrate = \"60/s\"\n";
    let held = "[service.b]\noperations.o.work = \"9ms\"\n[service.a]\ncores = 4\nworkers = 4\noperations.o.steps = [ { work = \"2ms\" }, { call = \"b.o\" } ]\n\
         [service.f]\ncores = 4\nworkers = 12\noperations.o.steps = [ { work = \"1ms\" }, { call = \"a.o\" } ]\n\
         [workload.u]\nentry = \"f.o\"\nusers = 16\nthink = \"100ms\"\n";
    let crowds = "[service.b]\ncores = 2\noperations.o.work = { mean = \"9ms\", cv = 1.5 }\n\
         [service.a]\ncores = 3\noperations.o.steps = [ { work = { mean = \"7ms\", cv = 0.5 } }, { call = \"b.o\", probability = 0.3 } ]\n\
         [workload.u]\nentry = \"b.o\"\nusers = 17\nthink = \"60ms\"\n[workload.v]\nentry = \"a.o\"\nusers = 30\nthink = \"30ms\"\n";
    for (model, allowed) in [(fork, 0.15), (held, 0.15), (crowds, 0.25)] {
        let network = compile(&read(model));
        for (workload, own) in network.workloads.iter().zip(&analytic::solve(&network).workloads) {
            if let plimsoll::system::Load::Closed { users, think } = &workload.load {
                let cycle = own.response.mean.unwrap() + think.mean();
                let counted = own.throughput * cycle / f64::from(*users);
                assert!((counted - 1.0).abs() < 0.03, "{} {counted}\n{model}", own.name);
            }
        }
        agrees(model, allowed);
    }
}

#[test]
fn a_pool_that_nobody_holds_changes_nothing() {
    let model = "[service.s]\noperations.o.steps = [ { work = \"2ms\" } ]\n[workload.w]\nentry = \"s.o\"\nusers = 30\nthink = \"50ms\"\n";
    let (without, with) = (solve(model), solve(&format!("{model}[pool.p]\nsize = 8\n")));
    assert_eq!(without.workloads, with.workloads);
    assert_eq!(with.workloads[0].accuracy, Accuracy::Exact);
}

#[test]
fn users_come_with_their_bounds_and_their_knee() {
    let found = solve(
        "[service.a]\ncores = 1\noperations.x.steps = [ { work = \"10ms\" }, { call = \"b.x\" }, { delay = \"20ms\" } ]\n\
         [service.b]\ncores = 1\noperations.x.work = \"15ms\"\n[workload.u]\nentry = \"a.x\"\nusers = 12\nthink = \"80ms\"\n",
    );
    let crowd = found.workloads[0].crowd.clone().unwrap();
    let (asymptotic, balanced) = plimsoll::math::mva::bounds(12, 0.1, &[0.01, 0.015]);
    let near = |a: f64, b: f64| assert!((a / b - 1.0).abs() < 1e-9, "{a} {b}");
    near(crowd.knee, 0.125 / 0.015);
    // The pause is part of the response here, and of the time away there.
    for (own, right) in [(crowd.asymptotic, asymptotic), (crowd.balanced.unwrap(), balanced)] {
        near(own.throughput.0.unwrap(), right.throughput.0);
        near(own.throughput.1.unwrap(), right.throughput.1);
        near(own.response.0, right.response.0 + 0.02);
        near(own.response.1.unwrap(), right.response.1 + 0.02);
        let (rate, mean) = (found.workloads[0].throughput, found.workloads[0].response.mean.unwrap());
        assert!(rate >= own.throughput.0.unwrap() && rate <= own.throughput.1.unwrap());
        assert!(mean >= own.response.0 && mean <= own.response.1.unwrap());
    }
    // Beside others only what is left to them bounds users, and only from above.
    let beside = solve(
        "[service.a]\ncores = 1\noperations.x.work = \"10ms\"\n[workload.u]\nentry = \"a.x\"\nusers = 12\nthink = \"80ms\"\n\
         [workload.v]\nentry = \"a.x\"\nrate = \"40/s\"\n",
    );
    let crowd = beside.workloads[0].crowd.clone().unwrap();
    near(crowd.asymptotic.throughput.1.unwrap(), 60.0);
    assert!(crowd.balanced.is_none() && crowd.asymptotic.throughput.0.is_none());
}

/// Mean waits of two visits in a row at one server, each by its mean and squared coefficient of variation, requests being
/// Poisson: whoever is ahead at the first visit is at the second, but for those who have gone, and newcomers come before it.
fn two_visits(rate: f64, [first, second]: [(f64, f64); 2]) -> f64 {
    let load = |(mean, _): (f64, f64)| rate * mean;
    let residual = |visit: (f64, f64)| load(visit) * 0.5 * visit.0 * (1.0 + visit.1);
    let served = residual(first) + residual(second);
    // W₂ = a W₁ + b, and W₁ = ρ₁ W₁ + ρ₂ W₂ + the work in service.
    let (a, b) = (load(first) + load(second), load(first) * (first.0 + second.0));
    let wait = (load(second) * b + served) / (1.0 - load(first) - load(second) * a);
    wait + a * wait + b
}

#[test]
fn visits_one_after_the_other_wait_as_theory_says() {
    let exponential = |ms: f64| (format!("\"{ms}ms\""), (ms / 1e3, 1.0));
    let constant = |ms: f64| (format!("{{ constant = \"{ms}ms\" }}"), (ms / 1e3, 0.0));
    let wide = |ms: f64| (format!("{{ mean = \"{ms}ms\", cv = 2 }}"), (ms / 1e3, 4.0));
    let pairs = [
        [exponential(10.0), exponential(10.0)],
        [constant(10.0), constant(10.0)],
        [wide(10.0), wide(10.0)],
        [wide(9.0), exponential(2.0)],
        [exponential(2.0), wide(9.0)],
        [constant(1.0), exponential(12.0)],
    ];
    for [(first, one), (second, two)] in pairs {
        for load in [0.2, 0.5, 0.8] {
            let rate = load / (one.0 + two.0);
            let model = format!(
                "[service.a]\noperations.o.steps = [ {{ work = {first} }}, {{ work = {second} }} ]\n[workload.w]\nentry = \"a.o\"\nrate = \"{rate}/s\"\n"
            );
            let wait = solve(&model).workloads[0].response.mean.unwrap() - one.0 - two.0;
            let right = two_visits(rate, [one, two]);
            assert!((wait / right - 1.0).abs() < 0.06, "{first} {second} {load}: {wait} {right}");
        }
    }
}

#[test]
fn visits_with_breaks_and_other_arrivals_between() {
    let breaks = "[service.a]\noperations.o.steps = [ { work = { mean = \"8ms\", cv = 2 } }, { delay = \"30ms\" }, { work = \"4ms\" }, { delay = \"5ms\" }, { work = { constant = \"9ms\" } } ]\n[workload.w]\nentry = \"a.o\"\n";
    agrees(&(breaks.to_string() + "rate = \"35/s\"\n"), 0.06);
    // Of two workloads that ask the same the one that comes at regular times waits less.
    let two = "[service.a]\noperations.o.steps = [ { work = \"2ms\" }, { work = \"3ms\" } ]\n[workload.even]\nentry = \"a.o\"\nrate = \"70/s\"\narrivals = \"regular\"\n[workload.free]\nentry = \"a.o\"\nrate = \"60/s\"\n";
    agrees(two, 0.06);
    let shared = "[service.a]\ninstances = 3\ndiscipline = \"ps\"\nbalancer = \"round-robin\"\noperations.o.work = { mean = \"5ms\", cv = 1.8 }\n[workload.w]\nentry = \"a.o\"\nrate = \"360/s\"\n";
    agrees(shared, 0.06);
}

#[test]
fn who_is_interrupted_at_several_cores_waits_little() {
    let model = "[service.a]\ncores = 6\ndiscipline = \"preemptive\"\noperations.o.work = { mean = \"10ms\", cv = 0.8 }\n[workload.urgent]\nentry = \"a.o\"\nrate = \"180/s\"\npriority = 1\n[workload.other]\nentry = \"a.o\"\nrate = \"180/s\"\npriority = 2\n";
    agrees(model, 0.05);
}

#[test]
fn what_is_sent_off_meets_its_sender() {
    let model = "[service.a]\ncores = 4\noperations.o.steps = [ { work = \"1ms\" }, { send = \"b.o\" }, { call = \"b.o\" } ]\n[service.b]\noperations.o.work = \"8ms\"\n[workload.w]\nentry = \"a.o\"\nrate = \"35/s\"\n";
    agrees(model, 0.08);
}

#[test]
fn a_flood_waits_for_workers_and_once_for_all_its_visits() {
    let burst = "[workload.w]\nentry = \"a.o\"\nrate = \"380/s\"\narrivals = { burst = { ratio = 3, on = \"1.5s\", off = \"1.1s\" } }\n";
    let workers = "[service.a]\ncores = 4\nworkers = 30\noperations.o.work = \"8ms\"\n";
    agrees(&(workers.to_string() + burst), 0.1);
    let again = "[service.a]\ncores = 4\noperations.o.steps = [ { work = \"3ms\" }, { delay = \"1ms\" }, { work = \"3ms\" }, { work = \"2ms\" } ]\n";
    agrees(&(again.to_string() + burst), 0.12);
}

#[test]
fn who_holds_one_of_three_waits_for_none_of_seven() {
    let model = "[service.a]\nworkers = 3\noperations.o.steps = [ { work = \"3ms\" }, { call = \"b.o\" }, { delay = \"3ms\" } ]\n[service.b]\nworkers = 7\noperations.o.steps = [ { work = \"4ms\" }, { delay = \"6ms\" }, { work = \"8ms\" } ]\n[workload.w]\nentry = \"a.o\"\nrate = \"45/s\"\n";
    agrees(model, 0.1);
}

#[test]
fn queues_get_used_to_a_new_load_as_slowly_as_they_do() {
    let model = |service: &str, steps: &str, profile: &str| {
        format!(
            "[service.a]\ncores = 4\n{service}operations.o.steps = [ {steps} ]\n[service.b]\noperations.o.work = {{ mean = \"70ms\", cv = 1.2 }}\n[workload.w]\nentry = \"a.o\"\n{profile}\n"
        )
    };
    let exponential = "{ work = \"1s\" }";
    // From empty, and not long enough to fill up.
    let short = "profile = [ { at = \"0s\", rate = \"3.6/s\" }, { at = \"8s\", rate = \"3.6/s\" } ]";
    agrees(&model("", exponential, short), 0.01);
    // Again and again, faster than the queue gets used to it.
    let again = "profile = [ { at = \"0s\", rate = \"2.5/s\" }, { at = \"6s\", rate = \"5/s\" } ]\nperiod = \"10s\"";
    agrees(&model("", exponential, again), 0.03);
    let too_much = "profile = [ { at = \"0s\", rate = \"3/s\" }, { at = \"50s\", rate = \"5/s\" }, { at = \"100s\", rate = \"3/s\" }, { at = \"300s\", rate = \"3/s\" } ]";
    agrees(&model("", exponential, too_much), 0.02);
    // What comes later comes no faster than it gets through, and work of another form is got used to at another pace.
    let behind = "{ work = { mean = \"1s\", cv = 1.6 } }, { call = \"b.o\", times = 3 }";
    agrees(&model("", behind, too_much), 0.06);
    let half = "{ work = { mean = \"2s\", cv = 0.4 } }";
    agrees(&model("instances = 2\nbalancer = \"random\"\n", half, too_much), 0.05);
}

#[test]
fn a_flood_is_waited_for_by_who_is_not_urgent() {
    let model = "[service.a]\ndiscipline = \"preemptive\"\noperations.o.work = \"2ms\"\n[workload.urgent]\nentry = \"a.o\"\npriority = 1\nrate = \"110/s\"\n[workload.other]\nentry = \"a.o\"\npriority = 2\nrate = \"270/s\"\narrivals = { burst = { ratio = 3, on = \"1.5s\", off = \"1.1s\" } }\n";
    agrees(model, 0.2);
}

#[test]
fn who_always_finds_room_is_not_refused() {
    // Five users and room for five: M/M/1//5 by the chances of its six states.
    let users = |queue: u32| {
        format!(
            "[service.b]\nqueue = {queue}\noperations.o.work = \"8ms\"\n[workload.w]\nentry = \"b.o\"\nusers = 5\nthink = \"10ms\"\n"
        )
    };
    let chances: Vec<f64> =
        (0..6).scan(1.0, |chance, n| Some(std::mem::replace(chance, *chance * 0.8 * f64::from(5 - n)))).collect();
    let busy = 1.0 - chances[0] / chances.iter().sum::<f64>();
    let own = &solve(&users(4)).workloads[0];
    assert!(own.error_rate == 0.0 && (own.throughput / (busy / 8e-3) - 1.0).abs() < 1e-6, "{}", own.throughput);
    assert_eq!(own.accuracy, Accuracy::Exact);
    assert!(solve(&users(1)).workloads[0].error_rate > 0.2);
    // Three workers at most ask one with room for three.
    agrees(
        &front("{ call = \"c.o\" }", "workers = 3\n", "rate = \"90/s\"")
            .replace(BACK, "[service.c]\nqueue = 2\noperations.o.work = \"8ms\"\n"),
        0.08,
    );
}

/// A call in nine is given up after 60 ms and made again 10 ms later: no request takes between 62 and 74 ms.
#[test]
fn a_service_takes_as_long_as_the_requests_that_ask_nothing_else() {
    let prediction = solve(
        "[service.front]\ncores = 2\noperations.ask.steps = [ { work = \"2ms\" }, { call = \"back.answer\", timeout = \"60ms\", \
         retries = 1, backoff = \"10ms\", network = \"2ms\" } ]\n[service.back]\ncores = \"unlimited\"\n\
         operations.answer.work = \"25ms\"\n[workload.w]\nentry = \"front.ask\"\nrate = \"300/s\"\n",
    );
    let (service, workload) = (&prediction.services[0].response, &prediction.workloads[0].response);
    for (own, right) in service.percentiles.iter().zip(&workload.percentiles) {
        let (own, right) = own.zip(*right).unwrap();
        assert!((own / right - 1.0).abs() < 0.02, "{service:?} {workload:?}");
    }
}

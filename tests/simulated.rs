//! Requests that come back to a queue they have left, and requests that arrive together, against simulations.
//!
//! The figures are those of plain event-driven simulations of the same routes, a million requests each (their p95 is
//! sure to about 1%), written apart from this project.

use plimsoll::prediction::{Accuracy, Prediction};
use plimsoll::{analytic, document, network};

/// A route, with the mean, p50 and p95 of its response time.
struct Route {
    model: String,
    mean: f64,
    p50: f64,
    p95: f64,
}

fn route(services: &str, steps: &str, rate: f64, [mean, p50, p95]: [f64; 3]) -> Route {
    let model = format!(
        "[service.a]\n{services}\n[service.a.operations.job]\nsteps = [ {steps} ]\n[service.b]\ncores = 1\n\
         operations.q.steps = [ {{ work = \"50ms\" }} ]\n[service.wide]\ncores = 8\n\
         operations.q.steps = [ {{ work = {{ constant = \"50ms\" }} }} ]\n[service.even]\ncores = 1\n\
         operations.q.steps = [ {{ work = {{ constant = \"9ms\" }} }} ]\n[service.four]\ncores = 4\n\
         operations.q.steps = [ {{ work = \"16ms\" }} ]\n[workload.w]\nentry = \"a.job\"\nrate = \"{rate}/s\"\n"
    );
    Route { model, mean, p50, p95 }
}

fn routes() -> Vec<Route> {
    let loops = |times: u32, work: &str| format!("{{ repeat = {times}, steps = [ {{ work = {work} }} ] }}");
    let disk = "cores = 1\ndevices.disk = { servers = 1 }";
    let two = loops(40, "\"15ms\"") + ", { repeat = 40, steps = [ { use = \"disk\", time = \"15ms\" } ] }";
    let turns = "{ repeat = 10, steps = [ { work = \"50ms\" }, { use = \"disk\", time = \"70ms\" } ] }";
    let slow =
        "{ repeat = 4, steps = [ { work = { mean = \"40ms\", cv = 2 } }, { delay = { constant = \"500ms\" } } ] }";
    let twice = "{ work = \"20ms\" }, { call = \"b.q\" }, { work = \"20ms\" }, { call = \"b.q\" }, { work = \"20ms\" }";
    let even = "{ repeat = 3, steps = [ { work = \"8ms\" }, { call = \"wide.q\" }, { call = \"even.q\" } ] }";
    let many = "{ work = \"20ms\" }, { call = \"four.q\", times = 5 }";
    vec![
        route("cores = 1", &loops(5, "\"180ms\""), 1.0, [9.0, 6.450, 27.05]),
        route("cores = 1", &loops(40, "\"12.5ms\""), 1.0, [1.0, 0.7923, 2.289]),
        route("cores = 1", &loops(70, "\"9ms\""), 1.0, [1.703, 1.297, 4.208]),
        route("cores = 1", &loops(20, "\"15ms\""), 1.0, [0.4286, 0.3559, 0.8785]),
        route(disk, turns, 1.0, [3.333, 2.823, 7.270]),
        route(disk, &two, 1.0, [3.0, 2.459, 6.822]),
        route("cores = 1", slow, 5.0, [3.352, 3.014, 5.681]),
        route("cores = 2", even, 30.0, [0.2748, 0.2453, 0.4516]),
        route("cores = 2", many, 40.0, [0.1627, 0.1401, 0.3471]),
        route("cores = 1", twice, 8.0, [0.6154, 0.4839, 1.598]),
    ]
}

fn solve(model: &str) -> Prediction {
    let no_files = |_: &str| Err("none".to_string());
    let system = document::read(model, &no_files).unwrap_or_else(|wrong| panic!("{:?}", wrong.first())).system;
    analytic::solve(&network::compile(&system))
}

#[test]
fn waits_of_many_visits_are_as_wide_as_simulated() {
    for (i, route) in routes().iter().enumerate() {
        let prediction = solve(&route.model);
        let workload = prediction.workloads.iter().find(|workload| workload.name == "w").unwrap();
        let error = |level: f64, want: f64| workload.response.percentile(level).unwrap() / want - 1.0;
        let (mean, p50, p95) =
            (workload.response.mean.unwrap() / route.mean - 1.0, error(0.5, route.p50), error(0.95, route.p95));
        let Accuracy::Approximate { p95_error } = workload.accuracy else { panic!("route {i} is not exact") };
        assert!(mean.abs() < 0.04, "route {i}: mean {mean:+.3}");
        assert!(p50.abs() < 0.10, "route {i}: p50 {p50:+.3}");
        assert!(p95.abs() < p95_error + 0.01, "route {i}: p95 {p95:+.3}, stated {p95_error}");
        assert!(p95_error < 0.3, "route {i}: stated {p95_error}");
    }
}

/// Steps of which some come back to the database by chance: steps, rate, and mean, p50, p95 and p99 of the response.
const CHANCES: [(&str, f64, [f64; 4]); 6] = [
    ("DB, APP, { call = \"db.q\", probability = 0.5 }", 56.0, [99.25, 66.91, 299.4, 485.4]),
    ("DB, { call = \"app.and_db\" }", 56.0, [99.25, 66.91, 299.4, 485.4]),
    ("DB, APP, { call = \"db.q\", probability = 0.1 }", 72.0, [58.49, 41.72, 166.3, 266.2]),
    ("APP, { repeat = 5, steps = [ { call = \"db.q\", probability = 0.5 } ] }", 32.0, [129.5, 85.07, 400.4, 655.8]),
    ("APP, { repeat = 10, steps = [ { call = \"db.q\", probability = 0.2 } ] }", 40.0, [105.0, 63.44, 349.8, 600.7]),
    (
        "{ choose = [ { weight = 0.3, steps = [ DB, DB, DB, DB, DB ] }, { weight = 0.7, steps = [] } ] }, APP, DB",
        33.0,
        [147.2, 69.24, 589.6, 1080.6],
    ),
];

#[test]
fn visits_by_chance_depend_on_those_around_them() {
    for (steps, rate, [mean, p50, p95, p99]) in CHANCES {
        let steps = steps.replace("DB", "{ call = \"db.q\" }").replace("APP", "{ call = \"app.w\" }");
        let prediction = solve(&format!(
            "[service.db]\noperations.q.work = \"10ms\"\n[service.app]\noperations.w.work = \"4ms\"\n\
             operations.and_db.steps = [ {{ work = \"4ms\" }}, {{ call = \"db.q\", probability = 0.5 }} ]\n\
             [service.front]\ncores = \"unlimited\"\noperations.job.steps = [ {steps} ]\n\
             [workload.w]\nentry = \"front.job\"\nrate = \"{rate}/s\"\n"
        ));
        let response = &prediction.workloads[0].response;
        let Accuracy::Approximate { p95_error } = prediction.workloads[0].accuracy else { panic!("not exact") };
        let error = |got: Option<f64>, want: f64| (got.unwrap() * 1e3 / want - 1.0).abs();
        assert!(error(response.mean, mean) < 0.01, "{steps}: {:?}", response.mean);
        assert!(error(response.percentile(0.5), p50) < 0.07, "{steps}: {:?}", response.percentile(0.5));
        assert!(error(response.p95(), p95) < p95_error.min(0.05), "{steps}: {:?}, stated {p95_error}", response.p95());
        assert!(error(response.percentile(0.99), p99) < 0.10, "{steps}: {:?}", response.percentile(0.99));
    }
}

#[test]
fn a_visit_by_chance_is_linked_within_itself() {
    let job = |steps: &str| {
        let model = format!(
            "[service.s]\ncores = 1\n[service.s.operations]\njob.steps = [ {steps} ]\nloop.steps = [ {{ repeat = 20, \
             steps = [ {{ work = \"10ms\" }} ] }} ]\n[workload.w]\nentry = \"s.job\"\nrate = \"3/s\"\n"
        );
        solve(&model).workloads[0].response.percentile(0.95).unwrap()
    };
    // A call nearly certain, or a way nearly always taken, is as wide as a certain one.
    let certain = job("{ call = \"s.loop\" }");
    for steps in [
        "{ call = \"s.loop\", probability = 0.999999 }",
        "{ choose = [ { weight = 0.999999, steps = [ { call = \"s.loop\" } ] }, { weight = 0.000001, steps = [] } ] }",
        "{ parallel = [ \"s.loop\" ] }",
    ] {
        let chance = job(steps);
        assert!((chance / certain - 1.0).abs() < 5e-3, "{steps}: {chance}, {certain}");
    }
}

/// A parallel step of so many calls to one service: servers, calls, rate, rate of others, work; the mean wait there, and
/// the mean and p95 of the step.
type Batch = (u32, usize, f64, f64, &'static str, [f64; 3]);

const BATCHES: [Batch; 8] = [
    (4, 4, 50.0, 0.0, "\"10ms\"", [5.462, 26.39, 55.45]),
    (1, 3, 20.0, 0.0, "\"10ms\"", [39.78, 59.77, 152.0]),
    (16, 8, 100.0, 0.0, "\"10ms\"", [1.321, 28.51, 52.50]),
    (8, 4, 150.0, 0.0, "\"10ms\"", [7.209, 28.05, 58.90]),
    (4, 4, 50.0, 0.0, "{ constant = \"10ms\" }", [4.976, 14.98, 30.42]),
    (4, 2, 50.0, 200.0, "\"10ms\"", [6.424, 21.98, 51.80]),
    (1, 2, 40.0, 0.0, "\"10ms\"", [64.98, 79.97, 226.4]),
    (4, 10, 30.0, 0.0, "\"10ms\"", [46.18, 77.45, 179.3]),
];

#[test]
fn batches_wait_for_each_other_as_simulated() {
    for (servers, calls, rate, others, work, [wait, mean, p95]) in BATCHES {
        let mut model = format!(
            "[service.s]\ncores = {servers}\noperations.q.steps = [ {{ work = {work} }} ]\n[service.front]\n\
             operations.job.steps = [ {{ parallel = [ {} ] }} ]\n[workload.w]\nentry = \"front.job\"\nrate = \
             \"{rate}/s\"\n",
            vec!["\"s.q\""; calls].join(", ")
        );
        if others > 0.0 {
            model += &format!("[workload.o]\nentry = \"s.q\"\nrate = \"{others}/s\"\n");
        }
        let prediction = solve(&model);
        let (station, response) = (&prediction.services[0], &prediction.workloads[0].response);
        let Accuracy::Approximate { p95_error } = prediction.workloads[0].accuracy else { panic!("not exact") };
        let error = |got: Option<f64>, want: f64| (got.unwrap() * 1e3 / want - 1.0).abs();
        let exponential = !work.contains("constant");
        let name = format!("{calls} calls to {servers} servers");
        assert!(error(station.wait.mean, wait) < if exponential { 0.01 } else { 0.15 }, "{name}: {:?}", station.wait);
        assert!(error(response.mean, mean) < if exponential { 0.04 } else { 0.12 }, "{name}: {:?}", response.mean);
        assert!(error(response.p95(), p95) < p95_error, "{name}: {:?}, stated {p95_error}", response.p95());
        assert!(p95_error < 0.25, "{name}: stated {p95_error}");
    }
}

/// Branches that meet further down: so many of them, each with a time of its own of this mean before it calls one exponential server
/// that takes 1 ms; the load there, and in milliseconds the mean wait, the mean and the p95 of the request.
const MEETINGS: [(usize, f64, &str, [f64; 3]); 5] = [
    (2, 0.8, "3ms", [5.930, 11.82, 27.33]),
    (4, 0.5, "3ms", [2.767, 10.66, 21.02]),
    (4, 0.8, "0.3ms", [11.29, 14.36, 38.32]),
    (16, 0.1, "3ms", [5.729, 18.36, 30.36]),
    (16, 0.5, "3ms", [13.28, 28.53, 58.99]),
];

#[test]
fn branches_that_meet_further_down_wait_for_each_other_as_simulated() {
    for (branches, load, before, [wait, mean, p95]) in MEETINGS {
        let own = "{ call = \"branch.o\" }, ".repeat(branches);
        let model = format!(
            "[service.shared]\noperations.o.steps = [ {{ work = \"1ms\" }} ]\n[service.branch]\ncores = 100000\noperations.o.steps = [ \
             {{ delay = \"{before}\" }}, {{ call = \"shared.o\" }} ]\n[service.front]\noperations.o.steps = [ {{ parallel = [ \
             {own} ] }} ]\n[workload.w]\nentry = \"front.o\"\nrate = \"{}/s\"\n",
            1000.0 * load / branches as f64
        );
        let prediction = solve(&model);
        let (station, response) = (&prediction.services[0], &prediction.workloads[0].response);
        let error = |got: Option<f64>, want: f64| (got.unwrap() * 1e3 / want - 1.0).abs();
        let name = format!("{branches} branches {before} apart at load {load}");
        assert!(error(station.wait.mean, wait) < 0.06, "{name}: {:?}", station.wait);
        assert!(error(response.mean, mean) < 0.08, "{name}: {:?}", response.mean);
        assert!(error(response.p95(), p95) < 0.08, "{name}: {:?}", response.p95());
    }
}

#[test]
fn who_does_not_fork_waits_for_others_branches_alone() {
    // Batches of four to one server, and single requests: these find what batches leave, not each other. Simulated: 1 million requests.
    let model = "[service.s]\noperations.o.steps = [ { work = \"10ms\" } ]\n[service.f]\ncores = 1000\noperations.o.steps = [ { parallel = \
         [ { call = \"s.o\" }, { call = \"s.o\" }, { call = \"s.o\" }, { call = \"s.o\" } ] } ]\n[workload.forks]\nentry = \"f.o\"\nrate = \
         \"15/s\"\n[workload.single]\nentry = \"s.o\"\nrate = \"10/s\"\n";
    let prediction = solve(model);
    // Work that is found by whoever comes: λ E[B²] / 2 / (1 - ρ) with B of four or one, then the own work.
    let found = (15.0 * (4.0 * 2.0 + 12.0) + 10.0 * 2.0) * 1e-4 / 2.0 / (1.0 - 0.7);
    let single = prediction.workloads[1].response.mean.unwrap();
    assert!((single / (found + 0.01) - 1.0).abs() < 0.05, "{single} {}", found + 0.01);
}

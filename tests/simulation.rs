//! The simulation engine against exact theory, and the analytic engine against the simulation.
//!
//! Every figure is the mean over independent replications with fixed seeds. Bounds are seven half widths of 95% over two
//! (Student's law with 39 degrees of freedom is beyond that less than once in a million).

use plimsoll::math::estimate::{Estimate, Moments};
use plimsoll::network::Network;
use plimsoll::prediction::{Accuracy, Prediction};
use plimsoll::simulate::{self, Effort, Measured, Replication};
use plimsoll::{analytic, document, network};

const EFFORT: Effort = Effort { seed: 20_261_121, replications: 40, warmup: 200.0, duration: 2_000.0 };

fn compiled(model: &str) -> Network {
    let no_files = |_: &str| Err("none".to_string());
    let system = document::read(model, &no_files).unwrap_or_else(|wrong| panic!("{:?}\n{model}", wrong.first())).system;
    let network = network::compile(&system);
    assert!(simulate::unsupported(&network).is_empty(), "{:?}", simulate::unsupported(&network));
    network
}

fn estimate(runs: &[Replication], figure: impl Fn(&Replication) -> f64) -> Estimate {
    let mut moments = Moments::default();
    runs.iter().for_each(|run| moments.record(figure(run)));
    moments.estimate().unwrap()
}

fn agrees(what: &str, simulated: Estimate, exact: f64) {
    // Percentiles of finite runs and of buckets are off by a little themselves.
    let bound = 3.5 * simulated.half_width + 1e-3 * exact.abs();
    assert!((simulated.value - exact).abs() <= bound, "{what}: simulated {simulated:?}, exact {exact}");
    assert!(simulated.half_width < 0.05 * exact.abs() + 1e-3, "{what}: {simulated:?} says too little");
}

fn p95(measured: &Measured) -> f64 {
    measured.times.quantile(0.95).unwrap()
}

fn both(model: &str) -> (Vec<Replication>, Prediction) {
    let network = compiled(model);
    (simulate::run(&network, &EFFORT), analytic::solve(&network))
}

fn station(service: &str, work: &str, workload: &str) -> String {
    format!("[service.s]\n{service}\noperations.o.work = {work}\n[workload.w]\nentry = \"s.o\"\n{workload}\n")
}

#[test]
fn exact_queues_are_reproduced() {
    let cases = [
        station("", "\"0.1s\"", "rate = \"7/s\""),
        station("cores = 4", "\"0.1s\"", "rate = \"32/s\""),
        station("", "{ dist = \"hyperexponential\", mean = \"0.1s\", cv = 1.5 }", "rate = \"6/s\""),
        station("", "{ constant = \"0.1s\" }", "rate = \"8/s\""),
        station("", "\"0.1s\"", "rate = \"7/s\"\narrivals = \"regular\""),
        station("instances = 3\nbalancer = \"random\"", "\"0.1s\"", "rate = \"21/s\""),
        station("instances = 2\nbalancer = \"round-robin\"", "\"0.1s\"", "rate = \"14/s\""),
        station("discipline = \"lifo\"", "\"0.1s\"", "rate = \"6/s\""),
    ];
    for model in &cases {
        let (runs, prediction) = both(model);
        let (workload, service) = (&prediction.workloads[0], &prediction.services[0]);
        assert!(matches!(workload.accuracy, Accuracy::Exact), "{model}");
        agrees(model, estimate(&runs, |run| run.workloads[0].mean.unwrap()), workload.response.mean.unwrap());
        agrees(model, estimate(&runs, |run| p95(&run.workloads[0])), workload.response.p95().unwrap());
        agrees(model, estimate(&runs, |run| run.workloads[0].throughput), workload.throughput);
        agrees(model, estimate(&runs, |run| run.queue_length[0]), service.queue_length.unwrap());
        let servers: f64 = if model.contains("cores = 4") { 4.0 } else { f64::from(service.instances) };
        agrees(model, estimate(&runs, |run| run.busy[0] / servers), service.utilization.unwrap());
    }
}

#[test]
fn a_limited_queue_refuses_as_a_chain_of_births_and_deaths_says() {
    // M/M/1 with three waiting places at load a = 0.9: P(n) ∝ aⁿ for n up to 4, and arrivals that find 4 are refused.
    let (runs, _) = both(&station("queue = 3", "\"0.1s\"", "rate = \"9/s\""));
    let weights: Vec<f64> = (0..=4).map(|n| 0.9f64.powi(n)).collect();
    let total: f64 = weights.iter().sum();
    agrees("refused", estimate(&runs, |run| run.workloads[0].error_rate.unwrap()), weights[4] / total);
    let waiting: f64 = (1..=4).map(|n| (n - 1) as f64 * weights[n] / total).sum();
    agrees("waiting", estimate(&runs, |run| run.queue_length[0]), waiting);
}

#[test]
fn programs_do_what_they_say() {
    let front = "[service.f]\ncores = \"unlimited\"\n";
    let work = "[workload.w]\nentry = \"f.o\"\nrate = \"5/s\"\n";
    let delay = |mean: &str| format!("{{ delay = \"{mean}\" }}");
    let model = |steps: &str| {
        format!("{front}operations.o.steps = [ {steps} ]\noperations.d.steps = [ {} ]\n{work}", delay("0.2s"))
    };
    // Exponential delays of 0.2 s: sums, mixtures, and the first, second and last of three.
    let three = ["\"f.d\""; 3].join(", ");
    let cases = [
        (model("{ call = \"f.d\", times = 3 }"), 0.6),
        (model("{ call = \"f.d\", probability = 0.3, network = { constant = \"0.1s\" } }"), 0.3 * 0.3),
        (model(&format!("{{ repeat = 4, steps = [ {} ] }}", delay("0.1s"))), 0.4),
        (
            model("{ choose = [ { weight = 0.25, steps = [ { delay = \"1s\" } ] }, { weight = 0.75, steps = [] } ] }"),
            0.25,
        ),
        (model(&format!("{{ parallel = [ {three} ] }}")), 0.2 * (1.0 + 0.5 + 1.0 / 3.0)),
        (model(&format!("{{ parallel = [ {three} ], wait = 2 }}")), 0.2 * (1.0 / 3.0 + 0.5)),
        (model(&format!("{{ parallel = [ {three} ], wait = \"any\" }}")), 0.2 / 3.0),
        (model(&format!("{{ send = \"f.d\" }}, {}", delay("0.1s"))), 0.1),
    ];
    for (model, mean) in &cases {
        let runs = simulate::run(&compiled(model), &EFFORT);
        agrees(model, estimate(&runs, |run| run.workloads[0].mean.unwrap()), *mean);
    }
    // A branch that fails fails the step, unless others are enough; a failed call fails its caller.
    let failing = "operations.x.steps = [ { fail = 0.3 } ]\n";
    let fails = |steps: &str| format!("{front}operations.o.steps = [ {steps} ]\n{failing}{work}");
    for (steps, error) in [
        ("{ call = \"f.x\", times = 2 }", 1.0 - 0.7f64.powi(2)),
        ("{ parallel = [ \"f.x\", \"f.x\", \"f.x\" ] }", 1.0 - 0.7f64.powi(3)),
        ("{ parallel = [ \"f.x\", \"f.x\", \"f.x\" ], wait = 2 }", 1.0 - 0.7f64.powi(3) - 3.0 * 0.7 * 0.7 * 0.3),
        ("{ parallel = [ \"f.x\", \"f.x\" ], wait = \"any\" }", 0.09),
        ("{ repeat = 3, steps = [ { fail = 0.3 } ] }", 1.0 - 0.7f64.powi(3)),
    ] {
        let runs = simulate::run(&compiled(&fails(steps)), &EFFORT);
        agrees(steps, estimate(&runs, |run| run.workloads[0].error_rate.unwrap()), error);
    }
}

#[test]
fn a_replication_is_the_same_wherever_it_runs() {
    let network = compiled(&station("instances = 3\nbalancer = \"power-of-two\"", "\"0.1s\"", "rate = \"24/s\""));
    let runs = simulate::run(&network, &Effort { replications: 6, ..EFFORT });
    let single = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert_eq!(single.install(|| simulate::run(&network, &Effort { replications: 6, ..EFFORT })), runs);
    assert_eq!(simulate::replicate(&network, &EFFORT, 4), runs[4]);
    assert_ne!(runs[3], runs[4]);
}

/// Models without exact theory: the stated error of the analytic p95 covers what is simulated.
#[test]
fn the_analytic_p95_is_as_near_as_it_says() {
    let database = "[service.db]\ncores = 2\noperations.q.work = \"10ms\"\n";
    let app = |steps: &str, rate: &str| {
        format!(
            "{database}[service.app]\ncores = 4\noperations.o.steps = [ {steps} ]\n[workload.w]\nentry = \"app.o\"\nrate = \"{rate}\"\n"
        )
    };
    let alone = |steps: &str, rate: &str| {
        format!("[service.s]\noperations.o.steps = [ {steps} ]\n[workload.w]\nentry = \"s.o\"\nrate = \"{rate}\"\n")
    };
    let cases = [
        app("{ work = \"5ms\" }, { call = \"db.q\", probability = 0.5 }, { call = \"db.q\" }", "100/s"),
        app("{ work = { mean = \"5ms\", cv = 2 } }, { parallel = [ \"db.q\", \"db.q\" ] }", "70/s"),
        app("{ repeat = 4, steps = [ { work = \"2ms\" }, { call = \"db.q\", probability = 0.4 } ] }", "100/s"),
        station("cores = 2\ninstances = 3\nbalancer = \"least-outstanding\"", "\"50ms\"", "rate = \"96/s\""),
        station("cores = 4", "{ mean = \"50ms\", cv = 2 }", "rate = \"64/s\"\narrivals = { cv = 2.0 }"),
        station("cores = 3\nqueue = 5", "{ mean = \"50ms\", cv = 0.5 }", "rate = \"54/s\""),
        // A parallel step at the beginning of a branch of another one.
        alone(
            "{ parallel = [ [ { repeat = 3, steps = [ { parallel = [ [ { work = \"0.1ms\" } ], [ { work = \"1ms\" } ] ] } ] \
             } ], [ { work = \"1ms\" } ] ] }",
            "180/s",
        ),
        // Work that varies much, by requests that come back at once.
        alone(
            "{ work = \"0.1ms\" }, { choose = [ { weight = 0.5, steps = [ { work = \"5ms\" } ] }, { weight = 0.5, steps = [] } ] }, \
             { repeat = 3, steps = [ { choose = [ { weight = 0.1, steps = [ { work = \"20ms\" } ] }, { weight = 0.9, steps = [] } ] \
             }, { work = \"0.1ms\" } ] }",
            "45/s",
        ),
    ];
    let effort = Effort { warmup: 50.0, duration: 500.0, ..EFFORT };
    for model in &cases {
        let network = compiled(model);
        let (runs, prediction) = (simulate::run(&network, &effort), analytic::solve(&network));
        let workload = &prediction.workloads[0];
        let Accuracy::Approximate { p95_error } = workload.accuracy else { panic!("{model} is not exact") };
        let simulated = estimate(&runs, |run| p95(&run.workloads[0]));
        let error = (workload.response.p95().unwrap() / simulated.value - 1.0).abs();
        assert!(error < p95_error + 3.5 * simulated.relative(), "{model}: {error} off, stated {p95_error}");
        let mean = estimate(&runs, |run| run.workloads[0].mean.unwrap());
        let error = (workload.response.mean.unwrap() / mean.value - 1.0).abs();
        assert!(error < 0.12 + 3.5 * mean.relative(), "{model}: mean {error} off");
        let utilization = estimate(&runs, |run| run.busy[0]);
        let cores = network.stations[0].total_servers();
        agrees(model, utilization, prediction.services[0].utilization.unwrap() * cores);
    }
}

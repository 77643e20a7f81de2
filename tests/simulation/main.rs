//! The simulation engine against exact theory, and the analytic engine against the simulation.
//!
//! Every figure is the mean over independent replications with fixed seeds. Bounds are seven half widths of 95% over two
//! (Student's law with 39 degrees of freedom is beyond that less than once in a million).

mod chains;
mod meanings;

use plimsoll::network::Network;
use plimsoll::prediction::{Accuracy, ServiceResult, WorkloadResult};
use plimsoll::simulate::{Effort, Simulated, simulate};
use plimsoll::{analytic, document, network};

fn effort(duration: f64) -> Effort {
    Effort {
        seed: 20_261_121,
        replications: Some(40),
        warmup: Some(0.1 * duration),
        duration: Some(duration),
        ..Effort::default()
    }
}

fn compiled(model: &str) -> Network {
    let no_files = |_: &str| Err("none".to_string());
    let system = document::read(model, &no_files).unwrap_or_else(|wrong| panic!("{:?}\n{model}", wrong.first())).system;
    network::compile(&system)
}

fn simulated(model: &str) -> Simulated {
    simulate(&compiled(model), &effort(2_000.0), &|_| true)
}

/// A figure with half the width of its interval.
#[derive(Debug, Clone, Copy)]
struct Figure {
    value: f64,
    half_width: f64,
}

fn figure(value: Option<f64>, half_width: Option<f64>) -> Figure {
    Figure { value: value.unwrap(), half_width: half_width.unwrap() }
}

fn mean(w: &WorkloadResult) -> Figure {
    let Accuracy::Simulated(confidence) = &w.accuracy else { panic!("{:?}", w.accuracy) };
    figure(w.response.mean, confidence.response.mean)
}

fn p95(w: &WorkloadResult) -> Figure {
    let Accuracy::Simulated(confidence) = &w.accuracy else { panic!("{:?}", w.accuracy) };
    figure(w.response.p95(), confidence.response.p95())
}

fn throughput(w: &WorkloadResult) -> Figure {
    let Accuracy::Simulated(confidence) = &w.accuracy else { panic!("{:?}", w.accuracy) };
    figure(Some(w.throughput), confidence.throughput)
}

fn errors(w: &WorkloadResult) -> Figure {
    let Accuracy::Simulated(confidence) = &w.accuracy else { panic!("{:?}", w.accuracy) };
    figure(Some(w.error_rate), confidence.error_rate)
}

fn queue_length(s: &ServiceResult) -> Figure {
    figure(s.queue_length, s.confidence.as_ref().unwrap().queue_length)
}

fn utilization(s: &ServiceResult) -> Figure {
    figure(s.utilization, s.confidence.as_ref().unwrap().utilization)
}

fn agrees(what: &str, simulated: Figure, exact: f64) {
    // Percentiles of finite runs and of buckets are off by a little themselves.
    let bound = 3.5 * simulated.half_width + 1e-3 * exact.abs();
    assert!((simulated.value - exact).abs() <= bound, "{what}: simulated {simulated:?}, exact {exact}");
    assert!(simulated.half_width < 0.05 * exact.abs() + 1e-3, "{what}: {simulated:?} says too little");
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
        let runs = simulated(model).prediction;
        let prediction = analytic::solve(&compiled(model));
        let (workload, service) = (&prediction.workloads[0], &prediction.services[0]);
        assert!(matches!(workload.accuracy, Accuracy::Exact), "{model}");
        agrees(model, mean(&runs.workloads[0]), workload.response.mean.unwrap());
        agrees(model, p95(&runs.workloads[0]), workload.response.p95().unwrap());
        agrees(model, throughput(&runs.workloads[0]), workload.throughput);
        agrees(model, queue_length(&runs.services[0]), service.queue_length.unwrap());
        agrees(model, utilization(&runs.services[0]), service.utilization.unwrap());
    }
}

#[test]
fn a_limited_queue_refuses_as_a_chain_of_births_and_deaths_says() {
    // M/M/1 with three waiting places at load a = 0.9: P(n) ∝ aⁿ for n up to 4, and arrivals that find 4 are refused.
    let runs = simulated(&station("queue = 3", "\"0.1s\"", "rate = \"9/s\"")).prediction;
    let weights: Vec<f64> = (0..=4).map(|n| 0.9f64.powi(n)).collect();
    let total: f64 = weights.iter().sum();
    agrees("refused", errors(&runs.workloads[0]), weights[4] / total);
    let waiting: f64 = (1..=4).map(|n| (n - 1) as f64 * weights[n] / total).sum();
    agrees("waiting", queue_length(&runs.services[0]), waiting);
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
    for (model, exact) in &cases {
        agrees(model, mean(&simulated(model).prediction.workloads[0]), *exact);
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
        agrees(steps, errors(&simulated(&fails(steps)).prediction.workloads[0]), error);
    }
}

#[test]
fn a_replication_is_the_same_wherever_it_runs() {
    // Event by event, and place by place.
    for balancer in ["power-of-two", "random"] {
        let keys = format!("instances = 3\nbalancer = \"{balancer}\"");
        let network = compiled(&station(&keys, "\"0.1s\"", "rate = \"24/s\""));
        let six = Effort { replications: Some(6), ..effort(500.0) };
        let runs = simulate(&network, &six, &|_| true);
        let with = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        for threads in [1, 16] {
            assert_eq!(with(threads).install(|| simulate(&network, &six, &|_| true)), runs);
        }
        let some = Effort { first: 3, replications: Some(2), ..six.clone() };
        assert_eq!(simulate(&network, &some, &|_| true).replications, runs.replications[3..5]);
        assert_ne!(runs.replications[3].record, runs.replications[4].record);
    }
}

#[test]
fn designs_share_the_random_numbers_of_what_they_share() {
    // One more instance behind, one more service beside: the same requests arrive, with the same work at the front.
    let design = |instances: u32, more: &str| {
        let text = format!(
            "[service.f]\ncores = 4\noperations.o.steps = [ {{ work = \"20ms\" }}, {{ call = \"b.o\", probability = 0.3 }} ]\n[service.b]\ninstances = {instances}\noperations.o.work = \"50ms\"\n{more}\n[workload.w]\nentry = \"f.o\"\nrate = \"50/s\"\n"
        );
        simulate(&compiled(&text), &Effort { replications: Some(3), ..effort(200.0) }, &|_| true).replications
    };
    let other = "[service.a]\noperations.o.work = \"1ms\"\n[workload.a]\nentry = \"a.o\"\nrate = \"9/s\"";
    let (one, two, beside) = (design(1, ""), design(2, ""), design(1, other));
    for ((one, two), beside) in one.iter().zip(&two).zip(&beside) {
        assert_eq!(one.record.workloads[0].arrivals, two.record.workloads[0].arrivals);
        assert_eq!(one.record.work[0], two.record.work[0]);
        assert_ne!(one.record.workloads[0].response, two.record.workloads[0].response);
        // A workload beside it changes nothing of the first; it was written first, so it stands first.
        let of_one = &one.record.workloads[0].response.times;
        assert!(beside.record.workloads.iter().any(|requests| requests.response.times == *of_one));
    }
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
    for model in &cases {
        let network = compiled(model);
        let runs = simulate(&network, &effort(500.0), &|_| true).prediction;
        let prediction = analytic::solve(&network);
        let workload = &prediction.workloads[0];
        let Accuracy::Approximate { p95_error } = workload.accuracy else { panic!("{model} is not exact") };
        let off = |got: Option<f64>, simulated: Figure| {
            let allowed = 3.5 * simulated.half_width / simulated.value;
            ((got.unwrap() / simulated.value - 1.0).abs(), allowed)
        };
        let (error, allowed) = off(workload.response.p95(), p95(&runs.workloads[0]));
        assert!(error < p95_error + allowed, "{model}: {error} off, stated {p95_error}");
        let (error, allowed) = off(workload.response.mean, mean(&runs.workloads[0]));
        assert!(error < 0.12 + allowed, "{model}: mean {error} off");
        agrees(model, utilization(&runs.services[0]), prediction.services[0].utilization.unwrap());
    }
}

fn notes(model: &str, requests: u64) -> Vec<String> {
    let effort = Effort { seed: 3, requests: Some(requests), ..Effort::default() };
    simulate(&compiled(model), &effort, &|_| true).prediction.simulation.unwrap().notes
}

#[test]
fn intervals_that_say_little_say_so() {
    // Of 25,000 calls in each of 16 runs, 60 servers with 33 busy ones let some wait about once in all.
    let rare = notes(&station("cores = 60", "\"0.1s\"", "rate = \"330/s\""), 400_000);
    assert!(rare.len() == 1 && rare[0].contains("one of 16 runs alone") && rare[0].contains("s mean wait"), "{rare:?}");
    let heavy =
        |keys| notes(&station(keys, "{ dist = \"lomax\", mean = \"0.1s\", shape = 2.5 }", "rate = \"5/s\""), 20_000);
    let found = heavy("");
    assert!(found.iter().any(|note| note.contains("waits without variance") && note.ends_with("s")), "{found:?}");
    // Nobody waits for a share, nor long for a place among few.
    for keys in ["discipline = \"ps\"", "queue = 5", "cores = \"unlimited\""] {
        let found = heavy(keys);
        assert!(!found.iter().any(|note| note.contains("variance")), "{found:?}");
    }
}

/// Closed networks of several stations have no exact percentiles: what is analysed against what is simulated.
#[test]
fn users_are_predicted_as_they_are_simulated() {
    let services = |a: &str, b: &str| {
        format!(
            "[service.a]\noperations.o.steps = [ {{ work = \"50ms\" }}, {a} ]\n[service.b]\n{b}\noperations.o.work = \"50ms\"\n"
        )
    };
    let users =
        |users: u32, think: &str| format!("[workload.w]\nentry = \"a.o\"\nusers = {users}\nthink = \"{think}\"\n");
    let cases = [
        // Two queues in turn: who is here is not there.
        services("{ call = \"b.o\" }", "") + &users(10, "1ms"),
        services("{ call = \"b.o\", network = \"20ms\" }", "cores = 2") + &users(15, "500ms"),
        // By chance, and twice.
        services("{ call = \"b.o\", probability = 0.3 }", "") + &users(12, "200ms"),
        services("{ call = \"b.o\", times = 2 }", "") + &users(12, "200ms"),
        // Nearly constant times.
        services("{ call = \"b.o\" }", "cores = 3") + &users(150, "10ms"),
    ];
    for model in &cases {
        let network = compiled(model);
        let analysed = analytic::solve(&network).workloads.remove(0);
        let simulated = &simulate(&network, &effort(1_500.0), &|_| true).prediction.workloads[0];
        agrees(model, mean(simulated), analysed.response.mean.unwrap());
        agrees(model, throughput(simulated), analysed.throughput);
        let (p95, got) = (p95(simulated), analysed.response.p95().unwrap());
        assert!((got / p95.value - 1.0).abs() < 0.03 + 3.5 * p95.half_width / p95.value, "{got} {p95:?}\n{model}");
    }
}

#[test]
fn what_is_too_much_is_not_said_to_multiply() {
    // With these random numbers a first look takes a little more than twice as many events as one before it may.
    let model = "[external.x0]\nlatency = { dist = \"uniform\", min = \"10.4879ms\", max = \"41.9516ms\" }\n\
                 [external.x1]\nlatency = \"18.7959ms\"\n[service.s2]\ninstances = 2\n\
                 operations.o.steps = [ { work = { p50 = \"5.6787ms\", p99 = \"30.2863ms\" } }, { call = \"x0\" } ]\n\
                 [service.s1]\noperations.o.steps = [ { work = { dist = \"erlang\", mean = \"1.9245ms\", k = 4 } }, { fail = 0.0063 } ]\n\
                 [service.s0]\ninstances = 4\ncores = 2\n\
                 operations.o.steps = [ { work = { constant = \"3.8250ms\" } }, { call = \"s1.o\" } ]\n\
                 [workload.w0]\nmix = { \"s0.o\" = 0.5, \"s2.o\" = 0.5 }\nrate = \"706.837046/s\"\n";
    let effort = Effort { requests: Some(5_000), replications: Some(2), ..Effort::default() };
    let found = simulate(&compiled(model), &effort, &|_| true).prediction;
    assert!(!found.stable && found.simulation.unwrap().notes.is_empty());
    assert!(found.overloads.iter().any(|overload| overload.station == "s2"), "{:?}", found.overloads);
    let own = &found.workloads[0];
    assert!((own.throughput / own.arrival_rate - 0.88).abs() < 0.05, "{} {}", own.throughput, own.arrival_rate);
}

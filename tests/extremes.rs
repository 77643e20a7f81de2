//! Models at the edges of what numbers can hold: huge and tiny rates, thousands of servers, nearly saturated queues.

use plimsoll::prediction::{Prediction, laws};
use plimsoll::{analytic, document, network};

fn solve(text: &str) -> Prediction {
    let no_files = |_: &str| Err("none".to_string());
    let system = document::read(text, &no_files).unwrap_or_else(|e| panic!("{:?}", e.first())).system;
    analytic::solve(&network::compile(&system))
}

/// One service under one workload, with what belongs into the service and the laws of work and arrivals.
fn station(service: &str, work: &str, rate: &str) -> Prediction {
    solve(&format!(
        "[service.s]\n{service}\noperations.o.work = {work}\n[workload.w]\nentry = \"s.o\"\nrate = \"{rate}\"\n"
    ))
}

fn sound(prediction: &Prediction, what: &str) {
    let broken = laws::broken(prediction, 1e-6);
    assert!(broken.is_empty(), "{what}: {broken:?}");
    for workload in &prediction.workloads {
        let percentiles: Vec<f64> = workload.response.percentiles.iter().flatten().copied().collect();
        if prediction.stable {
            assert_eq!(percentiles.len(), 6, "{what}");
            assert!(percentiles.iter().all(|t| t.is_finite() && *t > 0.0), "{what}: {percentiles:?}");
        }
    }
}

const WORKS: [&str; 7] = [
    "\"10ms\"",
    "{ constant = \"10ms\" }",
    "{ mean = \"10ms\", cv = 2 }",
    "{ mean = \"10ms\", cv = 0.3 }",
    "{ dist = \"hyperexponential\", mean = \"10ms\", cv = 3 }",
    "{ dist = \"erlang\", mean = \"10ms\", k = 4 }",
    "{ dist = \"pareto\", mean = \"10ms\", shape = 2.2 }",
];

const DISCIPLINES: [&str; 5] = ["fcfs", "ps", "lifo", "priority", "preemptive"];

#[test]
fn every_discipline_holds_at_every_load_and_size() {
    for servers in [1u32, 2, 7, 64, 5000] {
        for rho in [1e-9, 0.3, 0.97, 0.9999] {
            for work in WORKS {
                for discipline in DISCIPLINES {
                    let rate = format!("{}/s", rho * f64::from(servers) / 0.01);
                    let service = format!("cores = {servers}\ndiscipline = \"{discipline}\"");
                    let what = format!("{servers} servers {rho} {work} {discipline}");
                    let prediction = station(&service, work, &rate);
                    assert!(prediction.stable, "{what}");
                    sound(&prediction, &what);
                }
            }
        }
    }
}

#[test]
fn balancers_hold_at_every_load_and_size() {
    for instances in [2u32, 5, 200] {
        for rho in [1e-6, 0.5, 0.999] {
            for balancer in ["shared", "random", "round-robin", "least-outstanding", "power-of-two"] {
                for work in [WORKS[0], WORKS[2]] {
                    for more in ["", "queue = 5", "discipline = \"ps\""] {
                        let rate = format!("{}/s", rho * f64::from(instances) / 0.01);
                        let service = format!("instances = {instances}\nbalancer = \"{balancer}\"\n{more}");
                        let what = format!("{instances} {rho} {balancer} {work} {more}");
                        sound(&station(&service, work, &rate), &what);
                    }
                }
            }
        }
    }
}

#[test]
fn rates_from_once_a_day_to_a_hundred_million_a_second() {
    for (rate, work) in [("1/day", "\"2h\""), ("1/day", "\"1us\""), ("100M/s", "\"10us\""), ("100M/s", "\"1us\"")] {
        for cores in [1u32, 5000] {
            let prediction = station(&format!("cores = {cores}"), work, rate);
            sound(&prediction, &format!("{rate} {work} {cores}"));
        }
    }
    // 5,000 cores of 50 µs each do a hundred million requests a second; at 0.9999 of that they are just stable.
    let prediction = station("cores = 5000", "\"50us\"", "99.99M/s");
    assert!(prediction.stable);
    let exact = 0.9835; // Erlang C of 5,000 servers at 0.9999, by its recursion
    let wait = prediction.services[0].wait.mean.unwrap();
    assert!((wait / (exact * 50e-6 / 0.5) - 1.0).abs() < 0.01, "{wait}");
}

#[test]
fn times_of_very_different_scale_meet() {
    let text = "
[service.a]
operations.o.steps = [ { work = \"1us\" }, { call = \"b.o\", probability = 0.001 }, { delay = { constant = \"5s\" } } ]
[service.b]
cores = 2
operations.o.work = { mean = \"1h\", cv = 3 }
[workload.w]
entry = \"a.o\"
rate = \"1/min\"
";
    sound(&solve(text), "scales");
}

/// A database that some steps come back to.
fn returning(database: &str, steps: &str, rate: &str) -> Prediction {
    solve(&format!(
        "[service.db]\n{database}\noperations.q.work = \"10ms\"\noperations.twice.steps = [ {{ work = \"10ms\" }}, {{ work \
         = \"1ms\" }} ]\n[service.front]\ncores = \"unlimited\"\noperations.o.steps = [ {steps} ]\noperations.half.steps = \
         [ {{ call = \"db.q\", probability = 0.5 }} ]\n[workload.w]\nentry = \"front.o\"\nrate = \"{rate}\"\n"
    ))
}

#[test]
fn an_overload_by_requests_that_come_back_is_found() {
    // 2.5 visits of 10 ms at 50/s are more than one core can do; what is stuck at the first visit makes no second.
    let long = vec!["{ call = \"db.q\" }"; 15].join(", ");
    let steps = format!(
        "{{ call = \"db.q\" }}, {{ choose = [ {{ weight = 0.1, steps = [ {long} ] }}, {{ weight = 0.9, steps = [] }} ] }}"
    );
    let prediction = returning("", &steps, "50/s");
    assert!(!prediction.stable);
    assert!((prediction.services[0].throughput - 100.0).abs() < 1e-6, "{}", prediction.services[0].throughput);
    assert!((prediction.headroom.unwrap() - 0.8).abs() < 1e-9);
}

#[test]
fn refusals_settle_where_requests_come_back() {
    let steps = "{ repeat = 40, steps = [ { call = \"db.q\" } ] }";
    let prediction = returning("queue = 3", steps, "2/s");
    let (workload, db) = (&prediction.workloads[0], &prediction.services[0]);
    // Each visit but the first is made where all before it were let in.
    let let_in = 1.0 - db.error_rate;
    let visits = (1.0 - let_in.powi(40)) / (1.0 - let_in);
    assert!((db.arrival_rate / (2.0 * visits) - 1.0).abs() < 1e-6, "{} {visits}", db.arrival_rate);
    assert!((workload.error_rate - (1.0 - let_in.powi(40))).abs() < 1e-6, "{}", workload.error_rate);
    assert!(workload.error_rate > 0.05, "{}", workload.error_rate);
}

#[test]
fn many_visits_by_chance_stay_a_distribution() {
    let choose =
        "{ choose = [ { weight = 0.5, steps = [ { call = \"db.q\", times = 30 } ] }, { weight = 0.5, steps = [] } ] }";
    let cases = [
        "{ call = \"front.half\", times = 30 }",
        "{ call = \"front.half\", times = 30, probability = 0.2 }, { call = \"db.twice\" }",
        "{ repeat = 20, steps = [ { call = \"db.twice\", probability = 0.7 }, { call = \"front.half\" } ] }",
        &format!("{choose}, {{ call = \"db.twice\" }}, {choose}"),
    ];
    for discipline in ["fcfs", "ps", "lifo"] {
        for steps in cases {
            for load in [0.3, 0.9, 0.99] {
                let database = format!("discipline = \"{discipline}\"");
                let headroom = returning(&database, steps, "1/s").headroom.unwrap();
                let prediction = returning(&database, steps, &format!("{}/s", load * headroom));
                let response = &prediction.workloads[0].response;
                let [p50, p75, p90, p95, p99, p999] = response.percentiles.map(Option::unwrap);
                let mean = response.mean.unwrap();
                // No law has less of a mean than its percentiles, and none of these so much beyond them.
                let least = 0.25 * p50 + 0.15 * p75 + 0.05 * p90 + 0.04 * p95 + 0.009 * p99 + 0.001 * p999;
                let what = format!("{discipline}, {steps}, {load}: {mean} {:?}", response.percentiles);
                assert!(least < 1.02 * mean, "{what}");
                let most = 0.5 * p50 + 0.25 * p75 + 0.15 * p90 + 0.05 * p95 + 0.04 * p99 + 0.009 * p999 + 0.003 * p999;
                assert!(mean < 1.02 * most, "{what}");
            }
        }
    }
}

#[test]
fn what_most_requests_meet_is_seen_below_a_long_way_that_some_take() {
    // Two milliseconds, and for two of five an answer after 1.2 s: half of all are over when 0.6 exp(-t/2ms) = 0.1.
    let way = |shape: &str, probability: f64| {
        solve(&format!(
            "[service.s]\ncores = \"unlimited\"\n\
            operations.o.steps = [ {{ work = \"2ms\" }}, {{ call = \"slow\", probability = {probability} }} ]\n\
            [external.slow]\nlatency = {{ dist = \"erlang\", mean = \"1.2s\", k = {shape} }}\n\
            [workload.w]\nentry = \"s.o\"\nrate = \"10/s\"\n"
        ))
        .workloads
        .remove(0)
    };
    for shape in ["4", "60"] {
        let times = way(shape, 0.4).response;
        let median = times.percentiles[0].unwrap();
        assert!((median / (2e-3 * 6f64.ln()) - 1.0).abs() < 1e-3, "{shape}: {median}");
        assert!(times.percentiles[1].unwrap() > 0.5, "{times:?}");
    }
    // Nearly all are over at once: every percentile but the last.
    let times = way("60", 0.005).response;
    for (i, tail) in [0.5, 0.25, 0.1, 0.05, 0.01].into_iter().enumerate() {
        let exact = 2e-3 * (0.995f64 / (tail - 0.005)).ln();
        assert!((times.percentiles[i].unwrap() / exact - 1.0).abs() < 2e-3, "{i}: {times:?} {exact}");
    }
}

//! Properties that hold for every model of a kind, on generated models.

use plimsoll::plan::{Survive, assess, size};
use plimsoll::prediction::{Prediction, laws};
use plimsoll::system::{Change, Path, System};
use plimsoll::{analytic, document, network};
use proptest::prelude::*;

fn read(text: &str) -> System {
    let no_files = |_: &str| Err("none".to_string());
    document::read(text, &no_files).unwrap_or_else(|e| panic!("{:?}\n{text}", e.first())).system
}

fn predict(system: &System) -> Prediction {
    analytic::solve(&network::compile(system))
}

/// A chain of services with the given work (ms), cores and instances, all stable at `rate`; times in `unit`.
fn chain(parts: &[(u32, u32, u32)], load: f64, unit: &str, per: &str) -> String {
    let capacity =
        parts.iter().map(|(work, cores, n)| f64::from(cores * n) / f64::from(*work)).fold(f64::INFINITY, f64::min);
    let mut text = String::new();
    for (i, (work, cores, instances)) in parts.iter().enumerate() {
        let call = if i + 1 < parts.len() { format!(", {{ call = \"s{}.run\" }}", i + 1) } else { String::new() };
        text.push_str(&format!(
            "[service.s{i}]\ncores = {cores}\ninstances = {instances}\nprice = \"{}/h\"\nscale = {{ min = 1, max = 5 }}\noperations.run.steps = [ {{ work = {{ mean = \"{work}{unit}\", cv = 1.2 }} }}{call} ]\n",
            i + 1
        ));
    }
    text + &format!("[workload.w]\nentry = \"s0.run\"\nrate = \"{}/{per}\"\n", load * capacity)
}

fn parts() -> impl Strategy<Value = Vec<(u32, u32, u32)>> {
    prop::collection::vec((1u32..20, 1u32..5, 1u32..4), 1..5)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(7), ..ProptestConfig::default() })]

    #[test]
    fn every_prediction_obeys_the_laws(parts in parts(), load in 0.05f64..0.97) {
        let prediction = predict(&read(&chain(&parts, load, "ms", "ms")));
        prop_assert_eq!(laws::broken(&prediction, 1e-6), Vec::<String>::new());
        prop_assert!(prediction.stable);
    }

    #[test]
    fn a_thousand_times_longer_is_a_thousand_times_longer(parts in parts(), load in 0.05f64..0.97) {
        let short = predict(&read(&chain(&parts, load, "ms", "ms")));
        let long = predict(&read(&chain(&parts, load, "s", "s")));
        for (a, b) in short.workloads[0].response.percentiles.iter().zip(long.workloads[0].response.percentiles) {
            prop_assert!((b.unwrap() / a.unwrap() / 1000.0 - 1.0).abs() < 1e-6);
        }
    }

    #[test]
    fn more_load_never_lowers_the_response(parts in parts(), load in 0.05f64..0.8) {
        let mut system = read(&chain(&parts, load, "ms", "ms"));
        let before = predict(&system).workloads[0].response.mean.unwrap();
        system.edit(&Path::parse("workload.w.rate"), &Change::Times(1.15)).unwrap();
        let after = predict(&system).workloads[0].response.mean.unwrap();
        prop_assert!(after >= before * (1.0 - 1e-9), "{before} {after}");
    }
}

#[test]
fn a_plan_is_as_cheap_as_the_best_of_all_counts() {
    for (parts, load, target) in [
        (vec![(8, 1, 1), (5, 1, 1)], 1.9, "45ms"),
        (vec![(6, 2, 1), (9, 1, 1), (3, 1, 1)], 2.2, "50ms"),
        (vec![(10, 1, 1), (10, 1, 1)], 2.6, "60ms"),
    ] {
        let mut text = chain(&parts, load, "ms", "ms");
        text.push_str(&format!("[[objective]]\nworkload = \"w\"\np95 = \"{target}\"\n"));
        let system = read(&text);
        let plan = size(&[(None, system.clone())], Survive::Nothing, &predict).expect("there is a plan");
        assert!(plan.optimal);
        let mut best = f64::INFINITY;
        let total = 5usize.pow(parts.len() as u32);
        for code in 0..total {
            let mut candidate = system.clone();
            for (i, service) in candidate.services.iter_mut().enumerate() {
                service.instances = (code / 5usize.pow(i as u32) % 5) as u32 + 1;
            }
            let prediction = predict(&candidate);
            if prediction.stable && assess(&candidate, &prediction).iter().all(|v| v.met) {
                best = best.min(candidate.cost_per_hour().unwrap());
            }
        }
        assert!((plan.cost_after.unwrap() - best).abs() < 1e-9, "{:?} {best}", plan.cost_after);
    }
}

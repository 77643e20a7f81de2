//! Properties that hold for every model of a kind, on generated models.

#![allow(clippy::disallowed_methods)]

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

/// A system of five services, an external and a cache that uses the language as the numbers say; calls lead downwards only.
fn rich(choices: &[u32], rate: f64) -> String {
    let mut next = choices.iter().cycle().scan(0u32, |position, choice| {
        *position = position.wrapping_add(1);
        // The same list gives other choices each time round.
        Some(choice.wrapping_mul(2_654_435_761).rotate_left(*position) ^ position.wrapping_mul(40_503))
    });
    let mut pick = |words: &[&str]| -> String {
        let choice = next.next().unwrap_or(0) as usize;
        words[choice % words.len()].to_string()
    };
    const LAWS: [&str; 7] = [
        "\"2ms\"",
        "{ constant = \"3ms\" }",
        "{ mean = \"2ms\", cv = 1.8 }",
        "{ p50 = \"1ms\", p99 = \"12ms\" }",
        "{ dist = \"hyperexponential\", mean = \"2ms\", cv = 3 }",
        "{ dist = \"erlang\", mean = \"4ms\", k = 3 }",
        "{ dist = \"pareto\", mean = \"1ms\", shape = 2.6 }",
    ];
    let mut text = String::from(
        "[external.bank]\nlatency = { p50 = \"5ms\", p99 = \"40ms\" }\nfailure = 0.01\n[cache.pages]\nhit = 0.7\n",
    );
    for i in 0..5u32 {
        let below = |pick: &mut dyn FnMut(&[&str]) -> String| {
            let targets: Vec<String> = (i + 1..5).map(|j| format!("s{j}.run")).chain(["bank".to_string()]).collect();
            let targets: Vec<&str> = targets.iter().map(String::as_str).collect();
            pick(&targets)
        };
        let mut steps = vec![format!("{{ work = {} }}", pick(&LAWS))];
        for _ in 0..2 {
            let (a, b, law) = (below(&mut pick), below(&mut pick), pick(&LAWS));
            steps.push(match pick(&["call", "chance", "times", "all", "any", "choose", "cache", "delay", "fail", "use"]).as_str() {
                "call" => format!("{{ call = \"{a}\", network = \"0.3ms\" }}"),
                "chance" => format!("{{ call = \"{a}\", probability = 0.4 }}"),
                "times" => format!("{{ call = \"{a}\", times = 2 }}"),
                "all" => format!("{{ parallel = [ \"{a}\", \"{b}\", {{ delay = {law} }} ] }}"),
                "any" => format!("{{ parallel = [ \"{a}\", \"{b}\", [ {{ work = {law} }} ] ], wait = 2 }}"),
                "choose" => format!(
                    "{{ choose = [ {{ weight = 0.3, steps = [ {{ call = \"{a}\" }} ] }}, {{ weight = 0.7, steps = [ {{ work = {law} }} ] }} ] }}"
                ),
                "cache" => format!("{{ cache = \"pages\", miss = [ {{ call = \"{a}\" }} ] }}"),
                "delay" => format!("{{ delay = {law} }}"),
                "fail" => "{ fail = 0.02 }".to_string(),
                _ => format!("{{ use = \"disk\", time = {law} }}"),
            });
        }
        let discipline = pick(&["fcfs", "ps", "lifo", "priority", "preemptive"]);
        let balancer = pick(&["shared", "random", "round-robin", "least-outstanding", "power-of-two"]);
        let limit = if discipline == "fcfs" { pick(&["", "queue = 0\n", "queue = 7\n"]) } else { String::new() };
        text.push_str(&format!(
            "[service.s{i}]\ncores = {}\ninstances = {}\ndiscipline = \"{discipline}\"\nbalancer = \"{balancer}\"\n{limit}devices.disk = {{ servers = 1 }}\noperations.run.steps = [ {} ]\n",
            pick(&["1", "2", "6"]),
            pick(&["1", "2", "3"]),
            steps.join(", ")
        ));
    }
    let arrivals = pick(&["\"poisson\"", "\"regular\"", "{ cv = 2 }"]);
    text + &format!(
        "[workload.a]\nentry = \"s0.run\"\nrate = \"{rate}/s\"\npriority = 1\narrivals = {arrivals}\n[workload.b]\nmix = {{ \"s0.run\" = 0.5, \"s1.run\" = 0.5 }}\nrate = \"{rate}/s\"\npriority = 2\n"
    )
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
    fn every_use_of_the_language_obeys_the_laws(choices in prop::collection::vec(any::<u32>(), 5..40), rate in 1f64..400.0) {
        let text = rich(&choices, rate);
        let prediction = predict(&read(&text));
        prop_assert_eq!(laws::broken(&prediction, 1e-6), Vec::<String>::new(), "{}", text);
        for workload in &prediction.workloads {
            let known = workload.response.percentiles.iter().flatten().count();
            prop_assert!(known == if workload.response.mean.is_some() { 6 } else { 0 }, "{}", text);
            prop_assert!((0.0..=1.0).contains(&workload.error_rate));
        }
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

    #[test]
    fn more_servers_never_raise_the_response(parts in parts(), load in 0.05f64..0.95, which in 0usize..5) {
        let mut system = read(&chain(&parts, load, "ms", "ms"));
        let before = predict(&system).workloads[0].response.mean.unwrap();
        let name = format!("service.s{}.instances", which % parts.len());
        system.edit(&Path::parse(&name), &Change::Times(2.0)).unwrap();
        let after = predict(&system).workloads[0].response.mean.unwrap();
        // Services behind get the same flow, only a little differently spaced.
        prop_assert!(after <= before * 1.01, "{before} {after}");
    }

    #[test]
    fn names_and_their_order_do_not_matter(parts in parts(), load in 0.05f64..0.95) {
        let plain = chain(&parts, load, "ms", "ms");
        let n = parts.len();
        // The services in reverse, under other names.
        let mut tables: Vec<String> = plain.split("[service.").skip(1).map(|t| format!("[service.{t}")).collect();
        let last = tables.pop().unwrap();
        let (service, workload) = last.split_at(last.find("[workload").unwrap());
        tables.push(service.to_string());
        tables.reverse();
        let mut renamed = tables.concat() + workload;
        for i in 0..n {
            renamed = renamed.replace(&format!("s{i}"), &format!("other-{}", 9 - i));
        }
        let (a, b) = (predict(&read(&plain)), predict(&read(&renamed)));
        let (a, b) = (&a.workloads[0].response, &b.workloads[0].response);
        prop_assert!((a.mean.unwrap() / b.mean.unwrap() - 1.0).abs() < 1e-9);
        prop_assert!((a.p95().unwrap() / b.p95().unwrap() - 1.0).abs() < 1e-6);
    }

    #[test]
    fn a_workload_split_in_two_is_the_same_load(parts in parts(), load in 0.05f64..0.95, share in 0.1f64..0.9) {
        let whole = chain(&parts, load, "ms", "ms");
        let start = whole.find("[workload.w]").unwrap();
        let rate: f64 = whole[start..].split('"').nth(3).unwrap().trim_end_matches("/ms").parse().unwrap();
        let half = |name: &str, rate: f64| format!("[workload.{name}]\nentry = \"s0.run\"\nrate = \"{rate}/ms\"\n");
        let split = format!("{}{}{}", &whole[..start], half("a", rate * share), half("b", rate * (1.0 - share)));
        let (whole, split) = (predict(&read(&whole)), predict(&read(&split)));
        for workload in &split.workloads {
            let (one, part) = (&whole.workloads[0].response, &workload.response);
            prop_assert!((one.mean.unwrap() / part.mean.unwrap() - 1.0).abs() < 1e-9);
            prop_assert!((one.p95().unwrap() / part.p95().unwrap() - 1.0).abs() < 1e-6);
        }
    }

    #[test]
    fn work_is_conserved(parts in parts(), load in 0.05f64..1.6) {
        let system = read(&chain(&parts, load, "ms", "ms"));
        let prediction = predict(&system);
        for (service, (work, cores, n)) in prediction.services.iter().zip(&parts) {
            // What arrives keeps the cores busy for its work, as far as there are cores.
            let busy = (service.arrival_rate * f64::from(*work) * 1e-3 / f64::from(cores * n)).min(1.0);
            prop_assert!((service.utilization.unwrap() - busy).abs() < 1e-9, "{} {busy}", service.utilization.unwrap());
        }
    }

    #[test]
    fn a_model_with_any_damage_is_read_or_refused(which in 0usize..10, edits in prop::collection::vec((0u8..5, 0usize..400, 0usize..400), 1..6)) {
        let mut files: Vec<_> = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/models"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
            .collect();
        files.sort();
        let mut lines: Vec<String> =
            std::fs::read_to_string(&files[which % files.len()]).unwrap().lines().map(String::from).collect();
        for (kind, at, to) in edits {
            let n = lines.len().max(1);
            let (at, to) = (at % n, to % n);
            match kind {
                _ if lines.is_empty() => {}
                0 => drop(lines.remove(at)),
                1 => lines.insert(to, lines[at].clone()),
                2 => lines.swap(at, to),
                3 => lines[at] = lines[at].replace(['"', '}', ']'], ""),
                _ => lines[at] = lines[at].replace(|c: char| c.is_ascii_digit(), "-1e9"),
            }
        }
        let text = lines.join("\n");
        let no_files = |_: &str| Err("none".to_string());
        if let Ok(read) = document::read(&text, &no_files) {
            prop_assert_eq!(laws::broken(&predict(&read.system), 1e-6), Vec::<String>::new());
        }
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

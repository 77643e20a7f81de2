//! The tables against the simulation engine: every row that the language can express lies inside the 99.9% interval of a
//! long run.
//!
//! `cargo test --release --test oracle -- --ignored simulated` runs them all, in some minutes. Of some thousand rows a few lie
//! outside by chance: those are simulated again, longer and with other random numbers. What happens so rarely, or has so heavy
//! a tail, that 60 million requests do not show it takes a thousand million.

use crate::formulas::{case_law, key, reference_law};
use crate::networks::network_model;
use crate::{Tally, count, number, numbers, read};
use plimsoll::discipline::Discipline;
use plimsoll::distribution::{Distribution, Law};
use plimsoll::network::compile;
use plimsoll::prediction::{Accuracy, Confidence, Prediction, ServiceResult, Times, Widths};
use plimsoll::simulate::{Effort, simulate};
use plimsoll::system::{ArrivalLaw, Call, Load, Metric, Operation, Service, Step, System, Target, Workload};
use rayon::prelude::*;
use serde_json::Value;

/// Requests of a run, of a second one and of a third.
const REQUESTS: [u64; 3] = [3_000_000, 60_000_000, 1_000_000_000];

/// Seconds or requests below this hardly happen.
const RARE: f64 = 1e-8;

/// Half of the 99.9% interval over half of the 95% interval, with sixteen runs.
const WIDER: f64 = 4.073 / 2.131;

/// A table's row: what, and the figure with what it may be off itself.
struct Row {
    family: String,
    what: String,
    metric: String,
    want: f64,
    allowed: f64,
}

/// A row with what was simulated, half its width, and after how many runs.
type Outcome<'r> = (&'r Row, Option<(f64, f64)>, usize);

/// A model with its rows.
struct Case {
    system: System,
    servers: Vec<u32>,
    rows: Vec<Row>,
}

fn target(service: usize) -> Target {
    Target::Operation { service: format!("s{service}"), operation: "o".to_string() }
}

fn service(id: usize, cores: Option<u32>, steps: Vec<Step>) -> Service {
    let operations = vec![Operation { name: "o".to_string(), steps }];
    Service { cores, operations, ..Service::new(format!("s{id}")) }
}

fn workload(name: &str, entry: Target, load: Load) -> Workload {
    Workload { name: name.to_string(), mix: vec![(entry, 1.0)], load, priority: 0, growth: 0.0 }
}

fn open(rate: f64, arrivals: ArrivalLaw) -> Load {
    Load::Open { rate, arrivals }
}

/// One queue.
fn single(rate: f64, arrivals: ArrivalLaw, law: Law, servers: u32, places: Option<u32>) -> System {
    let station = Service { queue: places, ..service(0, Some(servers), vec![Step::Work(law)]) };
    System {
        services: vec![station],
        workloads: vec![workload("w", target(0), open(rate, arrivals))],
        ..System::default()
    }
}

/// Classes of urgency at one queue.
fn priorities(classes: &[(f64, Law)], preemptive: bool, servers: u32) -> System {
    let operation =
        |(i, (_, law)): (usize, &(f64, Law))| Operation { name: format!("o{i}"), steps: vec![Step::Work(law.clone())] };
    let station = Service {
        discipline: if preemptive { Discipline::Preemptive } else { Discipline::Priority },
        cores: Some(servers),
        operations: classes.iter().enumerate().map(operation).collect(),
        ..Service::new("s0")
    };
    let workloads = classes.iter().enumerate().map(|(i, (rate, _))| {
        let entry = Target::Operation { service: "s0".to_string(), operation: format!("o{i}") };
        Workload { priority: i as u32, ..workload(&format!("w{i}"), entry, open(*rate, ArrivalLaw::Poisson)) }
    });
    System { services: vec![station], workloads: workloads.collect(), ..System::default() }
}

/// Users who go through stations, each once in a cycle; no servers is a delay.
fn closed(classes: &[(u32, f64, Vec<f64>)], servers: &[Option<u32>], discipline: Discipline) -> System {
    let mut services: Vec<Service> = Vec::new();
    for (k, servers) in servers.iter().enumerate() {
        let operations = classes.iter().enumerate().map(|(c, (_, _, demands))| Operation {
            name: format!("o{c}"),
            steps: vec![Step::Work(Law::exponential(demands[k]))],
        });
        services.push(Service {
            cores: *servers,
            discipline,
            operations: operations.collect(),
            ..Service::new(format!("s{k}"))
        });
    }
    let calls = |c: usize| {
        let entry = |k| Target::Operation { service: format!("s{k}"), operation: format!("o{c}") };
        (0..servers.len()).map(|k| Step::Call(Box::new(Call::to(entry(k))))).collect()
    };
    let front = classes.iter().enumerate().map(|(c, _)| Operation { name: format!("o{c}"), steps: calls(c) });
    services.push(Service { cores: None, operations: front.collect(), ..Service::new("front") });
    let workloads = classes.iter().enumerate().map(|(c, (users, think, _))| {
        let entry = Target::Operation { service: "front".to_string(), operation: format!("o{c}") };
        workload(&format!("w{c}"), entry, Load::Closed { users: *users, think: Law::exponential(*think) })
    });
    System { workloads: workloads.collect(), services, ..System::default() }
}

/// The model of a case, with the servers of its stations.
fn case_system(family: &str, model: &str, p: &Value) -> Option<(System, Vec<u32>)> {
    let rate = || number(&p["lambda_per_s"]);
    let servers = p["servers"].as_u64().map_or(1, |n| n as u32);
    let exponential = || Law::exponential(1.0 / number(&p["mu_per_s"]));
    let of_one = |system| Some((system, vec![servers]));
    match family {
        "01_mmc" => of_one(single(rate(), ArrivalLaw::Poisson, exponential(), servers, None)),
        "02_mmck" => {
            let places = p["capacity_K"].as_u64().map_or(0, |k| k as u32 - servers);
            of_one(single(rate(), ArrivalLaw::Poisson, exponential(), servers, Some(places)))
        }
        "04_mg1" => of_one(single(rate(), ArrivalLaw::Poisson, case_law(&p["service"]), 1, None)),
        "05_mdc_gimc_phphc" | "15_gigc_sim" => {
            let law = match (&p["service"], p["service_s"].as_f64()) {
                (Value::Null, Some(constant)) => Law::constant(constant),
                (Value::Null, None) => exponential(),
                (law, _) => case_law(law),
            };
            let arrivals = match &p["interarrival"] {
                Value::Null => ArrivalLaw::Poisson,
                law => ArrivalLaw::Renewal(case_law(law).scaled(rate())),
            };
            of_one(single(rate(), arrivals, law, servers, None))
        }
        "06_ps_priority" if model.starts_with("M/G/1 priority") => {
            let classes = p["classes"].as_array()?.iter();
            let classes: Vec<_> = classes.map(|c| (number(&c["lambda_per_s"]), case_law(&c["service"]))).collect();
            of_one(priorities(&classes, model.ends_with("preemptive-resume"), 1))
        }
        "09_closed" if model.starts_with("closed single-class") => {
            let kinds = p["station_kind"].as_array()?.iter().zip(p["servers"].as_array()?);
            let servers: Vec<Option<u32>> = kinds
                .map(|(kind, servers)| (!kind.as_str().unwrap().starts_with('d')).then(|| count(servers)))
                .collect();
            let class = (count(&p["population"]), number(&p["think_s"]), numbers(&p["demands_s"]));
            let counts = servers.iter().map(|servers| servers.unwrap_or(1)).collect();
            Some((closed(&[class], &servers, Discipline::Fcfs), counts))
        }
        "09_closed" if model.starts_with("closed multi-class") => {
            let demands = p["demands_s"].as_array()?.iter().map(numbers);
            let users = p["populations"].as_array()?.iter().map(count);
            let classes: Vec<_> = users.zip(numbers(&p["think_s"])).zip(demands).map(|((n, z), d)| (n, z, d)).collect();
            let kinds = p["station_kind"].as_array()?.iter();
            let servers: Vec<Option<u32>> =
                kinds.map(|kind| (!kind.as_str().unwrap().starts_with('d')).then_some(1)).collect();
            Some((closed(&classes, &servers, Discipline::Ps), vec![1; servers.len()]))
        }
        "09_closed" if model.starts_with("interactive system") => {
            let class = (count(&p["users"]), number(&p["think_s"]), vec![1.0 / number(&p["mu_per_s"])]);
            Some((closed(&[class], &[Some(servers)], Discipline::Fcfs), vec![servers]))
        }
        _ => {
            let text = network_model(model, p)?;
            let no_files = |_: &str| Err("none".to_string());
            let system = plimsoll::document::read(&text, &no_files).unwrap_or_else(|e| panic!("{e:?}\n{text}")).system;
            let servers = system.services.iter().map(|service| service.cores.unwrap_or(1)).collect();
            Some((system, servers))
        }
    }
}

/// The model of a row of the first table.
fn reference_system(family: &str, p: &Value) -> Option<(System, Vec<u32>)> {
    let rate = || number(&p["arrival_rate"]);
    let servers = p["servers"].as_u64().map_or(1, |n| n as u32);
    let of_one = |system| Some((system, vec![servers]));
    let law = || match p["service_time"].as_f64() {
        Some(mean) => Law::exponential(mean),
        None => reference_law(&p["service"], None),
    };
    let arrivals = || match &p["arrivals"] {
        Value::Null => ArrivalLaw::Poisson,
        law => ArrivalLaw::Renewal(reference_law(law, Some(1.0))),
    };
    match family {
        "mmc" | "mg1" | "gim1" | "mgc" | "ggc" => of_one(single(rate(), arrivals(), law(), servers, None)),
        "mdc" => of_one(single(rate(), ArrivalLaw::Poisson, Law::constant(number(&p["service_time"])), servers, None)),
        "mmck" => {
            let places = count(&p["capacity"]) - servers;
            of_one(single(rate(), ArrivalLaw::Poisson, law(), servers, Some(places)))
        }
        "erlang-b" => {
            let load = number(&p["offered_load"]);
            of_one(single(load, ArrivalLaw::Poisson, Law::exponential(1.0), servers, Some(0)))
        }
        "ps" => {
            let mut system = single(rate(), ArrivalLaw::Poisson, law(), servers, None);
            system.services[0].discipline = Discipline::Ps;
            of_one(system)
        }
        "priority" => {
            let laws = p["services"].as_array()?.iter().map(|law| reference_law(law, None));
            let classes: Vec<_> = numbers(&p["arrival_rates"]).into_iter().zip(laws).collect();
            of_one(priorities(&classes, p["discipline"] == "preemptive", servers))
        }
        "mva" => {
            let stations = p["stations"].as_array()?;
            let demands = stations.iter().map(|station| number(&station["demand"])).collect();
            let servers: Vec<Option<u32>> =
                stations.iter().map(|station| station["servers"].as_u64().map(|n| n as u32)).collect();
            let class = (count(&p["users"]), number(&p["think"]), demands);
            let counts = servers.iter().map(|servers| servers.unwrap_or(1)).collect();
            Some((closed(&[class], &servers, Discipline::Fcfs), counts))
        }
        "mva-multi" => {
            // One list of demands a station.
            let demands: Vec<Vec<f64>> = p["demands"].as_array()?.iter().map(numbers).collect();
            let users = p["users"].as_array()?.iter().map(count).zip(numbers(&p["think"]));
            let of_class = |c: usize| demands.iter().map(|station| station[c]).collect();
            let classes: Vec<_> = users.enumerate().map(|(c, (n, z))| (n, z, of_class(c))).collect();
            Some((closed(&classes, &vec![Some(1); demands.len()], Discipline::Ps), vec![1; demands.len()]))
        }
        _ => None,
    }
}

/// A simulated figure by the name of a row, with its half-width.
fn figure(prediction: &Prediction, servers: &[u32], metric: &str) -> Option<(f64, f64)> {
    let of_service = |s: &ServiceResult, servers: u32, what: &str| -> Option<(f64, f64)> {
        let confidence = s.confidence.as_deref()?;
        let busy = f64::from(servers);
        match what {
            "utilization" => Some((s.utilization?, confidence.utilization?)),
            "mean_queue_length" => Some((s.queue_length?, confidence.queue_length?)),
            "mean_jobs" | "queue_length" | "queue" => Some((
                s.queue_length? + busy * s.utilization?,
                confidence.queue_length? + busy * confidence.utilization?,
            )),
            "residence" => Some((s.response.mean?, confidence.response.mean?)),
            "arrival_rate" => Some((s.arrival_rate, confidence.arrival_rate?)),
            // What calls on has not left the service: only what is in its own queue and cores has to do with the visit.
            "mean_response_per_visit" => {
                let (jobs, half) = (
                    s.queue_length? + busy * s.utilization?,
                    confidence.queue_length? + busy * confidence.utilization?,
                );
                Some((jobs / s.arrival_rate, half / s.arrival_rate))
            }
            _ => {
                time(&s.wait, &confidence.wait, what.strip_prefix("wait_").or((what == "mean_wait").then_some("mean"))?)
            }
        }
    };
    let of_workload = |w: usize, what: &str| -> Option<(f64, f64)> {
        let workload = prediction.workloads.get(w)?;
        let Accuracy::Simulated(confidence) = &workload.accuracy else { return None };
        let Confidence { throughput, error_rate, response, .. } = confidence.as_ref();
        match what {
            "throughput" => Some((workload.throughput, (*throughput)?)),
            "blocking_probability" => Some((workload.error_rate, (*error_rate)?)),
            "mean_response" | "response_time" | "mean_end_to_end" | "mean" => {
                time(&workload.response, response, "mean")
            }
            _ => {
                time(&workload.response, response, what.strip_prefix("response_").or(what.strip_prefix("end_to_end_"))?)
            }
        }
    };
    if let Some(bound) = metric.strip_prefix("bound_") {
        return bound_of(prediction, bound).map(|value| (value, 0.0));
    }
    if let Some((class, what)) = metric.strip_prefix("class").and_then(|rest| rest.split_once('_'))
        && let Some(class) = class.parse::<usize>().ok().and_then(|class| class.checked_sub(1))
    {
        return of_workload(class, what);
    }
    let metric = key(metric).replace("end_to_end", "response");
    for prefix in ["node", "station"] {
        if let Some((number, what)) = metric.strip_prefix(prefix).and_then(|rest| rest.split_once('_')) {
            let node = number.parse::<usize>().ok()?.checked_sub(1)?;
            let what = what.replace("utilisation", "utilization").replace("mean_in_system", "mean_jobs");
            return of_service(prediction.services.get(node)?, *servers.get(node)?, &key(&what));
        }
    }
    if let Some((what, number)) = metric.rsplit_once('_')
        && let Ok(number) = number.parse::<usize>()
        && number > 0
    {
        // Of a class, or of a station.
        return match what {
            "utilization" | "mean_jobs" => {
                of_service(prediction.services.get(number - 1)?, *servers.get(number - 1)?, what)
            }
            _ => of_workload(number - 1, what),
        };
    }
    let single = servers.len() == 1;
    match metric.as_str() {
        "utilization" | "mean_queue_length" | "mean_jobs" if single => {
            of_service(prediction.services.first()?, servers[0], &metric)
        }
        word if single && (word == "mean_wait" || word.starts_with("wait_p")) => {
            of_service(prediction.services.first()?, servers[0], word)
        }
        word if word.starts_with('p') => of_workload(0, &format!("response_{word}")),
        word => of_workload(0, word),
    }
}

/// A bound of the users, by the table's word for it.
fn bound_of(prediction: &Prediction, word: &str) -> Option<f64> {
    let crowd = prediction.workloads.first()?.crowd.as_ref()?;
    if word == "Nstar" {
        return Some(crowd.knee);
    }
    let bounds = if word.starts_with("ab") { Some(crowd.asymptotic) } else { crowd.balanced }?;
    match &word[2..] {
        "X_low" => bounds.throughput.0,
        "X_up" => bounds.throughput.1,
        "R_low" => Some(bounds.response.0),
        _ => bounds.response.1,
    }
}

fn time(times: &Times, widths: &Widths, what: &str) -> Option<(f64, f64)> {
    if what == "mean" {
        return Some((times.mean?, widths.mean?));
    }
    let level = Metric::PERCENTILES.iter().position(|(name, _)| *name == what)?;
    Some((times.percentiles[level]?, widths.percentiles[level]?))
}

fn run(system: &System, seed: u64, requests: u64) -> Prediction {
    let effort = Effort { seed, requests: Some(requests), replications: Some(16), ..Effort::default() };
    simulate(&compile(system), &effort, &|_| true).prediction
}

/// How far a simulated figure may lie from its row: the resolution of percentiles is a thousandth; and what is so rare that
/// it hardly happens in a run, such as a wait in front of a hundred idle servers, may not have happened.
fn allowance(row: &Row, half: f64) -> f64 {
    WIDER * half + row.allowed + 1e-3 * row.want.abs() + if row.want < RARE { RARE } else { 0.0 }
}

fn is_off(row: &Row, (value, half): (f64, f64)) -> bool {
    (value - row.want).abs() > allowance(row, half)
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for case in read("cases.public.json")["cases"].as_array().unwrap() {
        let (family, model) = (case["family"].as_str().unwrap(), case["model"].as_str().unwrap());
        // The tables look at one of a batch, a workload at all of it.
        let Some((system, servers)) =
            case_system(family, model, &case["params"]).filter(|_| !model.starts_with("M^[X]"))
        else {
            continue;
        };
        let rows = case["rows"].as_array().unwrap().iter().map(|row| {
            let want = number(&row["value"]);
            let tolerance = &row["tolerance"];
            Row {
                family: family.to_string(),
                what: format!("{} {model}", row["id"].as_str().unwrap()),
                metric: row["metric"].as_str().unwrap().to_string(),
                want,
                allowed: number(&tolerance["abs"]) + number(&tolerance["rel"]) * want.abs(),
            }
        });
        cases.push(Case { system, servers, rows: rows.collect() });
    }
    for table in ["reference.public.json", "reference.simulated.public.json"] {
        let rows = read(table);
        let rows = rows.as_array().unwrap();
        // Rows of the same system stand together.
        for group in rows.chunk_by(|a, b| a["family"] == b["family"] && a["params"] == b["params"]) {
            let (family, p) = (group[0]["family"].as_str().unwrap(), &group[0]["params"]);
            let Some((system, servers)) = reference_system(family, p) else { continue };
            let rows = group.iter().filter(|row| row["metric"] != "check").map(|row| {
                let want = number(&row["value"]);
                let half = row["half_width"].as_f64().unwrap_or(0.0);
                Row {
                    family: format!("{family} (first table)"),
                    what: p.to_string(),
                    metric: row["metric"].as_str().unwrap().to_string(),
                    want,
                    allowed: 2.0 * half + row["rel_tol"].as_f64().unwrap_or(0.0) * want.abs(),
                }
            });
            cases.push(Case { system, servers, rows: rows.collect() });
        }
    }
    cases
}

#[test]
#[ignore = "a statistical study of some minutes: cargo test --release --test oracle -- --ignored simulated"]
fn simulated_rows_lie_in_their_intervals() {
    let cases = cases();
    let outcomes: Vec<Vec<Outcome<'_>>> = cases.par_iter().enumerate().map(|(i, case)| outcomes(case, i)).collect();
    let mut tally = Tally::default();
    for (row, found, runs) in outcomes.into_iter().flatten() {
        let what = format!("{} {}", row.what, row.metric);
        if runs == REQUESTS.len() {
            println!("{what}: only {} requests tell", REQUESTS[runs - 1]);
        }
        let (value, half) = found.unzip();
        let allowed = allowance(row, half.unwrap_or(0.0));
        tally.check(&row.family, &what, value, row.want, allowed);
    }
    tally.finish(4_400);
}

/// The rows of a case with what is simulated, in more and longer runs until they lie in their intervals.
fn outcomes(case: &Case, number: usize) -> Vec<Outcome<'_>> {
    let mut runs: Vec<Prediction> = Vec::new();
    let mut outcomes = Vec::with_capacity(case.rows.len());
    for row in &case.rows {
        let mut tried = 0;
        loop {
            if tried == runs.len() {
                runs.push(run(&case.system, (tried * 1_000_000 + number) as u64, REQUESTS[tried]));
            }
            let found = figure(&runs[tried], &case.servers, &row.metric);
            tried += 1;
            if tried == REQUESTS.len() || !found.is_some_and(|found| is_off(row, found)) {
                outcomes.push((row, found, tried));
                break;
            }
        }
    }
    outcomes
}

/// A prediction whose figures have no width.
fn without_widths(mut prediction: Prediction) -> Prediction {
    let none = Widths { mean: Some(0.0), percentiles: [Some(0.0); Metric::PERCENTILES.len()] };
    let confidence = Confidence {
        arrival_rate: Some(0.0),
        throughput: Some(0.0),
        error_rate: Some(0.0),
        response: none.clone(),
        utilization: Some(0.0),
        queue_length: Some(0.0),
        workers_utilization: None,
        amplification: None,
        wait: none,
    };
    for workload in &mut prediction.workloads {
        workload.accuracy = Accuracy::Simulated(Box::new(confidence.clone()));
    }
    prediction.services.iter_mut().for_each(|service| service.confidence = Some(Box::new(confidence.clone())));
    prediction
}

#[test]
fn closed_networks_are_solved_as_the_tables_say() {
    let mut tally = Tally::default();
    for mut case in cases() {
        let users = |workload: &Workload| matches!(workload.load, Load::Closed { .. });
        if case.system.workloads.is_empty() || !case.system.workloads.iter().all(users) {
            continue;
        }
        // With exponential work the order of service does not matter to one class of users.
        if case.system.workloads.len() == 1 {
            case.system.services.iter_mut().for_each(|service| service.discipline = Discipline::Fcfs);
        }
        let network = compile(&case.system);
        let prediction = without_widths(plimsoll::analytic::solve(&network));
        for row in &case.rows {
            let what = format!("{} {}", row.what, row.metric);
            let found = figure(&prediction, &case.servers, &row.metric).map(|(value, _)| value);
            // Percentiles are read from a tail.
            let read = if row.metric.contains("response_p") { 1e-3 } else { 1e-7 };
            tally.check(&row.family, &what, found, row.want, row.allowed + read * row.want.abs());
        }
    }
    tally.finish(725);
}

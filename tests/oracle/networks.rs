//! What a model in the language says of a row of the tables.

use crate::formulas::key;
use crate::{count, number, numbers};
use plimsoll::prediction::{Prediction, Times};
use plimsoll::system::Metric;
use serde_json::Value;
use std::fmt::Write;

pub fn solve(model: &str) -> Prediction {
    let no_files = |_: &str| Err("none".to_string());
    let document = plimsoll::document::read(model, &no_files).unwrap_or_else(|e| panic!("{e:?}\n{model}"));
    plimsoll::analytic::solve(&plimsoll::network::compile(&document.system))
}

/// What theory says of a row of the network, parallel, retry and batch families, where the language can express it.
pub fn network_case(model: &str, p: &Value) -> Option<Prediction> {
    network_model(model, p).map(|text| solve(&text))
}

/// Models of these families.
pub fn network_model(model: &str, p: &Value) -> Option<String> {
    if model.starts_with("tandem of") || model.starts_with("two-node tandem") || model.starts_with("tandem with") {
        let nodes: Vec<(f64, u32)> = p["nodes"]
            .as_array()?
            .iter()
            .map(|node| (1.0 / number(&node["mu_per_s"]), count(&node["servers"])))
            .collect();
        return Some(tandem_model(number(&p["lambda_per_s"]), &nodes));
    }
    if model.contains("1-PS") {
        let work = match &p["service"] {
            Value::Null => format!("\"{}s\"", 1.0 / number(&p["mu_per_s"])),
            law => {
                // The tables' two phases have balanced means, as those of the language.
                let cv = number(&law["scv"]).sqrt();
                format!("{{ dist = \"hyperexponential\", mean = \"{}s\", cv = {cv} }}", law["mean_s"])
            }
        };
        return Some(shared_model(number(&p["lambda_per_s"]), 1, &work));
    }
    if model.starts_with("parallel calls, no queueing: max of k") {
        let means = vec![number(&p["mean_s"]); count(&p["k"]) as usize];
        return Some(parallel_model(&means, ""));
    }
    if model.starts_with("fork-join") {
        let services: Vec<f64> = p["mu_per_s"].as_array()?.iter().map(|mu| 1.0 / number(mu)).collect();
        return Some(fork_join_model(number(&p["lambda_per_s"]), &services));
    }
    if model.starts_with("open Jackson network") {
        let routing: Vec<Vec<f64>> = p["routing"].as_array()?.iter().map(numbers).collect();
        let nodes: Vec<(f64, u32)> =
            numbers(&p["mu_per_s"]).iter().zip(p["servers"].as_array()?).map(|(mu, c)| (1.0 / mu, count(c))).collect();
        return Some(jackson_model(&numbers(&p["external_lambda_per_s"]), &nodes, &routing));
    }
    if model.starts_with("M/M/1 with immediate Bernoulli feedback") {
        let (rate, mean) = (number(&p["lambda_per_s"]), 1.0 / number(&p["mu_per_s"]));
        return Some(jackson_model(&[rate], &[(mean, 1)], &[vec![number(&p["retry_probability"])]]));
    }
    if model.starts_with("M^[X]/M/1") && p["batch_size"]["kind"] == "fixed" {
        let size = count(&p["batch_size"]["mean"]) as usize;
        return Some(batch_model(number(&p["batch_rate_per_s"]), 1.0 / number(&p["mu_per_s"]), size));
    }
    if model.starts_with("parallel calls, no queueing: max of unequal") {
        let means: Vec<f64> = p["means_s"].as_array()?.iter().map(number).collect();
        return Some(parallel_model(&means, ""));
    }
    None
}

/// Whether theory gives a row exactly; the others are among the approximations.
pub fn is_exact(model: &str, row: &Value) -> bool {
    let last = row["metric"].as_str().unwrap().rsplit('_').next().unwrap();
    let percentile = last.starts_with('p') && last[1..].starts_with(|c: char| c.is_ascii_digit());
    let by_mean_only = ["fork-join", "open Jackson", "M/M/1 with immediate", "M^[X]"];
    row["kind"] != "simulation"
        && !(percentile && by_mean_only.iter().any(|start| model.starts_with(start)))
        // Of queueing branches only the mean of two is exact theory.
        && !(model.starts_with("fork-join") && row["kind"] == "numeric")
}

pub fn network_figure(prediction: &Prediction, model: &str, p: &Value, metric: &str) -> Option<f64> {
    let workload = &prediction.workloads[0];
    let response = workload.response.mean;
    if let Some((node, what)) = metric.strip_prefix("node").and_then(|rest| rest.split_once('_')) {
        return node_figure(prediction, p, node.parse::<usize>().unwrap() - 1, what);
    }
    // The tables look at one of a batch, a workload at all of it.
    let per_visit = model.starts_with("M^[X]");
    match metric {
        "nelson_tantawi_mean" | "mean_end_to_end_chain" => response,
        "saturation_scale" => prediction.headroom,
        "mean_attempts" => workload.breakdown.iter().map(|share| share.visits).find(|visits| *visits > 0.0),
        "total_rate_at_server" => node_figure(prediction, p, 0, "arrival_rate"),
        "utilisation" => node_figure(prediction, p, 0, metric),
        "mean_in_system" if per_visit => node_figure(prediction, p, 0, metric),
        "mean_in_system" => response.map(|mean| mean * workload.arrival_rate),
        _ if per_visit => time(&prediction.services[0].response, metric),
        _ => workload_figure(prediction, metric),
    }
}

/// A figure of the service at a node, which has one core where the table says nothing else.
fn node_figure(prediction: &Prediction, p: &Value, node: usize, what: &str) -> Option<f64> {
    let service = &prediction.services[node];
    let servers = p["servers"].get(node).map_or(1.0, number);
    let utilization = service.utilization?;
    let in_system = service.queue_length? + utilization * servers;
    match what {
        "arrival_rate" => Some(service.arrival_rate),
        "utilisation" => Some(utilization),
        "mean_in_system" => Some(in_system),
        "mean_sojourn_per_visit" => Some(in_system / service.arrival_rate),
        _ => None,
    }
}

/// A figure of the first workload.
pub fn workload_figure(prediction: &Prediction, metric: &str) -> Option<f64> {
    time(&prediction.workloads[0].response, metric)
}

fn time(response: &Times, metric: &str) -> Option<f64> {
    let metric = key(metric).replace("end_to_end", "response");
    match metric.trim_start_matches("response_") {
        "mean_response" | "mean" => response.mean,
        word => Metric::PERCENTILES.iter().find(|(name, _)| *name == word).and_then(|(_, p)| response.percentile(*p)),
    }
}

/// Processor sharing is only in models.
pub fn ps_figure(p: &Value, metric: &str) -> Option<f64> {
    let service = &p["service"];
    let work = match service["dist"].as_str()? {
        "constant" => format!("{{ constant = \"{}s\" }}", service["mean"]),
        "exponential" => format!("\"{}s\"", service["mean"]),
        other => format!("{{ dist = \"{other}\", mean = \"{}s\", cv = {} }}", service["mean"], service["cv"]),
    };
    workload_figure(&solve(&shared_model(number(&p["arrival_rate"]), count(&p["servers"]), &work)), metric)
}

pub fn tandem_model(rate: f64, nodes: &[(f64, u32)]) -> String {
    let mut model = String::new();
    for (i, (mean, servers)) in nodes.iter().enumerate() {
        let call = if i + 1 < nodes.len() { format!(", {{ call = \"n{}.o\" }}", i + 1) } else { String::new() };
        model.push_str(&format!(
            "[service.n{i}]\ncores = {servers}\noperations.o.steps = [ {{ work = \"{}s\" }}{call} ]\n",
            mean
        ));
    }
    model + &format!("[workload.w]\nentry = \"n0.o\"\nrate = \"{rate}/s\"\n")
}

pub fn parallel_model(means: &[f64], wait: &str) -> String {
    let branches: Vec<String> = means.iter().map(|mean| format!("{{ delay = \"{mean}s\" }}")).collect();
    format!(
        "[service.s]\ncores = \"unlimited\"\noperations.o.steps = [ {{ parallel = [{}]{wait} }} ]\n[workload.w]\nentry = \"s.o\"\nrate = \"1/s\"\n",
        branches.join(", ")
    )
}

pub fn fork_join_model(rate: f64, services: &[f64]) -> String {
    let mut text = String::new();
    for (i, mean) in services.iter().enumerate() {
        text.push_str(&format!("[service.n{i}]\noperations.o.work = \"{mean}s\"\n"));
    }
    let calls: Vec<String> = (0..services.len()).map(|i| format!("\"n{i}.o\"")).collect();
    text + &format!(
        "[service.f]\ncores = \"unlimited\"\noperations.o.steps = [ {{ parallel = [ {} ] }} ]\n[workload.w]\nentry = \"f.o\"\nrate = \"{rate}/s\"\n",
        calls.join(", ")
    )
}

pub fn shared_model(rate: f64, servers: u32, work: &str) -> String {
    format!(
        "[service.s]\ncores = {servers}\ndiscipline = \"ps\"\noperations.o.work = {work}\n[workload.w]\nentry = \"s.o\"\nrate = \"{rate}/s\"\n",
    )
}

/// A Jackson network as a call graph: one operation of a node for each number of visits before it, until hardly anybody
/// is left.
pub fn jackson_model(external: &[f64], nodes: &[(f64, u32)], routing: &[Vec<f64>]) -> String {
    const LEFT: f64 = 1e-11;
    let all: f64 = external.iter().sum();
    let starts: Vec<f64> = external.iter().map(|rate| rate / all).collect();
    let mut generations = vec![starts];
    while let Some(last) = generations.last().filter(|last| last.iter().sum::<f64>() > LEFT) {
        let reached = |to: usize| last.iter().zip(routing).map(|(here, row)| here * row[to]).sum();
        let next = (0..nodes.len()).map(reached).collect();
        generations.push(next);
    }
    generations.pop();
    let choose = |weights: &[f64], visits: usize| {
        let lasting = |to: &usize| weights[*to] > 0.0 && visits < generations.len();
        let mut ways: Vec<String> = (0..weights.len())
            .filter(lasting)
            .map(|to| format!("{{ weight = {}, steps = [ {{ call = \"n{to}.o{visits}\" }} ] }}", weights[to]))
            .collect();
        let rest = 1.0 - (0..weights.len()).filter(lasting).map(|to| weights[to]).sum::<f64>();
        if rest > 1e-12 || ways.is_empty() {
            ways.push(format!("{{ weight = {rest}, steps = [] }}"));
        }
        format!("{{ choose = [ {} ] }}", ways.join(", "))
    };
    let mut text = String::new();
    for (node, (mean, servers)) in nodes.iter().enumerate() {
        writeln!(text, "[service.n{node}]\ncores = {servers}").unwrap();
        for visits in (0..generations.len()).filter(|visits| generations[*visits][node] > 0.0) {
            let next = choose(&routing[node], visits + 1);
            writeln!(text, "operations.o{visits}.steps = [ {{ work = \"{mean}s\" }}, {next} ]").unwrap();
        }
    }
    let start = choose(&generations[0], 0);
    writeln!(text, "[service.front]\ncores = \"unlimited\"\noperations.o.steps = [ {start} ]").unwrap();
    text + &format!("[workload.w]\nentry = \"front.o\"\nrate = \"{all}/s\"\n")
}

/// So many at once into one queue.
pub fn batch_model(rate: f64, mean: f64, size: usize) -> String {
    let calls = vec!["\"n.o\""; size].join(", ");
    format!(
        "[service.n]\noperations.o.work = \"{mean}s\"\n[service.f]\ncores = \"unlimited\"\noperations.o.steps = [ {{ parallel = [ {calls} ] }} ]\n[workload.w]\nentry = \"f.o\"\nrate = \"{rate}/s\"\n"
    )
}

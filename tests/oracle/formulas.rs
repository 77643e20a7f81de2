//! What the calculator says of a row of the tables, and the names of its figures there.

use crate::{count, number, numbers};
use plimsoll::calculator::{Calculation, Formula, Inputs, Target, calculate};
use plimsoll::discipline::fcfs::Arrivals;
use plimsoll::distribution::{Erlang, Gamma, Hyperexponential, Law, Lognormal, Lomax, Pareto, Uniform, Weibull};
use plimsoll::math::mva::{SharedStation, Station};
use serde_json::Value;

/// A law of `reference.public.json`; `mean` stands for interarrival times, which have none of their own.
pub fn reference_law(value: &Value, mean: Option<f64>) -> Law {
    let mean = mean.unwrap_or_else(|| number(&value["mean"]));
    let cv = || number(&value["cv"]);
    match value["dist"].as_str().unwrap() {
        "exponential" => Law::exponential(mean),
        "constant" => Law::constant(mean),
        "erlang" => Law::Erlang(Erlang { mean, stages: count(&value["k"]) }),
        "gamma" => Law::Gamma(Gamma { mean, cv: cv() }),
        "hyperexponential" => Law::Hyperexponential(Hyperexponential::new(mean, cv())),
        "lognormal" => Law::Lognormal(Lognormal::new(mean, cv())),
        "uniform" => Law::Uniform(Uniform { min: number(&value["min"]), max: number(&value["max"]) }),
        other => panic!("{other}"),
    }
}

/// A law of `cases.public.json`.
pub fn case_law(value: &Value) -> Law {
    let mean = number(&value["mean_s"]);
    match value["distribution"].as_str().unwrap() {
        "exponential" => Law::exponential(mean),
        "deterministic" => Law::constant(mean),
        "erlang" => Law::Erlang(Erlang { mean, stages: count(&value["k"]) }),
        "hyperexponential2" => Law::Hyperexponential(Hyperexponential {
            weights: [number(&value["p1"]), number(&value["p2"])],
            means: [number(&value["mean1_s"]), number(&value["mean2_s"])],
        }),
        "lognormal" => Law::Lognormal(Lognormal { mu: number(&value["mu_log"]), sigma: number(&value["sigma_log"]) }),
        "weibull" => Law::Weibull(Weibull { mean, shape: number(&value["shape"]) }),
        "pareto1" => Law::Pareto(Pareto { mean, shape: number(&value["alpha"]) }),
        "pareto2_lomax" => Law::Lomax(Lomax { mean, shape: number(&value["alpha"]) }),
        other => panic!("{other}"),
    }
}

/// The key of the calculator for a metric of the tables.
pub fn key(metric: &str) -> String {
    if let Some((class, rest)) = metric.strip_prefix("class").and_then(|rest| rest.split_once('_')) {
        return format!("{}_{class}", key(rest));
    }
    let metric = metric.replace("p99.9", "p999").replace("sojourn", "response").replace("_admitted", "");
    let metric = metric.replace("wait_all", "wait").replace("response_served", "response");
    match metric.as_str() {
        "utilisation" => "utilization".to_string(),
        "prob_wait" => "wait_probability".to_string(),
        "prob_loss" => "blocking_probability".to_string(),
        "prob_abandon" => "abandonment_probability".to_string(),
        "mean_in_system" => "mean_jobs".to_string(),
        "che_hit_ratio" => "hit_ratio".to_string(),
        "che_characteristic_time" => "characteristic_time".to_string(),
        _ => metric,
    }
}

pub fn reference(family: &str, p: &Value) -> Option<Result<Calculation, String>> {
    let rate = || p["arrival_rate"].as_f64();
    let exponential = || p["service_time"].as_f64().map(Law::exponential);
    let base = Inputs {
        arrival_rate: rate(),
        service: exponential(),
        servers: p["servers"].as_u64().map(|n| n as u32),
        ..Inputs::default()
    };
    Some(match family {
        "mmc" => calculate(Formula::Mmc, &base),
        "mmck" => calculate(Formula::Mmck, &Inputs { capacity: Some(count(&p["capacity"])), ..base }),
        "erlang-b" => calculate(Formula::ErlangB, &Inputs { offered_load: p["offered_load"].as_f64(), ..base }),
        "erlang-a" => {
            calculate(Formula::ErlangA, &Inputs { patience: Some(Law::exponential(number(&p["patience"]))), ..base })
        }
        "gim1" => {
            let arrivals = Arrivals::Renewal(reference_law(&p["arrivals"], Some(1.0 / rate()?)));
            calculate(Formula::Ggc, &Inputs { arrivals: Some(arrivals), servers: Some(1), ..base })
        }
        "mdc" => calculate(Formula::Mgc, &Inputs { service: Some(Law::constant(number(&p["service_time"]))), ..base }),
        "mg1" => calculate(Formula::Mg1, &Inputs { service: Some(reference_law(&p["service"], None)), ..base }),
        "mgc" => calculate(Formula::Mgc, &Inputs { service: Some(reference_law(&p["service"], None)), ..base }),
        "ggc" => {
            let arrivals = Arrivals::Renewal(reference_law(&p["arrivals"], Some(1.0 / rate()?)));
            let service = Some(reference_law(&p["service"], None));
            calculate(Formula::Ggc, &Inputs { arrivals: Some(arrivals), service, ..base })
        }
        "priority" => {
            let rates = p["arrival_rates"].as_array()?;
            let services = p["services"].as_array()?;
            let classes = rates.iter().zip(services).map(|(r, s)| (number(r), reference_law(s, None))).collect();
            let preemptive = p["discipline"] == "preemptive";
            calculate(Formula::Priority, &Inputs { classes, preemptive, ..base })
        }
        "cache" => calculate(
            Formula::Cache,
            &Inputs { size: p["size"].as_u64(), objects: p["objects"].as_u64(), zipf: p["zipf"].as_f64(), ..base },
        ),
        "usl" => {
            let points = p["load"]
                .as_array()?
                .iter()
                .zip(p["throughput"].as_array()?)
                .map(|(n, x)| (number(n), number(x)))
                .collect();
            calculate(Formula::Usl, &Inputs { points, ..base })
        }
        "mva" => {
            let stations = p["stations"].as_array()?.iter();
            let stations = stations
                .map(|s| Station {
                    demand: number(&s["demand"]),
                    servers: s["servers"].as_u64().map(|n| n as u32),
                    others: 0.0,
                })
                .collect();
            calculate(
                Formula::Mva,
                &Inputs {
                    users: vec![count(&p["users"])],
                    think: p["think"].as_f64().into_iter().collect(),
                    stations,
                    ..base
                },
            )
        }
        "mva-multi" => {
            let demands = p["demands"].as_array()?.iter();
            let demands = demands.map(|d| SharedStation { demands: numbers(d), delay: false });
            let users = p["users"].as_array()?.iter().map(count).collect();
            calculate(
                Formula::Mva,
                &Inputs { users, think: numbers(&p["think"]), shared_stations: demands.collect(), ..base },
            )
        }
        "staffing" => {
            let metric = p["metric"].as_str()?;
            let target = Target { key: metric.to_string(), at_most: number(&p["at_most"]) };
            calculate(Formula::Mmc, &Inputs { target: Some(target), ..base })
        }
        _ => return None,
    })
}

pub fn case(family: &str, model: &str, p: &Value) -> Option<Result<Calculation, String>> {
    let rate = p["lambda_per_s"].as_f64();
    let base = Inputs {
        arrival_rate: rate,
        service: p["mu_per_s"].as_f64().map(|mu| Law::exponential(1.0 / mu)),
        servers: p["servers"].as_u64().map(|n| n as u32),
        ..Inputs::default()
    };
    Some(match family {
        "01_mmc" => calculate(Formula::Mmc, &base),
        "02_mmck" if model.starts_with("M/M/c/K") => {
            calculate(Formula::Mmck, &Inputs { capacity: Some(count(&p["capacity_K"])), ..base })
        }
        "02_mmck" => calculate(Formula::ErlangB, &base),
        "03_impatience" if model.contains("Erlang A") => {
            let patience = Some(Law::exponential(1.0 / number(&p["patience_rate_per_s"])));
            calculate(Formula::ErlangA, &Inputs { patience, ..base })
        }
        "03_impatience" => {
            let patience = Some(Law::constant(number(&p["queue_timeout_s"])));
            calculate(Formula::ErlangA, &Inputs { patience, ..base })
        }
        "04_mg1" => calculate(Formula::Mg1, &Inputs { service: Some(case_law(&p["service"])), ..base }),
        "05_mdc_gimc_phphc" if model.starts_with("M/D/c") => {
            calculate(Formula::Mgc, &Inputs { service: Some(Law::constant(number(&p["service_s"]))), ..base })
        }
        "05_mdc_gimc_phphc" => {
            let arrivals = Some(Arrivals::Renewal(case_law(&p["interarrival"])));
            let service =
                if model.starts_with("GI/M/c") { base.service.clone() } else { Some(case_law(&p["service"])) };
            calculate(Formula::Ggc, &Inputs { arrivals, service, ..base })
        }
        "06_ps_priority" if model.starts_with("M/G/1 priority") => {
            let classes = p["classes"].as_array()?.iter();
            let classes = classes.map(|c| (number(&c["lambda_per_s"]), case_law(&c["service"]))).collect();
            let preemptive = model.ends_with("preemptive-resume");
            calculate(Formula::Priority, &Inputs { classes, preemptive, ..base })
        }
        "10_usl" => {
            let points = p["concurrency"].as_array()?.iter().zip(p["throughput_per_s"].as_array()?);
            let points = points.map(|(n, x)| (number(n), number(x))).collect();
            calculate(Formula::Usl, &Inputs { points, ..base })
        }
        "13_cache" => calculate(
            Formula::Cache,
            &Inputs {
                size: p["capacity"].as_u64(),
                objects: p["items"].as_u64(),
                zipf: p["zipf_exponent"].as_f64(),
                ..base
            },
        ),
        "09_closed" if model.starts_with("closed single-class") => {
            let kinds = p["station_kind"].as_array()?;
            let stations = p["demands_s"].as_array()?.iter().zip(kinds).zip(p["servers"].as_array()?);
            let stations = stations
                .map(|((demand, kind), servers)| Station {
                    demand: number(demand),
                    servers: (!kind.as_str().unwrap().starts_with('d')).then(|| count(servers)),
                    others: 0.0,
                })
                .collect();
            calculate(
                Formula::Mva,
                &Inputs {
                    users: vec![count(&p["population"])],
                    think: p["think_s"].as_f64().into_iter().collect(),
                    stations,
                    ..base
                },
            )
        }
        "09_closed" if model.starts_with("closed multi-class") => {
            // One row of demands a class in the tables, one list a station here.
            let rows: Vec<Vec<f64>> = p["demands_s"].as_array()?.iter().map(numbers).collect();
            let kinds = p["station_kind"].as_array()?.iter();
            let shared_stations = kinds.enumerate().map(|(i, kind)| SharedStation {
                demands: rows.iter().map(|row| row[i]).collect(),
                delay: kind.as_str().unwrap().starts_with('d'),
            });
            let users = p["populations"].as_array()?.iter().map(count).collect();
            let think = numbers(&p["think_s"]);
            calculate(Formula::Mva, &Inputs { users, think, shared_stations: shared_stations.collect(), ..base })
        }
        "09_closed" if model.starts_with("interactive system") => {
            let stations = vec![Station {
                demand: 1.0 / number(&p["mu_per_s"]),
                servers: Some(count(&p["servers"])),
                others: 0.0,
            }];
            let think = vec![number(&p["think_s"])];
            calculate(Formula::Mva, &Inputs { users: vec![count(&p["users"])], think, stations, ..base })
        }
        "14_staffing" => {
            let target = &p["target"];
            let metric = staffing_key(target);
            let target = Target { key: metric, at_most: number(&target["at_most"]) };
            calculate(Formula::Mmc, &Inputs { target: Some(target), ..base })
        }
        _ => return None,
    })
}

/// The figure that a staffing target of the tables is about.
pub fn staffing_key(target: &Value) -> String {
    let metric = target["metric"].as_str().unwrap_or_default();
    match target["percentile"].as_f64() {
        None => key(metric),
        Some(level) => {
            let of = if metric.contains("wait") { "wait" } else { "response" };
            let percent = if level < 1.0 { level * 100.0 } else { level };
            format!("{of}_p{}", percent.to_string().replace('.', ""))
        }
    }
}

pub fn closed_key(metric: &str) -> String {
    if let Some(bound) = metric.strip_prefix("bound_") {
        return match bound {
            "Nstar" => "saturation_users".to_string(),
            _ => {
                let kind = if bound.starts_with("ab") { "asymptotic" } else { "balanced" };
                let of = if bound.contains('X') { "throughput" } else { "response" };
                format!("{kind}_{of}_{}", if bound.ends_with("low") { "lower" } else { "upper" })
            }
        };
    }
    if let Some((k, rest)) = metric.strip_prefix("class").and_then(|rest| rest.split_once('_')) {
        return match rest {
            "response_time" => format!("mean_response_{k}"),
            "throughput" => format!("throughput_{k}"),
            rest => format!("jobs_{k}_{}", rest.replace("station", "station_").replace("_queue", "")),
        };
    }
    match metric {
        "mean_in_system" => return "jobs_1".to_string(),
        "utilisation" => return "utilization_1".to_string(),
        _ => {}
    }
    if let Some((i, what)) = metric.strip_prefix("station").and_then(|rest| rest.split_once('_')) {
        let what = match what {
            "queue_length" => "jobs",
            "utilisation" => "utilization",
            other => other,
        };
        return format!("{what}_{i}");
    }
    if metric == "response_time" { "mean_response".to_string() } else { key(metric) }
}

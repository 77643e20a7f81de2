//! The fewest servers that reach a target.

use super::{Calculation, Figure, Formula, Inputs, Unit, calculate};
use crate::system::Metric;
use crate::unit::{Mistake, duration, ratio};

/// More servers than this are not looked at.
const MOST_SERVERS: u32 = 1_000_000;

/// What is to be reached: a figure of the result, at most so much.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// Key of the figure.
    pub key: String,
    /// Its bound, in SI units.
    pub at_most: f64,
}

impl Target {
    /// Reads `p95=50ms`, `wait-p99=5ms`, `mean=20ms`, `utilization=70%`, `wait-probability=20%`,
    /// `blocking-probability=1%` or `abandonment-probability=1%`.
    ///
    /// # Errors
    /// What is wrong and what to write instead.
    pub fn parse(text: &str) -> Result<Target, Mistake> {
        let example = "write for example p95=50ms, wait-p95=5ms, utilization=70% or wait-probability=20%";
        let (name, bound) =
            text.split_once('=').ok_or_else(|| Mistake::new(format!("\"{text}\" is not a target"), example))?;
        let name = name.trim().replace('-', "_");
        let percentile = |word: &str| Metric::PERCENTILES.iter().any(|(w, _)| *w == word);
        let time_key = match name.as_str() {
            "mean" | "mean_response" => Some("mean_response".to_string()),
            "wait" | "mean_wait" => Some("mean_wait".to_string()),
            word if percentile(word) => Some(format!("response_{word}")),
            word if word.strip_prefix("response_").or(word.strip_prefix("wait_")).is_some_and(percentile) => {
                Some(word.to_string())
            }
            _ => None,
        };
        if let Some(key) = time_key {
            return Ok(Target { key, at_most: duration::parse(bound)? });
        }
        let ratios = ["utilization", "wait_probability", "blocking_probability", "abandonment_probability"];
        if ratios.contains(&name.as_str()) {
            return Ok(Target { key: name, at_most: ratio::parse(bound)? });
        }
        Err(Mistake::new(format!("\"{name}\" is not a figure a target can be set on"), example))
    }
}

/// The fewest servers with which the figure is within the target, by galloping and halving: it never rises with one
/// server more.
pub(super) fn servers_for(formula: Formula, inputs: &Inputs, target: &Target) -> Result<Calculation, String> {
    if inputs.servers.is_some() {
        return Err("give --servers or --target, not both".to_string());
    }
    if matches!(
        formula,
        Formula::Mm1 | Formula::Mg1 | Formula::Mva | Formula::Usl | Formula::LittlesLaw | Formula::Cache
    ) {
        return Err(format!(
            "{} has no servers to look for: use mmc, mgc, ggc, mmck, erlang-b, erlang-c or erlang-a",
            formula.word()
        ));
    }
    let with = |servers: u32| {
        let capacity = inputs.capacity.map(|k| k.max(servers));
        calculate(formula, &Inputs { servers: Some(servers), target: None, capacity, ..inputs.clone() })
    };
    let reached = |servers: u32| -> Result<bool, String> {
        let calculation = with(servers)?;
        match calculation.results.iter().find(|f| f.key == target.key) {
            Some(Figure { value, .. }) => {
                Ok(calculation.stable && value.is_some_and(|v| v <= target.at_most * (1.0 + 1e-12)))
            }
            None => Err(format!("{} gives no {}", formula.word(), target.key.replace('_', "-"))),
        }
    };
    let mut high = 1;
    while !reached(high)? {
        if high >= MOST_SERVERS {
            let print = if target.key.ends_with("probability") || target.key == "utilization" {
                ratio::print
            } else {
                duration::print
            };
            let least = with(high)?.figure(&target.key).map_or_else(|| "more".to_string(), print);
            return Err(format!(
                "{} stays at {least} with any number of servers, and the target is {}: more servers shorten waits, not services",
                target.key.replace('_', "-"),
                print(target.at_most)
            ));
        }
        high = (high * 2).min(MOST_SERVERS);
    }
    let mut low = high / 2;
    while high - low > 1 {
        let mid = low + (high - low) / 2;
        if reached(mid)? { high = mid } else { low = mid }
    }
    let mut calculation = with(high)?;
    calculation
        .results
        .insert(0, Figure { key: "servers".to_string(), value: Some(f64::from(high)), unit: Unit::Number });
    calculation.inputs.retain(|f| f.key != "servers");
    Ok(calculation)
}

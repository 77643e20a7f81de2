//! Why a prediction is as it is: what a percentile is made of, what each input does to it, and what would help.
//!
//! What a percentile is made of, and by how much a change moves a figure, is known by analysis alone, whoever predicted the figure: two
//! simulations of a system and of a slightly other one differ by chance too.

use super::verdict::{Verdict, assess, margin_of};
use crate::analytic;
use crate::network::compile;
use crate::prediction::{Part, Prediction};
use crate::system::{Change, Load, Metric, Path, Scale, System};
use crate::unit::Seconds;

/// Inputs are changed by so much.
pub const CHANGE: f64 = 0.1;

/// Effects smaller than this are none.
const FAINT: f64 = 0.002;

/// More services than this are not tried one by one: those that take the most time are.
const MOST_SERVICES: usize = 40;

/// Changes that are named.
const MOST_REMEDIES: usize = 3;

/// Why a prediction is as it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// What the p95 of each workload is made of.
    pub workloads: Vec<Made>,
    /// What a tenth more of each input does, the greatest effects first.
    pub elasticities: Vec<Elasticity>,
    /// What saturates next when the bottleneck no longer does.
    pub next: Option<Next>,
    /// What would help, the cheapest first.
    pub remedies: Vec<Remedy>,
}

/// What the p95 of a workload is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Made {
    /// The workload.
    pub workload: String,
    /// Its p95.
    pub p95: Option<Seconds>,
    /// The parts of it, the largest first.
    pub parts: Vec<Part>,
}

/// What more of an input does to a figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Elasticity {
    /// The path of the input.
    pub input: String,
    /// The figure, as objectives name it.
    pub figure: String,
    /// Relative change of the figure when the input is a tenth more; `None` where the figure then no longer exists.
    pub effect: Option<f64>,
}

/// What saturates next.
#[derive(Debug, Clone, PartialEq)]
pub struct Next {
    /// What saturates now.
    pub now: String,
    /// What saturates first when there is twice as much of that.
    pub then: String,
    /// How many times the load fits then.
    pub headroom: f64,
}

/// A change that would help.
#[derive(Debug, Clone, PartialEq)]
pub struct Remedy {
    /// The path of what is changed.
    pub path: String,
    /// Its value before and after.
    pub from: f64,
    /// Its value after.
    pub to: f64,
    /// The figure that it helps.
    pub figure: String,
    /// The figure before; `None` where it does not exist.
    pub before: Option<f64>,
    /// The figure after.
    pub after: f64,
    /// How it is measured.
    pub metric: Metric,
    /// What it costs more per hour; `None` where nothing says.
    pub price: Option<f64>,
}

/// Explains the prediction of a system, made by whatever engine.
pub fn explain(system: &System, prediction: &Prediction) -> Explanation {
    let p95 = Metric::PERCENTILES.iter().position(|(_, level)| *level == 0.95).unwrap_or(0);
    let parts = analytic::parts(&compile(system), p95);
    let workloads = prediction.workloads.iter().zip(parts);
    let made = workloads.map(|(workload, mut parts)| {
        let p95 = workload.response.p95();
        parts.iter_mut().for_each(|part| part.time = p95.map_or(part.time, |p95| part.share * p95));
        Made { workload: workload.name.clone(), p95, parts }
    });
    let computed = self::figures(system, &solved(system)).into_iter().map(|figure| figure.value);
    let mut figures = figures(system, prediction);
    figures.iter_mut().zip(computed).for_each(|(figure, computed)| figure.computed = computed);
    Explanation {
        workloads: made.collect(),
        elasticities: elasticities(system, prediction, &figures),
        next: next(system, prediction),
        remedies: remedies(system, prediction, &figures),
    }
}

/// A figure that is explained.
struct Figure {
    name: String,
    metric: Metric,
    value: Option<f64>,
    /// What it is by analysis alone.
    computed: Option<f64>,
    /// Distance from its bound, if it has one.
    margin: Option<f64>,
}

impl Figure {
    /// What becomes of it where by analysis it becomes so much.
    fn after(&self, after: Option<f64>) -> Option<f64> {
        match (self.value, self.computed) {
            (Some(value), Some(computed)) if computed != 0.0 => after.map(|after| value * after / computed),
            _ => after,
        }
    }
}

/// The objectives, or where there are none the p95 of each workload.
fn figures(system: &System, prediction: &Prediction) -> Vec<Figure> {
    let verdicts: Vec<Verdict> = assess(system, prediction);
    let objectives = verdicts.into_iter().filter(|verdict| verdict.metric != Metric::Cost).map(|verdict| Figure {
        name: verdict.name,
        metric: verdict.metric,
        value: verdict.predicted,
        computed: None,
        margin: Some(verdict.margin.unwrap_or(f64::NEG_INFINITY)),
    });
    let found: Vec<Figure> = objectives.collect();
    if !found.is_empty() {
        return found;
    }
    let p95 = Metric::Percentile(0.95);
    let plain = prediction.workloads.iter().map(|workload| Figure {
        name: format!("{} p95", workload.name),
        metric: p95,
        value: workload.response.p95(),
        computed: None,
        margin: None,
    });
    plain.collect()
}

/// What analysis alone predicts.
fn solved(system: &System) -> Prediction {
    analytic::solve(&compile(system))
}

/// The system with one change; `None` where it cannot be made.
fn changed(system: &System, path: &Path, change: &Change) -> Option<System> {
    let mut changed = system.clone();
    changed.edit(path, change).ok()?;
    Some(changed)
}

/// The services that are worth a look: those that take the most time.
fn looked_at(system: &System, prediction: &Prediction) -> Vec<String> {
    let time = |name: &str| {
        let shares = prediction.workloads.iter().flat_map(|workload| &workload.breakdown);
        shares
            .filter(|share| share.service == name)
            .map(|share| share.queueing + share.service_time)
            .fold(0.0, f64::max)
    };
    let mut names: Vec<String> = system.services.iter().map(|service| service.name.clone()).collect();
    names.sort_by(|a, b| time(b).total_cmp(&time(a)));
    names.truncate(MOST_SERVICES);
    names
}

fn elasticities(system: &System, prediction: &Prediction, before: &[Figure]) -> Vec<Elasticity> {
    let mut inputs: Vec<(Path, Change)> = Vec::new();
    let more = Change::Times(1.0 + CHANGE);
    for workload in &system.workloads {
        let key = match workload.load {
            Load::Open { .. } => "rate",
            Load::Closed { .. } => "users",
            Load::Profile { .. } => continue,
        };
        inputs.push((Path::of(&["workload", &workload.name, key]), more.clone()));
    }
    for name in looked_at(system, prediction) {
        inputs.push((Path::of(&["service", &name, "speed"]), more.clone()));
    }
    for external in &system.externals {
        inputs.push((Path::of(&["external", &external.name, "latency"]), more.clone()));
    }
    let mut found = Vec::new();
    for (path, change) in inputs {
        let Some(changed) = changed(system, &path, &change) else { continue };
        let after = figures(&changed, &solved(&changed));
        for (before, after) in before.iter().zip(after) {
            let after = before.after(after.value);
            let effect = before.value.filter(|value| *value != 0.0).zip(after).map(|(a, b)| b / a - 1.0);
            let gone = before.computed.is_some() && after.is_none();
            if gone || effect.is_some_and(|effect| effect.abs() > FAINT) {
                found.push(Elasticity { input: path.to_string(), figure: before.name.clone(), effect });
            }
        }
    }
    let size = |elasticity: &Elasticity| elasticity.effect.map_or(f64::INFINITY, f64::abs);
    found.sort_by(|a, b| size(b).total_cmp(&size(a)));
    found
}

fn next(system: &System, prediction: &Prediction) -> Option<Next> {
    let now = prediction.bottleneck.as_ref()?;
    // A resource is named after its service, or is a pool.
    let path = match now.strip_prefix("pool ") {
        Some(pool) => Path::of(&["pool", pool, "size"]),
        None => {
            let service = system.services.iter().filter(|service| now.starts_with(&service.name));
            let service = service.max_by_key(|service| service.name.len())?;
            Path::of(&["service", &service.name, "instances"])
        }
    };
    let after = solved(&changed(system, &path, &Change::Times(2.0))?);
    Some(Next { now: now.clone(), then: after.bottleneck?, headroom: after.headroom? })
}

fn remedies(system: &System, prediction: &Prediction, before: &[Figure]) -> Vec<Remedy> {
    // What is furthest from its bound, or the longest time.
    let worst = before.iter().enumerate().min_by(|(_, a), (_, b)| {
        let key = |figure: &Figure| figure.margin.unwrap_or(-figure.value.unwrap_or(f64::INFINITY));
        key(a).total_cmp(&key(b))
    });
    let Some((which, worst)) = worst else { return Vec::new() };
    let mut candidates: Vec<(Path, Change, Option<f64>)> = Vec::new();
    for name in looked_at(system, prediction) {
        let Some(service) = system.services.iter().find(|service| service.name == name) else { continue };
        let full = matches!(service.scale, Scale::Between { max, .. } if service.instances >= max);
        if service.scale != Scale::Fixed && !full {
            candidates.push((Path::of(&["service", &name, "instances"]), Change::Plus(1.0), service.price));
        }
        if let Some(workers) = service.workers {
            let more = (CHANGE * f64::from(workers)).ceil();
            candidates.push((Path::of(&["service", &name, "workers"]), Change::Plus(more), Some(0.0)));
        }
    }
    for pool in &system.pools {
        let more = (CHANGE * f64::from(pool.size)).ceil();
        candidates.push((Path::of(&["pool", &pool.name, "size"]), Change::Plus(more), Some(0.0)));
    }
    let mut found = Vec::new();
    for (path, change, price) in candidates {
        let Some(mut changed) = changed(system, &path, &change) else { continue };
        let after = figures(&changed, &solved(&changed)).into_iter().nth(which).and_then(|figure| figure.value);
        let Some(after) = worst.after(after) else { continue };
        let better = match worst.value {
            Some(value) => margin_of(worst.metric, after, value) > FAINT,
            None => true,
        };
        let number = |system: &mut System| system.number(&path).ok().flatten();
        let Some((from, to)) = number(&mut system.clone()).zip(number(&mut changed)) else { continue };
        if better {
            found.push(Remedy {
                path: path.to_string(),
                from,
                to,
                figure: worst.name.clone(),
                before: worst.value,
                after,
                metric: worst.metric,
                price,
            });
        }
    }
    let cost = |remedy: &Remedy| remedy.price.unwrap_or(1.0);
    let gain = |remedy: &Remedy| if remedy.metric.wants_more() { -remedy.after } else { remedy.after };
    found.sort_by(|a, b| cost(a).total_cmp(&cost(b)).then(gain(a).total_cmp(&gain(b))));
    found.truncate(MOST_REMEDIES);
    found
}

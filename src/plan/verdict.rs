//! Objectives beside predictions: met or missed, and by how much.

use crate::prediction::{Prediction, ServiceResult, Times};
use crate::system::{Metric, Objective, Scope, System};

/// One objective beside what is predicted.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// What it is called in reports: `shoppers p95`.
    pub name: String,
    /// The workload it is about.
    pub workload: Option<String>,
    /// The service it is about.
    pub service: Option<String>,
    /// What is measured.
    pub metric: Metric,
    /// The bound.
    pub target: f64,
    /// What is predicted; `None` where it does not exist, as the p95 of an overloaded queue.
    pub predicted: Option<f64>,
    /// Whether it holds.
    pub met: bool,
    /// Distance from the bound over the bound: above zero when it holds.
    pub margin: Option<f64>,
}

/// Every objective of a system beside its prediction. An objective that names nobody is about every workload, one on
/// utilization about every service.
pub fn assess(system: &System, prediction: &Prediction) -> Vec<Verdict> {
    system.objectives.iter().flat_map(|objective| verdicts(objective, system, prediction)).collect()
}

/// What an objective is called in reports.
pub fn name_of(subject: &str, metric: Metric) -> String {
    match metric {
        Metric::ErrorRate => format!("{subject} errors"),
        Metric::Within(t) => format!("{subject} within {}", crate::unit::duration::print(t)),
        metric => format!("{subject} {}", metric.word()),
    }
}

fn verdicts(objective: &Objective, system: &System, prediction: &Prediction) -> Vec<Verdict> {
    let metric = objective.metric;
    if metric == Metric::Cost {
        return vec![verdict("cost", objective, None, None, system.cost_per_hour())];
    }
    match &objective.scope {
        Scope::Workload(name) if metric == Metric::Utilization => prediction
            .workloads
            .iter()
            .filter(|w| w.name == *name)
            .flat_map(|w| w.breakdown.iter())
            .filter_map(|share| prediction.services.iter().find(|s| s.name == share.service))
            .filter(|s| s.utilization.is_some())
            .map(|s| service_verdict(objective, s))
            .collect(),
        Scope::Workload(name) => {
            prediction.workloads.iter().filter(|w| w.name == *name).map(|w| workload_verdict(objective, w)).collect()
        }
        Scope::Service(name) => {
            prediction.services.iter().filter(|s| s.name == *name).map(|s| service_verdict(objective, s)).collect()
        }
        Scope::Model if metric == Metric::Utilization => prediction
            .services
            .iter()
            .filter(|s| s.utilization.is_some() && !s.external)
            .map(|s| service_verdict(objective, s))
            .collect(),
        Scope::Model => prediction.workloads.iter().map(|w| workload_verdict(objective, w)).collect(),
    }
}

fn workload_verdict(objective: &Objective, workload: &crate::prediction::WorkloadResult) -> Verdict {
    let predicted = match objective.metric {
        Metric::Throughput => Some(workload.throughput),
        Metric::ErrorRate => Some(workload.error_rate),
        // What never answers is not available either.
        Metric::Availability => {
            (workload.arrival_rate > 0.0).then(|| (workload.throughput / workload.arrival_rate).min(1.0))
        }
        Metric::Within(t) => workload.response.exceeding(t).map(|tail| (1.0 - workload.error_rate) * (1.0 - tail)),
        metric => of_times(&workload.response, metric),
    };
    verdict(&workload.name, objective, Some(workload.name.clone()), None, predicted)
}

fn service_verdict(objective: &Objective, service: &ServiceResult) -> Verdict {
    let predicted = match objective.metric {
        Metric::Throughput => Some(service.throughput),
        Metric::ErrorRate => Some(service.error_rate),
        Metric::Availability => Some(1.0 - service.error_rate),
        Metric::Utilization => service.utilization,
        Metric::Within(t) => service.response.exceeding(t).map(|tail| (1.0 - service.error_rate) * (1.0 - tail)),
        metric => of_times(&service.response, metric),
    };
    verdict(&service.name, objective, None, Some(service.name.clone()), predicted)
}

fn of_times(times: &Times, metric: Metric) -> Option<f64> {
    match metric {
        Metric::Mean => times.mean,
        Metric::Percentile(level) => times.percentile(level),
        _ => None,
    }
}

fn verdict(
    subject: &str,
    objective: &Objective,
    workload: Option<String>,
    service: Option<String>,
    predicted: Option<f64>,
) -> Verdict {
    let name = if subject == "cost" { "cost".to_string() } else { name_of(subject, objective.metric) };
    let margin = predicted.map(|value| margin_of(objective.metric, value, objective.target));
    Verdict {
        name,
        workload,
        service,
        metric: objective.metric,
        target: objective.target,
        predicted,
        // A rounding of the last digits is not a missed objective.
        met: margin.is_some_and(|margin| margin >= -1e-9),
        margin,
    }
}

/// Distance from a bound over the bound, above zero on the good side.
pub fn margin_of(metric: Metric, value: f64, target: f64) -> f64 {
    let scale = if target == 0.0 { 1.0 } else { target };
    if metric.wants_more() { (value - target) / scale } else { (target - value) / scale }
}

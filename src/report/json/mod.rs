//! Results as JSON: times in seconds, rates per second, ratios from 0 to 1, `null` for what does not exist.

mod tested;
mod why;

pub use tested::tested;

use super::{Difference, Manifest, differences};
use crate::calculator::Calculation;
use crate::plan::{Explanation, Losing, Plan, PlanError, PlannedService, Point, Verdict};
use crate::prediction::{
    Accuracy, Agreement, Bounds, Confidence, Crowd, Ended, Prediction, ServiceResult, Simulation, Times, Widths,
    WorkloadResult,
};
use crate::system::{Metric, System};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

/// Version of the form of this output.
pub const SCHEMA: u32 = 1;

/// What a command found.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Facts<'a> {
    /// A solved model, perhaps with a plan.
    Solved(Box<Solved<'a>>),
    /// A sweep: one entry for each value.
    Swept(Value),
    /// A load test: its stages and what it found.
    Tested(Value),
    /// A calculation, flat: inputs and results side by side.
    Calculated(Value),
}

/// A solved model. Its workloads and services become data only when they are written, one after the other: all at once
/// they would take more memory than the solution.
#[derive(Serialize)]
pub struct Solved<'a> {
    schema: u32,
    model: &'a str,
    scenario: &'a [String],
    method: &'a str,
    pub(super) stable: bool,
    #[serde(serialize_with = "workloads")]
    pub(super) workloads: &'a [WorkloadResult],
    #[serde(serialize_with = "services")]
    pub(super) services: &'a [ServiceResult],
    pub(super) bottleneck: Option<&'a str>,
    pub(super) headroom: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metastable: Option<Value>,
    pub(super) objectives: Vec<Value>,
    pub(super) cost_per_hour: Option<f64>,
    assumptions: &'a [String],
    warnings: &'a [String],
    manifest: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    simulation: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    analytic: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) differences: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) verdict: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    explanation: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) plan: Option<Value>,
}

impl<'a> Solved<'a> {
    /// A solved model.
    pub fn new(
        system: &'a System,
        scenario: &'a [String],
        prediction: &'a Prediction,
        verdicts: &[Verdict],
        warnings: &'a [String],
        manifest: &'a Manifest,
    ) -> Solved<'a> {
        Solved {
            schema: SCHEMA,
            model: &system.name,
            scenario,
            method: manifest.method,
            stable: prediction.stable,
            workloads: &prediction.workloads,
            services: &prediction.services,
            bottleneck: prediction.bottleneck.as_deref(),
            headroom: prediction.headroom,
            metastable: prediction.metastable.as_ref().map(why::metastable),
            objectives: verdicts.iter().map(verdict).collect(),
            cost_per_hour: system.cost_per_hour(),
            assumptions: &system.assumptions,
            warnings,
            manifest: self::manifest(manifest),
            simulation: prediction.simulation.as_deref().map(simulation),
            analytic: None,
            differences: None,
            verdict: None,
            explanation: None,
            plan: None,
        }
    }

    /// With what theory says of the same model, and how far that is from what was simulated.
    pub fn beside(self, computed: &Prediction, simulated: &Prediction, agreement: &Agreement) -> Solved<'a> {
        let (workloads, services) = (workload_map(computed), service_map(computed));
        let analytic = json!({ "stable": computed.stable, "workloads": workloads, "services": services });
        let differences = differences(computed, simulated).iter().map(difference).collect();
        let verdict = Some(why::agreed(agreement));
        Solved { analytic: Some(analytic), differences: Some(differences), verdict, ..self }
    }

    /// With why it is so.
    pub fn explained(self, explanation: &Explanation, currency: &str) -> Solved<'a> {
        Solved { explanation: Some(why::explanation(explanation, currency)), ..self }
    }

    /// With its plan.
    pub fn planned(self, plan: &Plan) -> Solved<'a> {
        let services: Map<String, Value> =
            plan.services.iter().map(|service| (service.name.clone(), planned(service))).collect();
        let plan = json!({
            "services": services,
            "cost_per_hour": number(plan.cost_after),
            "cost_per_hour_before": number(plan.cost_before),
            "optimal": plan.optimal,
            "evaluations": plan.evaluations,
        });
        Solved { plan: Some(plan), ..self }
    }

    /// Where no plan exists.
    pub fn no_plan(self, error: &PlanError) -> Solved<'a> {
        let plan = json!({
            "services": null,
            "reason": error.verdict.as_ref().map(verdict),
            "case": error.case,
            "saturated": error.saturated,
        });
        Solved { plan: Some(plan), ..self }
    }
}

impl<'a> From<Solved<'a>> for Facts<'a> {
    fn from(solved: Solved<'a>) -> Facts<'a> {
        Facts::Solved(Box::new(solved))
    }
}

fn workload_map(prediction: &Prediction) -> Map<String, Value> {
    prediction.workloads.iter().map(|w| (w.name.clone(), workload(w))).collect()
}

fn service_map(prediction: &Prediction) -> Map<String, Value> {
    prediction.services.iter().map(|s| (s.name.clone(), service(s))).collect()
}

fn workloads<S: Serializer>(list: &[WorkloadResult], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(list.iter().map(|w| (&w.name, workload(w))))
}

fn services<S: Serializer>(list: &[ServiceResult], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(list.iter().map(|s| (&s.name, service(s))))
}

fn planned(service: &PlannedService) -> Value {
    let entry = json!({
        "instances": service.instances,
        "before": service.before,
        "because": because(&service.because),
    });
    match &service.because {
        Losing::Breaks { verdict: broken, case, .. } => {
            with(with(entry, "one_fewer", verdict(broken)), "case", json!(case))
        }
        _ => entry,
    }
}

/// All that is needed to make the result again.
fn manifest(manifest: &Manifest) -> Value {
    json!({
        "model_sha256": manifest.model_sha256,
        "version": manifest.version,
        "method": manifest.method,
        "seed": manifest.seed,
        "tolerances": { "flows": manifest.tolerances.flows, "percentiles": manifest.tolerances.percentiles },
        "changes": manifest.changes,
    })
}

/// A sweep: one entry for each value.
pub fn swept(path: &str, points: &[Point], knee: Option<f64>, manifest: &Manifest) -> Facts<'static> {
    let entries: Vec<Value> = points
        .iter()
        .map(|point| {
            let workloads = workload_map(&point.prediction);
            let services: Map<String, Value> = point
                .prediction
                .services
                .iter()
                .map(|s| (s.name.clone(), json!({ "utilization": number(s.utilization) })))
                .collect();
            json!({ "value": point.value, "stable": point.prediction.stable, "workloads": workloads, "services": services })
        })
        .collect();
    Facts::Swept(json!({
        "schema": SCHEMA,
        "parameter": path,
        "points": entries,
        "knee": number(knee),
        "manifest": self::manifest(manifest),
    }))
}

/// A calculation, flat: inputs and results side by side.
pub fn calculated(calculation: &Calculation) -> Facts<'static> {
    let mut map = Map::new();
    map.insert("schema".to_string(), json!(SCHEMA));
    map.insert("version".to_string(), json!(env!("CARGO_PKG_VERSION")));
    map.insert("formula".to_string(), json!(calculation.formula.word()));
    for figure in calculation.inputs.iter().chain(&calculation.results) {
        map.insert(figure.key.clone(), number(figure.value));
    }
    map.insert("stable".to_string(), json!(calculation.stable));
    map.insert("exact".to_string(), json!(calculation.exact));
    map.insert("assumes".to_string(), json!(calculation.assumes));
    Facts::Calculated(Value::Object(map))
}

fn with(mut object: Value, key: &str, value: Value) -> Value {
    if let Some(map) = object.as_object_mut() {
        map.insert(key.to_string(), value);
    }
    object
}

fn number(value: Option<f64>) -> Value {
    value.filter(|v| v.is_finite()).map_or(Value::Null, |v| json!(v))
}

fn times(times: &Times) -> Value {
    of_time(times.mean, &times.percentiles)
}

fn widths(widths: &Widths) -> Value {
    of_time(widths.mean, &widths.percentiles)
}

fn of_time(mean: Option<f64>, percentiles: &[Option<f64>; 6]) -> Value {
    let mut map = Map::new();
    map.insert("mean".to_string(), number(mean));
    for ((word, _), value) in Metric::PERCENTILES.iter().zip(percentiles) {
        map.insert((*word).to_string(), number(*value));
    }
    Value::Object(map)
}

pub(super) fn workload(w: &WorkloadResult) -> Value {
    let breakdown: Vec<Value> = w
        .breakdown
        .iter()
        .map(|s| json!({ "service": s.service, "queueing": s.queueing, "service_time": s.service_time, "visits": s.visits }))
        .collect();
    let headroom = w.saturation_rate.filter(|_| w.arrival_rate > 0.0).map(|s| s / w.arrival_rate);
    let result = json!({
        "arrival_rate": w.arrival_rate,
        "throughput": w.throughput,
        "error_rate": w.error_rate,
        "response": times(&w.response),
        "saturation_rate": number(w.saturation_rate),
        "headroom": number(headroom),
        "breakdown": breakdown,
        "accuracy": accuracy(&w.accuracy),
    });
    match &w.crowd {
        Some(crowd) => with(result, "users", self::crowd(crowd)),
        None => result,
    }
}

/// Users, and what bounds them.
fn crowd(crowd: &Crowd) -> Value {
    let bounds = |within: &Bounds| {
        json!({
            "throughput_lower": number(within.throughput.0),
            "throughput_upper": number(within.throughput.1),
            "response_lower": within.response.0,
            "response_upper": number(within.response.1),
        })
    };
    json!({
        "number": crowd.users,
        "saturation_users": number(Some(crowd.knee)),
        "asymptotic": bounds(&crowd.asymptotic),
        "balanced": crowd.balanced.as_ref().map(bounds),
    })
}

fn accuracy(accuracy: &Accuracy) -> Value {
    match accuracy {
        Accuracy::Exact => json!({ "kind": "exact" }),
        Accuracy::Approximate { p95_error } => json!({ "kind": "approximate", "p95_error": p95_error }),
        Accuracy::Simulated(confidence) => json!({ "kind": "simulated", "confidence": self::confidence(confidence) }),
        Accuracy::Overloaded => json!({ "kind": "approximate", "p95_error": null }),
    }
}

fn simulation(simulation: &Simulation) -> Value {
    json!({
        "seed": simulation.seed,
        "replications": simulation.replications,
        "warmup": simulation.warmup,
        "duration": simulation.duration,
        "requests": simulation.requests,
        "visits": simulation.visits,
        "precision": number(simulation.precision),
        "least_certain": simulation.least_certain,
        "wanted_precision": number(simulation.wanted),
        "converged": simulation.is_precise(),
        "ended": match simulation.ended {
            Ended::Precise => "precision",
            Ended::Complete => "length",
            Ended::Enough => "effort",
            Ended::Stopped => "stopped",
            Ended::Hopeless => "no steady state",
        },
    })
}

fn difference(difference: &Difference) -> Value {
    let subject = if difference.is_service { "service" } else { "workload" };
    json!({
        subject: difference.subject,
        "metric": difference.metric,
        "analytic": number(difference.computed),
        "simulated": number(difference.simulated),
        "half_width": number(difference.half_width),
        "difference": number(difference.relative()),
        "inside": difference.is_inside(),
    })
}

/// Half the widths of intervals, by the names of their figures; those that are of no use here are left out.
fn confidence(confidence: &Confidence) -> Value {
    let mut map = Map::new();
    let mut put = |key: &str, width: Option<f64>| {
        if width.is_some() {
            map.insert(key.to_string(), number(width));
        }
    };
    put("arrival_rate", confidence.arrival_rate);
    put("throughput", confidence.throughput);
    put("error_rate", confidence.error_rate);
    put("utilization", confidence.utilization);
    put("queue_length", confidence.queue_length);
    put("workers_utilization", confidence.workers_utilization);
    put("amplification", confidence.amplification);
    if confidence.wait.mean.is_some() {
        map.insert("wait".to_string(), widths(&confidence.wait));
    }
    map.insert("response".to_string(), widths(&confidence.response));
    Value::Object(map)
}

pub(super) fn service(s: &ServiceResult) -> Value {
    let devices: Map<String, Value> =
        s.devices.iter().map(|(name, utilization)| (name.clone(), json!({ "utilization": utilization }))).collect();
    let mut value = json!({
        "instances": s.instances,
        "utilization": number(s.utilization),
        "arrival_rate": s.arrival_rate,
        "throughput": s.throughput,
        "error_rate": s.error_rate,
        "queue_length": number(s.queue_length),
        "wait": times(&s.wait),
        "response": times(&s.response),
        "workers_utilization": number(s.workers_utilization),
        "saturation_rate": number(s.saturation_rate),
    });
    if let Some(amplification) = s.amplification {
        value = with(value, "amplification", json!(amplification));
    }
    if !devices.is_empty() {
        value = with(value, "devices", Value::Object(devices));
    }
    if let Some(confidence) = &s.confidence {
        value = with(value, "confidence", self::confidence(confidence));
    }
    if s.external { with(value, "external", json!(true)) } else { value }
}

fn verdict(v: &Verdict) -> Value {
    let mut map = Map::new();
    map.insert("name".to_string(), json!(v.name));
    if let Some(workload) = &v.workload {
        map.insert("workload".to_string(), json!(workload));
    }
    if let Some(service) = &v.service {
        map.insert("service".to_string(), json!(service));
    }
    map.insert("metric".to_string(), json!(v.metric.word()));
    if let Metric::Within(within) = v.metric {
        map.insert("within".to_string(), json!(within));
    }
    map.insert("target".to_string(), json!(v.target));
    map.insert("predicted".to_string(), number(v.predicted));
    map.insert("met".to_string(), json!(v.met));
    map.insert("margin".to_string(), number(v.margin));
    Value::Object(map)
}

fn because(losing: &Losing) -> String {
    match losing {
        Losing::Breaks { objective, .. } => objective.clone(),
        Losing::Saturates { .. } => "saturation".to_string(),
        Losing::Least => "scale".to_string(),
        Losing::Fixed => "fixed".to_string(),
        Losing::Unproven => "unproven".to_string(),
    }
}

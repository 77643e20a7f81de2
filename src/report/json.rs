//! Results as JSON: times in seconds, rates per second, ratios from 0 to 1, `null` for what does not exist.

use super::Manifest;
use crate::calculator::Calculation;
use crate::plan::{Losing, Plan, PlanError, Point, Verdict};
use crate::prediction::{Accuracy, Prediction, ServiceResult, Times, WorkloadResult};
use crate::system::{Metric, System};
use serde_json::{Map, Value, json};

/// Version of the form of this output.
pub const SCHEMA: u32 = 1;

/// A solved model.
pub fn solved(
    system: &System,
    scenario: &[String],
    prediction: &Prediction,
    verdicts: &[Verdict],
    warnings: &[String],
    manifest: &Manifest,
) -> Value {
    let workloads: Map<String, Value> = prediction.workloads.iter().map(|w| (w.name.clone(), workload(w))).collect();
    let services: Map<String, Value> = prediction.services.iter().map(|s| (s.name.clone(), service(s))).collect();
    json!({
        "schema": SCHEMA,
        "model": system.name,
        "scenario": scenario,
        "method": manifest.method,
        "stable": prediction.stable,
        "workloads": workloads,
        "services": services,
        "bottleneck": prediction.bottleneck,
        "headroom": number(prediction.headroom),
        "objectives": verdicts.iter().map(verdict).collect::<Vec<_>>(),
        "cost_per_hour": number(system.cost_per_hour()),
        "assumptions": system.assumptions,
        "warnings": warnings,
        "manifest": {
            "model_sha256": manifest.model_sha256,
            "version": manifest.version,
            "method": manifest.method,
            "seed": null,
            "changes": manifest.changes,
        },
    })
}

/// A solved model with its plan.
pub fn planned(solved: Value, plan: &Plan) -> Value {
    let services: Map<String, Value> = plan
        .services
        .iter()
        .map(|service| {
            let mut entry = json!({
                "instances": service.instances,
                "before": service.before,
                "because": because(&service.because),
            });
            if let (Losing::Breaks { verdict: broken, case, .. }, Some(entry)) =
                (&service.because, entry.as_object_mut())
            {
                entry.insert("one_fewer".to_string(), verdict(broken));
                entry.insert("case".to_string(), json!(case));
            }
            (service.name.clone(), entry)
        })
        .collect();
    with(
        solved,
        "plan",
        json!({
            "services": services,
            "cost_per_hour": number(plan.cost_after),
            "cost_per_hour_before": number(plan.cost_before),
            "optimal": plan.optimal,
            "evaluations": plan.evaluations,
        }),
    )
}

/// A model for which no plan exists.
pub fn no_plan(solved: Value, error: &PlanError) -> Value {
    with(
        solved,
        "plan",
        json!({
            "services": null,
            "reason": error.verdict.as_ref().map(verdict),
            "case": error.case,
            "saturated": error.saturated,
        }),
    )
}

/// A sweep: one entry for each value.
pub fn swept(path: &str, points: &[Point], knee: Option<f64>, manifest: &Manifest) -> Value {
    let entries: Vec<Value> = points
        .iter()
        .map(|point| {
            let workloads: Map<String, Value> =
                point.prediction.workloads.iter().map(|w| (w.name.clone(), workload(w))).collect();
            let services: Map<String, Value> = point
                .prediction
                .services
                .iter()
                .map(|s| (s.name.clone(), json!({ "utilization": number(s.utilization) })))
                .collect();
            json!({ "value": point.value, "stable": point.prediction.stable, "workloads": workloads, "services": services })
        })
        .collect();
    json!({
        "schema": SCHEMA,
        "parameter": path,
        "points": entries,
        "knee": number(knee),
        "manifest": { "model_sha256": manifest.model_sha256, "version": manifest.version, "method": manifest.method },
    })
}

/// A calculation, flat: inputs and results side by side.
pub fn calculated(calculation: &Calculation) -> Value {
    let mut map = Map::new();
    map.insert("schema".to_string(), json!(SCHEMA));
    map.insert("formula".to_string(), json!(calculation.formula.word()));
    for figure in calculation.inputs.iter().chain(&calculation.results) {
        map.insert(figure.key.clone(), number(figure.value));
    }
    map.insert("stable".to_string(), json!(calculation.stable));
    map.insert("exact".to_string(), json!(calculation.exact));
    map.insert("assumes".to_string(), json!(calculation.assumes));
    Value::Object(map)
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
    let mut map = Map::new();
    map.insert("mean".to_string(), number(times.mean));
    for ((word, _), value) in Metric::PERCENTILES.iter().zip(times.percentiles) {
        map.insert((*word).to_string(), number(value));
    }
    Value::Object(map)
}

fn workload(w: &WorkloadResult) -> Value {
    let breakdown: Vec<Value> = w
        .breakdown
        .iter()
        .map(|s| json!({ "service": s.service, "queueing": s.queueing, "service_time": s.service_time, "visits": s.visits }))
        .collect();
    let headroom = w.saturation_rate.filter(|_| w.arrival_rate > 0.0).map(|s| s / w.arrival_rate);
    json!({
        "arrival_rate": w.arrival_rate,
        "throughput": w.throughput,
        "error_rate": w.error_rate,
        "response": times(&w.response),
        "saturation_rate": number(w.saturation_rate),
        "headroom": number(headroom),
        "breakdown": breakdown,
        "accuracy": accuracy(&w.accuracy),
    })
}

fn accuracy(accuracy: &Accuracy) -> Value {
    match accuracy {
        Accuracy::Exact => json!({ "kind": "exact" }),
        Accuracy::Approximate { p95_error } => json!({ "kind": "approximate", "p95_error": p95_error }),
        Accuracy::Overloaded => json!({ "kind": "approximate", "p95_error": null }),
    }
}

fn service(s: &ServiceResult) -> Value {
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
    if !devices.is_empty() {
        value = with(value, "devices", Value::Object(devices));
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

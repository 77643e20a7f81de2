//! A load test as JSON.

use super::{Facts, SCHEMA, number, service_map, verdict, workload_map};
use crate::plan::{Finding, Limit, LoadTest, Recovery, Stage};
use crate::report::Manifest;
use crate::system::System;
use serde_json::{Map, Value, json};

/// A load test: its stages and what it found.
pub fn tested(
    system: &System,
    scenario: &[String],
    test: &LoadTest,
    warnings: &[String],
    manifest: &Manifest,
) -> Facts<'static> {
    Facts::Tested(json!({
        "schema": SCHEMA,
        "model": system.name,
        "scenario": scenario,
        "test": test.kind.word(),
        "stages": test.stages.iter().map(stage).collect::<Vec<_>>(),
        "found": found(&test.finding),
        "stopped": test.stopped,
        "warnings": warnings,
        "manifest": super::manifest(manifest),
    }))
}

fn stage(stage: &Stage) -> Value {
    let prediction = &stage.prediction;
    json!({
        "name": stage.name,
        "load": stage.factor,
        "instances": stage.instances,
        "start": stage.start,
        "end": stage.end,
        "stable": prediction.stable,
        "workloads": workload_map(prediction),
        "services": service_map(prediction),
    })
}

fn found(finding: &Finding) -> Value {
    let limit = |limit: &Option<Limit>| {
        limit.as_ref().map(|limit| json!({ "holds": limit.holds, "fails": limit.fails, "why": limit.why }))
    };
    match finding {
        Finding::Verdicts(verdicts) => json!({ "objectives": verdicts.iter().map(verdict).collect::<Vec<_>>() }),
        Finding::Limits { objectives, breaking } => {
            json!({ "objectives_limit": limit(objectives), "breaking_point": limit(breaking) })
        }
        Finding::Recovery(all) => {
            let p95 = |r: &Recovery| {
                let figures = json!({
                    "p95_before": number(r.before),
                    "p95_worst": number(r.worst),
                    "error_rate_worst": r.errors,
                    "recovery_time": number(r.time),
                });
                (r.subject.clone(), figures)
            };
            let queue = |r: &Recovery| {
                let figures = json!({
                    "queue_length_before": number(r.before),
                    "queue_length_worst": number(r.worst),
                    "recovery_time": number(r.time),
                });
                (r.subject.clone(), figures)
            };
            let workloads: Map<String, Value> = all.iter().filter(|r| !r.is_service).map(p95).collect();
            let services: Map<String, Value> = all.iter().filter(|r| r.is_service).map(queue).collect();
            json!({ "recovery": { "workloads": workloads, "services": services } })
        }
        Finding::Drift(all) => {
            let entry = |(name, drift): &(String, Option<f64>)| (name.clone(), number(*drift));
            json!({ "drift": all.iter().map(entry).collect::<Map<String, Value>>() })
        }
        Finding::Efficiency(all) => json!({ "efficiency": all.iter().map(|e| number(*e)).collect::<Vec<_>>() }),
    }
}

//! Why a prediction is as it is, and how far to believe it, as JSON.

use super::super::explained;
use super::number;
use crate::plan::{CHANGE, Elasticity, Explanation, Made, Next, Remedy};
use crate::prediction::{Agreement, Apart, Metastable, Part, Regime};
use serde_json::{Map, Value, json};

/// Why a prediction is as it is.
pub(super) fn explanation(explanation: &Explanation, currency: &str) -> Value {
    let part = |part: &Part| json!({ "place": part.place, "cause": part.cause.word(), "seconds": part.time, "share": part.share });
    let workload = |made: &Made| {
        let sentence = made.p95.filter(|_| !made.parts.is_empty()).map(|p95| explained::sentence(made, p95));
        let parts: Vec<Value> = made.parts.iter().map(part).collect();
        (made.workload.clone(), json!({ "p95": number(made.p95), "parts": parts, "sentence": sentence }))
    };
    let elasticity = |elasticity: &Elasticity| {
        json!({
            "input": elasticity.input,
            "change": CHANGE,
            "figure": elasticity.figure,
            "effect": number(elasticity.effect),
        })
    };
    let remedy = |remedy: &Remedy| {
        json!({
            "path": remedy.path,
            "from": remedy.from,
            "to": remedy.to,
            "figure": remedy.figure,
            "before": number(remedy.before),
            "after": remedy.after,
            "price_per_hour": number(remedy.price),
            "sentence": explained::remedy_sentence(remedy, currency),
        })
    };
    let next = |next: &Next| json!({ "now": next.now, "then": next.then, "headroom": next.headroom });
    let workloads: Map<String, Value> = explanation.workloads.iter().map(workload).collect();
    json!({
        "workloads": workloads,
        "elasticities": explanation.elasticities.iter().map(elasticity).collect::<Vec<_>>(),
        "next_bottleneck": explanation.next.as_ref().map(next),
        "changes": explanation.remedies.iter().map(remedy).collect::<Vec<_>>(),
    })
}

/// The state it does not come back from.
pub(super) fn metastable(state: &Metastable) -> Value {
    let regime = |regime: &Regime| {
        (regime.workload.clone(), json!({ "throughput": regime.throughput, "error_rate": regime.error_rate }))
    };
    let workloads: Map<String, Value> = state.workloads.iter().map(regime).collect();
    json!({
        "resource": state.resource,
        "load": state.load,
        "from": state.from,
        "trigger": { "waiting": state.waiting, "outage": state.outage },
        "workloads": workloads,
    })
}

/// What both engines together say.
pub(super) fn agreed(agreement: &Agreement) -> Value {
    let apart = |apart: &Apart| {
        json!({
            "subject": apart.subject,
            "metric": apart.metric,
            "analytic": number(Some(apart.computed)),
            "simulated": number(Some(apart.simulated)),
            "because": apart.cause.code,
            "at": apart.cause.service,
            "sentence": apart.cause.sentence,
        })
    };
    json!({
        "agrees": agreement.holds(),
        "compared": agreement.compared,
        "sentence": agreement.sentence(),
        "apart": agreement.apart.iter().map(apart).collect::<Vec<_>>(),
    })
}

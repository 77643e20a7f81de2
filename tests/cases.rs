//! The simulation engine against independent simulations of the same models.
//!
//! The figures in `tests/oracle/models/` are means of ten replications of another program, with the half-width of their 95%
//! interval. A figure agrees when it lies within twice that half-width and its own, or within 1%.

#![allow(clippy::disallowed_macros, clippy::disallowed_methods)]

use plimsoll::prediction::{Accuracy, Confidence, Prediction};
use plimsoll::simulate::{Effort, simulate};
use plimsoll::{document, network};
use serde_json::Value;
use std::path::Path;

/// A figure by its key, with its own half-width.
fn figure(prediction: &Prediction, key: &str) -> Option<(f64, f64)> {
    let [kind, name, what] = key.split('.').collect::<Vec<_>>()[..] else { return None };
    let found = |value: Option<f64>, width: Option<f64>| Some((value?, width.unwrap_or(0.0)));
    if kind == "w" {
        let w = prediction.workloads.iter().find(|w| w.name == name)?;
        let Accuracy::Simulated(confidence) = &w.accuracy else { return None };
        let Confidence { throughput, error_rate, response, .. } = confidence.as_ref();
        let level = |i: usize| found(w.response.percentiles[i], response.percentiles[i]);
        return match what {
            "throughput" => found(Some(w.throughput), *throughput),
            "error_rate" => found(Some(w.error_rate), *error_rate),
            "mean" => found(w.response.mean, response.mean),
            "p50" => level(0),
            "p90" => level(2),
            "p95" => level(3),
            "p99" => level(4),
            _ => None,
        };
    }
    let s = prediction.services.iter().find(|s| s.name == name)?;
    let confidence = s.confidence.as_deref()?;
    match what {
        "utilization" => found(s.utilization, confidence.utilization),
        "arrival_rate" => found(Some(s.arrival_rate), confidence.arrival_rate),
        "response_mean" => found(s.response.mean, confidence.response.mean),
        "wait_mean" => found(s.wait.mean, confidence.wait.mean),
        _ => None,
    }
}

#[test]
fn ten_models_agree_with_independent_simulations() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/models");
    let mut models: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    models.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    models.sort();
    assert_eq!(models.len(), 10);
    let (mut checked, mut off) = (0, Vec::new());
    for model in models {
        let text = std::fs::read_to_string(&model).unwrap();
        let no_files = |_: &str| Err("none".to_string());
        let system = document::read(&text, &no_files).unwrap_or_else(|wrong| panic!("{:?}", wrong.first())).system;
        let effort = Effort { requests: Some(600_000), ..Effort::default() };
        let prediction = simulate(&network::compile(&system), &effort, &|_| true).prediction;
        assert!(prediction.stable, "{model:?}");
        let expected: Value =
            serde_json::from_str(&std::fs::read_to_string(model.with_extension("json")).unwrap()).unwrap();
        for (key, value) in expected.as_object().unwrap() {
            let (want, half) = (value[0].as_f64().unwrap(), value[1].as_f64().unwrap());
            let name = model.file_stem().unwrap().to_string_lossy();
            let (got, width) = figure(&prediction, key).unwrap_or_else(|| panic!("{name} {key} is missing"));
            checked += 1;
            if (got - want).abs() > (2.0 * half.hypot(width)).max(0.01 * want.abs()) {
                off.push(format!("{name} {key}: {got} ± {width}, want {want} ± {half}"));
            }
        }
    }
    println!("{checked} figures");
    assert!(off.is_empty(), "{} of {checked} are off:\n{}", off.len(), off.join("\n"));
}

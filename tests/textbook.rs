//! Published cases in `models/textbook/`: the figures that stand in their comments.

#![allow(clippy::disallowed_methods)]

use plimsoll::prediction::{Accuracy, Prediction};
use plimsoll::{analytic, document, network};

fn solve(name: &str) -> Prediction {
    let path = format!("{}/models/textbook/{name}.toml", env!("CARGO_MANIFEST_DIR"));
    let no_files = |_: &str| Err("none".to_string());
    let system = document::read(&std::fs::read_to_string(path).unwrap(), &no_files).unwrap().system;
    analytic::solve(&network::compile(&system))
}

fn near(got: Option<f64>, want: f64, tolerance: f64) {
    let got = got.unwrap();
    assert!((got / want - 1.0).abs() < tolerance, "{got} {want}");
}

#[test]
fn lazowskas_server() {
    let prediction = solve("lazowska-server");
    let server = &prediction.services[0];
    near(server.utilization, 0.1815, 1e-9);
    near(Some(server.devices[0].1), 0.63, 1e-9);
    near(Some(server.devices[1].1), 0.405, 1e-9);
    let residence = 0.605 / (1.0 - 0.1815) + 2.1 / (1.0 - 0.63) + 1.35 / (1.0 - 0.405);
    near(prediction.workloads[0].response.mean, residence, 1e-9);
    near(prediction.workloads[0].saturation_rate, 1.0 / 2.1, 1e-9);
}

#[test]
fn cobhams_priorities() {
    let prediction = solve("cobham-priorities");
    near(prediction.workloads[0].response.mean, 0.0275, 1e-9);
    near(prediction.workloads[1].response.mean, 0.1075, 1e-9);
    assert!(prediction.workloads.iter().all(|workload| workload.accuracy == Accuracy::Exact));
}

#[test]
fn burkes_tandem() {
    let prediction = solve("burke-tandem");
    let response = &prediction.workloads[0].response;
    near(response.mean, 0.5 + 1.0 / 4.5 + 1.0 / 12.0, 1e-9);
    assert_eq!(prediction.workloads[0].accuracy, Accuracy::Exact);
    let (a, b, c) = (2.0, 4.5, 12.0);
    let part = |x: f64, y: f64, z: f64, t: f64| y * z / ((y - x) * (z - x)) * (-x * t).exp();
    for (level, t) in [(0.5, 0.5), (0.95, 0.95), (0.999, 0.999)].map(|(p, level)| (p, response.percentile(level))) {
        let t = t.unwrap();
        let tail = part(a, b, c, t) + part(b, a, c, t) + part(c, a, b, t);
        assert!((tail / (1.0 - level) - 1.0).abs() < 1e-7, "{level}: {t}");
    }
}

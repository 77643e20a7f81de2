//! The laws every result must obey, whatever engine made it.

use super::{Prediction, Times};

/// Every law that a prediction breaks by more than `tolerance` (relative), in words; empty when it obeys all.
pub fn broken(prediction: &Prediction, tolerance: f64) -> Vec<String> {
    let mut broken = Vec::new();
    for workload in &prediction.workloads {
        let name = &workload.name;
        if workload.throughput > workload.arrival_rate * (1.0 + tolerance) {
            broken.push(format!("{name}: more requests succeed than arrive"));
        }
        if !(0.0..=1.0).contains(&workload.error_rate) {
            broken.push(format!("{name}: error rate {} is no ratio", workload.error_rate));
        }
        if let Some(mean) = workload.response.mean.filter(|_| !workload.breakdown.is_empty()) {
            let sum: f64 = workload.breakdown.iter().map(|share| share.queueing + share.service_time).sum();
            if (sum - mean).abs() > (tolerance * mean).max(1e-15) {
                broken.push(format!("{name}: the breakdown adds up to {sum}, the mean is {mean}"));
            }
        }
        percentiles_rise(name, &workload.response, &mut broken);
    }
    for service in &prediction.services {
        let name = &service.name;
        if service.utilization.is_some_and(|u| !(0.0..=1.0 + 1e-9).contains(&u)) {
            broken.push(format!("{name}: utilization {:?} is no ratio", service.utilization));
        }
        percentiles_rise(name, &service.wait, &mut broken);
        percentiles_rise(name, &service.response, &mut broken);
    }
    broken
}

fn percentiles_rise(name: &str, times: &Times, broken: &mut Vec<String>) {
    let values: Vec<f64> = times.percentiles.iter().flatten().copied().collect();
    if values.windows(2).any(|pair| pair[1] < pair[0]) || values.iter().any(|v| !v.is_finite() || *v < 0.0) {
        broken.push(format!("{name}: percentiles {values:?} do not rise"));
    }
}

//! Regimes: times in which workloads come at different rates, each solved by itself, put together by how long they last and
//! how many requests come in them.

use crate::math::roots;
use crate::prediction::{Accuracy, Prediction, ServiceResult, Share, Times, WorkloadResult};
use crate::system::Metric;

use super::bursts::Phase;

/// A part of all time.
#[derive(Debug, Clone)]
pub(super) struct Regime {
    /// How large a part.
    pub share: f64,
    /// Arrival rate of each workload meanwhile.
    pub rates: Vec<f64>,
    /// What is met besides, where workloads come in bursts.
    pub phase: Option<Phase>,
}

/// Parts of all time by their share, put together; what is known of mean rates stays as in `base`.
pub(super) fn mixed(base: Prediction, parts: &[(f64, Prediction)]) -> Prediction {
    let workload = |w: usize| {
        let own: Vec<(f64, &WorkloadResult)> = parts.iter().map(|(share, part)| (*share, &part.workloads[w])).collect();
        of_workload(&base.workloads[w], &own)
    };
    let service = |id: usize| {
        let own: Vec<(f64, &ServiceResult)> = parts.iter().map(|(share, part)| (*share, &part.services[id])).collect();
        of_service(&base.services[id], &own)
    };
    Prediction {
        workloads: (0..base.workloads.len()).map(workload).collect(),
        services: (0..base.services.len()).map(service).collect(),
        ..base
    }
}

fn sum<'a, T: 'a>(parts: &[(f64, &'a T)], value: impl Fn(&'a T) -> f64) -> f64 {
    parts.iter().map(|(share, part)| share * value(part)).sum()
}

fn of_workload(base: &WorkloadResult, parts: &[(f64, &WorkloadResult)]) -> WorkloadResult {
    let arrivals = sum(parts, |part| part.arrival_rate);
    let throughput = sum(parts, |part| part.throughput);
    let failed = sum(parts, |part| part.arrival_rate * part.error_rate);
    let response =
        mixture(&parts.iter().map(|(share, part)| (share * part.throughput, &part.response)).collect::<Vec<_>>());
    let mut breakdown: Vec<Share> = Vec::new();
    for (share, part) in parts {
        let weight = if throughput > 0.0 { share * part.throughput / throughput } else { 0.0 };
        for own in &part.breakdown {
            let visits = own.visits * share * part.arrival_rate / arrivals.max(f64::MIN_POSITIVE);
            match breakdown.iter_mut().find(|known| known.service == own.service) {
                Some(known) => {
                    known.queueing += weight * own.queueing;
                    known.service_time += weight * own.service_time;
                    known.visits += visits;
                }
                None => breakdown.push(Share {
                    service: own.service.clone(),
                    queueing: weight * own.queueing,
                    service_time: weight * own.service_time,
                    visits,
                }),
            }
        }
    }
    WorkloadResult {
        name: base.name.clone(),
        arrival_rate: arrivals,
        throughput,
        error_rate: if arrivals > 0.0 { failed / arrivals } else { base.error_rate },
        saturation_rate: base.saturation_rate,
        crowd: base.crowd.clone(),
        breakdown: if response.mean.is_some() { breakdown } else { Vec::new() },
        accuracy: if response.mean.is_some() { accuracy(parts) } else { Accuracy::Overloaded },
        response,
    }
}

/// The error to expect of a mixture: the greatest of its parts.
fn accuracy(parts: &[(f64, &WorkloadResult)]) -> Accuracy {
    let error = |accuracy: &Accuracy| match accuracy {
        Accuracy::Approximate { p95_error } => *p95_error,
        _ => 0.0,
    };
    let weight: f64 = parts.iter().map(|(share, part)| share * part.throughput).sum();
    let mean: f64 = parts.iter().map(|(share, part)| share * part.throughput * error(&part.accuracy)).sum();
    let most = parts.iter().map(|(_, part)| error(&part.accuracy)).fold(0.0, f64::max);
    Accuracy::Approximate { p95_error: 0.5 * (most + if weight > 0.0 { mean / weight } else { most }) }
}

fn of_service(base: &ServiceResult, parts: &[(f64, &ServiceResult)]) -> ServiceResult {
    let arrivals = sum(parts, |part| part.arrival_rate);
    let times = |times: fn(&ServiceResult) -> &Times| {
        mixture(&parts.iter().map(|(share, part)| (share * part.throughput, times(part))).collect::<Vec<_>>())
    };
    let failed = sum(parts, |part| part.arrival_rate * part.error_rate);
    let mean = |value: fn(&ServiceResult) -> Option<f64>| {
        parts.iter().map(|(share, part)| value(part).map(|value| share * value)).sum::<Option<f64>>()
    };
    ServiceResult {
        arrival_rate: arrivals,
        amplification: parts
            .iter()
            .map(|(share, part)| part.amplification.map(|more| share * part.arrival_rate / more))
            .sum::<Option<f64>>()
            .filter(|first| *first > 0.0)
            .map(|first| arrivals / first),
        throughput: sum(parts, |part| part.throughput),
        error_rate: if arrivals > 0.0 { failed / arrivals } else { base.error_rate },
        // What is put off while more comes than can be done is done later.
        utilization: base.utilization,
        queue_length: mean(|part| part.queue_length),
        wait: times(|part| &part.wait),
        response: times(|part| &part.response),
        workers_utilization: mean(|part| part.workers_utilization),
        ..base.clone()
    }
}

/// A mixture of times by weight; nothing where one of them does not exist.
fn mixture(parts: &[(f64, &Times)]) -> Times {
    let parts: Vec<&(f64, &Times)> = parts.iter().filter(|(weight, _)| *weight > 0.0).collect();
    let total: f64 = parts.iter().map(|(weight, _)| weight).sum();
    let mean = parts.iter().map(|(weight, times)| times.mean.map(|mean| weight * mean)).sum::<Option<f64>>();
    let Some(mean) = mean.filter(|_| total > 0.0).map(|mean| mean / total) else { return Times::default() };
    if mean <= 0.0 {
        return Times::zero();
    }
    // Points of each: its curve and its percentiles.
    let full: Vec<(f64, Times)> = parts
        .iter()
        .map(|(weight, times)| {
            let own = times.percentiles.iter().zip(Metric::PERCENTILES);
            let mut curve = times.curve.clone();
            curve.extend(own.filter_map(|(time, (_, level))| time.map(|time| (time, 1.0 - level))));
            curve.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.1.total_cmp(&a.1)));
            // A point that read less exactly would rise again falls with the one before.
            let mut lowest = 1.0f64;
            curve.iter_mut().for_each(|(_, tail)| {
                lowest = lowest.min(*tail);
                *tail = lowest;
            });
            (weight / total, Times { curve, ..(*times).clone() })
        })
        .collect();
    let exceeding = |t: f64| full.iter().map(|(weight, times)| weight * times.exceeding(t).unwrap_or(0.0)).sum::<f64>();
    let percentiles = std::array::from_fn(|i| {
        let each = full.iter().filter_map(|(_, times)| times.percentiles[i]);
        let (low, high) = each.fold((f64::INFINITY, 0.0f64), |(low, high), t| (low.min(t), high.max(t)));
        let level = 1.0 - Metric::PERCENTILES[i].1;
        let excess = |t: f64| (exceeding(t).max(1e-300) / level).ln();
        let (low, high) = (low * (1.0 - 1e-9), high * (1.0 + 1e-9));
        if high - low <= 1e-8 * high || excess(high) > 0.0 {
            return Some(high);
        }
        Some(if excess(low) <= 0.0 { low } else { roots::bracketed(low, high, 1e-9, excess) })
    });
    let mut times: Vec<f64> = full.iter().flat_map(|(_, times)| times.curve.iter().map(|(t, _)| *t)).collect();
    times.sort_by(f64::total_cmp);
    times.dedup();
    let curve = times.into_iter().map(|t| (t, exceeding(t))).collect();
    let mut highest = 0.0f64;
    let percentiles: [Option<f64>; 6] = percentiles;
    let percentiles = percentiles.map(|time| {
        highest = highest.max(time.unwrap_or(highest));
        Some(highest)
    });
    Times { mean: Some(mean), percentiles, curve }
}

/// A prediction with a wait for what has piled up before the bottleneck.
pub(super) fn delayed(mut prediction: Prediction, delay: f64) -> Prediction {
    if delay <= 0.0 {
        return prediction;
    }
    let bottleneck = prediction.bottleneck.clone().unwrap_or_default();
    // Its devices, workers and limit are called after a service.
    let is_there =
        |name: &str| bottleneck.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
    for service in prediction.services.iter_mut().filter(|service| is_there(&service.name)) {
        service.wait = later(&service.wait, delay);
        service.response = later(&service.response, delay);
        service.queue_length = service.queue_length.map(|length| length + delay * service.throughput);
    }
    for workload in &mut prediction.workloads {
        let response = &mut workload.response;
        let Some(share) = workload.breakdown.iter_mut().find(|share| is_there(&share.service)) else { continue };
        share.queueing += delay * share.visits;
        // Those that come there at all, once or several times.
        let (come, times) = (share.visits.min(1.0), share.visits.max(1.0));
        *response = mixture(&[(1.0 - come, response), (come, &later(response, delay * times))]);
    }
    prediction
}

/// Times that are so much longer.
fn later(times: &Times, delay: f64) -> Times {
    Times {
        mean: times.mean.map(|mean| mean + delay),
        percentiles: times.percentiles.map(|time| time.map(|time| time + delay)),
        curve: times.curve.iter().map(|(time, tail)| (time + delay, *tail)).collect(),
    }
}

//! The figures of a run, and how far the truth may lie from them.
//!
//! A figure is taken from all replications put together; its interval comes from how the figures of the single replications
//! lie around it (sectioning), which holds for percentiles as it does for means, and is less biased than their average:
//!
//! ```text
//! θ ± t_{R-1} s / √R,   s² = Σ (θ_r - θ)² / (R - 1)
//! ```
//!
//! Source: Asmussen and Glynn, Stochastic Simulation (2007), section III.5; Nakayama, Confidence intervals for quantiles
//! using sectioning when applying variance-reduction techniques (2014).

use super::queue::Usage;
use super::record::{Record, Requests, Sample};
use crate::math::estimate::{half_width, rests_on_one};
use crate::network::{Network, ServiceId, Station};
use crate::prediction::{Confidence, Widths};
use crate::system::Metric;

/// Figures of a time: its mean and percentiles.
const OF_TIME: usize = 1 + Metric::PERCENTILES.len();

/// Figures of a workload: arrival rate, throughput, error rate, response.
pub(super) type OfWorkload = [f64; 3 + OF_TIME];

/// Figures of a service: the same, then utilization, queue length, busy workers, amplification, wait.
pub(super) type OfService = [f64; 7 + 2 * OF_TIME];

/// All figures of a run; no number where one does not exist.
#[derive(Debug, Clone)]
pub(super) struct Figures {
    pub workloads: Vec<OfWorkload>,
    pub services: Vec<OfService>,
}

impl Figures {
    pub fn new(network: &Network, record: &Record) -> Figures {
        let again = network.makes_calls_again();
        Figures {
            workloads: record.workloads.iter().map(|requests| of_requests(requests, record.time)).collect(),
            services: (0..network.services.len()).map(|id| of_service(network, record, id, again)).collect(),
        }
    }
}

fn of_time(sample: &Sample) -> [f64; OF_TIME] {
    let mut figures = [f64::NAN; OF_TIME];
    if let Some(mean) = sample.mean() {
        figures[0] = mean;
        let quantiles = sample.times.quantiles(&Metric::PERCENTILES.map(|(_, level)| level));
        figures[1..].iter_mut().zip(quantiles).for_each(|(figure, quantile)| *figure = quantile.unwrap_or(f64::NAN));
    }
    figures
}

fn of_requests(requests: &Requests, time: f64) -> OfWorkload {
    let mut figures = [f64::NAN; 3 + OF_TIME];
    figures[0] = requests.arrivals as f64 / time;
    figures[1] = requests.successes() as f64 / time;
    if requests.answered() > 0 {
        figures[2] = requests.failures as f64 / requests.answered() as f64;
    }
    figures[3..].copy_from_slice(&of_time(&requests.response));
    figures
}

/// Figures of a service, in a network that makes calls again or not.
fn of_service(network: &Network, record: &Record, id: ServiceId, again: bool) -> OfService {
    let service = &network.services[id];
    let requests = &record.services[id];
    let mut figures = [f64::NAN; 7 + 2 * OF_TIME];
    figures[..3 + OF_TIME].copy_from_slice(&of_requests(requests, record.time));
    let [utilization, queue_length, busy_workers, amplification, wait @ ..] = &mut figures[3 + OF_TIME..] else {
        return figures;
    };
    if let Some(cores) = service.cores {
        *utilization = self::utilization(&network.stations[cores], &record.stations[cores], record.time);
    }
    let waiting = service.cores.map_or(0.0, |cores| record.stations[cores].waiting) + record.workers[id].waiting;
    *queue_length = waiting / record.time;
    if let Some(workers) = service.workers {
        *busy_workers = record.workers[id].busy / (record.time * f64::from(workers) * f64::from(service.instances));
    }
    let first = requests.arrivals - requests.again;
    if first > 0 && again {
        *amplification = requests.arrivals as f64 / first as f64;
    }
    wait.copy_from_slice(&of_time(&requests.wait));
    figures
}

/// Busy share of the servers of a station.
pub(super) fn utilization(station: &Station, usage: &Usage, time: f64) -> f64 {
    usage.busy / (time * station.total_servers())
}

/// Where figures of a time begin in those of a workload or service, and in those of a service the other ones.
pub(super) const RESPONSE: usize = 3;
pub(super) const UTILIZATION: usize = 3 + OF_TIME;
pub(super) const QUEUE_LENGTH: usize = 4 + OF_TIME;
pub(super) const BUSY_WORKERS: usize = 5 + OF_TIME;
pub(super) const AMPLIFICATION: usize = 6 + OF_TIME;
pub(super) const WAIT: usize = 7 + OF_TIME;

/// Figures of a workload or service: those of all runs together, and those of each.
#[derive(Debug)]
pub(super) struct Runs<'c> {
    pub name: &'c str,
    pub together: &'c [f64],
    pub each: Vec<&'c [f64]>,
}

impl Runs<'_> {
    /// A figure of each run that has it.
    fn of(&self, figure: usize) -> Vec<f64> {
        self.each.iter().map(|run| run[figure]).filter(|value| value.is_finite()).collect()
    }

    /// Half the widths of the intervals.
    pub fn widths(&self) -> Vec<Option<f64>> {
        let width = |(i, value): (usize, &f64)| if value.is_finite() { half_width(*value, &self.of(i)) } else { None };
        self.together.iter().enumerate().map(width).collect()
    }

    /// The greatest half-width over its figure, and which that is.
    pub fn worst(&self) -> (f64, usize) {
        worst(self.together, &self.widths())
    }

    /// Figures that are as they are because of one run, and not precise.
    pub fn resting_on_one(&self) -> Vec<String> {
        let widths = self.widths();
        let rests = |i: &usize| {
            let value = self.together[*i];
            widths[*i].is_some_and(|width| width > ROUGH * value.abs()) && rests_on_one(value, &self.of(*i))
        };
        (0..self.together.len()).filter(rests).map(|i| format!("{} {}", self.name, name_of(i))).collect()
    }
}

/// Half-widths over their figures below this are no matter, whatever they rest on.
const ROUGH: f64 = 0.05;

/// Half-widths by name: of a workload, or of a service.
pub(super) fn confidence(widths: &[Option<f64>]) -> Confidence {
    let of_time = |from: usize| Widths {
        mean: widths.get(from).copied().flatten(),
        percentiles: std::array::from_fn(|i| widths.get(from + 1 + i).copied().flatten()),
    };
    let of_service = |at: usize| widths.get(at).copied().flatten();
    Confidence {
        arrival_rate: widths[0],
        throughput: widths[1],
        error_rate: widths[2],
        response: of_time(RESPONSE),
        utilization: of_service(UTILIZATION),
        queue_length: of_service(QUEUE_LENGTH),
        workers_utilization: of_service(BUSY_WORKERS),
        amplification: of_service(AMPLIFICATION),
        wait: of_time(WAIT),
    }
}

/// Ratios below this are as good as small: their precision is judged as if they were as large.
const SMALL_RATIO: f64 = 0.01;

/// How imprecise figures of a workload or service are: the greatest half-width over its figure, and which that is. Waits are judged by the
/// response times they are a part of, small ratios by one in a hundred, queue lengths by at least one request.
fn worst(together: &[f64], widths: &[Option<f64>]) -> (f64, usize) {
    let mut worst = (0.0, 0);
    for (i, (value, width)) in together.iter().zip(widths).enumerate() {
        if !value.is_finite() {
            continue;
        }
        let scale = match i {
            2 | UTILIZATION | BUSY_WORKERS => value.max(SMALL_RATIO),
            QUEUE_LENGTH => value.max(1.0),
            _ if i >= WAIT => together[RESPONSE + i - WAIT],
            _ => *value,
        };
        let width = width.unwrap_or(f64::INFINITY);
        // A figure of zero in all runs is as precise as can be.
        let relative = if width == 0.0 { 0.0 } else { width / scale };
        if relative > worst.0 {
            worst = (relative, i);
        }
    }
    worst
}

/// What a figure is called in sentences.
pub(super) fn name_of(figure: usize) -> String {
    let of_time = |i: usize| match i.checked_sub(1).map(|level| Metric::PERCENTILES[level].0) {
        None => "mean",
        Some("p999") => "p99.9",
        Some(word) => word,
    };
    match figure {
        0 => "arrival rate".to_string(),
        1 => "throughput".to_string(),
        2 => "error rate".to_string(),
        UTILIZATION => "utilization".to_string(),
        QUEUE_LENGTH => "queue length".to_string(),
        BUSY_WORKERS => "busy workers".to_string(),
        AMPLIFICATION => "amplification".to_string(),
        _ if figure >= WAIT => format!("{} wait", of_time(figure - WAIT)),
        _ => of_time(figure - RESPONSE).to_string(),
    }
}

//! What an engine predicts, and how each figure is known.
//!
//! Both engines fill the same [`Prediction`]. Times are in seconds, rates per second, ratios from 0 to 1; what does not
//! exist, such as the p95 of a queue that grows without end, is `None`.

mod agreement;
mod crowd;
pub mod laws;
mod metastable;

pub use agreement::{Agreement, Apart, Cause, agreement};
pub use crowd::{Bounds, Crowd};
pub use metastable::{Metastable, Regime};

use crate::discipline::Knowledge;
use crate::network::Service;
use crate::system::Metric;
use crate::unit::{PerSecond, Seconds, ratio};

/// The result of solving a network.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// Whether every queue has a steady state.
    pub stable: bool,
    /// One for each workload, in the order of the model.
    pub workloads: Vec<WorkloadResult>,
    /// One for each service and external, in the order of the model.
    pub services: Vec<ServiceResult>,
    /// The resource that saturates first when all workloads grow together.
    pub bottleneck: Option<String>,
    /// How many times all workloads together could grow before it does.
    pub headroom: Option<f64>,
    /// Resources over capacity.
    pub overloads: Vec<Overload>,
    /// Services whose workers, and pools that, are held by requests that wait for one another.
    pub deadlocked: Vec<String>,
    /// The state it does not come back from, though it also runs well at this load; `None` where there is none, and where it was
    /// simulated: a run is in one of them.
    pub metastable: Option<Metastable>,
    /// What is odd about how it was computed, in sentences.
    pub notes: Vec<String>,
    /// How it was simulated; `None` where it was computed.
    pub simulation: Option<Box<Simulation>>,
}

impl Prediction {
    /// Why a computed prediction may be further off than a share of its percentiles, in words; `None` where it is not expected to be.
    pub fn doubt(&self, trusted: f64) -> Option<String> {
        let far = |workload: &WorkloadResult| match workload.accuracy {
            Accuracy::Approximate { p95_error } if p95_error > trusted => Some((p95_error, workload.name.clone())),
            _ => None,
        };
        let (error, name) = self.workloads.iter().filter_map(far).max_by(|a, b| a.0.total_cmp(&b.0))?;
        Some(format!("analysis expects the p95 of {name} to be off by {}", ratio::print(error)))
    }
}

/// What a workload gets.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkloadResult {
    /// Its name.
    pub name: String,
    /// Requests that arrive, per second.
    pub arrival_rate: PerSecond,
    /// Requests that succeed, per second.
    pub throughput: PerSecond,
    /// Share of requests that fail.
    pub error_rate: f64,
    /// Response time of the successful ones.
    pub response: Times,
    /// The arrival rate at which the first resource saturates, the other workloads as they are.
    pub saturation_rate: Option<PerSecond>,
    /// Where the mean response time goes; adds up to it.
    pub breakdown: Vec<Share>,
    /// How the figures are known.
    pub accuracy: Accuracy,
    /// What bounds its users, where it is one of users and was analysed.
    pub crowd: Option<Crowd>,
}

/// What a service or external does.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceResult {
    /// Its name.
    pub name: String,
    /// Whether it is a dependency that nobody here scales.
    pub external: bool,
    /// Replicas.
    pub instances: u32,
    /// Busy share of its cores; `None` where they are unlimited.
    pub utilization: Option<f64>,
    /// Attempts it receives, per second.
    pub arrival_rate: PerSecond,
    /// These over those that come of first attempts alone: what trying again and copies bring, here or anywhere on the way; `None` where
    /// nothing does that, or it is not known.
    pub amplification: Option<f64>,
    /// Successful answers, per second.
    pub throughput: PerSecond,
    /// Share of attempts that fail.
    pub error_rate: f64,
    /// Requests that wait for its cores.
    pub queue_length: Option<f64>,
    /// Time in the queues of this service.
    pub wait: Times,
    /// Time from receipt to answer.
    pub response: Times,
    /// Busy share of its workers.
    pub workers_utilization: Option<f64>,
    /// The arrival rate at which its first resource saturates.
    pub saturation_rate: Option<PerSecond>,
    /// Busy share of each of its devices.
    pub devices: Vec<(String, f64)>,
    /// How far the truth may lie from simulated figures; `None` where they are computed.
    pub confidence: Option<Box<Confidence>>,
}

/// A random time: mean, percentiles, and the curve they were read from.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Times {
    /// Mean.
    pub mean: Option<Seconds>,
    /// One for each of [`Metric::PERCENTILES`].
    pub percentiles: [Option<Seconds>; 6],
    /// Points of the distribution, `(seconds, probability to exceed)`, rising in time.
    pub curve: Vec<(Seconds, f64)>,
}

impl Times {
    /// A time that is always zero.
    pub fn zero() -> Times {
        Times { mean: Some(0.0), percentiles: [Some(0.0); 6], curve: vec![(0.0, 0.0)] }
    }

    /// A percentile of [`Metric::PERCENTILES`].
    pub fn percentile(&self, level: f64) -> Option<Seconds> {
        Metric::PERCENTILES.iter().position(|(_, p)| *p == level).and_then(|i| self.percentiles[i])
    }

    /// The 95th percentile.
    pub fn p95(&self) -> Option<Seconds> {
        self.percentile(0.95)
    }

    /// The probability to take longer than `t`, by a straight line between points on the logarithm of the tail.
    pub fn exceeding(&self, t: Seconds) -> Option<f64> {
        self.mean?;
        let after = self.curve.partition_point(|(x, _)| *x <= t);
        let ((a, p), (b, q)) = match (after.checked_sub(1).map(|i| self.curve[i]), self.curve.get(after)) {
            (Some(before), Some(next)) => (before, *next),
            (None, Some(next)) => ((0.0, 1.0), *next),
            (Some(last), None) => {
                // Past the last point the tail goes on as it fell between the last two.
                let before = self.curve.get(after.wrapping_sub(2)).copied().unwrap_or((0.0, 1.0));
                if last.1 <= 0.0 || last.0 <= before.0 || before.1 <= last.1 {
                    return Some(last.1.max(0.0));
                }
                let rate = (before.1 / last.1).ln() / (last.0 - before.0);
                return Some(last.1 * (-rate * (t - last.0)).exp());
            }
            (None, None) => return None,
        };
        if q <= 0.0 || p <= 0.0 {
            return Some(p + (q - p) * (t - a) / (b - a));
        }
        Some((p.ln() + (q / p).ln() * (t - a) / (b - a)).exp())
    }
}

/// Where a part of the mean response time goes.
#[derive(Debug, Clone, PartialEq)]
pub struct Share {
    /// The service, external, or `network`.
    pub service: String,
    /// Time in its queues.
    pub queueing: Seconds,
    /// Time it works.
    pub service_time: Seconds,
    /// Visits per request.
    pub visits: f64,
}

/// What a part of a percentile is spent on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Work, and pauses.
    Service,
    /// Waiting for cores and devices.
    Cores,
    /// Waiting for workers.
    Workers,
    /// Waiting for one of a pool.
    Pool,
    /// Attempts that failed, and the time before the next one.
    Retries,
    /// On the way.
    Network,
    /// Places too small to be told apart.
    Other,
}

impl Origin {
    /// A word for it.
    pub fn word(self) -> &'static str {
        match self {
            Origin::Service => "service",
            Origin::Cores => "cores",
            Origin::Workers => "workers",
            Origin::Pool => "pool",
            Origin::Retries => "retries",
            Origin::Network => "network",
            Origin::Other => "other",
        }
    }
}

/// A part of a percentile.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// The service, pool, `network` or `retries`.
    pub place: String,
    /// What it is spent on there.
    pub cause: Origin,
    /// How much of it, in seconds: the mean among requests that take as long as the percentile.
    pub time: Seconds,
    /// Over the percentile.
    pub share: f64,
}

/// How figures are known.
#[derive(Debug, Clone, PartialEq)]
pub enum Accuracy {
    /// Theory is exact for this model.
    Exact,
    /// An approximation with the relative error of p95 to expect.
    Approximate {
        /// Expected relative error of p95.
        p95_error: f64,
    },
    /// Simulated: half the width of the 95% interval of each figure.
    Simulated(Box<Confidence>),
    /// No steady state: percentiles do not exist.
    Overloaded,
}

/// Half the widths of the 95% intervals of a random time's figures; `None` where there is no figure, or no telling.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Widths {
    /// Of the mean.
    pub mean: Option<Seconds>,
    /// Of each of [`Metric::PERCENTILES`].
    pub percentiles: [Option<Seconds>; 6],
}

impl Widths {
    /// Of the 95th percentile.
    pub fn p95(&self) -> Option<Seconds> {
        Metric::PERCENTILES.iter().position(|(_, p)| *p == 0.95).and_then(|i| self.percentiles[i])
    }
}

/// Half the widths of the 95% intervals of the figures of a workload or a service.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Confidence {
    /// Of the arrival rate.
    pub arrival_rate: Option<f64>,
    /// Of the throughput.
    pub throughput: Option<f64>,
    /// Of the error rate.
    pub error_rate: Option<f64>,
    /// Of the response time.
    pub response: Widths,
    /// Of a service's utilization.
    pub utilization: Option<f64>,
    /// Of its queue length.
    pub queue_length: Option<f64>,
    /// Of the busy share of its workers.
    pub workers_utilization: Option<f64>,
    /// Of how many calls it receives for each first one.
    pub amplification: Option<f64>,
    /// Of the time in its queues.
    pub wait: Widths,
}

/// How figures were simulated.
#[derive(Debug, Clone, PartialEq)]
pub struct Simulation {
    /// Where all random numbers come from.
    pub seed: u64,
    /// Independent runs.
    pub replications: u64,
    /// Simulated time left out at the beginning of each run.
    pub warmup: Seconds,
    /// Simulated time measured by each run, on average.
    pub duration: Seconds,
    /// Requests of all workloads that were answered, in all runs.
    pub requests: u64,
    /// Calls that all services received, in all runs.
    pub visits: u64,
    /// The greatest half-width over its figure; `None` where there is no telling.
    pub precision: Option<f64>,
    /// The figure it is that of.
    pub least_certain: String,
    /// What was asked for.
    pub wanted: Option<f64>,
    /// Why it ended.
    pub ended: Ended,
    /// What is odd about it, in sentences.
    pub notes: Vec<String>,
}

impl Simulation {
    /// Whether all figures are as precise as was asked for.
    pub fn is_precise(&self) -> bool {
        self.wanted.is_none_or(|wanted| self.precision.is_some_and(|precision| precision <= wanted))
    }
}

/// Why a simulation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// All figures are as precise as was asked for.
    Precise,
    /// It has run as long as was asked for.
    Complete,
    /// It has run as long as it may without being asked.
    Enough,
    /// It was stopped.
    Stopped,
    /// Something grows without end, or nothing goes on.
    Hopeless,
}

impl Accuracy {
    /// An approximation with this error to expect, as it is printed.
    pub fn approximate(error: f64) -> Accuracy {
        Accuracy::Approximate { p95_error: (error * 1000.0).round() / 1000.0 }
    }
}

impl From<Knowledge> for Accuracy {
    fn from(knowledge: Knowledge) -> Accuracy {
        match knowledge {
            Knowledge::Exact => Accuracy::Exact,
            Knowledge::Approximate { p95_error } => Accuracy::Approximate { p95_error },
        }
    }
}

/// A resource that gets more work than it can do.
#[derive(Debug, Clone, PartialEq)]
pub struct Overload {
    /// The resource.
    pub station: String,
    /// The service it belongs to.
    pub service: String,
    /// Work that arrives over what it can do, above 1.
    pub load: f64,
    /// Instances that would bring it to 80% busy.
    pub instances_needed: u32,
    /// Whether instances of the service can be added at all.
    pub external: bool,
}

impl Overload {
    /// An overloaded resource is brought to this utilization by the advice.
    const COMFORTABLE: f64 = 0.8;

    /// A station of a service that gets `load` of the work it can do, and would get `offered` if nothing were stuck before it.
    pub fn new(station: String, service: &Service, load: f64, offered: f64) -> Overload {
        let needed = f64::from(service.instances) * offered.max(load) / Overload::COMFORTABLE;
        let instances_needed = needed.ceil().min(4e9) as u32;
        Overload { station, service: service.name.clone(), load, instances_needed, external: service.external }
    }
}

//! What a run measures.

use crate::math::histogram::Histogram;
use crate::network::Network;

/// Times of successful requests.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sample {
    /// Their sum, in seconds.
    pub sum: f64,
    /// How often each was met.
    pub times: Histogram,
}

impl Sample {
    /// Counts a time.
    #[inline]
    pub(super) fn record(&mut self, time: f64) {
        self.sum += time;
        self.times.record(time);
    }

    /// The mean; `None` when nothing was counted.
    pub fn mean(&self) -> Option<f64> {
        let count = self.times.count();
        (count > 0).then(|| self.sum / count as f64)
    }

    /// Adds the times of another.
    pub fn merge(&mut self, other: &Sample) {
        self.sum += other.sum;
        self.times.merge(&other.times);
    }
}

/// Requests of a workload, or of a service.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Requests {
    /// Those that came.
    pub arrivals: u64,
    /// Those that failed.
    pub failures: u64,
    /// Response times of those that succeeded.
    pub response: Sample,
    /// Time they waited in queues; of services only.
    pub wait: Sample,
}

impl Requests {
    /// Adds the requests of another.
    pub fn merge(&mut self, other: &Requests) {
        self.arrivals += other.arrivals;
        self.failures += other.failures;
        self.response.merge(&other.response);
        self.wait.merge(&other.wait);
    }
}

/// Time in queues and in service.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Spent {
    /// In queues.
    pub queueing: f64,
    /// In service.
    pub service: f64,
}

/// Where the time of the requests of a workload went.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Account {
    /// Requests that were looked at.
    pub requests: u64,
    /// By place: services, then the network, then calls that were sent again, then pools.
    pub spent: Vec<Spent>,
}

/// The places where time is spent that are no service, after the services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Elsewhere {
    Network,
    Again,
    Pool(usize),
}

/// The number of such a place.
pub(super) fn place_of(network: &Network, elsewhere: Elsewhere) -> usize {
    network.services.len()
        + match elsewhere {
            Elsewhere::Network => 0,
            Elsewhere::Again => 1,
            Elsewhere::Pool(pool) => 2 + pool,
        }
}

/// All that is counted since a time.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Record {
    pub workloads: Vec<Requests>,
    pub services: Vec<Requests>,
    pub accounts: Vec<Account>,
    /// Work brought to each station by each workload: `[station × workloads + workload]`, in seconds.
    pub work: Vec<f64>,
    /// Calls received by each service for each workload: `[service × workloads + workload]`.
    pub visits: Vec<u64>,
}

impl Record {
    pub fn new(network: &Network) -> Record {
        let workloads = network.workloads.len();
        let places = place_of(network, Elsewhere::Pool(network.pools.len()));
        Record {
            workloads: vec![Requests::default(); workloads],
            services: vec![Requests::default(); network.services.len()],
            accounts: vec![Account { requests: 0, spent: vec![Spent::default(); places] }; workloads],
            work: vec![0.0; network.stations.len() * workloads],
            visits: vec![0; network.services.len() * workloads],
        }
    }
}

impl Spent {
    /// Adds what was spent.
    pub(super) fn add(&mut self, other: Spent) {
        self.queueing += other.queueing;
        self.service += other.service;
    }
}

//! What a run counts, and how runs are put together.

use super::queue::Usage;
use crate::math::histogram::Histogram;
use crate::network::Network;
use crate::unit::Seconds;
use serde::{Deserialize, Serialize};

/// Times of successful requests.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Their sum, in seconds.
    pub sum: Seconds,
    /// How often each was met.
    pub times: Histogram,
}

impl Sample {
    /// Counts a time.
    #[inline]
    pub(super) fn record(&mut self, time: Seconds) {
        self.sum += time;
        self.times.record(time);
    }

    /// The mean; `None` when nothing was counted.
    pub fn mean(&self) -> Option<Seconds> {
        let count = self.times.count();
        (count > 0).then(|| self.sum / count as f64)
    }

    fn merge(&mut self, other: &Sample) {
        self.sum += other.sum;
        self.times.merge(&other.times);
    }
}

/// Requests of a workload, or of a service.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Requests {
    /// Those that came.
    pub arrivals: u64,
    /// Those of them that came because some call was made again, or copied.
    #[serde(default)]
    pub again: u64,
    /// Those that failed.
    pub failures: u64,
    /// Response times of those that succeeded.
    pub response: Sample,
    /// Time they waited in queues; of services only.
    pub wait: Sample,
}

impl Requests {
    /// Those that succeeded.
    pub fn successes(&self) -> u64 {
        self.response.times.count()
    }

    /// Those that were answered, with success or an error.
    pub fn answered(&self) -> u64 {
        self.successes() + self.failures
    }

    fn merge(&mut self, other: &Requests) {
        self.arrivals += other.arrivals;
        self.again += other.again;
        self.failures += other.failures;
        self.response.merge(&other.response);
        self.wait.merge(&other.wait);
    }
}

/// Time in queues and in service.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Spent {
    /// In queues.
    pub queueing: Seconds,
    /// In service.
    pub service: Seconds,
}

impl Spent {
    /// Adds what was spent.
    pub(super) fn add(&mut self, other: Spent) {
        self.queueing += other.queueing;
        self.service += other.service;
    }
}

/// Where the time of the requests of a workload went.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
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

/// All that is counted over some time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Simulated time that it covers, in seconds.
    pub time: Seconds,
    /// Events of the run from its beginning.
    pub events: u64,
    /// Requests of each workload.
    pub workloads: Vec<Requests>,
    /// Calls received by each service.
    pub services: Vec<Requests>,
    /// Where the time of each workload went.
    pub accounts: Vec<Account>,
    /// Work brought to each station by each workload: `[station × workloads + workload]`, in seconds.
    pub work: Vec<Seconds>,
    /// Calls received by each service for each workload: `[service × workloads + workload]`.
    pub visits: Vec<u64>,
    /// Use of each station.
    pub stations: Vec<Usage>,
    /// Use of the workers of each service.
    pub workers: Vec<Usage>,
    /// Use of each pool.
    pub pools: Vec<Usage>,
}

impl Record {
    /// Of nothing yet.
    pub fn new(network: &Network) -> Record {
        let workloads = network.workloads.len();
        let places = place_of(network, Elsewhere::Pool(network.pools.len()));
        Record {
            time: 0.0,
            events: 0,
            workloads: vec![Requests::default(); workloads],
            services: vec![Requests::default(); network.services.len()],
            accounts: vec![Account { requests: 0, spent: vec![Spent::default(); places] }; workloads],
            work: vec![0.0; network.stations.len() * workloads],
            visits: vec![0; network.services.len() * workloads],
            stations: vec![Usage::default(); network.stations.len()],
            workers: vec![Usage::default(); network.services.len()],
            pools: vec![Usage::default(); network.pools.len()],
        }
    }

    /// Adds what another run of the same network counted.
    pub fn merge(&mut self, other: &Record) {
        self.time += other.time;
        self.events += other.events;
        self.workloads.iter_mut().zip(&other.workloads).for_each(|(own, other)| own.merge(other));
        self.services.iter_mut().zip(&other.services).for_each(|(own, other)| own.merge(other));
        for (own, other) in self.accounts.iter_mut().zip(&other.accounts) {
            own.requests += other.requests;
            own.spent.iter_mut().zip(&other.spent).for_each(|(own, other)| own.add(*other));
        }
        self.work.iter_mut().zip(&other.work).for_each(|(own, other)| *own += other);
        self.visits.iter_mut().zip(&other.visits).for_each(|(own, other)| *own += other);
        for (own, other) in [
            (&mut self.stations, &other.stations),
            (&mut self.workers, &other.workers),
            (&mut self.pools, &other.pools),
        ] {
            own.iter_mut().zip(other).for_each(|(own, other)| own.add(other));
        }
    }

    /// Whether it is of a network with as many of everything.
    pub fn is_like(&self, other: &Record) -> bool {
        let sizes = |record: &Record| {
            [
                record.workloads.len(),
                record.services.len(),
                record.accounts.len(),
                record.accounts.iter().map(|account| account.spent.len()).sum(),
                record.work.len(),
                record.visits.len(),
                record.stations.len(),
                record.workers.len(),
                record.pools.len(),
            ]
        };
        sizes(self) == sizes(other)
    }

    /// Requests of all workloads that were answered.
    pub fn requests(&self) -> u64 {
        self.workloads.iter().map(Requests::answered).sum()
    }
}

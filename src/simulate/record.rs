//! What a run measures.

use crate::math::estimate::Moments;
use crate::math::histogram::Histogram;
use crate::network::Network;

/// Requests of a workload, or of a service.
#[derive(Debug, Clone, Default)]
pub(super) struct Requests {
    pub arrivals: u64,
    pub failures: u64,
    /// Response times of the successful ones.
    pub response: Moments,
    pub times: Histogram,
}

impl Requests {
    /// A request is answered after a time, or has failed.
    pub fn answer(&mut self, time: Option<f64>) {
        match time {
            Some(time) => {
                self.response.record(time);
                self.times.record(time);
            }
            None => self.failures += 1,
        }
    }
}

/// All that is measured since a time.
#[derive(Debug)]
pub(super) struct Record {
    pub workloads: Vec<Requests>,
    pub services: Vec<Requests>,
    /// When it began.
    pub since: f64,
}

impl Record {
    pub fn new(network: &Network) -> Record {
        let empty = |n: usize| vec![Requests::default(); n];
        Record { workloads: empty(network.workloads.len()), services: empty(network.services.len()), since: 0.0 }
    }

    /// Forgets what was measured so far.
    pub fn clear(&mut self, now: f64) {
        self.workloads.iter_mut().chain(&mut self.services).for_each(|requests| *requests = Requests::default());
        self.since = now;
    }
}

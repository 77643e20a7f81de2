//! A state that a system does not leave by itself, beside the one it runs well in.

use crate::unit::{PerSecond, Seconds, duration, number, ratio};

/// A second state at the same load: overloaded by what is tried again or copied, and kept so.
#[derive(Debug, Clone, PartialEq)]
pub struct Metastable {
    /// The resource that is overloaded then.
    pub resource: String,
    /// Work that it gets then, over what it can do.
    pub load: f64,
    /// From how many times the load on the state exists.
    pub from: f64,
    /// Requests that have to wait there at once for it to tip over.
    pub waiting: f64,
    /// How long it has to stand still for that, in seconds.
    pub outage: Seconds,
    /// Whether calls are given up then, and made again; else they have second copies.
    pub given_up: bool,
    /// What each workload gets then.
    pub workloads: Vec<Regime>,
}

/// What a workload gets in another state.
#[derive(Debug, Clone, PartialEq)]
pub struct Regime {
    /// The workload.
    pub workload: String,
    /// Requests that succeed, per second.
    pub throughput: PerSecond,
    /// Share of requests that fail.
    pub error_rate: f64,
}

impl Metastable {
    /// It in a sentence or two.
    pub fn sentence(&self) -> String {
        let worst = self.workloads.iter().max_by(|a, b| a.error_rate.total_cmp(&b.error_rate));
        let worst = worst.filter(|_| self.given_up).map_or_else(String::new, |worst| {
            format!(", {} of {} fail", ratio::print(worst.error_rate), worst.workload)
        });
        let held = if self.given_up {
            "calls are given up before they are answered, and trying again keeps it"
        } else {
            "calls take so long that second copies of them are made, which keeps it"
        };
        format!(
            "{} is metastable: once about {} requests wait for it, as after an outage of {}, {held} at {} of what it can do{worst}; possible from {} times this load on",
            self.resource,
            number::print_digits(self.waiting.ceil(), 3),
            duration::print(self.outage),
            ratio::print(self.load),
            number::print_digits(self.from, 2)
        )
    }
}

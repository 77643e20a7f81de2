//! What must hold.

use crate::unit::Seconds;

/// What must hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Objective {
    /// Whom it is about.
    pub scope: Scope,
    /// What is measured.
    pub metric: Metric,
    /// The bound.
    pub target: f64,
}

/// Whom an objective is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// A workload.
    Workload(String),
    /// A service: each request it serves.
    Service(String),
    /// Everything.
    Model,
}

/// What an objective measures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Metric {
    /// Mean response time, at most.
    Mean,
    /// A percentile of the response time, at most; the number is the probability.
    Percentile(f64),
    /// Throughput, at least.
    Throughput,
    /// Share of failed requests, at most.
    ErrorRate,
    /// Busy share of the cores, at most.
    Utilization,
    /// Share of requests that answer within this time, at least.
    Within(Seconds),
    /// Price per hour, at most.
    Cost,
    /// Share of time the service answers, at least.
    Availability,
}

impl Metric {
    /// The percentiles that every result carries, with their words.
    pub const PERCENTILES: [(&'static str, f64); 6] =
        [("p50", 0.5), ("p75", 0.75), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99), ("p999", 0.999)];

    /// The word of the model language.
    pub fn word(self) -> &'static str {
        match self {
            Metric::Mean => "mean",
            Metric::Percentile(p) => {
                Self::PERCENTILES.iter().find(|(_, value)| *value == p).map_or("percentile", |(word, _)| word)
            }
            Metric::Throughput => "throughput",
            Metric::ErrorRate => "error_rate",
            Metric::Utilization => "utilization",
            Metric::Within(_) => "within",
            Metric::Cost => "cost",
            Metric::Availability => "availability",
        }
    }

    /// Whether a larger figure is the better one.
    pub fn wants_more(self) -> bool {
        matches!(self, Metric::Throughput | Metric::Within(_) | Metric::Availability)
    }
}

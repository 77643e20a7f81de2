//! Load tests, as teams run them on what is built, simulated on what is planned.
//!
//! | kind | what happens | what it tells |
//! |---|---|---|
//! | load | up to the stated load, which then holds | whether the objectives hold under it |
//! | stress | more and more load | the load at which an objective is missed, and at which it breaks, and where |
//! | spike | a few times the load for a while | how bad it gets, and how long until it is as before |
//! | soak | the stated load for a long time | whether anything drifts |
//! | scalability | more instances under as many times more load | how much of each further instance is of use |

mod run;

pub use run::{SPIKE, load_test};

use super::verdict::Verdict;
use crate::prediction::Prediction;
use crate::unit::Seconds;

/// Kinds of load tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TestKind {
    /// The stated load.
    Load,
    /// More and more.
    Stress,
    /// A burst of load.
    Spike,
    /// For long.
    Soak,
    /// With more instances.
    Scalability,
}

/// A part of a load test.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    /// What it is called.
    pub name: String,
    /// Load over the stated load.
    pub factor: f64,
    /// Instances over the stated ones.
    pub instances: u32,
    /// When it begins; zero where each stage is a run of its own.
    pub start: Seconds,
    /// When it ends.
    pub end: Seconds,
    /// What happened.
    pub prediction: Prediction,
}

/// Where a growing load breaks a system.
#[derive(Debug, Clone, PartialEq)]
pub struct Limit {
    /// The greatest load over the stated one at which it still held; zero if none did.
    pub holds: f64,
    /// The least at which it did not.
    pub fails: f64,
    /// What gave way: objectives, or resources.
    pub why: Vec<String>,
}

/// What a load test found, beside its stages.
#[derive(Debug, Clone, PartialEq)]
pub enum Finding {
    /// Of a load test: the objectives while the load held.
    Verdicts(Vec<Verdict>),
    /// Of a stress test.
    Limits {
        /// Where the first objective is missed that the stated load meets.
        objectives: Option<Limit>,
        /// Where it no longer keeps up; `None` where it did up to the last stage.
        breaking: Option<Limit>,
    },
    /// Of a spike, for each workload, and for each service whose queue outlasted it.
    Recovery(Vec<Recovery>),
    /// Of a soak, for each workload: by how much its p95 changed over the time, if that is no chance.
    Drift(Vec<(String, Option<f64>)>),
    /// Of scalability, for each stage: the load over the stated one that it could bear, over that of the first and the
    /// instances.
    Efficiency(Vec<Option<f64>>),
}

/// How the p95 of a workload, or the queue of a service, came through a spike.
#[derive(Debug, Clone, PartialEq)]
pub struct Recovery {
    /// The workload or service.
    pub subject: String,
    /// Which of them.
    pub is_service: bool,
    /// Its p95, or the requests that wait, before the spike.
    pub before: Option<f64>,
    /// The greatest of all stretches from the spike on.
    pub worst: Option<f64>,
    /// The greatest error rate of a workload.
    pub errors: f64,
    /// Time from the end of the spike until it is as before: a p95 within a tenth, a queue within its double and one;
    /// `None` if it did not come back.
    pub time: Option<Seconds>,
}

/// A load test that was run.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadTest {
    /// Which.
    pub kind: TestKind,
    /// Its parts, in order.
    pub stages: Vec<Stage>,
    /// What it found.
    pub finding: Finding,
    /// Whether it was stopped before its end.
    pub stopped: bool,
}

impl TestKind {
    /// Every kind with its word.
    pub const ALL: [(TestKind, &'static str); 5] = [
        (TestKind::Load, "load"),
        (TestKind::Stress, "stress"),
        (TestKind::Spike, "spike"),
        (TestKind::Soak, "soak"),
        (TestKind::Scalability, "scalability"),
    ];

    /// Its word.
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("load", |(_, word)| word)
    }
}

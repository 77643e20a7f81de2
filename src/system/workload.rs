//! Who asks: workloads, how much they ask, and how their requests are spaced.

use super::Target;
use crate::distribution::Law;
use crate::unit::{PerSecond, Seconds};

/// Where requests come from.
#[derive(Debug, Clone, PartialEq)]
pub struct Workload {
    /// Its name.
    pub name: String,
    /// Operations it asks for, with their shares, together one.
    pub mix: Vec<(Target, f64)>,
    /// How much it asks.
    pub load: Load,
    /// Lower is more urgent.
    pub priority: u32,
    /// Growth per month, as a ratio.
    pub growth: f64,
}

/// How much a workload asks.
#[derive(Debug, Clone, PartialEq)]
pub enum Load {
    /// Requests arrive whatever happens to earlier ones.
    Open {
        /// Mean rate.
        rate: PerSecond,
        /// How arrivals are spaced.
        arrivals: ArrivalLaw,
    },
    /// A number of users, each with one request at a time.
    Closed {
        /// How many users.
        users: u32,
        /// Time between an answer and the next request.
        think: Law,
    },
    /// A rate that changes with time.
    Profile {
        /// Times and the rate at each.
        points: Vec<(Seconds, PerSecond)>,
        /// Whether the rate moves in a straight line between the points, or jumps at each.
        linear: bool,
        /// After this time it starts again.
        period: Option<Seconds>,
    },
}

/// How the arrivals of an open workload are spaced.
#[derive(Debug, Clone, PartialEq)]
pub enum ArrivalLaw {
    /// Independently of each other.
    Poisson,
    /// Independent interarrival times of this law, which has mean one.
    Renewal(Law),
    /// Poisson, `ratio` times as fast while on.
    Burst {
        /// Rate while on over rate while off.
        ratio: f64,
        /// Mean length of an on period.
        on: Seconds,
        /// Mean length of an off period.
        off: Seconds,
    },
    /// The arrival times of a file, in seconds, rising.
    Trace(std::sync::Arc<[Seconds]>),
}

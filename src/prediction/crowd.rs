//! What users who wait for their answers cannot exceed, and how many of them fill a system.

use crate::unit::{PerSecond, Seconds};

/// Users of a workload, and what bounds them.
#[derive(Debug, Clone, PartialEq)]
pub struct Crowd {
    /// How many there are.
    pub users: u32,
    /// Where the bounds of few and of many users meet: more of them mostly wait longer. Infinite where nothing saturates.
    pub knee: f64,
    /// What holds whatever the laws are.
    pub asymptotic: Bounds,
    /// What holds in networks of product form with single servers; `None` elsewhere.
    pub balanced: Option<Bounds>,
}

/// Bounds; `None` where there is none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// Least and most throughput, per second.
    pub throughput: (Option<PerSecond>, Option<PerSecond>),
    /// Least and most mean response time, in seconds.
    pub response: (Seconds, Option<Seconds>),
}

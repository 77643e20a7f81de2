//! Whether time goes on for ever, comes again, or ends.

use super::Network;
use crate::system::{ArrivalLaw, Load};
use crate::unit::Seconds;

/// Whether time goes on for ever.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Horizon {
    Steady,
    /// All comes again after this time.
    Period(Seconds),
    /// It ends then.
    End(Seconds),
}

/// The horizon of a network: the longest of its workloads.
pub(crate) fn horizon(network: &Network) -> Horizon {
    let (mut end, mut period) = (0.0f64, 0.0f64);
    for workload in &network.workloads {
        match &workload.load {
            Load::Profile { period: Some(length), .. } => period = period.max(*length),
            Load::Profile { points, period: None, .. } => end = end.max(points.last().map_or(0.0, |(at, _)| *at)),
            Load::Open { arrivals: ArrivalLaw::Trace(times), .. } => {
                end = end.max(times.last().copied().unwrap_or(0.0))
            }
            Load::Open { .. } | Load::Closed { .. } => {}
        }
    }
    if end > 0.0 {
        Horizon::End(end)
    } else if period > 0.0 {
        Horizon::Period(period)
    } else {
        Horizon::Steady
    }
}

//! Predicts by analysis, and where that expects to be far off by what a brief simulation says otherwise.
//!
//! No theory knows the waits of requests that meet themselves in a queue: several calls deep, in copies of a call, in attempts that
//! come while earlier ones are still at work. Analysis approximates them and says how far off it may be. Where that is much the network
//! is simulated, just long enough to know better: of each workload the figures stand that are expected to be closer, and of each
//! service those of analysis unless the simulation contradicts them. What saturates, bounds and knees are those of analysis, unless the
//! two differ on whether everything keeps up: then all figures are those of the simulation.
//!
//! Source: Schwetman, Hybrid simulation models of computer systems, Communications of the ACM 21 (1978), for joining the two.

mod brief;
mod merged;

use crate::network::Network;
use crate::prediction::{Prediction, laws};
use crate::{analytic, simulate};
use brief::CALLS;

/// Errors of a p95 that analysis expects are taken as they are up to this.
const TRUSTED: f64 = 0.1;

/// Predicts what a network does: in steady state, or over all of its time where its load changes. The same network gives the same
/// figures; workloads whose figures were simulated are named in the notes.
pub fn solve(network: &Network) -> Prediction {
    let computed = analytic::solve(network);
    if !is_doubtful(network, &computed) {
        return computed;
    }
    let mut simulated = None;
    for calls in CALLS {
        let Some(effort) = brief::effort(network, &computed, calls) else { break };
        let found = simulate::simulate(network, &effort, &|_| true).prediction;
        let enough = brief::is_enough(&computed, &found);
        if brief::tells(&found) {
            simulated = Some(found);
        }
        if enough {
            break;
        }
    }
    let Some(simulated) = simulated else { return computed };
    let prediction = merged::merged(network, computed, simulated);
    debug_assert!(laws::broken(&prediction, 1e-6).is_empty(), "{:?}", laws::broken(&prediction, 1e-6));
    prediction
}

/// Whether analysis expects to be far off, or finds over capacity what it only knows nearly.
fn is_doubtful(network: &Network, computed: &Prediction) -> bool {
    let held = network.guards > 0 || !network.pools.is_empty() || network.services.iter().any(|s| s.workers.is_some());
    computed.doubt(TRUSTED).is_some() || !computed.stable && held
}

//! Pools whose holders may all wait for one another.
//!
//! Who holds one of a pool and needs another of it, or one of a second pool whose holders need one of the first, may wait
//! for ever: it takes that all are held by requests at that point at once. Of `c` that are held each is there with the
//! chance that it comes there at all; so many states of that kind are entered per second as requests find all held.

use super::{Gate, Section};
use crate::network::graph::reached;
use crate::network::{Network, PoolId, PoolKind, Step};

/// A deadlock within so many seconds is one: a day.
const HORIZON: f64 = 86_400.0;

/// Pools that end up held by requests which wait for one another, within a day as likely as not.
pub(in crate::analytic) fn find(
    network: &Network,
    sections: &[Section],
    gates: &[Gate],
    most: &[usize],
) -> Vec<PoolId> {
    let needs: Vec<Vec<PoolId>> = (0..network.pools.len()).map(|pool| needed_within(network, pool)).collect();
    let likely = |pool: PoolId| {
        let (gate, section) = (&gates[pool], &sections[pool]);
        let asked: f64 = section.rate;
        // All are held by requests that come to need another one.
        let full = if gate.wait.is_none() { 1.0 } else { gate.full };
        let goes_on: f64 = needs[pool]
            .iter()
            .filter_map(|inner| section.pools.iter().find(|(id, _)| id == inner))
            .map(|(_, passed)| passed.count / section.rate.max(f64::MIN_POSITIVE))
            .sum();
        full * goes_on.min(1.0).powf(most[pool] as f64) * asked * HORIZON > 0.5
    };
    (0..needs.len()).filter(|pool| reached(&needs, *pool)[*pool] && likely(*pool)).collect()
}

/// What may be needed, without a limit of time, while one of a pool is held.
fn needed_within(network: &Network, pool: PoolId) -> Vec<PoolId> {
    let mut found = Vec::new();
    let mut seen = vec![false; network.operations.len()];
    let mut stack: Vec<(&Step, bool)> =
        network.operations.iter().flat_map(|operation| &operation.steps).map(|step| (step, false)).collect();
    while let Some((step, held)) = stack.pop() {
        match step {
            Step::Hold { pool: inner, steps } => {
                let kept = !matches!(network.pools[*inner].kind, PoolKind::Calls { .. });
                if held && kept && !found.contains(inner) {
                    found.push(*inner);
                }
                let held = held || *inner == pool;
                stack.extend(steps.iter().map(|step| (step, held)));
            }
            Step::Call(call) if held && !std::mem::replace(&mut seen[call.target], true) => {
                stack.extend(network.operations[call.target].steps.iter().map(|step| (step, true)));
            }
            // Who gives up goes on.
            Step::Guarded(guarded) if guarded.call.timeout.is_none() => {
                stack.extend(guarded.attempt.iter().map(|step| (step, held)));
            }
            Step::Guarded(_) => {}
            step => step.inner(|steps| stack.extend(steps.iter().map(|step| (step, held)))),
        }
    }
    found
}

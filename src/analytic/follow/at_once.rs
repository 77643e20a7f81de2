//! Branches that begin at the same queue, before any time has passed: batches that need no following.

use crate::network::flows::Flows;
use crate::network::{Network, StationId, Step};
use crate::unit::PerSecond;

/// Calls nest no deeper where first visits are looked for.
const DEEPEST: usize = 32;

/// For each station the batches, rate and size, of branches that come to it first.
pub(super) fn at_once(network: &Network, flows: &Flows) -> Vec<Vec<(PerSecond, u32)>> {
    let mut batches = vec![Vec::new(); network.stations.len()];
    for &operation in &network.order {
        let rate: f64 = flows.operations[operation].iter().sum();
        if rate > 0.0 {
            find(network, &network.operations[operation].steps, rate, &mut batches);
        }
    }
    batches
}

fn find(network: &Network, steps: &[Step], rate: PerSecond, batches: &mut [Vec<(PerSecond, u32)>]) {
    for step in steps {
        match step {
            Step::Choose { ways, .. } => {
                ways.iter().for_each(|(weight, steps)| find(network, steps, rate * weight, batches));
            }
            Step::Hold { steps, .. } => find(network, steps, rate, batches),
            Step::Repeat { times, steps } => find(network, steps, rate * f64::from(*times), batches),
            Step::Parallel { branches, .. } => {
                let mut firsts: Vec<StationId> = branches.iter().filter_map(|steps| first(network, steps, 0)).collect();
                firsts.sort_unstable();
                for same in firsts.chunk_by(|a, b| a == b).filter(|same| same.len() > 1) {
                    batches[same[0]].push((rate, same.len() as u32));
                }
                branches.iter().for_each(|steps| find(network, steps, rate, batches));
            }
            Step::Visit(_) | Step::Delay(_) | Step::Call(_) | Step::Guarded(_) | Step::Send(_) | Step::Fail(_) => {}
        }
    }
}

/// The station that some steps certainly begin with, before any time has passed.
fn first(network: &Network, steps: &[Step], depth: usize) -> Option<StationId> {
    match steps.iter().find(|step| !matches!(step, Step::Send(_) | Step::Fail(_)))? {
        Step::Visit(visit) => Some(network.visits[*visit].station),
        Step::Repeat { times, steps } if *times > 0 => first(network, steps, depth),
        Step::Call(call) if call.probability == 1.0 && call.times > 0 && call.network.is_none() && depth < DEEPEST => {
            first(network, &network.operations[call.target].steps, depth + 1)
        }
        _ => None,
    }
}

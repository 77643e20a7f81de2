//! Pools that nobody waits for, and the order in which the others are solved.

use super::section::{Passed, Section, sections};
use super::{groups, tokens};
use crate::network::flows::{Flows, Losses};
use crate::network::{Network, PoolId, PoolKind};

/// What is done while one of each pool is held, and which pools nobody waits for: who asks for one of them holds one of
/// another already, of which there are no more. Such a pool is passed, so that what is done within it is done within the other.
pub(super) fn uncovered(network: &Network, flows: &Flows, losses: &Losses) -> (Vec<Section>, Vec<bool>) {
    let pools = 0..network.pools.len();
    let holders = |outer: PoolId| match network.pools[outer].kind {
        PoolKind::Calls { .. } => f64::INFINITY,
        _ => tokens(network, &network.pools[outer]) as f64 * groups(network, &network.pools[outer]),
    };
    let covers = |all: &[Section], outer: PoolId, inner: PoolId| {
        let asked: f64 = flows.pools[inner].iter().sum();
        // One after the other, so that no holder needs two.
        let alone =
            |passed: &Passed| passed.count >= asked * (1.0 - 1e-9) && passed.time >= passed.count * (1.0 - 1e-9);
        outer != inner
            && holders(outer) <= tokens(network, &network.pools[inner]) as f64
            && all[outer].pools.iter().any(|(pool, passed)| *pool == inner && alone(passed))
    };
    let mut covered = vec![false; network.pools.len()];
    loop {
        let all = sections(network, flows, losses, &covered);
        let next: Vec<bool> = pools
            .clone()
            .map(|inner| covered[inner] || pools.clone().any(|outer| covers(&all, outer, inner)))
            .collect();
        if next == covered {
            return (all, covered);
        }
        covered = next;
    }
}

/// Pools with those that are taken within them first; of pools that are taken within each other any.
pub(super) fn inner_first(sections: &[Section]) -> Vec<PoolId> {
    fn visit(pool: PoolId, sections: &[Section], seen: &mut [bool], order: &mut Vec<PoolId>) {
        if std::mem::replace(&mut seen[pool], true) {
            return;
        }
        sections[pool].pools.iter().for_each(|(inner, _)| visit(*inner, sections, seen, order));
        order.push(pool);
    }
    let (mut seen, mut order) = (vec![false; sections.len()], Vec::with_capacity(sections.len()));
    (0..sections.len()).for_each(|pool| visit(pool, sections, &mut seen, &mut order));
    order
}

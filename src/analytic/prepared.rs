//! A network made ready for analysis: everything that is held becomes a pool, and circles are drawn out.
//!
//! Workers are a pool of their service that each of its operations holds; the limit of an external is a pool that hands out
//! so many per second.

use super::circles;
use crate::network::{Network, OperationId, Pool, PoolId, PoolKind, Service, Step};
use std::borrow::Cow;

/// The network with every holder a pool and every operation in order.
pub(super) fn prepared(network: &Network) -> Cow<'_, Network> {
    let held = network.services.iter().any(|service| service.workers.is_some() || service.limit.is_some());
    let circular = network.order.len() < network.operations.len();
    if !held && !circular {
        return Cow::Borrowed(network);
    }
    let mut network = network.clone();
    if circular {
        circles::draw_out(&mut network);
    }
    for id in 0..network.services.len() {
        let Service { name, workers, queue, limit, operations, .. } = network.services[id].clone();
        let pool = |size, kind| Pool { name: name.clone(), size, per: Some(id), kind };
        let pools = [
            limit.map(|limit| pool(u32::MAX, PoolKind::Calls { limit })),
            workers.map(|workers| pool(workers, PoolKind::Workers { queue })),
        ];
        for pool in pools.into_iter().flatten() {
            network.pools.push(pool);
            hold(&mut network, &operations);
        }
    }
    Cow::Owned(network)
}

/// Lets operations hold one of the last pool.
fn hold(network: &mut Network, operations: &[OperationId]) {
    let pool: PoolId = network.pools.len() - 1;
    for id in operations {
        let steps = std::mem::take(&mut network.operations[*id].steps);
        network.operations[*id].steps = vec![Step::Hold { pool, steps }];
    }
}

//! A network made ready for analysis: everything that is held becomes a pool, and circles are drawn out.
//!
//! Workers are a pool of their service that each of its operations holds; the limit of an external is a pool that hands out
//! so many per second. A trace is taken as independent interarrival times of its variability. Limits that are never reached go.

use super::{circles, unreached};
use crate::distribution::{Gamma, Law};
use crate::network::{Network, OperationId, Pool, PoolId, PoolKind, Service, Step, Workload};
use crate::system::{ArrivalLaw, Load};
use std::borrow::Cow;

/// Interarrival times of a trace that are looked at together.
const WINDOW: usize = 20;

/// The network with every holder a pool, every operation in order and no limit that is never reached.
pub(super) fn prepared(network: &Network) -> Cow<'_, Network> {
    let held = network.services.iter().any(|service| service.workers.is_some() || service.limit.is_some());
    let circular = network.order.len() < network.operations.len();
    let traced = |workload: &Workload| matches!(workload.arrivals(), Some(ArrivalLaw::Trace(_)));
    let limited = network.stations.iter().any(|station| station.queue.is_some());
    if !held && !circular && !limited && !network.workloads.iter().any(traced) {
        return Cow::Borrowed(network);
    }
    let mut network = network.clone();
    for workload in &mut network.workloads {
        if let Load::Open { arrivals, .. } = &mut workload.load
            && let ArrivalLaw::Trace(times) = arrivals
        {
            *arrivals = alike(times);
        }
    }
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
    unreached::lift(&mut network);
    Cow::Owned(network)
}

/// Independent interarrival times that are as variable as those of a trace.
fn alike(times: &[f64]) -> ArrivalLaw {
    let mut windows: Vec<f64> = Vec::new();
    // Over several of them what is correlated counts as it does for queues.
    let length = WINDOW.min(times.len() / 8).max(1);
    windows.extend(times.windows(length + 1).step_by(length).map(|window| window[length] - window[0]));
    let n = windows.len() as f64;
    let mean = windows.iter().sum::<f64>() / n.max(1.0);
    let variance = windows.iter().map(|time| (time - mean) * (time - mean)).sum::<f64>() / (n - 1.0).max(1.0);
    let scv = if mean > 0.0 { length as f64 * variance / (mean * mean) } else { 1.0 };
    ArrivalLaw::Renewal(Law::Gamma(Gamma { mean: 1.0, cv: scv.clamp(0.01, 400.0).sqrt() }))
}

/// Lets operations hold one of the last pool.
fn hold(network: &mut Network, operations: &[OperationId]) {
    let pool: PoolId = network.pools.len() - 1;
    for id in operations {
        let steps = std::mem::take(&mut network.operations[*id].steps);
        network.operations[*id].steps = vec![Step::Hold { pool, steps }];
    }
}

//! Servers that slow each other down.

use super::limited::together_as_one;
use super::{ClassState, StationState, Treatment, one_instance, overloaded};
use crate::discipline::fcfs::Queue;
use crate::discipline::{Discipline, Knowledge, contended, ps};
use crate::network::Station;
use crate::system::{Balancer, Contention};
use crate::unit::{PerSecond, Seconds};

/// A station whose servers slow each other down.
pub(super) fn contended(
    station: &Station,
    queue: &Queue,
    contention: Contention,
    back: Option<(PerSecond, Seconds)>,
    classes: usize,
    state: &mut StationState,
) {
    let shared = station.instances == 1 || station.balancer == Balancer::Shared;
    let (own, instances, groups) = if shared {
        (queue.clone(), station.instances, 1.0)
    } else {
        (one_instance(station, queue), 1, f64::from(station.instances))
    };
    let places = station.queue.map(|places| places.saturating_mul(instances));
    let sharing = station.discipline == Discipline::Ps;
    let Some(found) = contended::solve(&own, contention, instances, sharing, places) else {
        state.queue_length = None;
        state.utilization = 1.0;
        state.classes = vec![overloaded((1.0 - 1.0 / state.load).max(0.0)); classes];
        return;
    };
    let room = places.map(|places| own.servers.saturating_add(places));
    let as_one = room.zip(back).and_then(|(room, (first, gap))| together_as_one(&own, room, first / groups, gap));
    let refused = as_one.and_then(|(many, own)| {
        contended::solve(&own, contention, instances, sharing, places).map(|found| found.refused / many)
    });
    let refused = refused.unwrap_or(found.refused);
    let passed = own.arrival_rate * (1.0 - refused);
    let mut treatment = Treatment::Slowed(found.slowdown);
    state.queue_length = Some(groups * passed * found.wait.mean());
    let part = (1.0 - refused) / (1.0 - found.refused).max(f64::MIN_POSITIVE);
    state.utilization = (part * found.busy / f64::from(own.servers)).min(1.0);
    if sharing {
        let alike = ps::with_slowdown(&own, found.stretch);
        state.queue_length = Some((groups * passed * own.service.mean() * (found.stretch - 1.0)).max(0.0));
        treatment = Treatment::Shared(alike);
    }
    let simple = station.discipline == Discipline::Fcfs || sharing;
    let plain = shared || matches!(station.balancer, Balancer::Random | Balancer::RoundRobin);
    let knowledge =
        if simple && plain { found.knowledge } else { found.knowledge.and(Knowledge::Approximate { p95_error: 0.3 }) };
    let class = ClassState { wait: Some(found.wait), treatment, refused, stuck: 0.0, knowledge };
    state.classes = vec![class; classes];
}

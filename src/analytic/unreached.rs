//! Limits of queues that are never reached: there are no more users, or what each visit holds on its way is no more, than there is room for.
//!
//! A request is in one place at a time but for the branches of a `parallel`, what it sends off, and attempts that it has given up or
//! copied: of those there may be any number. Whoever holds one of a pool meanwhile is one of as many as that has.

use crate::network::{Network, PoolId, PoolKind, Step};
use crate::system::{Balancer, Load};
use std::collections::BTreeSet;

/// Who comes to a place, or to an operation.
#[derive(Debug, Clone, Default)]
struct Comers {
    /// Workloads whose requests do.
    workloads: BTreeSet<usize>,
    /// Pools of which each of them holds one; `None` before anybody is known to come.
    holding: Option<BTreeSet<PoolId>>,
    /// Whether there may be more of them than requests.
    several: bool,
}

impl Comers {
    fn join(&mut self, others: &Comers) {
        self.workloads.extend(&others.workloads);
        self.several |= others.several;
        let Some(theirs) = &others.holding else { return };
        match &mut self.holding {
            Some(holding) => holding.retain(|pool| theirs.contains(pool)),
            None => self.holding = Some(theirs.clone()),
        }
    }

    /// Any number of them for each of these.
    fn multiplied(&self) -> Comers {
        Comers { workloads: self.workloads.clone(), holding: Some(BTreeSet::new()), several: true }
    }

    fn with(&self, pool: PoolId) -> Comers {
        let mut holding = self.holding.clone().unwrap_or_default();
        holding.insert(pool);
        Comers { holding: Some(holding), ..self.clone() }
    }

    /// How many there can be at most at a time; `None` is any number.
    fn most(&self, network: &Network) -> Option<u32> {
        let users = |w: &usize| match network.workloads[*w].load {
            Load::Closed { users, .. } => Some(users),
            _ => None,
        };
        let add = |sum: Option<u32>, users: Option<u32>| Some(sum?.saturating_add(users?));
        let requests = if self.several { None } else { self.workloads.iter().map(users).fold(Some(0), add) };
        let held = self.holding.iter().flatten().map(|pool| {
            let pool = &network.pools[*pool];
            pool.size.saturating_mul(pool.per.map_or(1, |service| network.services[service].instances))
        });
        requests.into_iter().chain(held).min()
    }
}

/// Takes limits away that are never reached.
pub(super) fn lift(network: &mut Network) {
    let mut operations = vec![Comers::default(); network.operations.len()];
    let mut places = vec![Comers::default(); network.stations.len() + network.pools.len()];
    for (w, workload) in network.workloads.iter().enumerate() {
        let requests = Comers { workloads: BTreeSet::from([w]), holding: Some(BTreeSet::new()), several: false };
        workload.mix.iter().for_each(|(operation, _)| operations[*operation].join(&requests));
    }
    for &operation in &network.order {
        let comers = operations[operation].clone();
        if comers.holding.is_some() {
            walk(network, &network.operations[operation].steps, &comers, &mut operations, &mut places);
        }
    }
    let most: Vec<Option<u32>> = places.iter().map(|comers| comers.most(network)).collect();
    let (stations, pools) = most.split_at(network.stations.len());
    let fits = |most: &Option<u32>, room: u32| most.is_some_and(|most| most <= room);
    for (station, most) in network.stations.iter_mut().zip(stations) {
        // Where each instance has a queue all may come to one.
        let instances = if station.balancer == Balancer::Shared { station.instances } else { 1 };
        let room = |queue: u32| station.servers.saturating_add(queue).saturating_mul(instances);
        if station.queue.is_some_and(|queue| fits(most, room(queue))) {
            station.queue = None;
        }
    }
    for (pool, most) in network.pools.iter_mut().zip(pools) {
        if let PoolKind::Workers { queue: queue @ Some(_) } = &mut pool.kind
            && queue.is_some_and(|queue| fits(most, pool.size.saturating_add(queue)))
        {
            *queue = None;
        }
    }
}

fn walk(network: &Network, steps: &[Step], comers: &Comers, operations: &mut [Comers], places: &mut [Comers]) {
    for step in steps {
        match step {
            Step::Visit(visit) => places[network.visits[*visit].station].join(comers),
            Step::Call(call) => operations[call.target].join(comers),
            Step::Send(target) => operations[*target].join(&comers.multiplied()),
            Step::Guarded(guarded) if guarded.is_decided_by_time() => {
                walk(network, &guarded.attempt, &comers.multiplied(), operations, places);
            }
            Step::Guarded(guarded) => walk(network, &guarded.attempt, comers, operations, places),
            Step::Parallel { branches, .. } => {
                let each = if branches.len() > 1 { comers.multiplied() } else { comers.clone() };
                branches.iter().for_each(|steps| walk(network, steps, &each, operations, places));
            }
            Step::Hold { pool, steps } => {
                places[network.stations.len() + pool].join(comers);
                walk(network, steps, &comers.with(*pool), operations, places);
            }
            Step::Choose { ways, .. } => {
                ways.iter().for_each(|(_, steps)| walk(network, steps, comers, operations, places));
            }
            Step::Repeat { steps, .. } => walk(network, steps, comers, operations, places),
            Step::Delay(_) | Step::Fail(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::prepared::prepared;
    use crate::{document, network};

    /// Whether the limit of service `b`, with room for three, stays; `a` asks it by this step, and has this beside its operation.
    fn stays(step: &str, more: &str, load: &str) -> bool {
        let model = format!(
            "[service.a]\n{more}\noperations.o.steps = [ {step} ]\n[service.b]\nqueue = 2\noperations.o.work = \"8ms\"\n[pool.p]\nsize = 3\n[workload.w]\nentry = \"a.o\"\n{load}\n"
        );
        let no_files = |_: &str| Err("none".to_string());
        let read = document::read(&model, &no_files).unwrap_or_else(|wrong| panic!("{:?}", wrong.first()));
        let network = network::compile(&read.system);
        prepared(&network).stations.iter().any(|station| station.queue.is_some())
    }

    #[test]
    fn a_limit_goes_where_there_are_no_more() {
        let (call, three, open) = ("{ call = \"b.o\" }", "users = 3\nthink = \"1s\"", "rate = \"9/s\"");
        assert!(!stays(call, "", three));
        assert!(stays(call, "", "users = 4\nthink = \"1s\""));
        assert!(stays(call, "", open));
        assert!(!stays(call, "workers = 3", open));
        assert!(stays(call, "workers = 3\ninstances = 2", open));
        assert!(!stays("{ hold = \"p\", steps = [ { call = \"b.o\" } ] }", "", open));
        assert!(stays("{ hold = \"p\", steps = [ { call = \"b.o\" } ] }, { call = \"b.o\" }", "", open));
        assert!(!stays("{ call = \"b.o\", retries = 2 }", "workers = 3", open));
    }

    #[test]
    fn a_limit_stays_where_requests_leave_more_behind() {
        let users = "users = 2\nthink = \"1s\"";
        assert!(stays("{ parallel = [ { call = \"b.o\" }, { call = \"b.o\" } ] }", "", users));
        assert!(stays("{ call = \"b.o\", timeout = \"9ms\" }", "", users));
        assert!(stays("{ send = \"b.o\" }", "", users));
        assert!(stays("{ hold = \"p\", steps = [ { call = \"b.o\", timeout = \"9ms\" } ] }", "", users));
        // But each of them may hold one of its own.
        let held = "{ hold = \"p\", steps = [ { call = \"b.o\" } ] }";
        assert!(!stays(&format!("{{ parallel = [ {held}, {held} ] }}"), "", users));
    }
}

//! System to network: names become numbers.

use super::graph::callers_first;
use super::{
    Cache, CacheId, Network, Operation, OperationId, Pool, PoolId, PoolKind, Service, ServiceId, Station, StationId,
    Step, Visit, Workload,
};
use crate::discipline::Discipline;
use crate::distribution::{Distribution, Lattice, Law};
use crate::system::{self, Balancer, System, Target, Wait};
use crate::unit::Seconds;
use hashbrown::HashMap;
use rayon::prelude::*;

/// Compiles a system that [`crate::system::check`] found nothing wrong with. Targets that lead nowhere are left out.
pub fn compile(system: &System) -> Network {
    let ratios: Vec<f64> = system.caches.iter().map(|cache| cache.hits.ratio()).collect();
    let mut compiler = Compiler::new(system, &ratios);
    compiler.declare();
    let mut operations: Vec<Operation> = Vec::with_capacity(compiler.ids.len());
    for (id, service) in system.services.iter().enumerate() {
        for operation in &service.operations {
            let steps = compiler.steps(&operation.steps, service, id);
            operations.push(Operation { name: [&service.name, ".", &operation.name].concat(), service: id, steps });
        }
    }
    for (i, external) in system.externals.iter().enumerate() {
        let id = system.services.len() + i;
        let slots = compiler.services[id].cores;
        let mut steps = vec![compiler.visit(slots, external.latency.clone())];
        if external.failure > 0.0 {
            steps.push(Step::Fail(external.failure));
        }
        operations.push(Operation { name: external.name.clone(), service: id, steps });
    }
    let (workloads, classes) = compiler.workloads();
    let order = callers_first(&operations);
    let unit = quicken(&mut compiler.visits, &mut operations);
    Network {
        services: compiler.services,
        stations: compiler.stations,
        operations,
        order,
        pools: pools(system),
        caches: system
            .caches
            .iter()
            .zip(ratios)
            .map(|(cache, ratio)| Cache { name: cache.name.clone(), hits: cache.hits.clone(), ratio })
            .collect(),
        workloads,
        classes,
        visits: compiler.visits,
        parallels: compiler.parallels,
        guards: compiler.guards,
        unit,
    }
}

/// From so many laws on they are looked at on several threads.
const MANY_LAWS: usize = 250;

/// Gives laws without closed transform one that is fast on the rungs of a ladder; returns the ladder's unit.
fn quicken(visits: &mut [Visit], operations: &mut [Operation]) -> Seconds {
    let mut laws: Vec<&mut Law> = visits.iter_mut().map(|visit| &mut visit.time).collect();
    operations.iter_mut().for_each(|operation| delays(&mut operation.steps, &mut laws));
    let means = laws.iter().map(|law| law.mean()).filter(|mean| *mean > 0.0 && mean.is_finite());
    let shortest = means.fold(f64::INFINITY, f64::min);
    let unit = if shortest.is_finite() { shortest } else { 1.0 };
    // Laws often stand in a model many times; each is looked at once.
    let mut distinct: Vec<Law> = Vec::new();
    let mut known: HashMap<[u64; 2], Vec<usize>> = HashMap::new();
    let places: Vec<usize> = laws
        .iter()
        .map(|law| {
            let alike = known.entry([law.mean().to_bits(), law.moment(2).to_bits()]).or_default();
            match alike.iter().find(|place| distinct[**place] == **law) {
                Some(place) => *place,
                None => {
                    distinct.push((*law).clone());
                    alike.push(distinct.len() - 1);
                    distinct.len() - 1
                }
            }
        })
        .collect();
    let quick = |law: &Law| Lattice::new(law, unit).map(Law::Lattice);
    // Each takes some microseconds: few are not worth another thread.
    let quick: Vec<Option<Law>> = if distinct.len() < MANY_LAWS {
        distinct.iter().map(quick).collect()
    } else {
        distinct.par_iter().map(quick).collect()
    };
    for (law, place) in laws.into_iter().zip(places) {
        if let Some(quick) = &quick[place] {
            *law = quick.clone();
        }
    }
    unit
}

/// The laws that stand in the steps themselves.
fn delays<'a>(steps: &'a mut [Step], found: &mut Vec<&'a mut Law>) {
    for step in steps {
        match step {
            Step::Delay(law) => found.push(law),
            Step::Call(call) => found.extend(&mut call.network),
            Step::Guarded(guarded) => {
                found.extend(&mut guarded.call.network);
                delays(&mut guarded.attempt, found);
            }
            step => step.inner_mut(|steps| delays(steps, found)),
        }
    }
}

fn pools(system: &System) -> Vec<Pool> {
    let number = |name: &String| system.services.iter().position(|service| service.name == *name);
    let pool = |pool: &system::Pool| Pool {
        name: pool.name.clone(),
        size: pool.size,
        per: pool.per.as_ref().and_then(number),
        kind: PoolKind::Named,
    };
    system.pools.iter().map(pool).collect()
}

/// A service and its operation, or an external: what names an operation without owning it.
type Aim<'a> = (&'a str, Option<&'a str>);

fn aim(target: &Target) -> Aim<'_> {
    match target {
        Target::Operation { service, operation } => (service, Some(operation)),
        Target::External(name) => (name, None),
    }
}

struct Compiler<'a> {
    system: &'a System,
    services: Vec<Service>,
    stations: Vec<Station>,
    ids: HashMap<Aim<'a>, OperationId>,
    devices: HashMap<(ServiceId, &'a str), StationId>,
    /// Each cache with its number and hit ratio.
    caches: HashMap<&'a str, (CacheId, f64)>,
    pools: HashMap<&'a str, PoolId>,
    visits: Vec<Visit>,
    parallels: usize,
    guards: usize,
}

impl<'a> Compiler<'a> {
    fn new(system: &'a System, ratios: &[f64]) -> Self {
        let caches = system
            .caches
            .iter()
            .zip(ratios)
            .enumerate()
            .map(|(id, (cache, ratio))| (cache.name.as_str(), (id, *ratio)))
            .collect();
        let pools = system.pools.iter().enumerate().map(|(id, pool)| (pool.name.as_str(), id)).collect();
        Compiler {
            system,
            services: Vec::with_capacity(system.services.len()),
            stations: Vec::new(),
            ids: HashMap::with_capacity(system.services.iter().map(|service| service.operations.len()).sum()),
            devices: HashMap::new(),
            caches,
            pools,
            visits: Vec::new(),
            parallels: 0,
            guards: 0,
        }
    }

    /// Gives a number to every service, station and operation: services first, then externals.
    fn declare(&mut self) {
        let system = self.system;
        for (id, service) in system.services.iter().enumerate() {
            self.declare_service(id, service);
        }
        for external in &system.externals {
            self.declare_external(external);
        }
    }

    fn declare_service(&mut self, id: ServiceId, service: &'a system::Service) {
        let plain = Station {
            name: service.name.clone(),
            service: id,
            servers: 1,
            instances: service.instances,
            balancer: service.balancer,
            discipline: service.discipline,
            queue: None,
            contention: None,
        };
        // Where there are workers, it is for them that requests wait in the limited queue.
        let queue = service.queue.filter(|_| service.workers.is_none());
        let contention = service.contention;
        let cores = service.cores.map(|servers| self.station(Station { servers, queue, contention, ..plain.clone() }));
        let mut devices = Vec::with_capacity(service.devices.len());
        for device in &service.devices {
            let station = self.station(Station {
                name: format!("{} {}", service.name, device.name),
                servers: device.servers,
                discipline: device.discipline,
                ..plain.clone()
            });
            devices.push(station);
            self.devices.insert((id, device.name.as_str()), station);
        }
        let aim = |operation: &'a system::Operation| (service.name.as_str(), Some(operation.name.as_str()));
        let operations = service.operations.iter().map(|operation| self.operation(aim(operation))).collect();
        self.services.push(Service {
            name: service.name.clone(),
            external: false,
            instances: service.instances,
            cores,
            devices,
            operations,
            balancer: service.balancer,
            workers: service.workers,
            queue: service.queue.filter(|_| service.workers.is_some()),
            limit: None,
        });
    }

    fn declare_external(&mut self, external: &'a system::External) {
        let id = self.services.len();
        let cores = external.concurrency.map(|servers| {
            self.station(Station {
                name: external.name.clone(),
                service: id,
                servers,
                instances: 1,
                balancer: Balancer::Shared,
                discipline: Discipline::Fcfs,
                queue: None,
                contention: None,
            })
        });
        let operation = self.operation((&external.name, None));
        self.services.push(Service {
            name: external.name.clone(),
            external: true,
            instances: 1,
            cores,
            devices: Vec::new(),
            operations: vec![operation],
            balancer: Balancer::Shared,
            workers: None,
            queue: None,
            limit: external.limit,
        });
    }

    fn station(&mut self, station: Station) -> StationId {
        self.stations.push(station);
        self.stations.len() - 1
    }

    fn operation(&mut self, aim: Aim<'a>) -> OperationId {
        let id = self.ids.len();
        self.ids.insert(aim, id);
        id
    }

    fn steps(&mut self, steps: &[system::Step], service: &system::Service, id: ServiceId) -> Vec<Step> {
        steps.iter().filter_map(|step| self.step(step, service, id)).collect()
    }

    fn step(&mut self, step: &system::Step, service: &system::Service, id: ServiceId) -> Option<Step> {
        Some(match step {
            system::Step::Work(law) => {
                let time = if service.speed == 1.0 { law.clone() } else { law.scaled(1.0 / service.speed) };
                let cores = self.services[id].cores;
                self.visit(cores, time)
            }
            system::Step::Use { device, time } => {
                let station = *self.devices.get(&(id, device.as_str()))?;
                self.visit(Some(station), time.clone())
            }
            system::Step::Delay(law) => Step::Delay(law.clone()),
            system::Step::Call(call) => {
                let call = call.aimed_at(*self.ids.get(&aim(&call.target))?);
                if call.is_plain() {
                    return Some(Step::Call(call));
                }
                self.guards += 1;
                Step::guarded(call, self.guards - 1)
            }
            system::Step::Parallel { branches, wait } => {
                self.parallels += 1;
                let number = self.parallels - 1;
                let needed = match wait {
                    Wait::All => branches.len(),
                    Wait::Any => 1,
                    Wait::Some(k) => *k as usize,
                };
                let branches = branches.iter().map(|steps| self.steps(steps, service, id)).collect();
                Step::Parallel { branches, needed, id: number }
            }
            system::Step::Send(target) => Step::Send(*self.ids.get(&aim(target))?),
            system::Step::Hold { pool, steps } => {
                Step::Hold { pool: *self.pools.get(pool.as_str())?, steps: self.steps(steps, service, id) }
            }
            system::Step::Choose(ways) => {
                let ways = ways.iter().map(|(weight, steps)| (*weight, self.steps(steps, service, id))).collect();
                Step::Choose { ways, cache: None }
            }
            system::Step::Cache { cache, miss } => {
                let (cache, hit) = self.caches.get(cache.as_str()).copied()?;
                let ways = vec![(hit, Vec::new()), (1.0 - hit, self.steps(miss, service, id))];
                Step::Choose { ways, cache: Some(cache) }
            }
            system::Step::Repeat { times, steps } => {
                Step::Repeat { times: *times, steps: self.steps(steps, service, id) }
            }
            system::Step::Fail(chance) => Step::Fail(*chance),
        })
    }

    fn visit(&mut self, station: Option<StationId>, time: Law) -> Step {
        match station {
            Some(station) => {
                self.visits.push(Visit { station, time });
                Step::Visit(self.visits.len() - 1)
            }
            None => Step::Delay(time),
        }
    }

    /// Workloads with their classes: as many as there are different priorities, where a station heeds them.
    fn workloads(&self) -> (Vec<Workload>, usize) {
        let heeded = self.stations.iter().any(|station| station.discipline.uses_priority());
        let mut priorities: Vec<u32> = self.system.workloads.iter().map(|w| w.priority).collect();
        priorities.sort_unstable();
        priorities.dedup();
        if !heeded || priorities.is_empty() {
            priorities = vec![0];
        }
        let workloads = self
            .system
            .workloads
            .iter()
            .map(|workload| Workload {
                name: workload.name.clone(),
                mix: workload
                    .mix
                    .iter()
                    .filter_map(|(target, share)| self.ids.get(&aim(target)).map(|id| (*id, *share)))
                    .collect(),
                load: workload.load.clone(),
                class: if heeded { priorities.iter().position(|p| *p == workload.priority).unwrap_or(0) } else { 0 },
            })
            .collect();
        (workloads, priorities.len())
    }
}

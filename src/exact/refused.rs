//! What has no finite Markov chain, named one by one.

use super::phases::Phases;
use crate::distribution::Law;
use crate::network::program::{Instruction, Program};
use crate::network::{Network, Operation, Step, Workload};
use crate::system::{ArrivalLaw, Hits, Load};

/// Why a network is no Markov chain of few states, in sentences; none where it is.
pub(super) fn refused(network: &Network, program: &Program) -> Vec<String> {
    let mut found = Vec::new();
    for operation in &network.operations {
        steps(network, operation, &operation.steps, &mut found);
    }
    for workload in &network.workloads {
        let name = &workload.name;
        match &workload.load {
            Load::Profile { .. } => found.push(format!("the load of {name} changes with time")),
            Load::Open { arrivals: ArrivalLaw::Trace(_), .. } => found.push(format!("{name} comes by a trace")),
            Load::Open { arrivals: ArrivalLaw::Renewal(law), .. } => {
                made_of_phases(name, "the arrivals", law, &mut found)
            }
            Load::Closed { think, .. } => made_of_phases(name, "the time to think", think, &mut found),
            Load::Open { .. } => {}
        }
    }
    for service in network.services.iter().filter(|service| service.limit.is_some()) {
        found.push(format!("{} takes so many calls per second", service.name));
    }
    for cache in network.caches.iter().filter(|cache| !matches!(cache.hits, Hits::Ratio(_))) {
        found.push(format!("cache {} remembers each object: give its `hit` instead", cache.name));
    }
    if network.order.len() < network.operations.len() {
        found.push("operations call each other in a circle".to_string());
    }
    if is_too_large(network, program) {
        found.push(format!("it counts something beyond {MOST}: stages, repeats, instances, users, steps"));
    }
    found.sort();
    found.dedup();
    found
}

/// States are written down with counts up to this.
const MOST: u32 = 10_000;

/// Workloads that are told apart.
const MOST_WORKLOADS: usize = 60;

fn is_too_large(network: &Network, program: &Program) -> bool {
    let users = |workload: &Workload| matches!(workload.load, Load::Closed { users, .. } if users > MOST);
    let stages = |law: &Law| Phases::of(law).is_some_and(|phases| phases.rates.len() > MOST as usize);
    let loops = |step: &Instruction| matches!(step, Instruction::Loop { times, .. } if *times > MOST);
    program.code.len() > MOST as usize
        || network.workloads.len() > MOST_WORKLOADS
        || network.workloads.iter().any(users)
        || network.services.iter().any(|service| service.instances > MOST)
        || program.calls.iter().any(|call| call.times > MOST || call.retries > MOST)
        || program.code.iter().any(loops)
        || program.laws.iter().any(stages)
}

fn made_of_phases(place: &str, what: &str, law: &Law, found: &mut Vec<String>) {
    if Phases::of(law).is_none() {
        let law = law.name();
        found.push(format!(
            "{what} of {place} is {law}: exponential, erlang and hyperexponential are made of memoryless phases"
        ));
    }
}

fn steps(network: &Network, operation: &Operation, list: &[Step], found: &mut Vec<String>) {
    let name = &operation.name;
    for step in list {
        match step {
            Step::Visit(visit) => made_of_phases(name, "the work", &network.visits[*visit].time, found),
            Step::Delay(law) => made_of_phases(name, "the time", law, found),
            Step::Call(call) if call.network.is_some() => {
                found.push(format!("a call of {name} takes as long there as back: leave `network` out"));
            }
            Step::Guarded(guarded) => {
                if guarded.is_decided_by_time() {
                    found.push(format!("a call of {name} has a `timeout` or `hedge`: a clock has no phases"));
                }
                if guarded.call.retries > 0 && guarded.call.backoff.is_some_and(|backoff| backoff.most(1) > 0.0) {
                    found.push(format!("a call of {name} has a `backoff`: a clock has no phases"));
                }
            }
            _ => {}
        }
        step.inner(|list| steps(network, operation, list, found));
    }
}

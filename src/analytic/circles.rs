//! Operations that end up calling themselves, drawn out into copies, each of which asks the next one.
//!
//! Calls within a circle lead from one turn to the next, and as many turns are made as it takes until hardly any request
//! gets that far. Then every operation has its callers before it.

use crate::network::graph::{callees, callers_first, reached};
use crate::network::{Network, Operation, OperationId, Step};

/// What is left of requests that go in circles when they are drawn out no further.
const LEFT: f64 = 1e-7;

/// Turns that are drawn out.
const MOST_TURNS: usize = 300;

/// Draws out all circles of a network.
pub(super) fn draw_out(network: &mut Network) {
    let circles = circles(network);
    let members: Vec<OperationId> = (0..network.operations.len()).filter(|id| circles[*id].is_some()).collect();
    let turns = turns(network, &circles, &members);
    // Copies of a turn stand together, in the order of the members.
    let place = |id: OperationId, turn: usize| match members.binary_search(&id) {
        Ok(_) if turn == 0 => id,
        Ok(i) => network.operations.len() + (turn - 1) * members.len() + i,
        Err(_) => id,
    };
    let mut copies: Vec<Operation> = Vec::with_capacity(turns * members.len());
    let mut drawn = Drawn { parallels: network.parallels, guards: network.guards };
    for turn in 0..turns {
        for &id in &members {
            let Operation { name, service, steps } = &network.operations[id];
            // A call within the circle goes to the next turn; after the last one nobody gets there.
            let next = |target: OperationId| {
                let within = circles[target].is_some() && circles[target] == circles[id];
                if !within {
                    return Some(target);
                }
                (turn + 1 < turns).then(|| place(target, turn + 1))
            };
            let steps = drawn.steps(steps, &next);
            copies.push(Operation { name: name.clone(), service: *service, steps });
        }
    }
    let (first, later) = copies.split_at(members.len());
    for (id, copy) in members.iter().zip(first) {
        network.operations[*id] = copy.clone();
    }
    for copy in later {
        network.services[copy.service].operations.push(network.operations.len());
        network.operations.push(copy.clone());
    }
    (network.parallels, network.guards) = (drawn.parallels, drawn.guards);
    network.order = callers_first(&network.operations);
}

/// The circle each operation is part of: a number for each set of operations that all end up calling each other.
fn circles(network: &Network) -> Vec<Option<OperationId>> {
    let callees = callees(&network.operations);
    let mut ordered = vec![false; network.operations.len()];
    network.order.iter().for_each(|id| ordered[*id] = true);
    let unordered = |id: usize| (!ordered[id]).then(|| reached(&callees, id));
    let reached: Vec<Option<Vec<bool>>> = (0..callees.len()).map(unordered).collect();
    let reaches = |from: usize, to: usize| reached[from].as_ref().is_some_and(|reached| reached[to]);
    (0..callees.len()).map(|id| (0..=id).find(|other| reaches(id, *other) && reaches(*other, id))).collect()
}

/// How many turns are made until hardly anyone is left of those who begin anywhere on a circle.
fn turns(network: &Network, circles: &[Option<OperationId>], members: &[OperationId]) -> usize {
    let mut left = vec![0.0; network.operations.len()];
    members.iter().for_each(|id| left[*id] = 1.0);
    for turn in 1..MOST_TURNS {
        let mut next = vec![0.0; left.len()];
        for &id in members {
            let mut note = |target: OperationId, times: f64| {
                if circles[target] == circles[id] {
                    next[target] += left[id] * times;
                }
            };
            asked(&network.operations[id].steps, 1.0, &mut note);
        }
        left = next;
        if left.iter().sum::<f64>() < LEFT {
            return turn;
        }
    }
    MOST_TURNS
}

/// Whom some steps ask, and how often.
fn asked(steps: &[Step], times: f64, note: &mut impl FnMut(OperationId, f64)) {
    for step in steps {
        match step {
            Step::Call(call) => note(call.target, times * call.probability * f64::from(call.times)),
            Step::Guarded(guarded) => {
                let call = &guarded.call;
                note(call.target, times * call.probability * f64::from(call.times));
            }
            Step::Send(target) => note(*target, times),
            Step::Choose { ways, .. } => ways.iter().for_each(|(weight, steps)| asked(steps, times * weight, note)),
            Step::Repeat { times: again, steps } => asked(steps, times * f64::from(*again), note),
            step => step.inner(|steps| asked(steps, times, note)),
        }
    }
}

/// Numbers for what is copied.
struct Drawn {
    parallels: usize,
    guards: usize,
}

impl Drawn {
    /// A copy of some steps, with other targets; calls that have none are left out.
    fn steps(&mut self, steps: &[Step], target: &impl Fn(OperationId) -> Option<OperationId>) -> Vec<Step> {
        steps.iter().filter_map(|step| self.step(step, target)).collect()
    }

    fn step(&mut self, step: &Step, target: &impl Fn(OperationId) -> Option<OperationId>) -> Option<Step> {
        Some(match step {
            Step::Call(call) => Step::Call(call.aimed_at(target(call.target)?)),
            Step::Send(operation) => Step::Send(target(*operation)?),
            Step::Guarded(guarded) => {
                let call = guarded.call.aimed_at(target(guarded.call.target)?);
                self.guards += 1;
                Step::guarded(call, self.guards - 1)
            }
            Step::Parallel { branches, needed, .. } => {
                let branches = branches.iter().map(|steps| self.steps(steps, target)).collect();
                self.parallels += 1;
                Step::Parallel { branches, needed: *needed, id: self.parallels - 1 }
            }
            Step::Choose { ways, cache } => Step::Choose {
                ways: ways.iter().map(|(weight, steps)| (*weight, self.steps(steps, target))).collect(),
                cache: *cache,
            },
            Step::Hold { pool, steps } => Step::Hold { pool: *pool, steps: self.steps(steps, target) },
            Step::Repeat { times, steps } => Step::Repeat { times: *times, steps: self.steps(steps, target) },
            Step::Visit(_) | Step::Delay(_) | Step::Fail(_) => step.clone(),
        })
    }
}

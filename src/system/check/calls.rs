//! Who calls whom: services that nothing calls, calls that never end, and how fast a call can be answered.

use super::Checker;
use crate::distribution::{Distribution, Law};
use crate::system::{Path, Step, System, Target};
use std::collections::{HashMap, HashSet};

/// Calls are followed so deep for their least time.
const DEEPEST: usize = 200;

impl Checker<'_> {
    /// The least time a target needs, from the least of its work and delays. A call in a circle, or one deeper than any
    /// model of a system, counts as no time.
    pub(super) fn fastest(&mut self, target: &Target, depth: usize) -> f64 {
        if let Some(known) = self.fastest.get(target) {
            return *known;
        }
        let system = self.system;
        self.fastest.insert(target.clone(), 0.0);
        let time = match target {
            Target::External(name) => {
                system.externals.iter().find(|e| e.name == *name).map_or(0.0, |e| least(&e.latency))
            }
            Target::Operation { .. } if depth >= DEEPEST => 0.0,
            Target::Operation { service, operation } => self.service(service).map_or(0.0, |service| {
                let steps = service.operations.iter().find(|o| o.name == *operation).map_or(&[][..], |o| &o.steps);
                let time = |step: &Step| match step {
                    Step::Work(law) => least(law) / service.speed,
                    Step::Delay(law) => least(law),
                    Step::Use { time, .. } => least(time),
                    Step::Call(call) if call.probability >= 1.0 => {
                        let network = call.network.as_ref().map_or(0.0, least);
                        f64::from(call.times) * (self.fastest(&call.target, depth + 1) + network)
                    }
                    _ => 0.0,
                };
                steps.iter().map(time).sum()
            }),
        };
        self.fastest.insert(target.clone(), time);
        time
    }

    /// Services that nothing calls.
    pub(super) fn uncalled(&mut self) {
        let owner = |target: &Target| match target {
            Target::Operation { service, .. } => Some(service.clone()),
            Target::External(_) => None,
        };
        let called: HashSet<String> = self.called.iter().filter_map(owner).collect();
        for service in self.system.services.iter().filter(|service| !called.contains(&service.name)) {
            self.warn(
                "uncalled",
                Path::of(&["service", &service.name]),
                format!("nothing calls service \"{}\"", service.name),
                "never used",
                "call it from a workload or an operation, or take it out".to_string(),
            );
        }
    }

    /// Cycles of calls that never end, found without recursion so that a long chain cannot exhaust the stack.
    pub(super) fn cycles(&mut self) {
        let operations = operations_with_calls(self.system);
        let index: HashMap<&Target, usize> = operations.iter().enumerate().map(|(i, (t, _))| (t, i)).collect();
        // 0 unseen, 1 on the current path, 2 done.
        let mut state = vec![0u8; operations.len()];
        for start in 0..operations.len() {
            if state[start] != 0 {
                continue;
            }
            let mut stack = vec![(start, 0usize)];
            state[start] = 1;
            while let Some((node, next)) = stack.pop() {
                let Some((target, path)) = operations[node].1.get(next) else {
                    state[node] = 2;
                    continue;
                };
                stack.push((node, next + 1));
                let Some(&callee) = index.get(target) else { continue };
                if state[callee] == 1 {
                    let from = stack.iter().position(|(n, _)| *n == callee).unwrap_or(0);
                    let mut names: Vec<String> =
                        stack[from..].iter().map(|(n, _)| operations[*n].0.to_string()).collect();
                    names.push(target.to_string());
                    self.error(
                        "cycle",
                        path.clone(),
                        format!("these calls never end: {}", names.join(" → ")),
                        "closes the circle",
                        "break the circle: take out one of these calls, or make it a `send` to something else"
                            .to_string(),
                    );
                    return;
                }
                if state[callee] == 0 {
                    state[callee] = 1;
                    stack.push((callee, 0));
                }
            }
        }
    }
}

/// The least value a law takes, as far as it is bounded away from zero.
pub(super) fn least(law: &Law) -> f64 {
    match law {
        Law::Constant(_) | Law::Uniform(_) | Law::Pareto(_) | Law::Empirical(_) => law.quantile(0.0),
        _ => 0.0,
    }
}

type Calls = Vec<(Target, Path)>;

fn operations_with_calls(system: &System) -> Vec<(Target, Calls)> {
    let mut all = Vec::new();
    for service in &system.services {
        for operation in &service.operations {
            let mut calls = Vec::new();
            let path = Path::of(&["service", &service.name, "operations", &operation.name, "steps"]);
            collect_calls(&operation.steps, &path, &mut calls);
            all.push((Target::Operation { service: service.name.clone(), operation: operation.name.clone() }, calls));
        }
    }
    all
}

/// The calls and sends that are always made. A send counts too: work that sends itself on never ends either; what is
/// made by chance only may end.
fn collect_calls(steps: &[Step], path: &Path, calls: &mut Calls) {
    for (i, step) in steps.iter().enumerate() {
        let path = path.join(i);
        match step {
            Step::Call(call) if call.probability >= 1.0 && call.times > 0 => {
                calls.push((call.target.clone(), path.join("call")));
            }
            Step::Send(target) => calls.push((target.clone(), path.join("send"))),
            Step::Hold { steps, .. } => collect_calls(steps, &path.join("steps"), calls),
            Step::Repeat { steps, times } if *times > 0 => collect_calls(steps, &path.join("steps"), calls),
            Step::Parallel { branches, .. } => {
                for (j, steps) in branches.iter().enumerate() {
                    collect_calls(steps, &path.join("parallel").join(j), calls);
                }
            }
            _ => {}
        }
    }
}

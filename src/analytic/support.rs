//! What the analytic engine cannot solve yet, named key by key.

use crate::network::{Network, unsolved_cycle};
use crate::system::check::{Problem, Severity};
use crate::system::{ArrivalLaw, Load, Path, Step, System, Workload};

/// Everything in a system that this engine cannot solve, with its place.
pub fn unsupported(system: &System) -> Vec<Problem> {
    let mut found = Vec::new();
    for service in &system.services {
        let path = Path::of(&["service", &service.name]);
        if service.workers.is_some() {
            found.push(problem(path.join("workers"), "`workers` are held while their request waits elsewhere"));
        }
        if service.contention.is_some() {
            found.push(problem(path.join("contention"), "`contention` makes the cores slower as more are busy"));
        }
        for operation in &service.operations {
            steps(&operation.steps, &path.join("operations").join(&operation.name).join("steps"), &mut found);
        }
    }
    for external in &system.externals {
        if external.limit.is_some() {
            let path = Path::of(&["external", &external.name, "limit"]);
            found.push(problem(path, "`limit` refuses calls by their spacing"));
        }
    }
    for workload in &system.workloads {
        let path = Path::of(&["workload", &workload.name]);
        match &workload.load {
            Load::Profile { .. } => found.push(problem(path.join("profile"), "this rate changes with time")),
            Load::Open { arrivals: ArrivalLaw::Burst { .. }, .. } => {
                found.push(problem(path.join("arrivals"), "bursts are correlated over time"));
            }
            Load::Open { arrivals: ArrivalLaw::Trace(_), .. } => {
                found.push(problem(path.join("arrivals"), "a trace is one sequence of arrivals"));
            }
            Load::Open { .. } | Load::Closed { .. } => {}
        }
    }
    found
}

/// Closed workloads, for those who can only handle open ones.
pub fn waiting_users(system: &System) -> Vec<Problem> {
    let closed = system.workloads.iter().filter(|workload| matches!(workload.load, Load::Closed { .. }));
    let refused = |workload: &Workload| Problem {
        severity: Severity::Error,
        code: "unsupported",
        path: Path::of(&["workload", &workload.name, "users"]),
        message: "plans for users who wait for their answers cannot be made yet: with more instances they ask for more"
            .to_string(),
        label: "an open workload with `rate` can be planned for".to_string(),
        advice: "`plimsoll sweep --vary` over instance counts shows what each gives".to_string(),
    };
    closed.map(refused).collect()
}

/// An operation that calls itself by way of others, which this engine cannot solve yet.
pub fn circle(network: &Network) -> Option<Problem> {
    let name = unsolved_cycle(network)?;
    let (service, operation) = name.split_once('.')?;
    Some(Problem {
        severity: Severity::Error,
        code: "unsupported",
        path: Path::of(&["service", service, "operations", operation]),
        message: format!("the analytic engine cannot solve calls in a circle yet: \"{name}\" ends up calling itself"),
        label: "part of a circle".to_string(),
        advice: "take out one of the calls, or write the repetition as `repeat`".to_string(),
    })
}

pub(super) fn problem(path: Path, reason: &str) -> Problem {
    let key = path.words().last().map_or_else(String::new, |word| (*word).to_string());
    Problem {
        severity: Severity::Error,
        code: "unsupported",
        path,
        message: format!("the analytic engine cannot solve `{key}` yet: {reason}"),
        label: "only a simulation can".to_string(),
        advice: "`plimsoll solve --method simulate` can; or take it out to see the rest of the model".to_string(),
    }
}

fn steps(list: &[Step], path: &Path, found: &mut Vec<Problem>) {
    for (i, step) in list.iter().enumerate() {
        let path = path.join(i);
        match step {
            Step::Call(call) => {
                let keys = [
                    ("timeout", call.timeout.is_some(), "a caller that gives up leaves work behind"),
                    ("retries", call.retries > 0, "retries feed back into the load"),
                    ("hedge", call.hedge.is_some(), "second copies feed back into the load"),
                ];
                for (key, present, reason) in keys {
                    if present {
                        found.push(problem(path.join(key), reason));
                    }
                }
            }
            Step::Hold { steps: inner, .. } => {
                found.push(problem(path.join("hold"), "what is held limits the work behind it"));
                steps(inner, &path.join("steps"), found);
            }
            Step::Repeat { steps: inner, .. } => steps(inner, &path.join("steps"), found),
            Step::Cache { miss, .. } => steps(miss, &path.join("miss"), found),
            Step::Choose(ways) => {
                for (j, (_, inner)) in ways.iter().enumerate() {
                    steps(inner, &path.join("choose").join(j).join("steps"), found);
                }
            }
            Step::Parallel { branches, .. } => {
                for (j, inner) in branches.iter().enumerate() {
                    steps(inner, &path.join("parallel").join(j), found);
                }
            }
            Step::Work(_) | Step::Send(_) | Step::Delay(_) | Step::Use { .. } | Step::Fail(_) => {}
        }
    }
}

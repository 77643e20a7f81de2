//! What the analytic engine cannot solve yet, named key by key.

use crate::system::check::{Problem, Severity};
use crate::system::{ArrivalLaw, Load, Path, System, Workload};

/// Everything in a system that this engine cannot solve, with its place.
pub fn unsupported(system: &System) -> Vec<Problem> {
    let mut found = Vec::new();
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

//! What cannot be planned for yet, named key by key.

use crate::system::check::{Problem, Severity};
use crate::system::{Load, Path, System, Workload};

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

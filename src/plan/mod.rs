//! From predictions to answers: objectives met or missed, the cheapest counts that meet them, what happens as a
//! parameter moves.

mod explain;
mod load_test;
mod sizing;
mod support;
mod sweep;
mod verdict;

pub use explain::{CHANGE, Elasticity, Explanation, Made, Next, Remedy, explain};
pub use load_test::{Finding, Limit, LoadTest, Recovery, SPIKE, Stage, TestKind, load_test};
pub use sizing::{Losing, Plan, PlanError, PlannedService, Survive, size};
pub use support::waiting_users;
pub use sweep::{Overloaded, Point, Sweep, knee, overloaded, sweep};
pub use verdict::{Verdict, assess, margin_of, name_of};

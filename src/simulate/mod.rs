//! The simulation engine: requests one by one, with every meaning of the language.
//!
//! In the order of the data: `engine` lets things happen in the order of a `calendar`: `arrivals` bring requests, changed in
//! time by a `shape`, each a frame (`frames`) that goes through `steps`, asks others (`calls`) and splits up (`forks`), at
//! servers (`seats`) that are had one each (`queue`) or not (`share`), at the instance that `balance` chooses, past caches
//! (`lru`). `record` counts, `ledger` keeps where the time went, `spans` writes single requests down, `deadlock` finds what
//! will never go on. Where `stages` finds that no request comes back to a place, things happen in the order of places instead
//! (`by_place`, `line`).
//!
//! A `task` runs engines side by side: `pilot` finds how long they take to settle, `effort` how long to measure, `follow` how
//! things change; `collected` puts runs together, `figures` says how sure they are, `outcome` makes the prediction.

mod arrivals;
mod balance;
mod by_place;
mod calendar;
mod calls;
mod collected;
mod deadlock;
mod effort;
mod engine;
mod figures;
mod follow;
mod forks;
mod frames;
mod ledger;
mod line;
mod lru;
mod outcome;
mod pilot;
mod queue;
mod record;
mod seats;
mod shape;
mod share;
mod spans;
mod stages;
mod steps;
mod task;

pub use effort::{Effort, PRECISION, Progress, Replication, Simulated, Watch, merge, simulate};
pub use follow::{Moment, follow, span};
pub use queue::Usage;
pub use record::{Account, Record, Requests, Sample, Spent};
pub use shape::Shape;
pub use spans::{Part, Span};

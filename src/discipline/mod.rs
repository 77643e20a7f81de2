//! How servers choose what to serve, and what theory knows about it.
//!
//! One discipline a file; [`Discipline`] is the table of all with their words in a model. [`fcfs`] holds the classical
//! multi-server queues; [`Delay`] is the law of a waiting time, [`Sojourn`] that of a whole visit.

pub mod balancer;
pub mod busy;
pub mod contended;
mod delay;
pub mod fcfs;
pub mod lifo;
pub mod priority;
pub mod ps;
mod sojourn;

pub use delay::{Delay, Term};
pub use sojourn::Sojourn;

/// Order in which the servers of a station serve what waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, PartialOrd, Ord, Hash)]
pub enum Discipline {
    /// First come, first served.
    #[default]
    Fcfs,
    /// Processor sharing: all present are served at once, each at an equal share, none faster than one server.
    Ps,
    /// Last come, first served, without interrupting a service.
    Lifo,
    /// The most urgent first, without interrupting a service; first come, first served among equals.
    Priority,
    /// The most urgent first; a more urgent arrival interrupts a less urgent service, which resumes later.
    Preemptive,
}

impl Discipline {
    /// Every discipline with its word in a model and what it means.
    pub const ALL: [(Discipline, &'static str, &'static str); 5] = [
        (Discipline::Fcfs, "fcfs", "first come, first served"),
        (Discipline::Ps, "ps", "processor sharing: all present share the cores equally"),
        (Discipline::Lifo, "lifo", "last come, first served, without interrupting"),
        (Discipline::Priority, "priority", "the most urgent workload first, without interrupting"),
        (Discipline::Preemptive, "preemptive", "the most urgent workload first, interrupting less urgent work"),
    ];

    /// Its word in a model.
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(d, _, _)| *d == self).map_or("fcfs", |(_, word, _)| word)
    }

    /// The discipline of this word.
    pub fn from_word(word: &str) -> Option<Discipline> {
        Self::ALL.iter().find(|(_, w, _)| *w == word).map(|(d, _, _)| *d)
    }

    /// Whether it tells workloads apart by their priority.
    pub fn uses_priority(self) -> bool {
        matches!(self, Discipline::Priority | Discipline::Preemptive)
    }
}

/// How a figure of one queue is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Knowledge {
    /// Exact theory, up to rounding.
    Exact,
    /// An approximation, with the relative error to expect of its 95th percentile.
    Approximate {
        /// Expected relative error of p95.
        p95_error: f64,
    },
}

impl Knowledge {
    /// The less trustworthy of two.
    pub fn and(self, other: Knowledge) -> Knowledge {
        match (self, other) {
            (Knowledge::Exact, other) => other,
            (this, Knowledge::Exact) => this,
            (Knowledge::Approximate { p95_error: a }, Knowledge::Approximate { p95_error: b }) => {
                Knowledge::Approximate { p95_error: a.max(b) }
            }
        }
    }
}

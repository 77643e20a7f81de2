//! First come, first served: the classical queues, and which of them fits.
//!
//! [`solve`] takes the exact theory where there is one (M/M/c, M/G/1, M/D/c, GI/M/c, and phase-type laws at a few
//! servers) and a tested approximation elsewhere, and says which it was.

mod batch;
mod general;
mod impatient;
mod limited;
mod modulated;
mod periodic;
mod phase;
mod renewal;

pub use batch::batched;
pub use impatient::Impatient;
pub use limited::{Limited, limited};
pub use modulated::modulated;
pub use periodic::Periodic;
pub use phase::Phases;
pub use renewal::renewal;

use super::{Delay, Knowledge};
use crate::distribution::Law;
use crate::math::erlang;
use crate::unit::PerSecond;

/// How requests arrive at a station.
#[derive(Debug, Clone, PartialEq)]
pub enum Arrivals {
    /// Independently of each other (a Poisson process).
    Poisson,
    /// Independent interarrival times of this law.
    Renewal(Law),
    /// Only the variability of the interarrival times is known, as their squared coefficient of variation.
    Scv(f64),
}

impl Arrivals {
    /// Squared coefficient of variation of the interarrival times.
    pub fn scv(&self) -> f64 {
        match self {
            Arrivals::Poisson => 1.0,
            Arrivals::Renewal(law) => law.scv(),
            Arrivals::Scv(scv) => *scv,
        }
    }

    pub(crate) fn is_poisson(&self) -> bool {
        match self {
            Arrivals::Poisson => true,
            Arrivals::Renewal(law) => law.is_exponential(),
            Arrivals::Scv(_) => false,
        }
    }
}

/// A queue in front of equal servers.
#[derive(Debug, Clone, PartialEq)]
pub struct Queue {
    /// Arrival rate, per second.
    pub arrival_rate: PerSecond,
    /// How the arrivals are spaced.
    pub arrivals: Arrivals,
    /// Service time.
    pub service: Law,
    /// Number of servers, at least one.
    pub servers: u32,
}

impl Queue {
    /// Arrival rate × mean service time, in erlangs.
    pub fn offered_load(&self) -> f64 {
        self.arrival_rate * self.service.mean()
    }

    /// Offered load over servers; at or above 1 the queue grows without end.
    pub fn utilization(&self) -> f64 {
        self.offered_load() / f64::from(self.servers)
    }
}

/// Next to nobody waits where fewer do with memoryless work, and arrivals are hardly more variable than this.
const NEXT_TO_NOBODY: f64 = 1e-7;
const HARDLY_VARIED: f64 = 1.5;

/// Whether next to nobody ever waits: formulas then serve as well as any theory.
fn hardly_waits(queue: &Queue) -> bool {
    queue.arrivals.scv() <= HARDLY_VARIED
        && erlang::erlang_c(queue.servers, queue.offered_load()).is_some_and(|busy| busy < NEXT_TO_NOBODY)
}

/// The wait in a queue, and how it is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Waiting {
    /// Its law.
    pub delay: Delay,
    /// How it is known.
    pub knowledge: Knowledge,
}

/// The law of the waiting time. `None` when the utilization is 1 or more: there is no steady state.
pub fn solve(queue: &Queue) -> Option<Waiting> {
    let rho = queue.utilization();
    if rho.is_nan() || rho >= 1.0 {
        return None;
    }
    let exact = |delay| Some(Waiting { delay, knowledge: Knowledge::Exact });
    if rho == 0.0 {
        return exact(Delay::None);
    }
    match &queue.arrivals {
        arrivals if arrivals.is_poisson() && queue.service.is_exponential() => exact(memoryless(queue)),
        arrivals if arrivals.is_poisson() && queue.servers == 1 && !queue.service.is_constant() => {
            exact(Delay::Pollaczek { arrival_rate: queue.arrival_rate, service: queue.service.clone() })
        }
        Arrivals::Renewal(interarrival) if queue.service.is_exponential() => {
            exact(renewal(interarrival, queue.service.mean(), queue.servers))
        }
        arrivals if arrivals.is_poisson() && queue.service.is_constant() && queue.servers <= periodic::MOST_SERVERS => {
            match Periodic::new(queue.arrival_rate, queue.service.mean(), queue.servers) {
                Some(delay) => exact(Delay::Periodic(delay)),
                None => Some(general::solve(queue)),
            }
        }
        _ => match phase::solve(queue) {
            Some(delay) => exact(delay),
            None => Some(general::solve(queue)),
        },
    }
}

/// M/M/c: a wait has the probability of Erlang C and is exponential with the rate at which the queue drains.
fn memoryless(queue: &Queue) -> Delay {
    let probability = erlang::erlang_c(queue.servers, queue.offered_load()).unwrap_or(1.0);
    Delay::exponential(probability, f64::from(queue.servers) / queue.service.mean() * (1.0 - queue.utilization()))
}

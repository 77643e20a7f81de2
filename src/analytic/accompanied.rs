//! How much longer waits are where visits meet others of the same request.

use super::stations::{ClassState, StationState, Treatment};
use super::traffic::Variability;
use crate::discipline::fcfs::{self, Arrivals, Queue, Waiting};
use crate::discipline::{Delay, Knowledge, ps};
use crate::distribution::Law;
use crate::network::Station;
use crate::unit::Seconds;

/// Error of waits for others of the same request, of exponential work and of any other.
const EXPONENTIAL: Knowledge = Knowledge::Approximate { p95_error: 0.11 };
const OTHER: Knowledge = Knowledge::Approximate { p95_error: 0.18 };

/// Of what is waited for others' requests so much is left, however regular they come.
const LEAST: f64 = 0.05;

/// What waits for others of the same request add.
pub(super) struct Added {
    /// The wait if nothing else were the matter: arrivals otherwise Poisson, one queue, first come first served.
    alike: Option<Delay>,
    /// Mean of what is added.
    pub mean: Seconds,
}

impl Added {
    /// What is added at a station where without others of the same request `before` is waited on average; `None` where visits meet
    /// nobody.
    pub fn of(station: &Station, queue: &Queue, variability: &Variability, before: Seconds) -> Option<Added> {
        if variability.batches.is_empty() || queue.arrival_rate <= 0.0 || queue.utilization() >= 1.0 {
            return None;
        }
        let parts = if station.is_split() { f64::from(station.instances) } else { 1.0 };
        // How work varies matters to what is waited for others' requests, not to what company adds.
        let own = Queue {
            arrival_rate: queue.arrival_rate / parts,
            arrivals: Arrivals::Poisson,
            service: Law::exponential(queue.service.mean()),
            servers: if station.is_split() { station.servers } else { queue.servers },
        };
        let batches: Vec<(f64, u32)> = variability.batches.iter().map(|(rate, size)| (rate / parts, *size)).collect();
        let plain = fcfs::solve(&own)?.delay.mean();
        let alike = fcfs::batched(&own, &batches).map(|Waiting { delay, .. }| delay);
        let mean = match &alike {
            Some(delay) => (delay.mean() - plain).max(0.0),
            None => {
                let pairs = batches.iter().map(|(rate, size)| 0.5 * rate * f64::from(*size) * f64::from(size - 1));
                let before = pairs.sum::<f64>() / own.arrival_rate;
                before * own.service.mean() / (f64::from(own.servers) * (1.0 - own.utilization()))
            }
        };
        let mean = variability.form * mean;
        // Requests that come as a regular stream find fewer others, those that come together more; for the own one all wait as long.
        let spaced = variability.beside * plain / own.service.mean();
        let others = (before + mean - variability.own).max(0.0);
        Some(Added { alike, mean: mean + spaced.max((LEAST - 1.0) * others) })
    }

    /// Lengthens what all meet at a station.
    pub fn put(&self, queue: &Queue, state: &mut StationState) {
        let mean = state.classes.iter().filter_map(|class| class.wait.as_ref()).map(Delay::mean).fold(0.0, f64::max);
        let knowledge = if queue.service.is_exponential() { EXPONENTIAL } else { OTHER };
        for class in &mut state.classes {
            class.knowledge = class.knowledge.and(knowledge);
            self.lengthen(queue, mean, class);
        }
        let shared = state.classes.iter().find_map(|class| match &class.treatment {
            Treatment::Shared(queue) => ps::slowdown(queue).map(|slowdown| queue.service.mean() * slowdown),
            _ => None,
        });
        let before = shared.map_or(mean, |time| time - self.mean);
        if before > 0.0 {
            state.company = 1.0 + self.mean / before;
        } else if self.mean > 0.0 {
            state.company = f64::INFINITY;
        }
    }

    fn lengthen(&self, queue: &Queue, mean: Seconds, class: &mut ClassState) {
        if let Treatment::Shared(shared) = &mut class.treatment {
            if let Some(slowdown) = ps::slowdown(shared) {
                *shared = ps::with_slowdown(shared, slowdown + self.mean / queue.service.mean());
            }
            return;
        }
        let Some(wait) = &class.wait else { return };
        let alike = self.alike.as_ref().filter(|alike| alike.mean() > 0.0);
        class.wait = Some(match (&class.treatment, alike) {
            // Who is served when depends on more than who came before.
            (Treatment::Interrupted(_), _) | (_, None) if mean > 0.0 => wait.clone().scaled(1.0 + self.mean / mean),
            (_, Some(alike)) => alike.clone().scaled((wait.mean() + self.mean) / alike.mean()),
            (_, None) => wait.clone(),
        });
    }
}

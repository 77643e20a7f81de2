//! What waits are shorter by because no more requests are there at once than hold something: workers, a pool.

use super::section::Section;
use super::{Gate, HELD, Solver};
use crate::analytic::stations::StationState;
use crate::math::equivalent::Element;
use crate::unit::PerSecond;

/// What limits say of the waits at a station, or for a pool.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Limited {
    /// The share of its requests that come within a limit.
    share: f64,
    /// The sum of what their waits are multiplied by.
    shorter: f64,
}

impl Limited {
    /// Notes that the waits of a share are multiplied by this factor.
    fn note(&mut self, share: f64, factor: f64) {
        self.share += share;
        self.shorter += share * factor.min(1.0);
    }

    /// What the waits of all are multiplied by.
    fn factor(&self) -> f64 {
        ((1.0 - self.share).max(0.0) + self.shorter).min(1.0)
    }
}

/// Makes the waits at stations, then at gates, so much shorter.
pub(super) fn apply(limited: &[Limited], stations: &mut [StationState], gates: &mut [Gate]) {
    let (of_stations, of_gates) = limited.split_at(stations.len());
    for (state, factor) in stations.iter_mut().zip(of_stations.iter().map(Limited::factor)) {
        if factor >= 1.0 {
            continue;
        }
        state.queue_length = state.queue_length.map(|length| factor * length);
        for class in &mut state.classes {
            // Fewer share the servers: as at a lower rate of arrivals.
            class.lengthen(factor);
            class.knowledge = class.knowledge.and(HELD);
        }
    }
    for (gate, factor) in gates.iter_mut().zip(of_gates.iter().map(Limited::factor)) {
        if factor < 1.0 {
            gate.wait = gate.wait.take().map(|wait| wait.scaled(factor));
            gate.waiting = gate.waiting.map(|waiting| factor * waiting);
        }
    }
}

impl Solver<'_> {
    /// Notes what waits at the stations and pools of a section are multiplied by, where it is passed so often and so many are at each.
    pub(super) fn limit_inside(
        &mut self,
        section: &Section,
        elements: &[Element],
        present: &[f64],
        passed: PerSecond,
        crowded: bool,
    ) {
        let stations = self.network.stations.len();
        let part = |(element, present): (&Element, &f64)| {
            let busy = passed * element.demand;
            let open = element.present(passed) - busy;
            if open > 1e-12 * busy { ((present - busy) / open).max(0.0) } else { 1.0 }
        };
        let parts: Vec<f64> = elements.iter().zip(present).map(part).collect();
        let (of_stations, of_pools) = parts.split_at(section.stations.len());
        for ((station, met), part) in section.stations.iter().zip(of_stations) {
            // Others of the same request are among those inside; where they come in crowds they have been counted.
            let company = self.stations[*station].company;
            let factor = match part {
                part if crowded => part / company,
                part if *part < 1.0 => 1.0 / (1.0 + (1.0 / part - 1.0) * company),
                _ => 1.0,
            };
            self.limited[*station].note(met.count / self.brought[*station].0, factor);
        }
        for ((pool, met), part) in section.pools.iter().zip(of_pools) {
            let share = met.count / self.flows.pools[*pool].iter().sum::<f64>();
            self.limited[stations + pool].note(share, *part);
        }
    }
}

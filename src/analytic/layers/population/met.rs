//! What users, and those who come from outside, meet at stations and pools.

use super::super::{Gate, HELD};
use super::{Place, Population};
use crate::analytic::stations::{ClassState, StationState, Treatment};
use crate::discipline::{Delay, ps};
use crate::network::{Network, StationId};
use crate::unit::{PerSecond, Seconds};

/// Where nothing is known of waits without a limit they vary no more than this.
const MOST_VARIABLE: f64 = 1.5;

/// What somebody meets there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Met {
    /// Their requests per second.
    pub rate: PerSecond,
    /// Mean work of each.
    pub work: Seconds,
    /// Mean wait of each.
    pub wait: Seconds,
    /// Its squared coefficient of variation, at most.
    pub scv: f64,
}

/// Squared coefficient of variation of the wait behind so many of so many users and the others at the queue. With all but a few of
/// them there, those who are elsewhere make it vary, as many as left while they were there, and the work of those before; who comes
/// from outside varies by itself. With it the part of that which comes from numbers, and so lasts.
pub(super) fn spread(users: f64, present: f64, others: f64, scv: f64) -> (f64, f64) {
    let present = present.max(1e-9);
    let elsewhere = (users - present).max(0.0);
    let work = scv * (1.0 - others) + others;
    let all = elsewhere * 0.5 * (1.0 + scv) + present * work;
    (all / (present * present), ((elsewhere + present * others) / all).min(1.0))
}

/// Gives stations and pools the waits that users, and others beside them, meet there.
pub(in crate::analytic::layers) fn apply(
    network: &Network,
    population: &Population,
    stations: &mut [StationState],
    gates: &mut [Gate],
) {
    let came = &population.came;
    for pool in &population.free {
        gates[*pool].passed();
    }
    let (of_stations, of_pools) = population.places.split_at(stations.len());
    for (id, (state, place)) in stations.iter_mut().zip(of_stations).enumerate() {
        let Some(place) = place else { continue };
        station(network, id, &came[id], state, place);
    }
    for (pool, (gate, place)) in gates.iter_mut().zip(of_pools).enumerate() {
        let Some(place) = place else { continue };
        let asked: f64 = came[stations.len() + pool].iter().sum();
        gate.knowledge = HELD;
        if let Some(few) = &place.few {
            let by_users: f64 = place.met.iter().flatten().map(|met| met.rate).sum();
            few.apply_to(gate, by_users, asked);
            continue;
        }
        let met = together(place.met.iter().flatten().copied().chain([place.outside]));
        let busy = gate.load.min(1.0);
        let wait = gate.wait.take().filter(|_| gate.load < 1.0);
        gate.wait = Some(met.delay(wait.as_ref(), busy));
        gate.waiting = Some(asked * met.wait);
        gate.stuck = 0.0;
    }
}

/// Gives a station the waits that are met there; `rates` are those at which requests of workloads come.
fn station(network: &Network, id: StationId, rates: &[PerSecond], state: &mut StationState, place: &Place) {
    let queue = &network.stations[id];
    let class_of = |w: usize| network.workloads[w].class;
    if queue.queue.is_some() {
        if let Some(few) = &place.few {
            let by_users = |class: usize| {
                let own = (0..rates.len()).filter(|w| class_of(*w) == class);
                own.fold((0.0, 0.0), |(users, all), w| {
                    let met = place.met[w].map_or(0.0, |met| met.rate.min(rates[w]));
                    (users + met, all + rates[w])
                })
            };
            let by_users: Vec<(PerSecond, PerSecond)> = (0..state.classes.len()).map(by_users).collect();
            let all: f64 = rates.iter().sum();
            few.apply(&by_users, state.load * queue.capacity() / all, state);
        }
        return;
    }
    let met: Vec<Met> = (0..state.classes.len())
        .map(|class| {
            let own = (0..rates.len()).filter(|w| class_of(*w) == class);
            together(own.map(|w| place.met_by(w, rates[w], state, class)))
        })
        .collect();
    let arrivals: f64 = rates.iter().sum();
    let waiting: f64 = met.iter().map(|met| met.rate * met.wait).sum();
    state.queue_length = Some(waiting);
    let busy = state.load.min(1.0);
    if queue.contention.is_none() {
        state.utilization = busy;
    }
    state.lasting = place.lasting;
    // Where urgency counts all of it is for one longer than for another as it was.
    let open = |class: &ClassState| class.wait.as_ref().map_or(f64::INFINITY, Delay::mean);
    let mean = state.classes.iter().zip(&met).map(|(class, met)| met.rate * open(class)).sum::<f64>() / arrivals;
    for (class, met) in state.classes.iter_mut().zip(&met) {
        class.stuck = 0.0;
        class.knowledge = class.knowledge.and(HELD);
        match &mut class.treatment {
            Treatment::Shared(queue) => {
                if met.work > 0.0 {
                    *queue = ps::with_slowdown(queue, 1.0 + met.wait / met.work);
                }
                class.wait = Some(Delay::None);
            }
            _ if queue.discipline.uses_priority() && mean.is_finite() && mean > 0.0 => {
                let longer = waiting / arrivals / mean;
                class.wait = class.wait.take().map(|wait| {
                    let met = Met { wait: longer * wait.mean(), ..*met };
                    met.delay(Some(&wait), busy)
                });
            }
            _ => class.wait = Some(met.delay(class.wait.as_ref().filter(|_| state.load < 1.0), busy)),
        }
    }
}

/// What several meet, by their rates.
fn together(parts: impl Iterator<Item = Met>) -> Met {
    let mut all = Met { rate: 0.0, work: 0.0, wait: 0.0, scv: 0.0 };
    for met in parts.filter(|met| met.rate > 0.0) {
        all.rate += met.rate;
        let part = met.rate / all.rate;
        let mix = |sum: &mut f64, own: f64| *sum += part * (own - *sum);
        mix(&mut all.work, met.work);
        mix(&mut all.wait, met.wait);
        mix(&mut all.scv, met.scv);
    }
    all
}

/// Up to this load what comes from outside is known for what it is; beyond, it is less and less so up to one.
const KNOWN: f64 = 0.98;

impl Place {
    /// What requests of a workload meet that come so often, those that nobody waits for among them, where those of its class would
    /// meet this without any users.
    fn met_by(&self, w: usize, rate: PerSecond, state: &StationState, class: usize) -> Met {
        let (mut outside, mut met) = (self.outside, self.met[w]);
        let class = &state.classes[class];
        let open = class.wait.as_ref().map_or(f64::INFINITY, Delay::mean);
        // Without what each waits for its own request.
        let open = open / state.company;
        if open.is_finite() && self.open > 0.0 && !matches!(class.treatment, Treatment::Shared(_)) {
            let part = ((1.0 - state.load) / (1.0 - KNOWN)).clamp(0.0, 1.0);
            let differs = part * (open / self.open - 1.0);
            outside.wait *= 1.0 + differs;
            // As far as it is others whom users wait for.
            let met = met.iter_mut();
            met.for_each(|met| met.wait = self.own[w] + (met.wait - self.own[w]) * (1.0 + self.theirs * differs));
        }
        outside.wait += self.own[w];
        let sent = |met: &Met| ((rate - met.rate) / rate.max(f64::MIN_POSITIVE)).clamp(0.0, 1.0);
        match &met {
            Some(met) if sent(met) < 1e-6 => Met { rate, ..*met },
            Some(met) => together([*met, Met { rate: rate - met.rate, ..outside }].into_iter()),
            None => Met { rate, ..outside },
        }
    }
}

impl Met {
    /// The wait with this mean, as it would be without a limit to those who wait or, where that varies more, as it varies with the
    /// number of users.
    fn delay(&self, open: Option<&Delay>, busy: f64) -> Delay {
        if self.wait <= 0.0 {
            return Delay::None;
        }
        let open = open.filter(|wait| wait.mean() > 0.0);
        if let Some(open) = open {
            let scv = open.second_moment() / open.mean().powi(2) - 1.0;
            if scv <= self.scv {
                return open.clone().scaled(self.wait / open.mean());
            }
        }
        let probability = open.map_or(1.0, Delay::probability).clamp(busy.powi(2).min(0.999), 1.0);
        // Some of it is that not all wait.
        let scv = self.scv.min(MOST_VARIABLE).max(1.0 / probability - 1.0 + 1e-4);
        Delay::with_moments(probability, self.wait, self.wait * self.wait * (1.0 + scv))
    }
}

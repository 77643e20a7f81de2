//! What a request meets at stations and pools: others, by a law that is known, and itself.

use super::super::Solution;
use super::super::stations::Treatment;
use super::company::Company;
use super::frames::Lines;
use super::place::{Place, Visit};
use super::pool::{Taken, Tokens};
use super::wait::{Wait, slowness};
use crate::analytic::memory::Memory;
use crate::discipline::Discipline;
use crate::distribution::{Distribution, Gamma, Law, Sampler};
use crate::math::erlang;
use crate::math::random::Stream;
use crate::network::flows::{Flows, Losses};
use crate::network::{Network, VisitId};
use crate::system::ArrivalLaw;
use crate::unit::{PerSecond, Seconds};

/// No utilization is higher where what is put before others takes its time to leave.
const FULLEST: f64 = 0.98;

/// No stream brings more at once than one that varies so much.
const MOST_VARIABLE: f64 = 20.0;

/// All stations and pools.
pub(super) struct Places {
    places: Vec<Place>,
    pools: Vec<Tokens>,
    /// Stations and pools that the present request has come to.
    touched: Vec<usize>,
    touched_pools: Vec<usize>,
    /// Laws of visits that take otherwise than their work says.
    instead: Vec<Option<Sampler>>,
    /// How many visits have met so many others, at stations, then at pools.
    met: Vec<Vec<f64>>,
    /// How often a visit has looked at another one.
    pub looked: u64,
}

impl Places {
    /// Before waits are known: those of M/G/m.
    pub fn before(network: &Network, flows: &Flows, losses: &Losses, memories: &[Memory]) -> Places {
        let mut squares = vec![0.0; network.stations.len()];
        for (visit, rates) in network.visits.iter().zip(flows.visits.iter()) {
            squares[visit.station] += rates.iter().sum::<f64>() * visit.time.moment(2);
        }
        let passing = |held: &[f64]| 1.0 - held.iter().sum::<f64>() / held.len() as f64;
        let brought = flows.brought(network);
        let place = |id: usize| {
            let (station, (rate, work), square) = (&network.stations[id], brought[id], squares[id]);
            let utilization = (work * passing(&losses.stations[id]) / station.capacity()).min(FULLEST);
            let servers = station.servers_of_queue();
            let chance = erlang::erlang_c(servers, utilization * f64::from(servers)).unwrap_or(1.0);
            let mean = if rate > 0.0 { work / rate } else { 0.0 };
            let form = if mean > 0.0 { (square / rate / (mean * mean)).min(1e3) } else { 1.0 };
            let met = 0.5 * mean * form / (f64::from(servers) * (1.0 - utilization));
            let wait = if station.discipline == Discipline::Ps {
                Wait::new(1.0, 1.0 / (1.0 - utilization), utilization / (2.0 - utilization))
            } else {
                Wait::new(chance, met, 1.0)
            };
            Place::new(station, utilization, wait, memories[id].time)
        };
        Places {
            places: (0..network.stations.len()).map(place).collect(),
            pools: network.pools.iter().map(|pool| Tokens::new(network, pool)).collect(),
            touched: Vec::new(),
            touched_pools: Vec::new(),
            instead: Vec::new(),
            met: vec![Vec::new(); network.stations.len() + network.pools.len()],
            looked: 0,
        }
    }

    /// Waits of a class in a solved network, those for the own request left out; `None` where one grows without end.
    pub fn settled(
        solution: &Solution<'_>,
        company: &Company,
        class: usize,
        visits: &[Option<VisitId>],
        met: &dyn Fn(VisitId) -> Option<Law>,
    ) -> Option<Places> {
        let network = solution.network;
        let mut places = Places::before(network, &solution.flows, &solution.losses, &solution.memories);
        for (place, (id, state)) in places.places.iter_mut().zip(solution.stations.iter().enumerate()) {
            let own = &state.classes[class];
            let waited = company.in_wait(network, class, id);
            place.wait = match &own.treatment {
                Treatment::Shared(queue) => slowness(queue, waited)?,
                // Whoever comes finds all servers busy with many, or with one other request.
                _ => Wait::like(
                    own.wait.as_ref()?,
                    waited,
                    place.wait.chance.max(company.kept[id].min(1.0 - place.idle)),
                ),
            };
            place.refused = own.refused;
            place.slowdown = if let Treatment::Slowed(slowdown) = own.treatment { slowdown } else { 1.0 };
        }
        for (id, (pool, gate)) in places.pools.iter_mut().zip(&solution.gates).enumerate() {
            let wait = gate.wait.as_ref()?;
            pool.wait = Wait::like(wait, company.waited[network.stations.len() + id], wait.probability());
            pool.refused = gate.refused;
        }
        let instead = |visit: &Option<VisitId>| {
            let visit = (*visit)?;
            let state = &solution.stations[network.visits[visit].station].classes[class];
            matches!(state.treatment, Treatment::Interrupted(_)).then(|| met(visit)).flatten()
        };
        let sampler = |law: Law| {
            let (mean, scv) = (law.mean(), law.scv());
            if scv < 1e-9 { Law::constant(mean) } else { Law::Gamma(Gamma { mean, cv: scv.sqrt() }) }.sampler()
        };
        places.instead = visits.iter().map(|visit| instead(visit).map(sampler)).collect();
        Some(places)
    }

    /// Requests of a workload come, with others at stations to which so many of all come.
    pub fn come(&mut self, network: &Network, came: &[Vec<PerSecond>], w: usize, rate: PerSecond) {
        let more = match network.workloads[w].arrivals() {
            Some(ArrivalLaw::Renewal(law)) => law.scv().min(MOST_VARIABLE) - 1.0,
            _ => 0.0,
        };
        for (place, came) in self.places.iter_mut().zip(came) {
            let all: f64 = came.iter().sum();
            place.spaced = if all > 0.0 { (more * came[w] / all, rate) } else { (0.0, 0.0) };
        }
    }

    /// Others come in requests like those of this company.
    pub fn meet(&mut self, company: &Company) {
        self.places.iter_mut().zip(&company.waited).for_each(|(place, waited)| place.meet(*waited));
    }

    /// The chance to wait for others at a station or, after these, a pool.
    pub fn busy(&self, id: usize) -> f64 {
        match self.places.get(id) {
            Some(place) => place.wait.chance,
            None => self.pools[id - self.places.len()].wait.chance,
        }
    }

    /// Begins with another request.
    pub fn clear(&mut self) {
        for station in self.touched.drain(..) {
            self.places[station].clear();
        }
        for pool in self.touched_pools.drain(..) {
            self.pools[pool].clear();
        }
    }

    /// When a visit is over; `None` if it is refused.
    pub fn visit(&mut self, id: usize, visit: Visit, lines: &Lines, stream: &mut Stream) -> Option<Seconds> {
        let busy = if visit.from.number > 0 { 1.0 - self.places[visit.from.station as usize].idle } else { 0.0 };
        let place = &mut self.places[id];
        if place.refused > 0.0 && stream.chance(place.refused) {
            return None;
        }
        self.touched.push(id);
        let work = match self.instead.get(visit.law as usize) {
            Some(Some(law)) => law.draw(stream),
            _ => visit.work * place.slowdown,
        };
        let (met, time) = place.visit(Visit { work, ..visit }, busy, lines, stream);
        self.looked += std::mem::take(&mut place.looked);
        note(&mut self.met[id], met);
        Some(time)
    }

    /// A frame asks for one of a pool.
    pub fn take(&mut self, id: usize, frame: u32, now: Seconds, stream: &mut Stream) -> Taken {
        let pool = &mut self.pools[id];
        if pool.refused > 0.0 && stream.chance(pool.refused) {
            return Taken::Refused;
        }
        self.touched_pools.push(id);
        let (taken, met) = pool.take(frame, now, stream);
        note(&mut self.met[self.places.len() + id], met);
        taken
    }

    /// A frame gives one of a pool back; who of the same request gets it next.
    pub fn give(&mut self, id: usize, frame: u32, now: Seconds) -> Option<u32> {
        self.pools[id].give(frame, now)
    }

    /// Adds whom visits have met since this was last asked, each of them standing for so many per second.
    pub fn count(&mut self, weight: PerSecond, company: &mut Company) {
        for (met, all) in self.met.iter_mut().zip(&mut company.met) {
            all.resize(all.len().max(met.len()), 0.0);
            all.iter_mut().zip(met.drain(..)).for_each(|(sum, count)| *sum += weight * count);
        }
        for (place, elsewhen) in self.places.iter_mut().zip(&mut company.elsewhen) {
            *elsewhen += weight * std::mem::take(&mut place.elsewhen);
        }
        for (place, (beside, kept)) in self.places.iter_mut().zip(company.beside.iter_mut().zip(&mut company.kept)) {
            *beside += weight * std::mem::take(&mut place.beside);
            *kept += weight * std::mem::take(&mut place.kept);
        }
        for (place, behind) in self.places.iter_mut().zip(&mut company.behind) {
            *behind += weight * std::mem::take(&mut place.behind);
        }
        for (place, waited) in self.places.iter_mut().zip(&mut company.waited) {
            *waited += weight * std::mem::take(&mut place.waited);
        }
        for (pool, waited) in self.pools.iter_mut().zip(company.waited.iter_mut().skip(self.places.len())) {
            *waited += weight * std::mem::take(&mut pool.waited);
        }
    }
}

/// Counts one that meets so many.
fn note(counts: &mut Vec<f64>, met: usize) {
    if counts.len() <= met {
        counts.resize(met + 1, 0.0);
    }
    counts[met] += 1.0;
}

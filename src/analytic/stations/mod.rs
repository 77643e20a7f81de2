//! What each class of requests meets at each station: a wait, and the law of the service after it.

mod limited;
mod slowed;

use super::accompanied::Added;
use super::each;
use super::traffic::Variability;
use crate::discipline::busy::Interruptions;
use crate::discipline::fcfs::{self, Arrivals, Queue, Waiting};
use crate::discipline::{Delay, Discipline, Knowledge, balancer, lifo, priority, ps};
use crate::distribution::{Distribution, Erlang, Law, Mixture, Table};
use crate::network::flows::Flows;
use crate::network::{Network, Station};
use crate::system::Balancer;
use crate::unit::Seconds;
use limited::{limited, together};
use slowed::contended;

/// A station in steady state.
#[derive(Debug, Clone)]
pub(super) struct StationState {
    /// Work that arrives over what all servers can do; above 1 it is overloaded.
    pub load: f64,
    /// Busy share of the servers.
    pub utilization: f64,
    /// Requests waiting, over all instances; `None` when it grows without end.
    pub queue_length: Option<f64>,
    /// One for each class of urgency.
    pub classes: Vec<ClassState>,
    /// What waits are multiplied by because visits meet others of the same request.
    pub company: f64,
    /// The part of a long queue's work that is done before one who joins it is served.
    pub before_next: f64,
    /// The part of how much waits vary that lasts until the same request comes again: less than all where nearly all users wait, whose
    /// number does not change.
    pub lasting: f64,
    /// Whether the arrivals are Poisson by theory.
    pub poisson: bool,
    /// Whether it serves all alike, one after the other, with equal exponential services: a product-form queue.
    pub memoryless: bool,
}

/// What a class of requests meets at a station.
#[derive(Debug, Clone)]
pub(super) struct ClassState {
    /// Time before service begins; `None` when it grows without end.
    pub wait: Option<Delay>,
    /// How a service proceeds once begun.
    pub treatment: Treatment,
    /// Share of visits that are refused.
    pub refused: f64,
    /// Share of visits that never get through an overloaded station.
    pub stuck: f64,
    /// How all this is known.
    pub knowledge: Knowledge,
}

impl ClassState {
    /// Mean time that a visit takes longer than its work of this mean; `None` where it grows without end.
    pub fn queueing(&self, work: Seconds) -> Option<Seconds> {
        match &self.treatment {
            Treatment::Shared(queue) => Some((ps::slowdown(queue)? - 1.0) * work),
            _ => self.wait.as_ref().map(Delay::mean),
        }
    }

    /// Makes the wait so many times as long, and with it what is shared with others.
    pub fn lengthen(&mut self, factor: f64) {
        self.wait = self.wait.take().map(|wait| wait.scaled(factor));
        if let Treatment::Shared(queue) = &mut self.treatment
            && let Some(slowdown) = ps::slowdown(queue)
        {
            *queue = ps::with_slowdown(queue, 1.0 + factor * (slowdown - 1.0));
        }
    }
}

/// How a service proceeds once begun.
#[derive(Debug, Clone)]
pub(super) enum Treatment {
    /// Without interruption.
    Plain,
    /// Interrupted by more urgent work.
    Interrupted(Interruptions),
    /// Shared with all present, in a station that looks like this queue.
    Shared(Queue),
    /// So many times slower, because servers slow each other down.
    Slowed(f64),
}

impl StationState {
    /// The share of a class that does not get through: refused, or stuck.
    pub fn held(&self, class: usize) -> f64 {
        1.0 - (1.0 - self.classes[class].refused) * (1.0 - self.classes[class].stuck)
    }
}

/// Work that one class brings to one station.
#[derive(Debug, Clone, Default, PartialEq)]
struct Demand {
    rate: f64,
    parts: Vec<(f64, Law)>,
}

impl Demand {
    fn add(&mut self, rate: f64, law: &Law) {
        self.rate += rate;
        match self.parts.iter_mut().find(|(_, known)| known == law) {
            Some((sum, _)) => *sum += rate,
            None => self.parts.push((rate, law.clone())),
        }
    }

    /// Of these such a part.
    fn part(&self, part: f64) -> Demand {
        let parts = self.parts.iter().map(|(rate, law)| (rate * part, law.clone())).collect();
        Demand { rate: self.rate * part, parts }
    }

    fn law(&self) -> Law {
        match self.parts.as_slice() {
            [] => Law::constant(0.0),
            [(_, law)] => law.clone(),
            parts => Law::Mixture(Mixture::new(parts.to_vec())),
        }
    }
}

/// Stations as they were solved last: on the way to a fixed point most of a network has come to rest before all has.
#[derive(Debug, Default)]
pub(super) struct Solved(Vec<(Vec<Demand>, Variability, StationState)>);

/// Solves every station; what was solved last with the same arrivals need not be again.
pub(super) fn solve(
    network: &Network,
    flows: &Flows,
    variability: &[Variability],
    last: &mut Solved,
) -> Vec<StationState> {
    let mut demands = vec![vec![Demand::default(); network.classes]; network.stations.len()];
    for (visit, rates) in network.visits.iter().zip(flows.visits.iter()) {
        for (rate, workload) in rates.iter().zip(&network.workloads) {
            if *rate > 0.0 {
                demands[visit.station][workload.class].add(*rate, &visit.time);
            }
        }
    }
    let stations: Vec<_> = network.stations.iter().zip(demands).zip(variability).enumerate().collect();
    let states = each(network, &stations, |(id, ((station, demands), variability))| match last.0.get(*id) {
        Some((before, varied, state)) if before == demands && varied == *variability => state.clone(),
        _ => solve_station(station, demands, variability),
    });
    last.0 = stations
        .into_iter()
        .zip(&states)
        .map(|((_, ((_, demands), variability)), state)| (demands, variability.clone(), state.clone()))
        .collect();
    states
}

fn solve_station(station: &Station, demands: &[Demand], variability: &Variability) -> StationState {
    let mut all = Demand::default();
    for demand in demands {
        demand.parts.iter().for_each(|(rate, law)| all.add(*rate, law));
    }
    let queue = Queue {
        arrival_rate: all.rate,
        arrivals: arrivals(variability, all.rate, station.queue.is_some()),
        service: fast(all.law()),
        servers: station.servers.saturating_mul(station.instances),
    };
    let load = queue.offered_load() / station.capacity();
    let memoryless = all.parts.len() <= 1 && queue.service.is_exponential() && station.discipline == Discipline::Fcfs;
    let mut state = StationState {
        load,
        utilization: load.min(1.0),
        queue_length: Some(0.0),
        classes: Vec::with_capacity(demands.len()),
        poisson: variability.poisson && variability.batches.is_empty(),
        company: 1.0,
        before_next: variability.before_next,
        lasting: 1.0,
        memoryless: memoryless && station.queue.is_none() && station.balancer == Balancer::Shared,
    };
    if let Some(contention) = station.contention {
        contended(station, &queue, contention, variability.back, demands.len(), &mut state);
    } else if station.queue.is_some() {
        limited(station, &queue, variability.back, demands, &mut state);
    } else if station.discipline.uses_priority() {
        by_priority(station, &queue, demands, &mut state);
    } else if load >= 1.0 {
        let stuck = 1.0 - 1.0 / load;
        state.queue_length = None;
        state.classes = vec![overloaded(stuck); demands.len()];
    } else {
        let class = alike(station, &queue);
        state.queue_length = class.wait.as_ref().map(|wait| all.rate * wait.mean());
        if let Treatment::Shared(queue) = &class.treatment {
            let slowdown = ps::slowdown(queue).unwrap_or(1.0);
            let present = all.rate * queue.service.mean() * slowdown;
            state.queue_length = Some((present - queue.offered_load()).max(0.0));
        }
        state.classes = vec![class; demands.len()];
    }
    if station.discipline != Discipline::Lifo {
        // Where all share the servers nothing depends on how work is cut into visits.
        let returning = if station.discipline == Discipline::Ps { 1.0 } else { variability.returning };
        for (class, own) in
            state.classes.iter_mut().zip(&variability.by_class).filter(|(_, own)| returning * **own != 1.0)
        {
            class.lengthen(returning * own);
        }
        state.queue_length = state.queue_length.map(|length| length * returning);
    }
    if station.queue.is_none() {
        let slowdown = match state.classes.first().map(|class| &class.treatment) {
            Some(Treatment::Slowed(slowdown)) => *slowdown,
            _ => 1.0,
        };
        let slowed = Queue { service: queue.service.scaled(slowdown), ..queue.clone() };
        let before = state.queue_length.map_or(0.0, |length| length / all.rate.max(f64::MIN_POSITIVE));
        if let Some(added) = Added::of(station, &slowed, variability, before) {
            added.put(&queue, &mut state);
            state.queue_length = state.queue_length.map(|length| length + all.rate * added.mean);
        }
    } else if !variability.batches.is_empty() {
        state = together(station, queue.service.mean(), demands, variability, state);
    }
    state
}

fn overloaded(stuck: f64) -> ClassState {
    ClassState {
        wait: None,
        treatment: Treatment::Plain,
        refused: 0.0,
        stuck,
        knowledge: Knowledge::Approximate { p95_error: 1.0 },
    }
}

/// How arrivals are spaced; `crowded` where those that nearly come together are counted among what makes them vary.
fn arrivals(variability: &Variability, rate: f64, crowded: bool) -> Arrivals {
    if crowded && !variability.batches.is_empty() {
        Arrivals::Scv(variability.scv + variability.crowded)
    } else if variability.poisson {
        Arrivals::Poisson
    } else if let (Some(law), true) = (&variability.renewal, rate > 0.0) {
        Arrivals::Renewal(law.scaled(1.0 / rate))
    } else {
        Arrivals::Scv(variability.scv)
    }
}

/// A law whose transform costs little: those known only by their density are tabulated.
pub(super) fn fast(law: Law) -> Law {
    match law {
        law if law.has_closed_transform() => law,
        law @ (Law::Lattice(_) | Law::Table(_)) => law,
        Law::Mixture(mixture) => {
            Law::Mixture(Mixture::new(mixture.parts().iter().map(|(p, law)| (*p, fast(law.clone()))).collect()))
        }
        law => Law::Table(Table::of(&law)),
    }
}

/// The queue of one instance, when every instance has its own.
fn one_instance(station: &Station, queue: &Queue) -> Queue {
    let n = f64::from(station.instances);
    let arrivals = match (station.balancer, &queue.arrivals) {
        (Balancer::Random, Arrivals::Poisson) => Arrivals::Poisson,
        (Balancer::Random, arrivals) => Arrivals::Scv(1.0 + (arrivals.scv() - 1.0) / n),
        (_, Arrivals::Poisson) => {
            Arrivals::Renewal(Law::Erlang(Erlang { mean: n / queue.arrival_rate, stages: station.instances }))
        }
        (_, Arrivals::Renewal(law)) if law.is_constant() => Arrivals::Renewal(law.scaled(n)),
        (_, arrivals) => Arrivals::Scv(arrivals.scv() / n),
    };
    Queue { arrival_rate: queue.arrival_rate / n, arrivals, service: queue.service.clone(), servers: station.servers }
}

/// A stable station without priorities and without a limit: one answer for all classes.
fn alike(station: &Station, queue: &Queue) -> ClassState {
    let mut class = ClassState {
        wait: Some(Delay::None),
        treatment: Treatment::Plain,
        refused: 0.0,
        stuck: 0.0,
        knowledge: Knowledge::Exact,
    };
    if queue.arrival_rate <= 0.0 {
        return class;
    }
    let split = station.is_split()
        || station.instances > 1 && station.discipline == Discipline::Ps && station.balancer != Balancer::Shared;
    let own = if split { one_instance(station, queue) } else { queue.clone() };
    if station.discipline == Discipline::Ps {
        let sharp = matches!(station.balancer, Balancer::LeastOutstanding | Balancer::PowerOfTwo);
        if sharp && station.instances > 1 {
            // With exponential work as many are there as if they were served one after the other.
            let service = Law::exponential(queue.service.mean());
            let alike = Queue { service, ..queue.clone() };
            let waiting = match station.balancer {
                Balancer::PowerOfTwo => balancer::power_of_two(&alike, station.instances),
                _ => balancer::least_outstanding(&alike, station.instances),
            };
            class.knowledge = Knowledge::Approximate { p95_error: 0.1 };
            let slowdown = 1.0 + waiting.delay.mean() / queue.service.mean();
            class.treatment = Treatment::Shared(ps::with_slowdown(&own, slowdown));
            return class;
        }
        class.knowledge = match ps::knowledge(&own) {
            _ if own.arrivals != Arrivals::Poisson => Knowledge::Approximate { p95_error: 0.1 },
            Some(knowledge) => knowledge,
            None => return overloaded(0.0),
        };
        class.treatment = Treatment::Shared(ps::spaced(own));
        return class;
    }
    let waiting = match station.balancer {
        Balancer::LeastOutstanding if station.instances > 1 => balancer::least_outstanding(queue, station.instances),
        Balancer::PowerOfTwo if station.instances > 1 => balancer::power_of_two(queue, station.instances),
        _ => match fcfs::solve(&own) {
            Some(waiting) => waiting,
            None => return overloaded(0.0),
        },
    };
    let Waiting { delay, knowledge } =
        if station.discipline == Discipline::Lifo { lifo::reversed(&own, &waiting) } else { waiting };
    class.wait = Some(delay);
    class.knowledge = knowledge;
    class
}

/// A station with priorities: every class its own answer, the urgent ones served first also in overload.
fn by_priority(station: &Station, queue: &Queue, demands: &[Demand], state: &mut StationState) {
    let own = if station.instances > 1 && station.balancer != Balancer::Shared {
        one_instance(station, queue)
    } else {
        queue.clone()
    };
    let share = own.arrival_rate / queue.arrival_rate.max(f64::MIN_POSITIVE);
    let classes: Vec<priority::Class> = demands
        .iter()
        .map(|demand| priority::Class { arrival_rate: demand.rate * share, service: demand.law() })
        .collect();
    let preemptive = station.discipline == Discipline::Preemptive;
    let treated = priority::solve(&classes, &own.arrivals, own.servers, preemptive);
    let mut left = f64::from(own.servers);
    let mut waiting = Some(0.0);
    for (treatment, class) in treated.into_iter().zip(&classes) {
        let load = class.arrival_rate * class.service.mean();
        match treatment {
            Some(treatment) => {
                waiting =
                    waiting.map(|sum| sum + class.arrival_rate / share.max(f64::MIN_POSITIVE) * treatment.wait.mean());
                state.classes.push(ClassState {
                    wait: Some(treatment.wait),
                    treatment: treatment.interruptions.map_or(Treatment::Plain, Treatment::Interrupted),
                    refused: 0.0,
                    stuck: 0.0,
                    knowledge: treatment.knowledge,
                });
            }
            None => {
                waiting = None;
                let stuck = if load > 0.0 { (1.0 - left / load).clamp(0.0, 1.0) } else { 0.0 };
                state.classes.push(overloaded(stuck));
            }
        }
        left = (left - load).max(0.0);
    }
    state.queue_length = waiting;
}

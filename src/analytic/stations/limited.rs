//! Queues with room for so many: what is refused, and what those wait who are not.

use super::{ClassState, Demand, StationState, Treatment, alike, by_priority, one_instance, solve_station};
use crate::analytic::traffic::Variability;
use crate::discipline::fcfs::{self, Arrivals, Queue};
use crate::discipline::{Delay, Discipline, Knowledge, balancer, ps};
use crate::distribution::{Distribution, Law};
use crate::math::lasting::Lasting;
use crate::network::Station;
use crate::system::Balancer;
use crate::unit::{PerSecond, Seconds};

/// Error of the waits where batches are known by their variability alone.
const BATCHED: f64 = 0.5;

/// A queue with room for so many of the largest batches, and that refuses others less often than this, is as good as one without a limit.
const ROOMY: u32 = 4;
const SELDOM: f64 = 1e-3;

/// Of batches that are far too large some still get through: no more than this is refused.
const MOST_REFUSED: f64 = 0.9;

/// A station with a limited queue: any load, and refusals.
pub(super) fn limited(
    station: &Station,
    queue: &Queue,
    back: Option<(PerSecond, Seconds)>,
    demands: &[Demand],
    state: &mut StationState,
) {
    let places = station.queue.unwrap_or(0);
    let shared = station.balancer.fills_all(station.instances);
    let (own, instances) =
        if shared { (queue.clone(), 1.0) } else { (one_instance(station, queue), f64::from(station.instances)) };
    let places = if shared { places.saturating_mul(station.instances) } else { places };
    if own.arrival_rate <= 0.0 {
        state.classes = vec![alike(station, queue); demands.len()];
        return;
    }
    let room = own.servers.saturating_add(places);
    // Where all who are there share the servers, how many they are does not depend on the law of their work.
    let sharing = station.discipline == Discipline::Ps;
    let own = if sharing { Queue { service: Law::exponential(own.service.mean()), ..own } } else { own };
    let answer = fcfs::limited(&own, room);
    let refused = match back.and_then(|(first, gap)| together_as_one(&own, room, first / instances, gap)) {
        Some((many, own)) => fcfs::limited(&own, room).blocking / many,
        None => answer.blocking,
    };
    let wait = if shared && station.instances > 1 && station.balancer != Balancer::Shared {
        balancer::waiting_at_one(answer.wait, station.instances)
    } else {
        answer.wait
    };
    let admitted = own.arrival_rate * (1.0 - refused);
    state.utilization = (state.load * (1.0 - refused)).min(1.0);
    state.queue_length = Some(admitted * wait.mean() * instances);
    let plain = station.discipline == Discipline::Fcfs
        && matches!(station.balancer, Balancer::Shared | Balancer::Random | Balancer::RoundRobin);
    let knowledge = if plain { answer.knowledge } else { Knowledge::Approximate { p95_error: 0.25 } };
    let (wait, treatment) = if sharing {
        let slowdown = 1.0 + wait.mean() / own.service.mean();
        let all = Queue { arrivals: Arrivals::Poisson, service: queue.service.clone(), ..own };
        (Delay::None, Treatment::Shared(ps::with_slowdown(&all, slowdown)))
    } else {
        (wait, Treatment::Plain)
    };
    let class = ClassState { wait: Some(wait), treatment, refused, stuck: 0.0, knowledge };
    state.classes = vec![class; demands.len()];
    if station.discipline.uses_priority() && demands.len() > 1 {
        by_urgency(station, queue, demands, state);
    }
}

/// Gives each class its part of the waits at a limited queue where the more urgent go first: those that they have without a limit of who
/// gets in, all as much shorter.
fn by_urgency(station: &Station, queue: &Queue, demands: &[Demand], state: &mut StationState) {
    let admitted: Vec<Demand> =
        demands.iter().zip(&state.classes).map(|(own, class)| own.part(1.0 - class.refused)).collect();
    let arrival_rate = admitted.iter().map(|own| own.rate).sum();
    let mut endless = StationState { classes: Vec::new(), ..state.clone() };
    by_priority(station, &Queue { arrival_rate, ..queue.clone() }, &admitted, &mut endless);
    let Some((all, known)) = endless.queue_length.zip(state.queue_length) else { return };
    let shorter = if all > 0.0 { (known / all).min(1.0) } else { 1.0 };
    for (class, own) in state.classes.iter_mut().zip(endless.classes) {
        class.wait = own.wait.map(|wait| wait.scaled(shorter));
        class.treatment = own.treatment;
    }
}

/// A smaller share of visits that come back does not matter.
const FEW: f64 = 1e-6;

/// How many visits there are as one where so many of all that come are first ones, per second, and the queue with these, which has room
/// for so many: whoever comes back from it soon finds the room that it left, and is refused less than others by as much as a full queue is
/// still full then. `None` where nobody comes back.
pub(super) fn together_as_one(queue: &Queue, room: u32, first: f64, gap: Seconds) -> Option<(f64, Queue)> {
    let service = queue.service.mean();
    let share = 1.0 - first / queue.arrival_rate;
    if share <= FEW || service <= 0.0 {
        return None;
    }
    let served = |n: usize| n.min(queue.servers as usize) as f64 / service;
    let kept = Lasting::of_full(room as usize, queue.arrival_rate, served).kept_after_about(gap);
    let many = 1.0 / (1.0 - share * kept).max(FEW);
    let arrivals = match &queue.arrivals {
        Arrivals::Renewal(law) => Arrivals::Renewal(law.scaled(many)),
        arrivals => arrivals.clone(),
    };
    let arrival_rate = queue.arrival_rate / many;
    Some((many, Queue { arrival_rate, arrivals, service: queue.service.scaled(many), ..*queue }))
}

/// A limited queue to which requests send several at once. What batches do there is known from their variability, which says little
/// where others hardly keep it busy: the less they do, the more waits are those without the limit, as far as there is room for them, and
/// a batch that is larger than that loses the rest.
pub(super) fn together(
    station: &Station,
    service: Seconds,
    demands: &[Demand],
    variability: &Variability,
    limited: StationState,
) -> StationState {
    let endless = solve_station(&Station { queue: None, ..station.clone() }, demands, variability);
    let lengths = endless.queue_length.zip(limited.queue_length);
    let longer = lengths.map(|(all, known)| all / known.max(f64::MIN_POSITIVE)).filter(|longer| *longer > 1.0);
    let largest = variability.batches.iter().map(|(_, size)| *size).max().unwrap_or(0);
    let seldom = limited.classes.iter().all(|class| class.refused < SELDOM);
    let sharing = station.contention.is_some() || station.discipline == Discipline::Ps;
    let mut error = BATCHED;
    let mut state = match longer.zip(station.room_of_queue()) {
        Some((_, room)) if seldom && room >= largest.saturating_mul(ROOMY) => return endless,
        Some((longer, _)) if sharing => {
            // That all are slowed down by each other within a limit is not known; by how much more says how far off that is.
            error *= longer;
            limited
        }
        Some((_, room)) => within(endless, room, station, service, demands, variability, &limited),
        None => limited,
    };
    let knowledge = Knowledge::Approximate { p95_error: error };
    state.classes.iter_mut().for_each(|class| class.knowledge = class.knowledge.and(knowledge));
    state
}

/// A station without a limit, given that there is room for so many in a queue.
fn within(
    mut endless: StationState,
    room: u32,
    station: &Station,
    service: Seconds,
    demands: &[Demand],
    variability: &Variability,
    limited: &StationState,
) -> StationState {
    let of_batches = |part: &dyn Fn(u32) -> u32| -> f64 {
        variability.batches.iter().map(|(rate, size)| rate * f64::from(part(*size))).sum()
    };
    let refused = (of_batches(&|size| size.saturating_sub(room)) / of_batches(&|size| size)).min(MOST_REFUSED);
    let most = f64::from(room) * service / f64::from(station.servers_of_queue());
    let idle = (1.0 - endless.load) * (1.0 - endless.load);
    let between = |calm: f64, busy: f64| idle * calm + (1.0 - idle) * busy;
    let (mut came, mut passed, mut waiting) = (0.0, 0.0, 0.0);
    for ((class, limited), demand) in endless.classes.iter_mut().zip(&limited.classes).zip(demands) {
        class.refused = between(limited.refused.max(refused), limited.refused);
        let mean = class.wait.as_ref().map_or(0.0, Delay::mean);
        let known = limited.wait.as_ref().map_or(0.0, Delay::mean);
        let part = if mean > 0.0 { between(mean.min(most), known) / mean } else { 1.0 };
        class.wait = class.wait.take().map(|wait| wait.scaled(part));
        let rate = demand.rate * (1.0 - class.refused);
        (came, passed, waiting) = (came + demand.rate, passed + rate, waiting + rate * part * mean);
    }
    StationState { queue_length: Some(waiting), utilization: endless.load * passed / came, ..endless }
}

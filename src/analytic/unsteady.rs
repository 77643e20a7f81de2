//! What is waited at queues while the load changes: their number is followed through time.
//!
//! A queue is taken as M/M/c in another unit of work: where its waits are `f` times those of M/M/c, with rates that are as many times
//! smaller, so that it gets used to a new load as much more slowly (as a diffusion of the same variance does).

use super::Solution;
use super::bursts::{Phase, alone, parts};
use super::stations::{StationState, Treatment};
use crate::discipline::{Delay, Discipline};
use crate::math::transient::Transient;
use crate::network::{Network, Station, StationId, Step, Workload};
use crate::unit::{PerSecond, Seconds};

/// A queue that takes more than so many steps of a number is not followed: it changes slowly, for all that come.
const EFFORT: f64 = 1e8;

/// Waits less likely than this are left out.
const NOTHING: f64 = 1e-13;

/// A queue's waits over those of M/M/c, as far as such a unit goes.
const UNITS: (f64, f64) = (0.2, 5.0);

/// How far numbers spread that are likelier than nothing: in standard deviations of the way that so many steps lead, and in decays of the
/// steady state.
const SPREAD: (f64, f64) = (8.0, 35.0);

/// Periods of a load that comes again, after its mean has always come, until queues are as they were a period ago, nearly.
const PERIODS: usize = 3;

/// Relaxation times of a queue after which it has settled.
const SETTLED: f64 = 30.0;

/// For each stretch of time, of this length and with these arrival rates of workloads, what is met at the queues that can be followed,
/// the busiest among them; nothing where that cannot. A load that does not come again finds them empty.
pub(super) fn phases(
    base: &Solution<'_>,
    busiest: StationId,
    stretches: &[(Seconds, &[PerSecond])],
    repeats: bool,
) -> Vec<Phase> {
    let network = base.network;
    if network.workloads.iter().any(Workload::is_closed) || network.guards > 0 {
        return Vec::new();
    }
    let came = base.flows.came(network);
    let rates = |id: StationId| -> Vec<(Seconds, PerSecond)> {
        let per_request =
            came[id].iter().zip(&base.rates).map(|(came, rate)| if *rate > 0.0 { came / rate } else { 0.0 });
        let per_request: Vec<f64> = per_request.collect();
        let arrivals = |rates: &[PerSecond]| rates.iter().zip(&per_request).map(|(rate, per)| rate * per).sum();
        stretches.iter().map(|(time, rates)| (*time, arrivals(rates))).collect()
    };
    let Some(first) = follow(base, busiest, &rates(busiest), repeats) else { return Vec::new() };
    let order = order(network);
    let followed: Vec<Option<Vec<Delay>>> = (0..network.stations.len())
        .map(|id| {
            if id == busiest {
                return Some(first.iter().map(|(wait, _)| wait.clone()).collect());
            }
            let mut rates = rates(id);
            if order[id] > order[busiest] {
                // Of what comes to the busiest only that gets further which is done there.
                rates.iter_mut().zip(&first).for_each(|((_, rate), (_, passed))| *rate *= passed);
            }
            let waits = follow(base, id, &rates, repeats)?;
            Some(waits.into_iter().map(|(wait, _)| wait).collect())
        })
        .collect();
    let at = |stretch: usize| followed.iter().map(|waits| waits.as_ref().map(|waits| waits[stretch].clone())).collect();
    (0..stretches.len()).map(|stretch| Phase::of_waits(at(stretch), network.classes)).collect()
}

fn can_be_followed(base: &Solution<'_>, station: &Station, state: &StationState) -> bool {
    let network = base.network;
    station.discipline == Discipline::Fcfs
        && station.queue.is_none()
        && parts(station).is_some()
        && network.pools.iter().all(|pool| pool.per != Some(station.service))
        && state.classes.iter().all(|class| matches!(class.treatment, Treatment::Plain))
}

/// The wait at a queue in each stretch with these arrival rates, and how many are done meanwhile over those who come; `None` where it
/// cannot be followed.
fn follow(
    base: &Solution<'_>,
    id: StationId,
    rates: &[(Seconds, PerSecond)],
    repeats: bool,
) -> Option<Vec<(Delay, f64)>> {
    let (station, state) = (&base.network.stations[id], &base.stations[id]);
    let (parts, servers) = parts(station).filter(|_| can_be_followed(base, station, state))?;
    let (arrivals, _) = base.flows.brought(base.network)[id];
    let service = if arrivals > 0.0 { state.load * station.capacity() / arrivals } else { 0.0 };
    if service <= 0.0 {
        return None;
    }
    let unit = alone(station, state, arrivals, service).1.clamp(UNITS.0, UNITS.1);
    let rate = 1.0 / (service * unit);
    let all_busy = f64::from(servers) * rate;
    let mut queue = Transient::empty(servers, rate);
    let rates: Vec<(Seconds, PerSecond)> = rates.iter().map(|(time, rate)| (*time, rate / parts / unit)).collect();
    let whole: Seconds = rates.iter().map(|(time, _)| time).sum();
    let mean = rates.iter().map(|(time, rate)| time * rate).sum::<f64>() / whole;
    let before = if repeats { settling(mean, all_busy) } else { 0.0 };
    if effort(&queue, &rates, all_busy, (before, mean)) > EFFORT {
        return None;
    }
    queue.pass(mean, before);
    let mut found = Vec::with_capacity(rates.len());
    for _ in 0..if repeats { PERIODS } else { 1 } {
        found.clear();
        for (time, arrivals) in &rates {
            let met = queue.pass(*arrivals, *time);
            let busy: f64 = met.iter().zip(0..).map(|(chance, n)| chance * f64::from(servers.min(n))).sum();
            let passed = if *arrivals > 0.0 { busy * rate / arrivals } else { 1.0 };
            found.push((wait(&met, servers, all_busy).scaled(state.company), passed));
        }
    }
    Some(found)
}

/// Where each station stands in the order in which requests first come to them.
fn order(network: &Network) -> Vec<usize> {
    let mut order = vec![usize::MAX; network.stations.len()];
    let mut seen = vec![false; network.operations.len()];
    let mut count = 0;
    for (entry, _) in network.workloads.iter().flat_map(|workload| &workload.mix) {
        let mut open: Vec<&Step> = Vec::new();
        let mut next = Some(*entry);
        loop {
            if let Some(operation) = next.take().filter(|operation| !std::mem::replace(&mut seen[*operation], true)) {
                open.extend(network.operations[operation].steps.iter().rev());
            }
            match open.pop() {
                None => break,
                Some(Step::Visit(visit)) => {
                    let place = &mut order[network.visits[*visit].station];
                    if *place == usize::MAX {
                        *place = count;
                        count += 1;
                    }
                }
                Some(Step::Call(call)) => next = Some(call.target),
                Some(Step::Send(target)) => next = Some(*target),
                Some(step) => {
                    let from = open.len();
                    step.inner(|steps| open.extend(steps));
                    open[from..].reverse();
                }
            }
        }
    }
    order
}

/// Time after which a queue to which so much comes has settled; infinite where it never does.
fn settling(rate: PerSecond, capacity: PerSecond) -> Seconds {
    let slack = 1.0 - (rate / capacity).min(1.0).sqrt();
    SETTLED / (capacity * slack * slack)
}

/// About how many chances are summed up, where these rates come after another one.
fn effort(queue: &Transient, rates: &[(Seconds, PerSecond)], capacity: PerSecond, before: (Seconds, PerSecond)) -> f64 {
    let (mut piled, mut most, mut steps) = (0.0f64, 0.0f64, 0.0);
    for (time, rate) in [&before].into_iter().chain(rates) {
        // Until what has piled up is done and chances have settled.
        let moving = piled / (capacity - rate) + settling(*rate, capacity);
        let time = if *rate < capacity { time.min(moving) } else { *time };
        piled = (piled + (rate - capacity) * time).max(0.0);
        let taken = queue.steps(*rate, time);
        // They spread no further than in steady state, or than so many steps lead.
        let spread = SPREAD.1 / (capacity / rate).ln().max(f64::MIN_POSITIVE);
        let wandered = SPREAD.0 * taken.sqrt();
        most = most.max(piled + if spread > 0.0 { spread.min(wandered) } else { wandered });
        steps += taken;
    }
    steps * (most + queue.servers())
}

/// The wait of those who find so many there.
fn wait(met: &[f64], servers: u32, all_busy: PerSecond) -> Delay {
    let waiting = met.get(servers as usize..).unwrap_or_default();
    let last = waiting.iter().rposition(|chance| *chance > NOTHING);
    last.map_or(Delay::None, |last| Delay::Erlangs { weights: waiting[..=last].to_vec(), rate: all_busy })
}

//! From where each station gets its requests: streams followed through the programs.

use crate::math::rows::Rows;
use crate::network::{Call, Network, StationId, Step};

/// Streams kept apart at one place: their number grows with everything downstream of a chance call.
const MOST: usize = 8;

/// A smaller share of what comes together is not kept apart: with its like it is as good as Poisson.
const SMALL: f64 = 0.03;

/// Where a stream of requests comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Source {
    Workload(usize),
    Station(StationId),
}

/// Streams at one place, by their sources.
#[derive(Debug, Clone)]
pub(super) struct Streams {
    /// Sources as numbers: searched far more often than read.
    sources: [u32; MOST],
    /// Those that are spaced as they left their source.
    rates: [f64; MOST],
    /// The same before stations on the way respaced some of them.
    whole: [f64; MOST],
    count: usize,
    /// Rate of all streams that are too small to be kept apart.
    pub rest: f64,
}

/// The source of what was there before.
const BEFORE: u32 = u32::MAX;

const NOWHERE: u32 = u32::MAX - 1;

const fn station(id: StationId) -> u32 {
    2 * id as u32 + 1
}

const fn workload(w: usize) -> u32 {
    2 * w as u32
}

impl Streams {
    const NONE: Streams =
        Streams { sources: [NOWHERE; MOST], rates: [0.0; MOST], whole: [0.0; MOST], count: 0, rest: 0.0 };

    fn of(source: u32, rate: f64) -> Streams {
        let mut streams = Streams::NONE;
        streams.add(source, rate, rate);
        streams
    }

    /// Those kept apart, with their rates, and what these were before stations on the way respaced some of them.
    pub fn iter(&self) -> impl Iterator<Item = (Source, f64, f64)> + '_ {
        self.parts().map(|(source, rate, whole)| {
            let id = (source / 2) as usize;
            (if source % 2 == 1 { Source::Station(id) } else { Source::Workload(id) }, rate, whole)
        })
    }

    fn parts(&self) -> impl Iterator<Item = (u32, f64, f64)> + '_ {
        let rates = self.rates.iter().zip(&self.whole);
        self.sources.iter().zip(rates).map(|(source, (rate, whole))| (*source, *rate, *whole)).take(self.count)
    }

    /// Rate of the smallest that is kept apart, or of all the others.
    pub fn least(&self) -> f64 {
        self.rates[..self.count].iter().copied().fold(self.rest, f64::min)
    }

    /// Rate of all together.
    pub fn total(&self) -> f64 {
        pairwise(&self.rates, |a, b| a + b) + self.rest
    }

    fn add(&mut self, source: u32, rate: f64, whole: f64) {
        if rate <= 0.0 {
            return;
        }
        let place = place_of(&self.sources, source);
        if place < self.count {
            self.rates[place] += rate;
            self.whole[place] += whole;
        } else if self.count < MOST {
            self.keep(source, rate, whole);
        } else {
            let least = pairwise(&self.rates, |a, b| if a < b { a } else { b });
            self.rest += rate.min(least);
            if rate > least {
                let place = self.rates.iter().position(|rate| *rate == least).unwrap_or(0);
                (self.sources[place], self.rates[place], self.whole[place]) = (source, rate, whole);
            }
        }
    }

    /// Adds a stream that is not there yet, where there is room.
    fn keep(&mut self, source: u32, rate: f64, whole: f64) {
        (self.sources[self.count], self.rates[self.count], self.whole[self.count]) = (source, rate, whole);
        self.count += 1;
    }

    /// Takes out the streams of one source and returns their rates.
    fn without(&mut self, source: u32) -> (f64, f64) {
        let place = place_of(&self.sources, source);
        if place >= self.count {
            return (0.0, 0.0);
        }
        let rates = (self.rates[place], self.whole[place]);
        self.count -= 1;
        let last = self.count;
        (self.sources[place], self.rates[place], self.whole[place]) =
            (self.sources[last], self.rates[last], self.whole[last]);
        (self.sources[last], self.rates[last], self.whole[last]) = (NOWHERE, 0.0, 0.0);
        rates
    }

    /// Adds so many times the streams of another place.
    fn join(&mut self, other: &Streams, factor: f64) {
        self.join_respaced(other, factor, factor);
    }

    /// Adds so many times the streams of another place, which were so many before some were respaced.
    fn join_respaced(&mut self, other: &Streams, factor: f64, whole_factor: f64) {
        let floor = SMALL * other.total();
        let all_new = self.count == 0 && factor > 0.0;
        for (source, rate, whole) in other.parts() {
            if rate < floor {
                self.rest += factor * rate;
            } else if all_new {
                self.keep(source, factor * rate, whole_factor * whole);
            } else {
                self.add(source, factor * rate, whole_factor * whole);
            }
        }
        self.rest += factor * other.rest;
    }

    /// What leaves a station that respaces such a part.
    fn respaced(&self, id: StationId, part: f64) -> Streams {
        let total = self.total();
        let mut after = Streams::NONE;
        after.join_respaced(self, 1.0 - part, 1.0);
        after.add(station(id), part * total, total);
        after
    }

    fn scaled(mut self, factor: f64) -> Streams {
        if factor <= 0.0 {
            return Streams::NONE;
        }
        self.rates.iter_mut().for_each(|rate| *rate *= factor);
        self.whole.iter_mut().for_each(|rate| *rate *= factor);
        self.rest *= factor;
        self
    }

    fn leaves_a_station(&self) -> bool {
        self.parts().any(|(source, ..)| source % 2 == 1 && source != BEFORE)
    }
}

/// All rates put together, those not in use as zero: in pairs, so that several go at once.
fn pairwise(rates: &[f64; MOST], put: impl Fn(f64, f64) -> f64) -> f64 {
    let four: [f64; MOST / 2] = std::array::from_fn(|i| put(rates[i], rates[i + MOST / 2]));
    put(put(four[0], four[2]), put(four[1], four[3]))
}

/// Where the source stands, or `MOST`: without a way out of the loop, so that several are compared at once.
fn place_of(sources: &[u32; MOST], source: u32) -> usize {
    let found = (0..MOST).fold(0, |found, i| found | if sources[i] == source { !(i as u32) } else { 0 });
    (!found).min(MOST as u32) as usize
}

/// The streams into each station. Of each class the part `held` gets no further at a station: `[station][class]`; of what
/// gets through, the part `respaced` leaves as its services end, the rest as it came: `[station]`.
pub(super) fn streams(network: &Network, held: &Rows<f64>, respaced: &[f64]) -> Vec<Streams> {
    let mut walker = Walker {
        network,
        held,
        respaced,
        exits: vec![Streams::NONE; network.operations.len()],
        arriving: vec![Streams::NONE; network.operations.len()],
        stations: vec![Streams::NONE; network.stations.len()],
        noting: false,
    };
    for &operation in network.order.iter().rev() {
        walker.exits[operation] = walker.steps(&network.operations[operation].steps, Streams::of(BEFORE, 1.0));
    }
    walker.noting = true;
    for (w, source) in network.workloads.iter().enumerate() {
        for (operation, share) in &source.mix {
            let rate = source.rate() * share;
            walker.arriving[*operation].add(workload(w), rate, rate);
        }
    }
    for &operation in &network.order {
        let incoming = std::mem::replace(&mut walker.arriving[operation], Streams::NONE);
        if incoming.total() > 0.0 {
            walker.steps(&network.operations[operation].steps, incoming);
        }
    }
    walker.stations
}

/// Follows requests through the programs: callees first to learn how one request leaves each operation, then callers
/// first to note what arrives where.
struct Walker<'a> {
    network: &'a Network,
    held: &'a Rows<f64>,
    respaced: &'a [f64],
    /// From where requests leave an operation that one request enters.
    exits: Vec<Streams>,
    arriving: Vec<Streams>,
    stations: Vec<Streams>,
    noting: bool,
}

impl Walker<'_> {
    fn steps(&mut self, steps: &[Step], at: Streams) -> Streams {
        steps.iter().fold(at, |at, step| self.step(step, at))
    }

    fn step(&mut self, step: &Step, at: Streams) -> Streams {
        match step {
            Step::Delay(_) => at,
            Step::Visit(visit) => {
                let id = self.network.visits[*visit].station;
                if self.noting {
                    self.stations[id].join(&at, 1.0);
                }
                let passed = 1.0 - self.held[id].iter().copied().fold(0.0, f64::max);
                at.scaled(passed).respaced(id, self.respaced[id])
            }
            Step::Fail(chance) => at.scaled(1.0 - chance),
            Step::Send(target) => {
                self.arrive(*target, &at, 1.0);
                at
            }
            Step::Call(call) if call.times == 0 || call.probability == 0.0 => at,
            Step::Call(call) => self.call(call, at),
            Step::Guarded(guarded) => self.call(&guarded.call, at),
            Step::Choose { ways, .. } => {
                let mut after = Streams::NONE;
                for (weight, steps) in ways {
                    after.join(&self.steps(steps, at.clone().scaled(*weight)), 1.0);
                }
                after
            }
            Step::Repeat { times: 0, .. } => at,
            Step::Repeat { times: 1, steps } | Step::Hold { steps, .. } => self.steps(steps, at),
            Step::Repeat { times, steps } => {
                let again = f64::from(times - 1);
                let first = self.steps(steps, at);
                self.steps(steps, first.scaled(again)).scaled(1.0 / again)
            }
            Step::Parallel { branches, .. } => {
                // What leaves is paced by the branch that visits the most; the others end within it.
                let mut after = at.clone();
                for steps in branches {
                    let left = self.steps(steps, at.clone());
                    if left.leaves_a_station() {
                        after = left;
                    }
                }
                after
            }
        }
    }

    fn call(&mut self, call: &Call, at: Streams) -> Streams {
        self.arrive(call.target, &at, call.probability);
        let made = at.total() * call.probability;
        let mut after = self.exits[call.target].clone().scaled(made);
        let (straight, whole) = after.without(BEFORE);
        if made > 0.0 {
            after.join_respaced(&at, call.probability * straight / made, call.probability * whole / made);
        }
        if call.times > 1 {
            self.arrive(call.target, &after, f64::from(call.times - 1));
        }
        if call.probability < 1.0 {
            after.join(&at, 1.0 - call.probability);
        }
        after
    }

    fn arrive(&mut self, target: usize, at: &Streams, factor: f64) {
        if self.noting {
            self.arriving[target].join(at, factor);
        }
    }
}

//! How variable the arrivals of requests are that come to a station for the first time.
//!
//! Along the way of a request `D = c² - 1` of the stream it is in changes as in the whole network: a station takes the part
//! `ρ²` of it away and puts that of its own departures in its place, of which a way taken by chance keeps as much as the
//! chance is. What is left of the workload's own `D` counts once, whatever way requests come there the first time.

use super::Server;
use crate::network::flows::Flows;
use crate::network::{Call, Network, OperationId, StationId, Step, Workload};
use crate::system::ArrivalLaw;
use crate::unit::PerSecond;

/// What passing some steps makes of `D`: so many times that before, and something more.
#[derive(Debug, Clone, Copy)]
struct Passing {
    kept: f64,
    more: f64,
}

impl Passing {
    const STILL: Passing = Passing { kept: 1.0, more: 0.0 };

    fn then(self, next: Passing) -> Passing {
        Passing { kept: self.kept * next.kept, more: self.more * next.kept + next.more }
    }

    fn by_chance(self, chance: f64) -> Passing {
        Passing { kept: 1.0 - chance + chance * self.kept, more: chance * self.more }
    }
}

/// A stream of requests that have not been at the station: how many, and what made of `D` so far.
#[derive(Debug, Clone, Copy)]
struct Stream {
    rate: PerSecond,
    passed: Passing,
}

impl Stream {
    const NONE: Stream = Stream { rate: 0.0, passed: Passing::STILL };

    /// The part of it that goes one of several ways.
    fn part(self, chance: f64) -> Stream {
        let Passing { kept, more } = self.passed;
        Stream { rate: chance * self.rate, passed: Passing { kept, more: chance * more } }
    }

    fn join(&mut self, other: Stream) {
        let rate = self.rate + other.rate;
        if rate > 0.0 {
            let both = |own: f64, other_own: f64| (self.rate * own + other.rate * other_own) / rate;
            let (own, other) = (self.passed, other.passed);
            self.passed = Passing { kept: both(own.kept, other.kept), more: both(own.more, other.more) };
        }
        self.rate = rate;
    }
}

/// What is known of all operations, whatever the station.
pub(super) struct Fresh<'a> {
    network: &'a Network,
    stations: &'a [Server],
    /// Runs of each operation.
    rates: Vec<PerSecond>,
    passing: Vec<Passing>,
}

impl<'a> Fresh<'a> {
    pub fn of(network: &'a Network, stations: &'a [Server], flows: &Flows) -> Fresh<'a> {
        let rates = flows.operations.iter().map(|rates| rates.iter().sum()).collect();
        let mut fresh = Fresh { network, stations, rates, passing: vec![Passing::STILL; network.operations.len()] };
        for &operation in network.order.iter().rev() {
            fresh.passing[operation] = fresh.steps(operation, &network.operations[operation].steps);
        }
        fresh
    }

    fn steps(&self, own: OperationId, steps: &[Step]) -> Passing {
        steps.iter().fold(Passing::STILL, |passing, step| passing.then(self.step(own, step)))
    }

    fn step(&self, own: OperationId, step: &Step) -> Passing {
        match step {
            Step::Visit(visit) => self.visit(own, self.network.visits[*visit].station),
            Step::Call(call) => self.passing[call.target].by_chance(call.probability),
            Step::Guarded(guarded) => self.passing[guarded.call.target].by_chance(guarded.call.probability),
            Step::Choose { ways, .. } => ways.iter().fold(Passing { kept: 0.0, more: 0.0 }, |sum, (weight, steps)| {
                let way = self.steps(own, steps);
                Passing { kept: sum.kept + weight * way.kept, more: sum.more + weight * way.more }
            }),
            Step::Hold { steps, .. } | Step::Repeat { steps, .. } => self.steps(own, steps),
            Step::Parallel { branches, .. } => branches
                .iter()
                .map(|steps| self.steps(own, steps))
                .min_by(|a, b| a.kept.total_cmp(&b.kept))
                .unwrap_or(Passing::STILL),
            Step::Send(_) | Step::Delay(_) | Step::Fail(_) => Passing::STILL,
        }
    }

    fn visit(&self, own: OperationId, station: StationId) -> Passing {
        let server = &self.stations[station];
        let respaced = server.rho * server.rho;
        let share = if server.leaving > 0.0 { (self.rates[own] / server.leaving).min(1.0) } else { 1.0 };
        Passing { kept: 1.0 - respaced, more: respaced * share * (server.ending - 1.0) }
    }

    /// The variability of first arrivals at a station, each stream by the work that its workload brings there.
    pub fn scv(&self, station: StationId, work: &[f64]) -> f64 {
        let network = self.network;
        let mut missing = vec![1.0; network.operations.len()];
        for &operation in network.order.iter().rev() {
            missing[operation] = self.miss(station, &missing, &network.operations[operation].steps);
        }
        let (mut rate, mut all, mut squares, mut own, mut passed_on) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for (workload, work) in network.workloads.iter().zip(work).filter(|(_, work)| **work > 0.0) {
            let Stream { rate: arrived, passed } = self.arrived(workload, station, &missing);
            let scv = match workload.arrivals() {
                Some(ArrivalLaw::Renewal(law)) => law.scv(),
                _ => 1.0,
            };
            if arrived > 0.0 {
                let weight = work * work / arrived;
                rate += arrived;
                all += work;
                squares += work * work;
                own += weight * passed.kept * (arrived / workload.rate()).min(1.0) * (scv - 1.0);
                passed_on += weight * passed.more;
            }
        }
        if all <= 0.0 {
            return 1.0;
        }
        let merged = super::merged(self.stations[station].rho, squares / (all * all));
        (1.0 + (merged * own + passed_on) * rate / (all * all)).max(0.0)
    }

    /// The first arrivals of one workload.
    fn arrived(&self, workload: &Workload, station: StationId, missing: &[f64]) -> Stream {
        let network = self.network;
        let arriving = vec![Stream::NONE; network.operations.len()];
        let mut walker = Walker { fresh: self, station, missing, arriving, arrived: Stream::NONE };
        for (operation, share) in &workload.mix {
            walker.arriving[*operation].join(Stream { rate: workload.rate() * share, ..Stream::NONE });
        }
        for &operation in &network.order {
            let stream = walker.arriving[operation];
            if stream.rate > 0.0 && missing[operation] < 1.0 {
                walker.follow(operation, &network.operations[operation].steps, stream);
            }
        }
        walker.arrived
    }

    /// The chance that some steps do not come to a station, where callees do not with the chances `missing`.
    fn miss(&self, station: StationId, missing: &[f64], steps: &[Step]) -> f64 {
        steps.iter().map(|step| self.miss_step(station, missing, step)).product()
    }

    fn miss_step(&self, station: StationId, missing: &[f64], step: &Step) -> f64 {
        let inner = |steps: &[Step]| self.miss(station, missing, steps);
        let called = |call: &Call| 1.0 - call.probability * (1.0 - missing[call.target]);
        match step {
            Step::Visit(visit) if self.network.visits[*visit].station == station => 0.0,
            Step::Call(call) => called(call),
            Step::Guarded(guarded) => called(&guarded.call),
            Step::Send(target) => missing[*target],
            Step::Choose { ways, .. } => ways.iter().map(|(weight, steps)| weight * inner(steps)).sum(),
            Step::Hold { steps, .. } | Step::Repeat { steps, .. } => inner(steps),
            Step::Parallel { branches, .. } => branches.iter().map(|steps| inner(steps)).product(),
            Step::Visit(_) | Step::Delay(_) | Step::Fail(_) => 1.0,
        }
    }
}

/// Follows requests to one station.
struct Walker<'a> {
    fresh: &'a Fresh<'a>,
    station: StationId,
    /// Chance that a run of each operation does not come to the station.
    missing: &'a [f64],
    arriving: Vec<Stream>,
    arrived: Stream,
}

impl Walker<'_> {
    /// Goes through some steps with those that have not been there, and returns those that still have not.
    fn follow(&mut self, own: OperationId, steps: &[Step], stream: Stream) -> Stream {
        steps.iter().fold(stream, |stream, step| {
            if stream.rate <= 0.0 {
                return stream;
            }
            let missed = self.fresh.miss_step(self.station, self.missing, step);
            if missed == 1.0 {
                return Stream { passed: stream.passed.then(self.fresh.step(own, step)), ..stream };
            }
            match step {
                Step::Visit(_) => {
                    self.arrived.join(stream);
                    Stream::NONE
                }
                Step::Call(call) => self.call(call, stream),
                Step::Guarded(guarded) => self.call(&guarded.call, stream),
                Step::Send(target) => {
                    self.arriving[*target].join(stream);
                    stream.part(missed)
                }
                Step::Choose { ways, .. } => {
                    let mut after = Stream::NONE;
                    for (weight, steps) in ways {
                        after.join(self.follow(own, steps, stream.part(*weight)));
                    }
                    after
                }
                Step::Hold { steps, .. } | Step::Repeat { steps, .. } => self.follow(own, steps, stream),
                Step::Parallel { branches, .. } => {
                    branches.iter().for_each(|steps| {
                        self.follow(own, steps, stream);
                    });
                    stream.part(missed)
                }
                Step::Delay(_) | Step::Fail(_) => stream,
            }
        })
    }

    fn call(&mut self, call: &Call, stream: Stream) -> Stream {
        self.arriving[call.target].join(stream.part(call.probability));
        stream.part(1.0 - call.probability * (1.0 - self.missing[call.target]))
    }
}

//! What the programs that lead to a station do there: visits, and pairs of visits of one request by the time between them.

use crate::analytic::memory::Memory;
use crate::distribution::{Distribution, Law};
use crate::network::{Call, Network, StationId, Step};
use crate::unit::{PerSecond, Seconds};

/// `w` as parts that fade exponentially, and last what never fades: within 0.02.
pub(super) const FADING: [(f64, f64); KINDS] = [(0.294, 0.1016), (0.706, 1.1282), (0.0, 0.0)];
const KINDS: usize = 3;
/// The kind that never fades.
pub(super) const ALL: usize = KINDS - 1;

/// How long some steps take, roughly: their work with the waits of M/M/1, and all delays.
pub(super) fn taken(network: &Network, memories: &[Memory], elapsed: &[Seconds], steps: &[Step]) -> Seconds {
    let inner = |steps: &[Step]| taken(network, memories, elapsed, steps);
    let called = |call: &Call| call.probability * f64::from(call.times) * (elapsed[call.target] + travel(call));
    let each = steps.iter().map(|step| match step {
        Step::Visit(visit) => {
            let visit = &network.visits[*visit];
            visit.time.mean() * memories[visit.station].stretch()
        }
        Step::Delay(law) => law.mean(),
        Step::Call(call) => called(call),
        Step::Guarded(guarded) => called(&guarded.call),
        Step::Choose { ways, .. } => ways.iter().map(|(weight, steps)| weight * inner(steps)).sum(),
        Step::Hold { steps, .. } => inner(steps),
        Step::Repeat { times, steps } => f64::from(*times) * inner(steps),
        Step::Parallel { branches, .. } => branches.iter().map(|steps| inner(steps)).fold(0.0, f64::max),
        Step::Send(_) | Step::Fail(_) => 0.0,
    });
    each.sum()
}

/// Time that a call spends on the network.
fn travel(call: &Call) -> Seconds {
    call.network.as_ref().map_or(0.0, Law::mean)
}

/// Visits, each counted by how much is left of it.
#[derive(Debug, Clone, Copy, Default)]
struct Faded {
    count: f64,
    /// `m_u`, `E[S_u²]`.
    mean: f64,
    square: f64,
    /// How many on the longest way through branches: what comes after all of these waits for one after the other there only.
    path: f64,
}

impl Faded {
    fn plus(self, other: Faded, weight: f64) -> Faded {
        Faded {
            count: self.count + weight * other.count,
            mean: self.mean + weight * other.mean,
            square: self.square + weight * other.square,
            path: self.path + weight * other.path,
        }
    }
}

/// Pairs of visits of one request.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Met {
    /// How many.
    pub count: f64,
    /// `Σ m_u m_v`, `Σ m_u`, `Σ m_v`, the last for those `u` on the longest way only.
    pub products: f64,
    pub earlier: f64,
    pub later: f64,
    /// `Σ (E[S_u²] + E[S_v²]) / 2`.
    pub apart: f64,
}

impl Met {
    /// Of all of some with all of others that come after them.
    fn of(before: Faded, after: Faded) -> Met {
        Met {
            count: before.count * after.count,
            products: before.mean * after.mean,
            earlier: before.mean * after.count,
            later: before.path * after.mean,
            apart: 0.5 * (before.square * after.count + before.count * after.square),
        }
    }

    pub fn plus(self, other: Met, weight: f64) -> Met {
        Met {
            count: self.count + weight * other.count,
            products: self.products + weight * other.products,
            earlier: self.earlier + weight * other.earlier,
            later: self.later + weight * other.later,
            apart: self.apart + weight * other.apart,
        }
    }
}

/// What some steps do at one station.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tour {
    pub visits: f64,
    pub work: f64,
    pub squares: f64,
    /// Chance of no visit, and the mean work of the first where there is one.
    pub missed: f64,
    pub first: f64,
    pub pairs: [Met; KINDS],
    /// What is left at the end of what was there at the beginning, of visits at the beginning, and at the end of visits.
    left: [f64; KINDS],
    fore: [Faded; KINDS],
    back: [Faded; KINDS],
}

impl Tour {
    const NOTHING: Tour = Tour::passing([1.0; KINDS]);

    const fn passing(left: [f64; KINDS]) -> Tour {
        const NO_MET: Met = Met { count: 0.0, products: 0.0, earlier: 0.0, later: 0.0, apart: 0.0 };
        const NO_VISIT: Faded = Faded { count: 0.0, mean: 0.0, square: 0.0, path: 0.0 };
        Tour {
            visits: 0.0,
            work: 0.0,
            squares: 0.0,
            missed: 1.0,
            first: 0.0,
            pairs: [NO_MET; KINDS],
            left,
            fore: [NO_VISIT; KINDS],
            back: [NO_VISIT; KINDS],
        }
    }

    fn visit(mean: f64, square: f64) -> Tour {
        let one = Faded { count: 1.0, mean, square, path: 1.0 };
        Tour {
            visits: 1.0,
            work: mean,
            squares: 0.5 * square,
            missed: 0.0,
            first: mean,
            fore: [one; KINDS],
            back: [one; KINDS],
            ..Tour::NOTHING
        }
    }

    /// The sum of both, the other so many times, as ways of which one is gone.
    fn plus(mut self, other: &Tour, weight: f64) -> Tour {
        self.visits += weight * other.visits;
        self.work += weight * other.work;
        self.squares += weight * other.squares;
        self.missed += weight * other.missed;
        self.first += weight * other.first;
        for kind in 0..KINDS {
            self.pairs[kind] = self.pairs[kind].plus(other.pairs[kind], weight);
            self.left[kind] += weight * other.left[kind];
            self.fore[kind] = self.fore[kind].plus(other.fore[kind], weight);
            self.back[kind] = self.back[kind].plus(other.back[kind], weight);
        }
        self
    }

    /// Nothing at all, for sums.
    fn none() -> Tour {
        Tour { missed: 0.0, ..Tour::passing([0.0; KINDS]) }
    }

    fn by_chance(self, chance: f64) -> Tour {
        if chance == 1.0 { self } else { Tour::none().plus(&self, chance).plus(&Tour::NOTHING, 1.0 - chance) }
    }

    fn then(mut self, next: &Tour) -> Tour {
        self.visits += next.visits;
        self.work += next.work;
        self.squares += next.squares;
        self.first += self.missed * next.first;
        self.missed *= next.missed;
        for kind in 0..KINDS {
            let met = Met::of(self.back[kind], next.fore[kind]);
            self.pairs[kind] = self.pairs[kind].plus(next.pairs[kind], 1.0).plus(met, 1.0);
            self.fore[kind] = self.fore[kind].plus(next.fore[kind], self.left[kind]);
            self.back[kind] = next.back[kind].plus(self.back[kind], next.left[kind]);
            self.left[kind] *= next.left[kind];
        }
        self
    }

    fn repeated(self, times: u32) -> Tour {
        let (mut all, mut power, mut rest) = (Tour::NOTHING, self, times);
        while rest > 0 {
            if rest % 2 == 1 {
                all = all.then(&power);
            }
            power = power.then(&power);
            rest /= 2;
        }
        all
    }

    /// Seen by others that may have come to another instance: a pair with them keeps the square of `part`.
    fn spread(mut self, part: f64) -> Tour {
        for kind in 0..KINDS {
            self.fore[kind] = Faded::default().plus(self.fore[kind], part);
            self.back[kind] = Faded::default().plus(self.back[kind], part);
        }
        self
    }

    /// Next to steps that take longer, or as long as these.
    fn beside(mut self, longer: &Tour) -> Tour {
        self.left = [1.0; KINDS];
        let mut sum = self.plus(longer, 1.0);
        for (back, (own, other)) in sum.back.iter_mut().zip(self.back.iter().zip(&longer.back)) {
            back.path = own.path.max(other.path);
        }
        let first = self.first + self.missed * longer.first;
        Tour { left: longer.left, first, missed: self.missed * longer.missed, ..sum }
    }
}

/// Goes through the programs that lead to one station.
pub(super) struct Walker<'a> {
    network: &'a Network,
    memories: &'a [Memory],
    elapsed: &'a [Seconds],
    station: StationId,
    /// How fast each kind fades, per second.
    fading: [PerSecond; KINDS],
    /// Of the operations that lead there.
    tours: Vec<Option<Tour>>,
}

impl<'a> Walker<'a> {
    pub fn new(network: &'a Network, memories: &'a [Memory], elapsed: &'a [Seconds], station: StationId) -> Walker<'a> {
        let fading = FADING.map(|(_, rate)| rate * memories[station].forgetting());
        Walker { network, memories, elapsed, station, fading, tours: vec![None; network.operations.len()] }
    }

    pub fn tours(mut self) -> Vec<Option<Tour>> {
        for &operation in self.network.order.iter().rev() {
            let steps = &self.network.operations[operation].steps;
            if self.leads(steps) {
                let tour = self.steps(steps);
                // Each run of the service's own operations may be at another instance.
                let own = self.network.operations[operation].service == self.network.stations[self.station].service;
                let part = if own { self.memories[self.station].same.sqrt() } else { 1.0 };
                self.tours[operation] = Some(tour.spread(part));
            }
        }
        self.tours
    }

    fn leads(&self, steps: &[Step]) -> bool {
        steps.iter().any(|step| match step {
            Step::Visit(visit) => self.network.visits[*visit].station == self.station,
            Step::Call(call) => self.tours[call.target].is_some(),
            Step::Guarded(guarded) => self.tours[guarded.call.target].is_some(),
            Step::Send(target) => self.tours[*target].is_some(),
            step => {
                let mut leads = false;
                step.inner(|steps| leads |= self.leads(steps));
                leads
            }
        })
    }

    fn steps(&self, steps: &[Step]) -> Tour {
        steps.iter().fold(Tour::NOTHING, |tour, step| tour.then(&self.step(step)))
    }

    fn step(&self, step: &Step) -> Tour {
        match step {
            Step::Visit(visit) => {
                let visit = &self.network.visits[*visit];
                let mean = visit.time.mean();
                if visit.station == self.station {
                    Tour::visit(mean, visit.time.moment(2).min(1e6 * mean * mean))
                } else {
                    self.pause(mean * self.memories[visit.station].stretch())
                }
            }
            Step::Delay(law) => self.pause(law.mean()),
            Step::Call(call) => self.call(call),
            Step::Guarded(guarded) => self.call(&guarded.call),
            Step::Choose { ways, .. } => {
                ways.iter().fold(Tour::none(), |sum, (weight, steps)| sum.plus(&self.steps(steps), *weight))
            }
            Step::Hold { steps, .. } => self.steps(steps),
            Step::Repeat { times, steps } => self.steps(steps).repeated(*times),
            Step::Parallel { branches, .. } => {
                let branches = branches.iter().map(|steps| self.steps(steps));
                branches
                    .reduce(|a, b| if a.left[0] < b.left[0] { b.beside(&a) } else { a.beside(&b) })
                    .unwrap_or(Tour::NOTHING)
            }
            Step::Send(target) => match self.tours[*target] {
                Some(sent) => Tour { left: [1.0; KINDS], back: Tour::NOTHING.back, ..sent },
                None => Tour::NOTHING,
            },
            Step::Fail(chance) => Tour::none().plus(&Tour::NOTHING, 1.0 - chance),
        }
    }

    fn call(&self, call: &Call) -> Tour {
        let one = match &self.tours[call.target] {
            Some(tour) => self.pause(travel(call)).then(tour),
            None => self.pause(travel(call) + self.elapsed[call.target]),
        };
        one.repeated(call.times).by_chance(call.probability)
    }

    /// Time that passes elsewhere.
    fn pause(&self, time: Seconds) -> Tour {
        Tour::passing(self.fading.map(|rate| 1.0 / (1.0 + rate * time)))
    }
}

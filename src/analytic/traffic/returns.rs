//! What the visits of one request to a station, one after the other, do to the waits there.
//!
//! | symbol       | meaning                                                                        | unit      |
//! |--------------|--------------------------------------------------------------------------------|-----------|
//! | `S_u`        | service of a request's visit `u`, its mean `m_u`                               | seconds   |
//! | `c, ρ`       | servers, utilization                                                           | 1         |
//! | `a²`         | variability of those that come for the first time                              | 1         |
//! | `Λ, τ`       | visits, mean service                                                           | 1/s, s    |
//! | `M, A`       | `Σ λ m_u`, `Σ λ E[S_u²] / 2` over all visits                                   | 1, s      |
//! | `E`          | `Σ λ (E[S_u²] + E[S_v²]) / 2` over all pairs of visits of one request          | seconds   |
//! | `w`          | how much of what visit `u` found and left is still there at a later visit `v`  | 1         |
//! | `m_n`        | mean service of those that come meanwhile and go before                        | seconds   |
//! | `G`          | what takes the place of `τ (ca² + cs²) / 2` in Kingman's formula               | seconds   |
//!
//! In heavy traffic as many of each visit are in the queue, as each visit waits as long; all work there, and still to come
//! of those, is that of one queue. In light traffic two requests meet, and wait for one another again at each visit, as long
//! as both come back before the other is gone:
//!
//! ```text
//! heavy   G = (A + Σ w m_u m_v) / (M + Σ w m_v)
//! light   G = A / M (1 - Σ w ((E[S_u²] + E[S_v²]) / 2 - m_u m_v - m_u m_n) / (A + E))
//! both    G = light + ρ (heavy - light) + (a² - 1) τ M (1 + 2 Σ w / Λ) / (2 (M + Σ w m_v))
//! ```
//!
//! sums over all pairs of visits of one request, `u` before `v`. For Poisson arrivals at one server and two visits without a
//! break heavy and light traffic are exact, and what lies between is within 2%. With breaks of `g` all in all
//! `w = 1 / (1 + (1 - ρ) c g / 5 r)`, `r` being the mean residual service: found by simulation of requests that come two
//! to six times, with work of variability 0 to 9, at loads of 0.3 to 0.85 and breaks from none to six times the memory of the
//! queue; waits are within 9%, most within 3%.
//!
//! Source: heavy traffic by the collapse of the states of a queue with feedback, Reiman, A multiclass feedback queue in heavy
//! traffic, Advances in Applied Probability 20 (1988); light traffic between it and independent visits as Reiman and Simon,
//! An interpolation approximation for queueing systems with Poisson input, Operations Research 36 (1988).

use crate::analytic::memory::Memory;
use crate::distribution::{Distribution, Law};
use crate::network::{Call, Network, StationId, Step};
use crate::unit::{PerSecond, Seconds};

/// `w` as parts that fade exponentially, and last what never fades: within 0.02.
const FADING: [(f64, f64); KINDS] = [(0.294, 0.1016), (0.706, 1.1282), (0.0, 0.0)];
const KINDS: usize = 3;
/// The kind that never fades.
const ALL: usize = KINDS - 1;

/// How waits are because of how arrivals vary.
#[derive(Debug, Clone, Copy)]
pub(super) struct Felt {
    /// Squared coefficient of variation of the interarrival times.
    pub scv: f64,
    /// What waits are multiplied by because requests come back.
    pub factor: f64,
    /// The same if arrivals were Poisson.
    pub plain: f64,
    /// The part of them that there is because arrivals are not Poisson; below zero where they are more regular.
    pub carried: f64,
}

impl Felt {
    /// Where nobody comes back, work varying by `served`.
    pub fn of(scv: f64, served: f64) -> Felt {
        let both = scv + served;
        Felt { scv, factor: 1.0, plain: 1.0, carried: if both > 0.0 { (scv - 1.0) / both } else { 0.0 } }
    }
}

/// Where requests come back to a station: what `G` is there over `τ (ca² + cs²) / 2`, and the terms it is made of.
#[derive(Debug, Clone, Default)]
pub(super) struct Returns {
    /// Visits.
    visits: PerSecond,
    /// `M`.
    work: f64,
    /// `A`.
    squares: f64,
    /// Pairs `w`, and all pairs.
    pairs: PerSecond,
    all_pairs: PerSecond,
    /// `Σ w m_u m_v`, `Σ w m_u`, `Σ w m_v`.
    products: f64,
    earlier: f64,
    later: f64,
    /// `Σ m_v` over all pairs.
    all_later: f64,
    /// `Σ w (E[S_u²] + E[S_v²]) / 2`, and the same over all pairs.
    apart: f64,
    all_apart: f64,
    /// Mean work of first visits, and their rate.
    first: Seconds,
    requests: PerSecond,
    /// `M`, `A`, `Σ w m_u m_v` and `Σ w m_v` of each class.
    classes: Vec<[f64; 4]>,
}

impl Returns {
    /// What the waits of a class are multiplied by where the more urgent go first: all work that goes before it grows with
    /// all visits, and is waited for at as many of its own.
    pub fn by_priority(&self, class: usize, preemptive: bool, utilization: f64) -> f64 {
        let met = if preemptive { &self.classes[..=class] } else { &self.classes[..] };
        let squares: f64 = met.iter().map(|own| own[1]).sum();
        // Of those below only the one in service is met.
        let products: f64 = self.classes[..=class].iter().map(|own| own[2]).sum();
        let [work, _, _, later] = self.classes[class];
        if squares <= 0.0 || work <= 0.0 {
            return 1.0;
        }
        let heavy = (squares + products) / squares * work / (work + later);
        1.0 + utilization * (heavy - 1.0)
    }

    /// What is felt where all arrivals vary by `scv`, and those that come for the first time by `entering`.
    pub fn felt(&self, scv: f64, entering: f64, utilization: f64) -> Felt {
        if self.visits <= 0.0 || self.work <= 0.0 {
            return Felt::of(scv, 1.0);
        }
        let mean = self.work / self.visits;
        let served = 2.0 * self.squares / (self.work * mean) - 1.0;
        let together = if self.all_pairs > 0.0 { self.pairs / self.all_pairs } else { 0.0 };
        let outer = scv + together * (entering - scv);
        let carried = 0.5 * (outer - 1.0) * self.work * mean * (1.0 + 2.0 * self.pairs / self.visits);
        let heavy = (self.squares + self.products) / (self.work + self.later);
        let carried = carried / (self.work + self.later);
        // Of those that come meanwhile as many visits go before as are still to come.
        let coming = (2.0 * self.all_pairs / self.visits).max(1.0);
        let newcomer = (self.first + (coming - 1.0) * mean) / coming;
        let met = (self.apart - self.products - newcomer * self.earlier) / (self.squares + self.all_apart);
        let light = self.squares / self.work * (1.0 - met);
        let apart = 0.5 * mean * (outer + served);
        let plain = light + utilization * (heavy - light);
        let whole = plain + carried;
        let plain = plain / (0.5 * mean * (1.0 + served));
        if apart <= 0.0 || whole <= 0.0 {
            return Felt { factor: 0.0, plain, ..Felt::of(outer, served) };
        }
        Felt { scv: outer, factor: whole / apart, plain, carried: carried / whole }
    }

    /// The part of a long queue's work that is done before one who joins it is served, the rest being that of later visits
    /// of those in it.
    pub fn before_next(&self) -> f64 {
        if self.work > 0.0 { self.work / (self.work + self.all_later) } else { 1.0 }
    }

    /// How many visits there are as one, and how variable the work of these is.
    pub fn as_one(&self) -> (f64, f64) {
        if self.visits <= 0.0 || self.work <= 0.0 {
            return (1.0, 1.0);
        }
        let many = 1.0 + 2.0 * self.pairs / self.visits;
        let mean = self.work / self.visits;
        (many, (2.0 * (self.squares + self.products) / (self.work * mean * many) - 1.0).max(0.0))
    }

    fn add(&mut self, class: usize, rate: PerSecond, tour: &Tour) {
        let Tour { visits, work, squares, pairs, first, missed, .. } = tour;
        let came = rate * (1.0 - missed);
        self.requests += came;
        if self.requests > 0.0 {
            self.first += (rate * first - came * self.first) / self.requests;
        }
        self.visits += rate * visits;
        self.work += rate * work;
        self.squares += rate * squares;
        let own = &mut self.classes[class];
        own[0] += rate * work;
        own[1] += rate * squares;
        for ((weight, _), met) in FADING.iter().zip(pairs) {
            let weight = rate * weight;
            self.pairs += weight * met.count;
            self.products += weight * met.products;
            self.earlier += weight * met.earlier;
            self.later += weight * met.later;
            own[2] += weight * met.products;
            own[3] += weight * met.later;
            self.apart += weight * met.apart;
        }
        self.all_pairs += rate * pairs[ALL].count;
        self.all_apart += rate * pairs[ALL].apart;
        self.all_later += rate * pairs[ALL].later;
    }
}

/// What comes of requests that come back to each station; nothing where none does.
pub(super) fn returns(network: &Network, rates: &[PerSecond], memories: &[Memory]) -> Vec<Option<Returns>> {
    let mut elapsed = vec![0.0; network.operations.len()];
    for &operation in network.order.iter().rev() {
        elapsed[operation] = taken(network, memories, &elapsed, &network.operations[operation].steps);
    }
    let back = |station: StationId| memories[station].repeated && memories[station].time > 0.0;
    let of_one = |station: StationId| {
        let walker = Walker::new(network, memories, &elapsed, station);
        let tours = walker.tours();
        let mut returns = Returns { classes: vec![[0.0; 4]; network.classes], ..Returns::default() };
        for (workload, rate) in network.workloads.iter().zip(rates) {
            for (operation, share) in &workload.mix {
                if let Some(tour) = &tours[*operation] {
                    returns.add(workload.class, rate * share, tour);
                }
            }
        }
        returns
    };
    (0..network.stations.len()).map(|station| back(station).then(|| of_one(station))).collect()
}

/// How long some steps take, roughly: their work with the waits of M/M/1, and all delays.
fn taken(network: &Network, memories: &[Memory], elapsed: &[Seconds], steps: &[Step]) -> Seconds {
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
}

impl Faded {
    fn plus(self, other: Faded, weight: f64) -> Faded {
        Faded {
            count: self.count + weight * other.count,
            mean: self.mean + weight * other.mean,
            square: self.square + weight * other.square,
        }
    }
}

/// Pairs of visits of one request.
#[derive(Debug, Clone, Copy, Default)]
struct Met {
    count: f64,
    products: f64,
    earlier: f64,
    later: f64,
    apart: f64,
}

impl Met {
    /// Of all of some with all of others that come after them.
    fn of(before: Faded, after: Faded) -> Met {
        Met {
            count: before.count * after.count,
            products: before.mean * after.mean,
            earlier: before.mean * after.count,
            later: before.count * after.mean,
            apart: 0.5 * (before.square * after.count + before.count * after.square),
        }
    }

    fn plus(self, other: Met, weight: f64) -> Met {
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
struct Tour {
    visits: f64,
    work: f64,
    squares: f64,
    /// Chance of no visit, and the mean work of the first where there is one.
    missed: f64,
    first: f64,
    pairs: [Met; KINDS],
    /// What is left at the end of what was there at the beginning, of visits at the beginning, and at the end of visits.
    left: [f64; KINDS],
    fore: [Faded; KINDS],
    back: [Faded; KINDS],
}

impl Tour {
    const NOTHING: Tour = Tour::passing([1.0; KINDS]);

    const fn passing(left: [f64; KINDS]) -> Tour {
        const NO_MET: Met = Met { count: 0.0, products: 0.0, earlier: 0.0, later: 0.0, apart: 0.0 };
        const NO_VISIT: Faded = Faded { count: 0.0, mean: 0.0, square: 0.0 };
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
        let one = Faded { count: 1.0, mean, square };
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
        let sum = self.plus(longer, 1.0);
        let first = self.first + self.missed * longer.first;
        Tour { left: longer.left, first, missed: self.missed * longer.missed, ..sum }
    }
}

/// Goes through the programs that lead to one station.
struct Walker<'a> {
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
    fn new(network: &'a Network, memories: &'a [Memory], elapsed: &'a [Seconds], station: StationId) -> Walker<'a> {
        let fading = FADING.map(|(_, rate)| rate * memories[station].forgetting());
        Walker { network, memories, elapsed, station, fading, tours: vec![None; network.operations.len()] }
    }

    fn tours(mut self) -> Vec<Option<Tour>> {
        for &operation in self.network.order.iter().rev() {
            let steps = &self.network.operations[operation].steps;
            if self.leads(steps) {
                let tour = self.steps(steps).spread(self.memories[self.station].same.sqrt());
                self.tours[operation] = Some(tour);
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

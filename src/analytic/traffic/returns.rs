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

use super::tour::{ALL, FADING, Met, Tour, Walker, taken};
use crate::analytic::memory::Memory;
use crate::network::{Network, StationId};
use crate::unit::{PerSecond, Seconds};

/// Waits are multiplied by no less where requests come back, if arrivals are Poisson.
const LEAST: f64 = 0.05;

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
    /// What that adds to `G` where branches of one request come.
    pub beside: Seconds,
}

impl Felt {
    /// Where nobody comes back, work varying by `served`.
    pub fn of(scv: f64, served: f64) -> Felt {
        let both = scv + served;
        let carried = if both > 0.0 { (scv - 1.0) / both } else { 0.0 };
        Felt { scv, factor: 1.0, plain: 1.0, carried, beside: 0.0 }
    }
}

/// Where requests come back to a station: the terms of `G`, of all workloads together.
#[derive(Debug, Clone, Default)]
pub(super) struct Returns {
    /// Visits.
    visits: PerSecond,
    /// `M`.
    work: f64,
    /// `A`.
    squares: f64,
    /// Pairs of visits of one request, each by what is left of the first at the second, and each as one.
    pairs: Met,
    all: Met,
    /// Mean work of first visits, and their rate.
    first: Seconds,
    requests: PerSecond,
    classes: Vec<OfClass>,
}

/// The same sums over the visits of one class.
#[derive(Debug, Clone, Copy, Default)]
struct OfClass {
    work: f64,
    squares: f64,
    pairs: Met,
}

impl Returns {
    /// What the waits of a class are multiplied by where the more urgent go first: all work that goes before it grows with
    /// all visits, and is waited for at as many of its own.
    pub fn by_priority(&self, class: usize, preemptive: bool, utilization: f64) -> f64 {
        let met = if preemptive { &self.classes[..=class] } else { &self.classes[..] };
        let squares: f64 = met.iter().map(|own| own.squares).sum();
        // Of those below only the one in service is met.
        let products: f64 = self.classes[..=class].iter().map(|own| own.pairs.products).sum();
        let OfClass { work, pairs, .. } = self.classes[class];
        if squares <= 0.0 || work <= 0.0 {
            return 1.0;
        }
        let heavy = (squares + products) / squares * work / (work + pairs.later);
        1.0 + utilization * (heavy - 1.0)
    }

    /// What is felt where all arrivals vary by `scv`, those that come for the first time by `entering`, and `beside` is what
    /// visits on different branches have to do with each other, as `Σ λ m_u m_v`.
    pub fn felt(&self, scv: f64, entering: f64, beside: f64, utilization: f64) -> Felt {
        if self.visits <= 0.0 || self.work <= 0.0 {
            return Felt::of(scv, 1.0);
        }
        let mean = self.work / self.visits;
        let served = 2.0 * self.squares / (self.work * mean) - 1.0;
        let pairs = self.all.products + beside;
        let together = if pairs > 0.0 { (self.pairs.products + beside) / pairs } else { 0.0 };
        let outer = scv + together * (entering - scv);
        let carried = 0.5 * (outer - 1.0) * self.work * mean * (1.0 + 2.0 * self.pairs.count / self.visits);
        // With branches there is soon more that follows each other than one visit after the other.
        let between = if beside > 0.0 { utilization * (2.0 - utilization) } else { utilization };
        let beside = (outer - 1.0) * beside / (self.work + self.pairs.later);
        let heavy = (self.squares + self.pairs.products) / (self.work + self.pairs.later);
        let carried = carried / (self.work + self.pairs.later);
        // Of those that come meanwhile as many visits go before as are still to come.
        let coming = (2.0 * self.all.count / self.visits).max(1.0);
        let newcomer = (self.first + (coming - 1.0) * mean) / coming;
        let met =
            (self.pairs.apart - self.pairs.products - newcomer * self.pairs.earlier) / (self.squares + self.all.apart);
        let light = self.squares / self.work * (1.0 - met);
        let apart = 0.5 * mean * (outer + served);
        let plain = light + between * (heavy - light);
        let whole = plain + carried;
        let plain = (plain / (0.5 * mean * (1.0 + served))).max(LEAST);
        if apart <= 0.0 || whole <= 0.0 {
            return Felt { factor: 0.0, plain, beside: beside + whole.min(0.0), ..Felt::of(outer, served) };
        }
        Felt { scv: outer, factor: whole / apart, plain, carried: carried / whole, beside }
    }

    /// The part of a long queue's work that is done before one who joins it is served, the rest being that of later visits
    /// of those in it.
    pub fn before_next(&self) -> f64 {
        if self.work > 0.0 { self.work / (self.work + self.all.later) } else { 1.0 }
    }

    /// The part of the work of requests in a queue that brings a visit there to its turn, the rest still being to come.
    pub fn now(&self) -> f64 {
        if self.work > 0.0 { self.work / (self.work + self.pairs.later) } else { 1.0 }
    }

    /// How many visits there are as one, and how variable the work of these is.
    pub fn as_one(&self) -> (f64, f64) {
        if self.visits <= 0.0 || self.work <= 0.0 {
            return (1.0, 1.0);
        }
        let many = 1.0 + 2.0 * self.pairs.count / self.visits;
        let mean = self.work / self.visits;
        (many, (2.0 * (self.squares + self.pairs.products) / (self.work * mean * many) - 1.0).max(0.0))
    }

    /// How often requests come for the first time, and about the mean time from one of their visits to the next.
    pub fn back(&self, memory: &Memory) -> (PerSecond, Seconds) {
        let kept = if self.all.count > 0.0 { (self.pairs.count / self.all.count).clamp(1e-9, 1.0) } else { 1.0 };
        (self.requests, (1.0 / kept - 1.0) / memory.forgetting().max(f64::MIN_POSITIVE))
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
        let faded = FADING.iter().zip(pairs).fold(Met::default(), |sum, ((weight, _), met)| sum.plus(*met, *weight));
        self.pairs = self.pairs.plus(faded, rate);
        self.all = self.all.plus(pairs[ALL], rate);
        let own = &mut self.classes[class];
        own.work += rate * work;
        own.squares += rate * squares;
        own.pairs = own.pairs.plus(faded, rate);
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
        let mut returns = Returns { classes: vec![OfClass::default(); network.classes], ..Returns::default() };
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

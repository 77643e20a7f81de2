//! Load that changes with time.
//!
//! | symbol | meaning                                                                 | unit    |
//! |--------|-------------------------------------------------------------------------|---------|
//! | `λ(t)` | arrival rates                                                           | 1/s     |
//! | `T`    | time in which the system follows them: a response at the mean rates     | seconds |
//! | `L(t)` | work that comes over what the bottleneck can do                         | 1       |
//! | `V(t)` | time it takes to do what has piled up                                   | seconds |
//!
//! ```text
//! m' = (λ - m) / T        modified offered load: what is there follows what comes
//! V' = L - 1, V ≥ 0       fluid: what comes above capacity piles up, and is done later
//! ```
//!
//! At every time it is as if the rates `m` had always been (pointwise stationary), later by `V`; at queues that are followed through time
//! ([`unsteady`]) it is as it is.
//!
//! Source: Green and Kolesar (1991); Eick, Massey and Whitt, The physics of the Mt/G/∞ queue, Operations Research 41 (1993); Newell,
//! Applications of Queueing Theory (1982).

use super::bursts;
use super::follow::Sample;
use super::regimes::{delayed, mixed};
use super::{Setting, at_rates, begun, settled, trust, unsteady};
use crate::network::horizon::{Horizon, horizon};
use crate::network::profile::pieces;
use crate::network::{Network, Workload};
use crate::prediction::Prediction;
use crate::system::Load;
use crate::unit::{Seconds, duration};
use rayon::prelude::*;

/// Parts that a stretch of a profile is cut into: one that is even, and one that rises or falls.
const EVEN: usize = 4;
const SLOPE: usize = 12;

/// More parts than this are not looked at.
const MOST: usize = 400;

/// While something has piled up, what is random beside it is that of this load.
const FULL: f64 = 0.85;

/// Error of percentiles where what piles up is not followed but flows.
const PILED: f64 = 0.25;

/// A queue that is followed through time lets no more through to others, in parts of what it can do.
const PASSED: f64 = 0.98;

/// A part of the time, with the rates at which requests come, and those that are met there.
struct Slice {
    length: Seconds,
    came: Vec<f64>,
    rates: Vec<f64>,
}

impl Slice {
    /// So many times the rates that are met.
    fn times(&self, factor: f64) -> Vec<f64> {
        self.rates.iter().map(|rate| rate * factor).collect()
    }
}

/// Predictions at rates that have been looked at.
struct Known<'n> {
    network: &'n Network,
    /// How many are put together.
    regimes: usize,
    found: Vec<(Vec<f64>, Prediction)>,
}

impl Known<'_> {
    /// Predicts what is not known yet, on several threads; the place of each.
    fn learn(&mut self, wanted: impl Iterator<Item = Vec<f64>>) -> Vec<usize> {
        let before = self.found.len();
        let mut fresh: Vec<Vec<f64>> = Vec::new();
        let mut place = |rates: Vec<f64>| {
            let old = self.found.iter().position(|(own, _)| *own == rates);
            old.or_else(|| Some(before + fresh.iter().position(|own| *own == rates)?)).unwrap_or_else(|| {
                fresh.push(rates);
                before + fresh.len() - 1
            })
        };
        let places = wanted.map(&mut place).collect();
        let predicted = |(i, rates): (usize, Vec<f64>)| {
            let (_, found) = at_rates(self.network, rates.clone(), self.sample(before + i));
            (rates, found)
        };
        let found: Vec<_> = fresh.into_par_iter().enumerate().map(predicted).collect();
        self.found.extend(found);
        places
    }

    /// The requests that are followed in one of them.
    fn sample(&self, number: usize) -> Sample {
        Sample::WHOLE.part(number, self.regimes)
    }

    fn at(&self, place: usize) -> &Prediction {
        &self.found[place].1
    }
}

/// The prediction of a network, over all of its time.
pub(super) fn predict(network: &Network) -> Prediction {
    let begun: Vec<f64> = network.workloads.iter().map(begun).collect();
    let (end, repeats) = match horizon(network) {
        Horizon::Steady => return at_rates(network, begun, Sample::WHOLE).1,
        Horizon::Period(period) => (period, true),
        Horizon::End(end) => (end, false),
    };
    let mut slices = slices(network, end, &begun);
    let mean = |w: usize| slices.iter().map(|slice| slice.length * slice.rates[w]).sum::<f64>() / end;
    let (steady, base) = at_rates(network, (0..begun.len()).map(mean).collect(), Sample::WHOLE);
    follow(&mut slices, settling(&base), repeats);
    let mut known = Known { network, regimes: slices.len(), found: Vec::new() };
    let came = known.learn(slices.iter().map(|slice| slice.came.clone()));
    let met = known.learn(slices.iter().map(|slice| slice.rates.clone()));
    let load = |part: &Prediction| part.headroom.map_or(0.0, |headroom| 1.0 / headroom);
    let loads: Vec<f64> = came.iter().map(|place| load(known.at(*place))).collect();
    let (delays, left) = pile_up(&slices, &loads, repeats);
    let stretches: Vec<(Seconds, &[f64])> = slices.iter().map(|slice| (slice.length, slice.came.as_slice())).collect();
    let bursts = bursts::come(network, &steady.rates);
    let busiest = steady.network.stations.iter().position(|station| Some(&station.name) == base.bottleneck.as_ref());
    let phases = busiest
        .filter(|_| !bursts)
        .map_or_else(Vec::new, |busiest| unsteady::phases(&steady, busiest, &stretches, repeats));
    // While something has piled up it flows, and what is random beside it is less.
    let calmer = |i: usize| {
        let met = known.at(met[i]);
        let over = phases.is_empty() && load(met) > FULL && (delays[i] > 0.0 || !met.stable);
        slices[i].times(if over { FULL / load(met) } else { 1.0 })
    };
    let calmer: Vec<Vec<f64>> = (0..slices.len()).map(calmer).collect();
    let calm = known.learn(calmer.into_iter());
    let part = |i: usize| {
        let slice = &slices[i];
        let mut part = match phases.get(i) {
            Some(phase) => {
                let setting = Setting { within: Some((phase, &steady)), sample: known.sample(i), phased: false };
                settled(network, slice.times((PASSED / load(known.at(met[i]))).min(1.0)), setting).1
            }
            None => delayed(known.at(calm[i]).clone(), delays[i]),
        };
        // What comes, comes, whatever it meets.
        for (part, own) in part.workloads.iter_mut().zip(&known.at(came[i]).workloads) {
            part.arrival_rate = own.arrival_rate;
            part.throughput = own.arrival_rate * (1.0 - part.error_rate);
        }
        (slice.length / end, part)
    };
    let parts: Vec<(f64, Prediction)> = (0..slices.len()).into_par_iter().map(part).collect();
    let peak = loads.iter().copied().fold(0.0, f64::max);
    let mut found = mixed(base, &parts);
    if phases.is_empty() && peak > FULL {
        trust::doubted(&mut found, PILED);
    }
    found.headroom = (peak > 0.0).then(|| 1.0 / peak);
    found.stable &= left == 0.0;
    found.notes.extend(piled(&slices, &loads, &delays, left, found.bottleneck.as_deref()));
    found
}

/// The rate of a workload at a time.
fn rate_at(workload: &Workload, t: Seconds, otherwise: f64) -> f64 {
    let Load::Profile { points, linear, period } = &workload.load else { return otherwise };
    let t = period.map_or(t, |period| t.rem_euclid(period));
    let pieces = pieces(points, *linear, *period);
    let piece = pieces.iter().find(|piece| piece.to > t).or(pieces.last());
    piece.map_or(0.0, |piece| piece.rate_at(t))
}

fn slices(network: &Network, end: Seconds, begun: &[f64]) -> Vec<Slice> {
    let mut times = vec![0.0, end];
    for workload in &network.workloads {
        let Load::Profile { points, period, .. } = &workload.load else { continue };
        let round = period.unwrap_or(end);
        let rounds = (end / round).ceil().clamp(1.0, 50.0) as usize;
        for k in 0..rounds {
            times.extend(points.iter().map(|(at, _)| at + k as f64 * round));
            times.push(k as f64 * round);
        }
    }
    times.retain(|t| (0.0..=end).contains(t));
    times.sort_by(f64::total_cmp);
    times.dedup_by(|a, b| *a - *b < 1e-9 * end);
    let moves = network.workloads.iter().any(|w| matches!(w.load, Load::Profile { linear: true, .. }));
    let most = (MOST / times.len()).max(1);
    let parts = if moves { SLOPE.min(most) } else { EVEN.min(most) };
    let mut slices = Vec::with_capacity(times.len() * parts);
    for pair in times.windows(2) {
        let length = (pair[1] - pair[0]) / parts as f64;
        for k in 0..parts {
            let middle = pair[0] + (k as f64 + 0.5) * length;
            let rates: Vec<f64> =
                network.workloads.iter().zip(begun).map(|(w, rate)| rate_at(w, middle, *rate)).collect();
            slices.push(Slice { length, came: rates.clone(), rates });
        }
    }
    slices
}

/// Time in which the system follows its arrivals.
fn settling(base: &Prediction) -> Seconds {
    let busy = base.headroom.map_or(0.0, |headroom| 1.0 / headroom).min(0.9);
    let longest = base.workloads.iter().filter_map(|workload| workload.response.mean).fold(0.0, f64::max);
    longest / (1.0 - busy)
}

/// Lets what is met follow what comes.
fn follow(slices: &mut [Slice], settling: Seconds, repeats: bool) {
    let Some(first) = slices.first() else { return };
    if settling <= 0.0 || slices.iter().all(|slice| slice.length > 1e3 * settling) {
        return;
    }
    let mut met = first.rates.clone();
    for round in 0..if repeats { 2 } else { 1 } {
        let last = !repeats || round == 1;
        for slice in slices.iter_mut() {
            let x = slice.length / settling;
            let (kept, on_average) = ((-x).exp(), -(-x).exp_m1() / x);
            for (met, rate) in met.iter_mut().zip(&mut slice.rates) {
                let average = *rate + (*met - *rate) * on_average;
                *met = *rate + (*met - *rate) * kept;
                if last {
                    *rate = average;
                }
            }
        }
    }
}

/// How long requests of each slice wait for what has piled up, and how much is left at the end.
fn pile_up(slices: &[Slice], loads: &[f64], repeats: bool) -> (Vec<Seconds>, Seconds) {
    let mut delays = vec![0.0; slices.len()];
    let mut piled = 0.0f64;
    let mut before = 0.0;
    for _ in 0..if repeats { 3 } else { 1 } {
        before = piled;
        for ((slice, load), delay) in slices.iter().zip(loads).zip(&mut delays) {
            let after = piled + (load - 1.0) * slice.length;
            // Where it is done within the slice, only a part of it waits.
            let waiting = if after < 0.0 && piled > 0.0 { piled / (piled - after) } else { 1.0 };
            *delay = 0.5 * (piled + after.max(0.0)) * waiting;
            piled = after.max(0.0);
        }
    }
    // What repeats must end as it began.
    let left = if repeats && piled <= before * (1.0 + 1e-9) { 0.0 } else { piled };
    (delays, left)
}

/// What piles up when, and until when it lasts, in sentences.
fn piled(slices: &[Slice], loads: &[f64], delays: &[Seconds], left: Seconds, bottleneck: Option<&str>) -> Vec<String> {
    let mut notes = Vec::new();
    let name = bottleneck.unwrap_or("the bottleneck");
    let (mut t, mut since, mut over, mut worst) = (0.0, None, 0.0, 0.0f64);
    for ((slice, load), delay) in slices.iter().zip(loads).zip(delays) {
        if *load > 1.0 || *delay > 0.0 {
            since.get_or_insert(t);
            if *load > 1.0 {
                over = t + slice.length;
            }
            worst = worst.max(*delay);
        } else if let Some(from) = since.take() {
            notes.push(format!(
                "{name} is over capacity from {} to {}: requests wait up to {} longer, until it has recovered at {}",
                duration::print(from),
                duration::print(over),
                duration::print(worst),
                duration::print(t)
            ));
            worst = 0.0;
        }
        t += slice.length;
    }
    if let Some(from) = since {
        let end = if left > 0.0 { "does not recover before the end" } else { "recovers at the end" };
        notes.push(format!(
            "{name} is over capacity from {} to {}: requests wait up to {} longer, and it {end}",
            duration::print(from),
            duration::print(over),
            duration::print(worst)
        ));
    }
    notes
}

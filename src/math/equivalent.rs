//! A part of a network as one server whose rate depends on how many are inside.
//!
//! | symbol   | meaning                                                           | unit       |
//! |----------|-------------------------------------------------------------------|------------|
//! | `μ_e(k)` | rate at which element e lets go of those inside, k being with it, others or not | per second |
//! | `Z`      | time inside that is spent at no element                           | seconds    |
//! | `X(n)`   | rate at which n inside leave                                      | per second |
//!
//! ```text
//! G = Z^n / n!  *  Π_e Π_{k ≤ n} 1 / μ_e(k)      (* is convolution)
//! X(n) = G(n - 1) / G(n)
//! ```
//!
//! Exact where the part is of product form (Chandy, Herzog and Woo, 1975); an approximation elsewhere.

use super::mixed::servers_had;
use crate::unit::{PerSecond, Seconds};

/// For so many inside the sums over all states are taken; beyond, everything inside is as if open.
const MOST_STATES: usize = 128;

/// Nothing is faster.
const SHORTEST: Seconds = 1e-12;

/// Points at which larger parts are solved.
const POINTS: usize = 40;

/// What takes no time at all takes next to none.
fn some(delay: Seconds, elements: &[Element]) -> Seconds {
    if elements.is_empty() { delay.max(SHORTEST) } else { delay }
}

/// An element: queues with so many servers, not always whole, one of which each pass through the part visits, drawn at random.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Element {
    /// Time of a server for one pass.
    pub demand: Seconds,
    /// Servers of each queue, more than zero.
    pub servers: f64,
    /// What others than those inside ask of these: their offered load, less than the servers.
    pub others: f64,
    /// How many such queues there are, one at least.
    pub copies: u32,
}

impl Element {
    /// The rates at which one of its queues lets go of those inside, from none of them on.
    fn rates(&self, most: usize) -> Vec<PerSecond> {
        let demand = self.demand / f64::from(self.copies);
        servers_had(self.servers, self.others, most).into_iter().map(|had| had / demand).collect()
    }

    /// The rate at which it lets go of very many.
    pub fn capacity(&self) -> PerSecond {
        f64::from(self.copies) * (self.servers - self.others) / self.demand
    }

    /// Mean number of those inside that are there when passes come as a Poisson process of this rate; infinite from saturation on.
    pub fn present(&self, rate: PerSecond) -> f64 {
        let copies = f64::from(self.copies);
        let own = rate * self.demand / copies;
        if own > 0.0 { copies * self.crowd(own + self.others) * own / (own + self.others) } else { 0.0 }
    }

    /// Mean number of all that are at one of its queues at this offered load.
    fn crowd(&self, a: f64) -> f64 {
        if a >= self.servers {
            return f64::INFINITY;
        }
        // States up to the number of servers one by one, then a geometric series.
        let (mut weight, mut all, mut sum) = (1.0, 1.0, 0.0);
        let mut n = 0.0;
        loop {
            n += 1.0;
            let busy = self.servers.min(n);
            weight *= a / busy;
            if n >= self.servers {
                let ratio = a / self.servers;
                all += weight / (1.0 - ratio);
                sum += weight * (n / (1.0 - ratio) + ratio / (1.0 - ratio).powi(2));
                return sum / all;
            }
            all += weight;
            sum += n * weight;
            if weight < 1e-18 * all && n > a {
                return sum / all;
            }
        }
    }
}

/// A chance that says nothing.
const NO_CHANCE: f64 = 1e-15;

/// Rates at which so many customers leave a part, from none inside on up to `most`.
pub fn throughput(most: usize, delay: Seconds, elements: &[Element]) -> Vec<PerSecond> {
    let few = most.min(MOST_STATES);
    let weights = Weights::of(few, delay, elements);
    let all = weights.of_all();
    let mut throughput: Vec<PerSecond> = (0..=few).map(|n| weights.rate(&all, n)).collect();
    let mut there = (few, throughput[few]);
    for next in as_if_open(few, most, delay, elements, there.1) {
        throughput.extend(between(there, next).take(most + 1 - throughput.len()));
        there = next;
    }
    throughput
}

/// Mean number with each element of a part in which so many are with these chances, from none on.
pub fn present(delay: Seconds, elements: &[Element], inside: &[f64]) -> Vec<f64> {
    let highest = inside.iter().rposition(|chance| *chance > NO_CHANCE).unwrap_or(0);
    let few = highest.min(MOST_STATES);
    let weights = Weights::of(few, delay, elements);
    let Sums { others, all } = weights.sums();
    let most = if highest > few { inside.len() - 1 } else { few };
    let points = as_if_open(few, most, delay, elements, weights.rate(&all, few));
    let of = |(element, (weights, others)): (&Element, (&Vec<f64>, &Vec<f64>))| {
        let counted: Vec<f64> = weights.iter().zip(0..).map(|(weight, n)| weight * f64::from(n)).collect();
        let copies = f64::from(element.copies);
        let own: Vec<f64> = convolved(&counted, others).iter().zip(&all).map(|(sum, all)| copies * sum / all).collect();
        let mut sum = mean(own.iter().copied(), inside);
        let mut there = (few, own[few]);
        for (n, rate) in &points {
            let next = (*n, element.present(*rate).min(*n as f64));
            sum += mean(between(there, next), &inside[(there.0 + 1).min(inside.len())..]);
            there = next;
        }
        sum
    };
    elements.iter().zip(weights.each.iter().zip(&others)).map(of).collect()
}

/// What values with these chances add to a mean.
fn mean(values: impl Iterator<Item = f64>, chances: &[f64]) -> f64 {
    values.zip(chances).map(|(value, chance)| chance * value).sum()
}

/// What lies on the straight line after one point, up to the next.
fn between((from, a): (usize, f64), (to, b): (usize, f64)) -> impl Iterator<Item = f64> {
    (from + 1..=to).map(move |n| a + (n - from) as f64 / (to - from) as f64 * (b - a))
}

/// A part with exactly so many inside.
#[derive(Debug, Clone, PartialEq)]
pub struct Filled {
    /// Rate at which they leave.
    pub throughput: PerSecond,
    /// Mean number of them with each element.
    pub present: Vec<f64>,
    /// How many times its work one who comes from outside is there.
    pub beside: Vec<f64>,
}

/// Solves a part with exactly so many inside.
pub fn filled(inside: usize, delay: Seconds, elements: &[Element]) -> Filled {
    if inside <= MOST_STATES {
        let weights = Weights::of(inside, delay, elements);
        let Sums { others, all } = weights.sums();
        let over = |e: usize, value: &dyn Fn(usize) -> f64| -> f64 {
            let chance = |n: usize| weights.each[e][n] * others[e][inside - n] / all[inside];
            (0..=inside).map(|n| chance(n) * value(n)).sum()
        };
        let beside = |(e, element): (usize, &Element)| {
            let had = servers_had(element.servers, element.others, inside + 1);
            over(e, &|n| (n + 1) as f64 / had[n + 1])
        };
        return Filled {
            throughput: weights.rate(&all, inside),
            present: (0..elements.len()).map(|e| f64::from(elements[e].copies) * over(e, &|n| n as f64)).collect(),
            beside: elements.iter().enumerate().map(beside).collect(),
        };
    }
    let open = Open::of(delay, elements);
    let rate = open.rate_of(inside as f64);
    let beside = |element: &Element| {
        let a = rate * element.demand / f64::from(element.copies) + element.others;
        if a > 0.0 { element.crowd(a) / a } else { 1.0 }
    };
    Filled {
        throughput: rate,
        present: elements.iter().map(|element| element.present(rate).min(inside as f64)).collect(),
        beside: elements.iter().map(beside).collect(),
    }
}

/// The weights of all numbers.
struct Weights {
    /// Of those at no element.
    away: Vec<f64>,
    /// Of one queue of each element, and of the others of it.
    each: Vec<Vec<f64>>,
    copies: Vec<Option<Vec<f64>>>,
    /// What times are measured in.
    unit: Seconds,
}

/// The weights of all numbers but for those at one queue of each element, and of the whole.
struct Sums {
    others: Vec<Vec<f64>>,
    all: Vec<f64>,
}

impl Weights {
    fn of(most: usize, delay: Seconds, elements: &[Element]) -> Weights {
        let delay = some(delay, elements);
        let total: f64 = delay + elements.iter().map(|element| element.demand).sum::<f64>();
        let slowest = elements.iter().map(|element| 1.0 / element.capacity()).fold(0.0, f64::max);
        // In this unit all weights stay far from the ends of what a number can be.
        let unit = slowest.max(total / most.max(1) as f64);
        let weighted = |rates: &[PerSecond]| {
            let mut weights = vec![1.0; most + 1];
            (1..=most).for_each(|n| weights[n] = weights[n - 1] / (rates[n] * unit));
            weights
        };
        let pause = |delay: Seconds| (0..=most).map(|n| n as f64 / delay).collect::<Vec<PerSecond>>();
        let away = if delay > 0.0 { weighted(&pause(delay)) } else { one(most) };
        let each: Vec<Vec<f64>> = elements.iter().map(|element| weighted(&element.rates(most))).collect();
        let beside = |(own, e): (&Vec<f64>, &Element)| (e.copies > 1).then(|| of_copies(own, e.copies - 1));
        let copies = each.iter().zip(elements).map(beside).collect();
        Weights { away, each, copies, unit }
    }

    /// The rate at which so many leave, from the weights of the whole.
    fn rate(&self, all: &[f64], n: usize) -> PerSecond {
        if n == 0 { 0.0 } else { all[n - 1] / all[n] / self.unit }
    }

    /// These weights with those of the other queues of an element.
    fn with_copies(&self, weights: Vec<f64>, e: usize) -> Vec<f64> {
        match &self.copies[e] {
            Some(copies) => convolved(&weights, copies),
            None => weights,
        }
    }

    /// The weights of the whole.
    fn of_all(&self) -> Vec<f64> {
        let next = |all: Vec<f64>, (e, own): (usize, &Vec<f64>)| self.with_copies(convolved(&all, own), e);
        self.each.iter().enumerate().fold(self.away.clone(), next)
    }

    /// The same without one queue of each.
    fn sums(&self) -> Sums {
        // What stands before and after each element, and of its own queues all but one.
        let mut before = vec![self.away.clone()];
        for (e, own) in self.each.iter().enumerate() {
            before.push(self.with_copies(convolved(&before[e], own), e));
        }
        let mut after = one(self.away.len() - 1);
        let mut others = vec![Vec::new(); self.each.len()];
        for (e, own) in self.each.iter().enumerate().rev() {
            after = self.with_copies(after, e);
            others[e] = convolved(&before[e], &after);
            after = convolved(&after, own);
        }
        Sums { others, all: before.swap_remove(self.each.len()) }
    }
}

fn convolved(a: &[f64], b: &[f64]) -> Vec<f64> {
    let mut sums = vec![0.0; a.len()];
    for (i, a) in a.iter().enumerate() {
        sums[i..].iter_mut().zip(b).for_each(|(sum, b)| *sum += a * b);
    }
    sums
}

/// The weights of so many queues together.
fn of_copies(weights: &[f64], copies: u32) -> Vec<f64> {
    let mut all = one(weights.len() - 1);
    for bit in (0..u32::BITS - copies.leading_zeros()).rev() {
        all = convolved(&all, &all);
        if copies >> bit & 1 == 1 {
            all = convolved(&all, weights);
        }
    }
    all
}

fn one(most: usize) -> Vec<f64> {
    let mut one = vec![0.0; most + 1];
    one[0] = 1.0;
    one
}

/// A part as if it were open.
struct Open<'e> {
    delay: Seconds,
    elements: &'e [Element],
    capacity: PerSecond,
    /// Time inside without any waits.
    total: Seconds,
}

impl<'e> Open<'e> {
    fn of(delay: Seconds, elements: &'e [Element]) -> Open<'e> {
        let delay = some(delay, elements);
        let capacity = elements.iter().map(Element::capacity).fold(f64::INFINITY, f64::min);
        let total = delay + elements.iter().map(|element| element.demand).sum::<f64>();
        Open { delay, elements, capacity, total }
    }

    fn inside(&self, rate: PerSecond) -> f64 {
        rate * self.delay + self.elements.iter().map(|element| element.present(rate)).sum::<f64>()
    }

    /// The rate at which so many are inside.
    fn rate_of(&self, n: f64) -> PerSecond {
        let (mut low, mut high) = (0.0, self.capacity.min(n / self.total));
        for _ in 0..50 {
            let middle = 0.5 * (low + high);
            if self.inside(middle) < n {
                low = middle;
            } else {
                high = middle;
            }
        }
        0.5 * (low + high)
    }
}

/// Rates at which more than a `few` leave, at some numbers of them up to `most` or just beyond: many inside hardly feel that they are a
/// fixed number, so that is the rate at which as many would be there if it were open, and no less than that of fewer.
fn as_if_open(
    few: usize,
    most: usize,
    delay: Seconds,
    elements: &[Element],
    rate: PerSecond,
) -> Vec<(usize, PerSecond)> {
    if most == few {
        return Vec::new();
    }
    let open = Open::of(delay, elements);
    let mut before = (few, rate);
    let point = |point: usize| {
        let n = (few + (most - few) * point / POINTS).max(before.0 + 1);
        before = (n, open.rate_of(n as f64).max(before.1));
        before
    };
    (1..=POINTS).map(point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::mva::{self, Station};

    fn element(demand: Seconds, servers: f64) -> Element {
        Element { demand, servers, others: 0.0, copies: 1 }
    }

    /// The chances that so many are inside.
    fn surely(n: usize) -> Vec<f64> {
        let mut chances = vec![0.0; n + 1];
        chances[n] = 1.0;
        chances
    }

    #[test]
    fn queues_drawn_at_random_are_as_many_elements() {
        let apart = [element(0.3, 1.0), element(0.2, 2.0), element(0.2, 2.0), element(0.2, 2.0)];
        let copies = [element(0.3, 1.0), Element { copies: 3, ..element(0.6, 2.0) }];
        let rates = (throughput(9, 0.5, &apart), throughput(9, 0.5, &copies));
        for n in 0..=9 {
            assert!((rates.0[n] - rates.1[n]).abs() < 1e-12);
            let (apart, copies) = (present(0.5, &apart, &surely(n)), present(0.5, &copies, &surely(n)));
            assert!((apart[1..].iter().sum::<f64>() - copies[1]).abs() < 1e-12);
        }
    }

    #[test]
    fn a_part_is_the_closed_network_it_is() {
        let elements = [element(0.3, 1.0), element(0.8, 3.0)];
        let rates = throughput(12, 0.5, &elements);
        let stations = [
            Station { demand: 0.3, servers: Some(1), others: 0.0 },
            Station { demand: 0.8, servers: Some(3), others: 0.0 },
        ];
        for n in [1u32, 5, 12] {
            let closed = mva::solve(n, 0.5, &stations);
            assert!((rates[n as usize] / closed.throughput - 1.0).abs() < 1e-12);
            for (own, (known, _)) in present(0.5, &elements, &surely(n as usize)).iter().zip(&closed.stations) {
                assert!((own / known - 1.0).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn a_part_that_takes_no_time_lets_all_go_at_once() {
        for most in [1, 40, 400] {
            let rates = throughput(most, 0.0, &[]);
            assert!(rates.len() == most + 1 && rates[1..].iter().all(|rate| rate.is_finite() && *rate > 1e9), "{most}");
        }
        assert!(present(0.0, &[], &surely(400)).is_empty());
    }

    #[test]
    fn a_large_part_is_about_the_closed_network_it_is() {
        let elements = [element(0.03, 2.0), element(0.08, 8.0)];
        let rates = throughput(400, 2.0, &elements);
        let stations = [
            Station { demand: 0.03, servers: Some(2), others: 0.0 },
            Station { demand: 0.08, servers: Some(8), others: 0.0 },
        ];
        for n in [40u32, 120, 200, 400] {
            let closed = mva::solve(n, 2.0, &stations);
            assert!((rates[n as usize] / closed.throughput - 1.0).abs() < 0.02, "{n}");
            for (own, (known, _)) in present(2.0, &elements, &surely(n as usize)).iter().zip(&closed.stations) {
                assert!((own / known - 1.0).abs() < 0.05, "{n}: {own} {known}");
            }
        }
    }
}

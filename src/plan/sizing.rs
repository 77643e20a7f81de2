//! The cheapest instance counts that meet every objective, and the proof.
//!
//! More instances never make an objective on time, errors or utilization worse, so each service has a least count
//! below which no choice of the others helps; the sum of these is a lower bound of the cost. From there a branch and
//! bound search fixes one service after the other, dearest first, and drops a branch as soon as it is too dear, or
//! misses an objective even with all open counts at their most. What it returns is optimal, or says that the search
//! was cut short and how far from the bound it may be.

use super::verdict::{Verdict, assess};
use crate::prediction::Prediction;
use crate::system::{Metric, Scale, Service, System};

/// Evaluations the search may spend before it is cut short; the bounds and the proof come on top.
const MOST_EVALUATIONS: usize = 4000;

/// What may be lost without an objective breaking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Survive {
    /// Nothing.
    Nothing,
    /// One instance of any one service.
    Instance,
    /// One zone: of each service with several zones, its share of instances.
    Zone,
}

/// A plan with its reasons.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Every service that can be counted, in the order of the model.
    pub services: Vec<PlannedService>,
    /// Cost per hour before; `None` without prices.
    pub cost_before: Option<f64>,
    /// Cost per hour after; `None` without prices.
    pub cost_after: Option<f64>,
    /// Whether no cheaper choice exists; otherwise the search was cut short.
    pub optimal: bool,
    /// A cost (or number of instances) that no choice can beat.
    pub lower_bound: f64,
    /// What the plan costs in the same unit as the bound.
    pub objective_value: f64,
    /// The system with the planned counts.
    pub system: System,
    /// Predictions solved on the way.
    pub evaluations: usize,
}

/// One service of a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedService {
    /// Its name.
    pub name: String,
    /// Instances in the model.
    pub before: u32,
    /// Instances planned.
    pub instances: u32,
    /// Why not one fewer.
    pub because: Losing,
}

/// What happens with one instance fewer.
#[derive(Debug, Clone, PartialEq)]
pub enum Losing {
    /// An objective breaks.
    Breaks {
        /// Its name.
        objective: String,
        /// Its bound.
        verdict: Verdict,
        /// In which case: a scenario or a loss, if not the model as it is.
        case: Option<String>,
    },
    /// The service saturates.
    Saturates {
        /// In which case.
        case: Option<String>,
    },
    /// It is the least that `scale` allows.
    Least,
    /// `scale = "fixed"`.
    Fixed,
    /// One fewer would do, but costs nothing to keep; only when the search was cut short.
    Unproven,
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanError {
    /// The objective that cannot be met.
    pub verdict: Option<Verdict>,
    /// In which case.
    pub case: Option<String>,
    /// Resources over capacity even with every count at its most.
    pub saturated: Vec<String>,
}

/// One situation in which all objectives must hold.
struct Case {
    name: Option<String>,
    system: System,
    /// How many instances each service loses in it, given its count.
    losing: Loss,
}

#[derive(Clone, Copy)]
enum Loss {
    None,
    One(usize),
    Zone,
}

/// Finds the cheapest counts for a model and its scenarios, given as `(name, system)`: the first is the model itself.
///
/// # Errors
/// [`PlanError`] when an objective cannot be met by any counts within `scale`.
pub fn size(
    systems: &[(Option<String>, System)],
    survive: Survive,
    solve: &dyn Fn(&System) -> Prediction,
) -> Result<Plan, Box<PlanError>> {
    let base = &systems[0].1;
    let mut search = Search::new(base, cases(systems, survive), solve);
    search.check_possible()?;
    search.raise_lower_bounds();
    search.find();
    Ok(search.plan())
}

fn cases(systems: &[(Option<String>, System)], survive: Survive) -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, system) in systems {
        cases.push(Case { name: name.clone(), system: system.clone(), losing: Loss::None });
        let with = |what: String| match name {
            Some(name) => format!("{name}, {what}"),
            None => what,
        };
        match survive {
            Survive::Nothing => {}
            Survive::Zone => {
                let name = Some(with("one zone lost".to_string()));
                cases.push(Case { name, system: system.clone(), losing: Loss::Zone });
            }
            Survive::Instance => {
                for (i, service) in system.services.iter().enumerate() {
                    if service.cores.is_some() {
                        let name = Some(with(format!("one instance of {} lost", service.name)));
                        cases.push(Case { name, system: system.clone(), losing: Loss::One(i) });
                    }
                }
            }
        }
    }
    cases
}

struct Search<'a> {
    base: &'a System,
    cases: Vec<Case>,
    solve: &'a dyn Fn(&System) -> Prediction,
    /// Services whose count may change.
    free: Vec<usize>,
    min: Vec<u32>,
    max: Vec<u32>,
    price: Vec<f64>,
    best: Vec<u32>,
    best_cost: f64,
    bound: f64,
    evaluations: usize,
    cut_short: bool,
    /// The case that failed last is tried first: most infeasible choices fail the same way.
    suspect: std::cell::Cell<usize>,
}

impl<'a> Search<'a> {
    fn new(base: &'a System, cases: Vec<Case>, solve: &'a dyn Fn(&System) -> Prediction) -> Search<'a> {
        let priced = base.services.iter().any(|s| s.price.is_some());
        let range = |service: &Service| match service.scale {
            _ if service.cores.is_none() => (service.instances, service.instances),
            Scale::Fixed => (service.instances, service.instances),
            Scale::Between { min, max } => (min, max),
        };
        let (min, max): (Vec<u32>, Vec<u32>) = base.services.iter().map(range).unzip();
        // Without a price an instance costs nothing; a hair of it keeps the counts small all the same.
        let price = base.services.iter().map(|s| if priced { s.price.unwrap_or(0.0) + 1e-9 } else { 1.0 }).collect();
        let free = (0..min.len()).filter(|i| min[*i] < max[*i]).collect();
        Search {
            base,
            cases,
            solve,
            free,
            best: max.clone(),
            min,
            max,
            price,
            best_cost: f64::INFINITY,
            bound: 0.0,
            evaluations: 0,
            cut_short: false,
            suspect: std::cell::Cell::new(0),
        }
    }

    fn cost(&self, counts: &[u32]) -> f64 {
        counts.iter().zip(&self.price).map(|(n, price)| f64::from(*n) * price).sum()
    }

    fn apply(&self, case: &Case, counts: &[u32]) -> System {
        let mut system = case.system.clone();
        for (i, service) in system.services.iter_mut().enumerate() {
            // A scenario may have changed a count: what it takes away or adds stays so.
            let shift = i64::from(service.instances) - i64::from(self.base.services[i].instances);
            let mut n = i64::from(counts[i]) + shift;
            match case.losing {
                Loss::One(lost) if lost == i => n -= 1,
                Loss::Zone if service.zones > 1 && service.cores.is_some() => {
                    n -= i64::from(counts[i].div_ceil(service.zones));
                }
                _ => {}
            }
            service.instances = u32::try_from(n.max(0)).unwrap_or(0);
        }
        system
    }

    /// What breaks first with these counts: the case and its verdict, `None` as verdict where a service has nothing
    /// left. `None` when all holds. Objectives on cost are the plan's own aim and do not count here.
    fn broken(&mut self, counts: &[u32]) -> Option<(usize, Option<Verdict>)> {
        let start = self.suspect.get().min(self.cases.len() - 1);
        let order = std::iter::once(start).chain((0..self.cases.len()).filter(|i| *i != start));
        for i in order.collect::<Vec<_>>() {
            let system = self.apply(&self.cases[i], counts);
            let gone = system.services.iter().any(|s| s.instances == 0);
            if gone {
                self.suspect.set(i);
                return Some((i, None));
            }
            self.evaluations += 1;
            let prediction = (self.solve)(&system);
            let missed = assess(&system, &prediction).into_iter().filter(|v| v.metric != Metric::Cost && !v.met);
            let worst = missed
                .min_by(|a, b| a.margin.unwrap_or(f64::NEG_INFINITY).total_cmp(&b.margin.unwrap_or(f64::NEG_INFINITY)));
            if let Some(verdict) = worst {
                self.suspect.set(i);
                return Some((i, Some(verdict)));
            }
            if !prediction.stable {
                self.suspect.set(i);
                return Some((i, None));
            }
        }
        None
    }

    fn check_possible(&mut self) -> Result<(), Box<PlanError>> {
        let most = self.max.clone();
        match self.broken(&most) {
            None => Ok(()),
            Some((case, verdict)) => {
                let system = self.apply(&self.cases[case], &most);
                let prediction = (self.solve)(&system);
                let saturated = prediction.overloads.iter().map(|o| o.station.clone()).collect();
                Err(Box::new(PlanError { verdict, case: self.cases[case].name.clone(), saturated }))
            }
        }
    }

    /// The least count of each service with all others at their most: below it nothing helps.
    fn raise_lower_bounds(&mut self) {
        for i in self.free.clone() {
            let (mut low, mut high) = (self.min[i], self.max[i]);
            let mut counts = self.max.clone();
            // Counts are mostly small: gallop before halving.
            let mut probe = low;
            while low < high {
                counts[i] = probe;
                if self.broken(&counts).is_none() {
                    high = probe;
                    break;
                }
                low = probe + 1;
                probe = (probe * 2).max(probe + 1).min(high);
                if probe == high {
                    break;
                }
            }
            while low < high {
                let mid = low + (high - low) / 2;
                counts[i] = mid;
                if self.broken(&counts).is_none() { high = mid } else { low = mid + 1 }
            }
            self.min[i] = low;
        }
        self.bound = self.cost(&self.min);
    }

    fn find(&mut self) {
        let least = self.min.clone();
        if self.broken(&least).is_none() {
            self.best_cost = self.cost(&least);
            self.best = least;
            return;
        }
        self.climb();
        self.descend();
        let mut order = self.free.clone();
        order.sort_by(|a, b| self.price[*b].total_cmp(&self.price[*a]).then(a.cmp(b)));
        let budget = self.evaluations + MOST_EVALUATIONS;
        let mut counts = self.max.clone();
        for (i, count) in counts.iter_mut().enumerate() {
            if !self.free.contains(&i) {
                *count = self.min[i];
            }
        }
        self.branch(&order, &mut counts, budget);
    }

    /// A feasible choice by adding, again and again, what helps the worst objective most for its price.
    fn climb(&mut self) {
        let mut counts = self.min.clone();
        while let Some((case, _)) = self.broken(&counts) {
            let before = self.worst_margin(case, &counts);
            let mut best: Option<(f64, usize)> = None;
            for &i in &self.free.clone() {
                if counts[i] >= self.max[i] {
                    continue;
                }
                counts[i] += 1;
                let gain = (self.worst_margin(case, &counts) - before) / self.price[i];
                counts[i] -= 1;
                if best.is_none_or(|(most, _)| gain > most) {
                    best = Some((gain, i));
                }
            }
            match best {
                Some((gain, i)) if gain > 0.0 => counts[i] += 1,
                // Nothing helps by itself: move everything up, the most is known to be feasible.
                _ => {
                    for (count, max) in counts.iter_mut().zip(&self.max) {
                        *count = (*count + count.div_ceil(4)).min(*max);
                    }
                }
            }
        }
        self.best_cost = self.cost(&counts);
        self.best = counts;
    }

    /// The margins of all missed objectives of a case together.
    fn worst_margin(&mut self, case: usize, counts: &[u32]) -> f64 {
        let system = self.apply(&self.cases[case], counts);
        if system.services.iter().any(|s| s.instances == 0) {
            return -1e9;
        }
        self.evaluations += 1;
        let prediction = (self.solve)(&system);
        let load: f64 = prediction.overloads.iter().map(|o| o.load).sum();
        assess(&system, &prediction)
            .iter()
            .filter(|v| v.metric != Metric::Cost && !v.met)
            .map(|v| v.margin.unwrap_or(-100.0))
            .sum::<f64>()
            - 1000.0 * load
    }

    /// Takes away whatever can go, dearest first.
    fn descend(&mut self) {
        let mut order = self.free.clone();
        order.sort_by(|a, b| self.price[*b].total_cmp(&self.price[*a]).then(a.cmp(b)));
        for i in order {
            while self.best[i] > self.min[i] {
                let mut counts = self.best.clone();
                counts[i] -= 1;
                if self.broken(&counts).is_some() {
                    break;
                }
                self.best = counts;
            }
        }
        self.best_cost = self.cost(&self.best);
    }

    /// Fixes the first open service at every count that may still win. `counts` has the open ones at their most.
    fn branch(&mut self, open: &[usize], counts: &mut Vec<u32>, budget: usize) {
        let Some((&i, rest)) = open.split_first() else {
            let cost = self.cost(counts);
            if cost < self.best_cost - 1e-12 * self.best_cost && self.broken(counts).is_none() {
                self.best_cost = cost;
                self.best.clone_from(counts);
            }
            return;
        };
        let most = counts[i];
        let fixed: f64 =
            (0..counts.len()).filter(|k| !open.contains(k)).map(|k| f64::from(counts[k]) * self.price[k]).sum();
        let floor: f64 = rest.iter().map(|k| f64::from(self.min[*k]) * self.price[*k]).sum();
        for n in self.min[i]..=most {
            if fixed + floor + f64::from(n) * self.price[i] >= self.best_cost * (1.0 - 1e-12) {
                break;
            }
            if self.evaluations > budget {
                self.cut_short = true;
                break;
            }
            counts[i] = n;
            if self.broken(counts).is_none() {
                self.branch(rest, counts, budget);
            }
        }
        counts[i] = most;
    }

    fn plan(mut self) -> Plan {
        let counts = self.best.clone();
        let services = (0..counts.len())
            .filter(|i| self.base.services[*i].cores.is_some())
            .map(|i| PlannedService {
                name: self.base.services[i].name.clone(),
                before: self.base.services[i].instances,
                instances: counts[i],
                because: self.because(i, &counts),
            })
            .collect();
        let mut system = self.base.clone();
        for (service, n) in system.services.iter_mut().zip(&counts) {
            service.instances = *n;
        }
        Plan {
            services,
            cost_before: self.base.cost_per_hour(),
            cost_after: system.cost_per_hour(),
            optimal: !self.cut_short,
            lower_bound: if self.cut_short { self.bound } else { self.best_cost },
            objective_value: self.best_cost,
            system,
            evaluations: self.evaluations,
        }
    }

    fn because(&mut self, i: usize, counts: &[u32]) -> Losing {
        let service = &self.base.services[i];
        if service.scale == Scale::Fixed {
            return Losing::Fixed;
        }
        if let Scale::Between { min, .. } = service.scale
            && counts[i] <= min
        {
            return Losing::Least;
        }
        let mut fewer = counts.to_vec();
        fewer[i] -= 1;
        match self.broken(&fewer) {
            Some((case, Some(verdict))) => {
                Losing::Breaks { objective: verdict.name.clone(), verdict, case: self.cases[case].name.clone() }
            }
            Some((case, None)) => Losing::Saturates { case: self.cases[case].name.clone() },
            None => Losing::Unproven,
        }
    }
}

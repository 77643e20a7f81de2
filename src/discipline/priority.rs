//! Priorities without interruption (head of the line) and with it (preemptive resume).
//!
//! | symbol    | meaning                                                               | unit       |
//! |-----------|-----------------------------------------------------------------------|------------|
//! | `ρ_k`     | utilization by class k, 1 the most urgent                             | 1          |
//! | `σ_k`     | utilization by classes 1 to k                                         | 1          |
//! | `W0`      | mean work in service that an arrival finds                            | seconds    |
//! | `U_k(s)`  | transform of the work that comes before an arrival of class k         | 1          |
//! | `θ_k(s)`  | exponent of a time that the classes above interrupt, see [`super::busy`] | per second |
//! | `R_k, R_L`| transforms of the residual services of classes 1 to k, and of those below | 1      |
//!
//! ```text
//! without interruption:  E W_k = W0 / ((1 - σ_{k-1}) (1 - σ_k))
//! with interruption:     E T_k = S_k / (1 - σ_{k-1}) + W0_k / ((1 - σ_{k-1}) (1 - σ_k)),  W0_k from classes 1 to k
//! law of the wait:       W_k(s) = U_k(θ_k(s)),   U_k = (1 - ρ + ρ_L R_L) / (1 - σ_k R_k),  ρ_L = 0 with interruption
//! law of the service:    B_k(θ_k(s)) with interruption
//! ```
//!
//! Exact for one server and Poisson arrivals: Cobham (1954), White and Christie (1958), Kesten and Runnenburg (1957),
//! Takagi, Queueing Analysis I (1991), chapter 3. Several servers: who waits does so for the first of them to be free,
//! and then as at one server as fast as all, with the chance to wait of Erlang C; exact for equal exponential services
//! without interruption (Davis, 1966; Kella and Yechiali, 1985), and Tijms's approximation for one class. With interruption the classes
//! down to any have the queue that they have without priorities; exact in the mean for equal exponential services (Buzen and Bondi,
//! The response times of priority classes under preemptive resume in M/M/m queues, Operations Research 31, 1983).

use super::busy::{Interrupted, Interruptions};
use super::fcfs::{self, Arrivals, Queue};
use super::{Delay, Knowledge};
use crate::distribution::{Derived, Distribution, Gamma, Law, Mixture, Transformed};
use crate::math::inversion::Line;
use crate::math::{erlang, quadrature};
use crate::unit::{PerSecond, Seconds};
use num_complex::Complex64;

/// One class of requests at a station, the most urgent first.
#[derive(Debug, Clone, PartialEq)]
pub struct Class {
    /// Arrival rate, per second.
    pub arrival_rate: PerSecond,
    /// Service time.
    pub service: Law,
}

/// What a class meets: a wait, and interruptions of its service.
#[derive(Debug, Clone, PartialEq)]
pub struct Treatment {
    /// Time before service begins.
    pub wait: Delay,
    /// What interrupts a service once begun; nothing where there is no interruption.
    pub interruptions: Option<Interruptions>,
    /// How it is known.
    pub knowledge: Knowledge,
}

impl Treatment {
    /// The time from the start of a service to its end.
    pub fn served(&self, service: &Law) -> Law {
        match &self.interruptions {
            Some(interruptions) if service.mean() > 0.0 => interrupted(service, interruptions),
            _ => service.clone(),
        }
    }
}

/// A service with its interruptions.
pub fn interrupted(service: &Law, interruptions: &Interruptions) -> Law {
    Law::Derived(Derived::new(Interrupted { service: service.stand_in(), interruptions: interruptions.clone() }))
}

/// The treatment of each class; `None` for classes whose queue grows without end.
pub fn solve(classes: &[Class], arrivals: &Arrivals, servers: u32, preemptive: bool) -> Vec<Option<Treatment>> {
    let m = f64::from(servers);
    let load = |class: &Class| class.arrival_rate * class.service.mean() / m;
    let total: f64 = classes.iter().map(load).sum();
    let all: f64 = classes.iter().map(|class| class.arrival_rate).sum();
    let alike = equal_exponentials(classes) && (servers == 1 || !preemptive);
    let poisson = matches!(arrivals, Arrivals::Poisson) && (servers == 1 || alike);
    let closed = |class: &Class| class.arrival_rate == 0.0 || class.service.has_closed_transform();
    let mut above = 0.0;
    let mut several = (preemptive && servers > 1).then(|| Several::of(classes, servers));
    let mut treatments = Vec::with_capacity(classes.len());
    for k in 0..classes.len() {
        let up_to = above + load(&classes[k]);
        if up_to >= 1.0 {
            // Nothing is left for the classes below either.
            treatments.push(None);
            above = up_to;
            continue;
        }
        // Interruption hides the classes below; without it their work in service is met too.
        let met = if preemptive { &classes[..=k] } else { classes };
        let met_load: f64 = if preemptive { up_to } else { total };
        let probability = busy_chance(met_load, servers);
        // One server as fast as all together.
        let pooled = |part: &[Class]| pool(part, 1.0 / m);
        let (first, own, rest) = (pooled(&classes[..k]), pooled(&classes[..=k]), pooled(&met[k + 1..]));
        let interruptions = (preemptive && above > 0.0 && servers == 1).then(|| first.clone());
        let waited = several.as_mut().map_or(0.0, |several| several.wait(&classes[k], &own, above));
        let known = poisson && met.iter().all(closed);
        let soonest = (servers > 1 && !alike).then(|| soonest(met, servers));
        let law = UrgentWait { first, own, rest, idle: (1.0 - met_load).max(0.0), soonest };
        let wait = if probability <= 0.0 || law.mean() <= 0.0 {
            Delay::None
        } else {
            // Behind arrivals more variable than Poisson waits are longer by as much as in heavy traffic, by those of the class and above:
            // of all arrivals these are as many as are drawn at random.
            let more = (arrivals.scv() - 1.0) * (up_to * m).powi(2) / all;
            let squares: f64 = met.iter().map(|class| class.arrival_rate * class.service.moment(2)).sum();
            let mut factor = 1.0 + more / squares;
            if waited > 0.0 && above > 0.0 {
                // What interruptions take is waited for before the service.
                factor *= waited / (probability * law.mean());
            }
            Delay::Of { probability, law: Law::Derived(Derived::new(law).scaled(factor)) }
        };
        let error = if servers > 1 { 0.1 } else { 0.05 };
        let knowledge = if known { Knowledge::Exact } else { Knowledge::Approximate { p95_error: error } };
        treatments.push(Some(Treatment { wait, interruptions, knowledge }));
        above = up_to;
    }
    treatments
}

/// Waits at several servers that more urgent classes interrupt, one class after the other.
struct Several {
    servers: u32,
    /// What a wait at the several is over that at one as fast as all, over what it is for exponential work: of all classes together.
    shape: f64,
    /// The sum of `ρ_i W_i` over the classes until now, at one server as fast as all, and at the several.
    alone: f64,
    together: f64,
}

impl Several {
    fn of(classes: &[Class], servers: u32) -> Several {
        let all = pool(classes, 1.0 / f64::from(servers));
        // One shape for all of them: what a class waits is a difference, in which two would not cancel.
        let shape = if equal_exponentials(classes) { 1.0 } else { of_several(&all, servers) };
        Several { servers, shape, alone: 0.0, together: 0.0 }
    }

    /// The mean time that requests of a class take longer than their work; `all` is it with those above, at one server as fast as all.
    ///
    /// The classes down to any are served as if there were no others, and what waits of them, weighted by its work, is what waits
    /// without priorities, about: so much less at several servers.
    fn wait(&mut self, class: &Class, all: &Interruptions, above: f64) -> Seconds {
        let service = class.service.mean() / f64::from(self.servers);
        let (load, up_to) = (class.arrival_rate * service, all.load());
        let work = 0.5 * all.arrival_rate * all.service.moment(2);
        let alone = (service * above + work / (1.0 - up_to)) / (1.0 - above);
        self.alone += load * alone;
        let waits = self.shape * busy_chance(up_to, self.servers) / up_to.max(f64::MIN_POSITIVE);
        let before = std::mem::replace(&mut self.together, self.alone * waits);
        if load > 0.0 { ((self.together - before) / load).max(0.0) } else { 0.0 }
    }
}

/// What a wait at several servers is over that at one as fast as all where all are served as they come, over what it is for exponential
/// work.
fn of_several(all: &Interruptions, servers: u32) -> f64 {
    let load = all.load();
    if load <= 0.0 || load >= 1.0 {
        return 1.0;
    }
    let service = all.service.scaled(f64::from(servers));
    let own = Queue { arrival_rate: all.arrival_rate, arrivals: Arrivals::Poisson, service, servers };
    let fast = own.arrival_rate * all.service.moment(2) / (2.0 * (1.0 - load));
    let exponential = fast * busy_chance(load, servers) / load;
    fcfs::solve(&own).map_or(1.0, |waiting| waiting.delay.mean() / exponential)
}

fn equal_exponentials(classes: &[Class]) -> bool {
    let mut busy = classes.iter().filter(|class| class.arrival_rate > 0.0);
    let Some(first) = busy.next() else { return true };
    first.service.is_exponential() && busy.all(|class| class.service == first.service)
}

/// All work of some classes, with services `factor` times as long.
fn pool(classes: &[Class], factor: f64) -> Interruptions {
    let busy = || classes.iter().filter(|class| class.arrival_rate > 0.0 && class.service.mean() > 0.0);
    let parts: Vec<(f64, Law)> =
        busy().map(|class| (class.arrival_rate, class.service.stand_in().scaled(factor))).collect();
    let service = match parts.as_slice() {
        [] => Law::constant(0.0),
        [(_, law)] => law.clone(),
        _ => Law::Mixture(Mixture::new(parts)),
    };
    Interruptions { arrival_rate: busy().map(|class| class.arrival_rate).sum(), service }
}

/// The wait of those of a class who wait, at one server.
#[derive(Debug, Clone)]
struct UrgentWait {
    /// The classes above.
    first: Interruptions,
    /// The class and those above.
    own: Interruptions,
    /// The classes below whose service in progress is met.
    rest: Interruptions,
    /// Share of the time in which nobody is served.
    idle: f64,
    /// Of several servers the time until the first of them is free, where that is not exponential.
    soonest: Option<Law>,
}

impl UrgentWait {
    /// Share of the time in which a class below is served: all there is when they are more than the server can do.
    fn below(&self) -> f64 {
        if self.rest.arrival_rate > 0.0 { (1.0 - self.own.load() - self.idle).max(0.0) } else { 0.0 }
    }

    /// Of several servers the share that is busy with work from below while some wait: these are not served by all of them, but one after
    /// the other by whichever is free.
    fn stuck(&self) -> f64 {
        if self.idle < 1.0 { self.below() / (1.0 - self.idle) } else { 0.0 }
    }

    /// Moments of the work an arrival finds before it: residual services of its own kind and above, as many as
    /// geometric, and with some chance one from below.
    fn work(&self) -> (f64, f64) {
        let residual = |work: &Interruptions| {
            let mean = work.service.mean();
            if mean > 0.0 {
                (work.service.moment(2) / (2.0 * mean), work.service.moment(3) / (3.0 * mean))
            } else {
                (0.0, 0.0)
            }
        };
        let load = self.own.load();
        let (mut own, mut own_square) = residual(&self.own);
        if let Some(soonest) = &self.soonest {
            let longer = self.stuck();
            own += longer * (soonest.mean() - own);
            own_square += longer * (soonest.moment(2) - own_square);
        }
        let queued = load * own / (1.0 - load);
        let queued_square = 2.0 * queued * queued + load * own_square / (1.0 - load);
        if let Some(soonest) = &self.soonest {
            // Moments of all arrivals, as below, though only those who wait meet it.
            let (first, second) = (soonest.mean(), soonest.moment(2));
            let met = 1.0 - self.idle;
            return (met * (queued + first), met * (queued_square + second + 2.0 * queued * first));
        }
        let share = self.below() / (1.0 - load);
        let (rest, rest_square) = residual(&self.rest);
        (queued + share * rest, queued_square + share * rest_square + 2.0 * queued * share * rest)
    }
}

impl Transformed for UrgentWait {
    fn mean(&self) -> Seconds {
        let (first, second) = self.work();
        self.first.moments(first, second).0 / (1.0 - self.idle)
    }

    fn second_moment(&self) -> f64 {
        let (first, second) = self.work();
        self.first.moments(first, second).1 / (1.0 - self.idle)
    }

    fn is_formula(&self) -> bool {
        true
    }

    fn transform(&self, line: Line, out: &mut [Complex64]) {
        let (load, below) = (self.own.load(), self.below());
        let residual =
            |work: &Interruptions, theta: Complex64| (1.0 - work.service.value(theta)) / (theta * work.service.mean());
        line.fill(out, |s| {
            let theta = self.first.exponent(s);
            let waiting = if load > 0.0 { load * residual(&self.own, theta) } else { Complex64::ZERO };
            if let Some(soonest) = &self.soonest {
                let (longer, soonest) = (self.stuck(), soonest.value(theta));
                return soonest * (1.0 - load) / (1.0 - (1.0 - longer) * waiting - longer * load * soonest);
            }
            let met = if below > 0.0 { below * residual(&self.rest, theta) } else { Complex64::ZERO };
            ((self.idle + met) / (1.0 - waiting) - self.idle) / (1.0 - self.idle)
        });
    }
}

/// The chance to find all servers busy.
fn busy_chance(load: f64, servers: u32) -> f64 {
    // Work below that saturates the servers keeps them busy all the time.
    erlang::erlang_c(servers, load * f64::from(servers)).unwrap_or(1.0)
}

/// A law like the time until the first of several busy servers ends its service: the least of independent residual
/// services, by its first two moments.
fn soonest(classes: &[Class], servers: u32) -> Law {
    let all = pool(classes, 1.0);
    let mean = all.service.mean();
    if mean <= 0.0 {
        return Law::constant(0.0);
    }
    let tail = |t: f64| all.service.residual_exceeding(t).clamp(0.0, 1.0).powi(servers as i32);
    let first = quadrature::half_line(mean, tail);
    let second = 2.0 * quadrature::half_line(mean, |t| t * tail(t));
    Law::Gamma(Gamma { mean: first, cv: (second / (first * first) - 1.0).clamp(1e-2, 1e2).sqrt() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> [Class; 2] {
        [
            Class { arrival_rate: 20.0, service: Law::exponential(0.01) },
            Class { arrival_rate: 30.0, service: Law::exponential(0.02) },
        ]
    }

    #[test]
    fn means_without_interruption_are_cobhams() {
        let got = solve(&two(), &Arrivals::Poisson, 1, false);
        let mean = |k: usize| got[k].as_ref().unwrap().wait.mean() + two()[k].service.mean();
        assert!((mean(0) - 0.0275).abs() < 1e-12 && (mean(1) - 0.1075).abs() < 1e-12);
    }

    #[test]
    fn means_with_interruption_are_those_of_white_and_christie() {
        let got = solve(&two(), &Arrivals::Poisson, 1, true);
        let mean = |k: usize| {
            let treatment = got[k].as_ref().unwrap();
            treatment.wait.mean() + treatment.served(&two()[k].service).mean()
        };
        assert!((mean(0) - 0.0125).abs() < 1e-12 && (mean(1) - 0.1125).abs() < 1e-12, "{} {}", mean(0), mean(1));
    }

    #[test]
    fn several_servers_that_are_interrupted_have_the_queue_of_all_classes() {
        let class = |arrival_rate: f64| Class { arrival_rate, service: Law::exponential(0.01) };
        for servers in [2, 5] {
            let classes = [class(90.0), class(60.0), class(20.0)];
            let got = solve(&classes, &Arrivals::Poisson, servers, true);
            let mut rate = 0.0;
            let mut waiting = 0.0;
            for (class, treatment) in classes.iter().zip(&got) {
                rate += class.arrival_rate;
                waiting += class.arrival_rate * treatment.as_ref().unwrap().wait.mean();
                let load = rate * 0.01;
                let right = erlang::erlang_c(servers, load).unwrap() * load / (f64::from(servers) - load);
                assert!((waiting / right - 1.0).abs() < 1e-9, "{servers} {rate}: {waiting} {right}");
            }
        }
    }

    #[test]
    fn a_saturated_class_does_not_hurt_the_ones_above() {
        let mut classes = two();
        classes[1].arrival_rate = 300.0;
        let got = solve(&classes, &Arrivals::Poisson, 1, true);
        assert!(got[0].is_some() && got[1].is_none());
    }

    #[test]
    fn below_a_saturated_class_nothing_is_served() {
        let mut classes = two();
        classes[0].arrival_rate = 300.0;
        for preemptive in [true, false] {
            let got = solve(&classes, &Arrivals::Poisson, 1, preemptive);
            assert!(got[0].is_none() && got[1].is_none());
        }
    }
}

//! Servers whose speed depends on who is there: processor sharing, preemption, contention.
//!
//! | symbol | meaning                                                        | unit |
//! |--------|----------------------------------------------------------------|------|
//! | `n`    | requests in service: all that are present under sharing        | 1    |
//! | `c`    | servers                                                        | 1    |
//! | `V(t)` | work that each request in service has got since the beginning  | s    |
//!
//! ```text
//! V' = s / (1 + α (m - 1) + β m (m - 1)),   s = min(1, c / n) under sharing, else 1
//! m  = n at one instance; where all instances share a queue, n over the instances, at least 1
//! ```
//!
//! All requests in service progress alike, so one that enters with work `x` at `V` leaves when `V` has become `V + x`: the
//! order of departures is known at their entry, and an arrival or departure costs the logarithm of `n`, however many share.

use super::queue::{Arrival, Usage};
use crate::discipline::Discipline;
use crate::system::Contention;
use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};

/// Times below this share of the clock are its rounding.
const CLOCK: f64 = 1e-13;

/// A request in service, the one that ends first the greatest.
#[derive(Debug, Clone, Copy)]
struct Job {
    /// `V` at its end.
    finish: f64,
    /// Its number among all that entered service.
    order: u64,
    request: u32,
    class: u32,
    /// Time it waited before; under sharing what its time at the end is more than.
    waited: f64,
}

impl PartialEq for Job {
    fn eq(&self, other: &Job) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Job {}

impl PartialOrd for Job {
    fn partial_cmp(&self, other: &Job) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Job {
    fn cmp(&self, other: &Job) -> Ordering {
        other.finish.total_cmp(&self.finish).then(other.order.cmp(&self.order))
    }
}

/// A request that waits.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    request: u32,
    /// Work that is left.
    work: f64,
    since: f64,
    waited: f64,
}

/// How a set of such servers is made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Making {
    pub discipline: Discipline,
    pub classes: usize,
    pub servers: u64,
    /// Instances that share them.
    pub instances: u64,
    /// Waiting requests they hold.
    pub places: Option<u64>,
    pub contention: Option<Contention>,
}

/// One set of servers.
#[derive(Debug)]
pub(super) struct Share {
    making: Making,
    in_service: BinaryHeap<Job>,
    waiting: Vec<VecDeque<Waiting>>,
    length: u64,
    /// `V`, and when it was.
    progress: f64,
    now: f64,
    entered: u64,
    /// When the next departure stands in the calendar; infinite if none does.
    pub entry: f64,
    usage: Usage,
}

impl Share {
    pub fn new(making: Making) -> Share {
        let lists = if making.discipline.uses_priority() { making.classes } else { 1 };
        Share {
            making,
            in_service: BinaryHeap::new(),
            waiting: vec![VecDeque::new(); lists],
            length: 0,
            progress: 0.0,
            now: 0.0,
            entered: 0,
            entry: f64::INFINITY,
            usage: Usage::default(),
        }
    }

    fn is_sharing(&self) -> bool {
        self.making.discipline == Discipline::Ps
    }

    /// `V'`.
    fn rate(&self) -> f64 {
        let n = self.in_service.len() as f64;
        let share = if self.is_sharing() { (self.making.servers as f64 / n).min(1.0) } else { 1.0 };
        match self.making.contention {
            None => share,
            Some(Contention { alpha, beta }) => {
                let m = (n / self.making.instances as f64).max(1.0);
                share / (1.0 + alpha * (m - 1.0) + beta * m * (m - 1.0))
            }
        }
    }

    /// A request comes with work to do.
    pub fn arrive(&mut self, now: f64, request: u32, class: usize, work: f64) -> Arrival {
        self.pass(now);
        let class = class.min(self.waiting.len() - 1);
        let busy = self.in_service.len() as u64;
        let places = self.making.places.unwrap_or(u64::MAX);
        let comer = Waiting { request, work, since: now, waited: 0.0 };
        if busy < self.making.servers {
            self.begin(comer, class);
        } else if self.is_sharing() {
            if busy - self.making.servers >= places {
                return Arrival::Refused;
            }
            self.begin(comer, class);
        } else if self.preempts(class) {
            self.begin(comer, class);
        } else {
            if self.length >= places {
                return Arrival::Refused;
            }
            self.length += 1;
            self.waiting[class].push_back(comer);
            return Arrival::Waits;
        }
        Arrival::Begins
    }

    fn begin(&mut self, comer: Waiting, class: usize) {
        if self.in_service.is_empty() {
            // So that it never grows beyond the digits that work needs.
            self.progress = 0.0;
        }
        self.in_service.push(Job {
            finish: self.progress + comer.work,
            order: self.entered,
            request: comer.request,
            class: class as u32,
            waited: if self.is_sharing() { -(self.now + comer.work) } else { comer.waited + (self.now - comer.since) },
        });
        self.entered += 1;
    }

    /// Whether a server was taken from a less urgent request: from the one that began last among the least urgent.
    fn preempts(&mut self, class: usize) -> bool {
        if self.making.discipline != Discipline::Preemptive {
            return false;
        }
        let least = self.in_service.iter().copied().max_by_key(|job| (job.class, job.order));
        let Some(victim) = least.filter(|job| job.class as usize > class) else { return false };
        self.in_service.retain(|job| job.order != victim.order);
        let work = (victim.finish - self.progress).max(0.0);
        let back = Waiting { request: victim.request, work, since: self.now, waited: victim.waited };
        self.waiting[victim.class as usize].push_front(back);
        self.length += 1;
        true
    }

    /// When the next departure is, as things are.
    pub fn next(&self) -> Option<f64> {
        let first = self.in_service.peek()?;
        Some(self.now + (first.finish - self.progress).max(0.0) / self.rate())
    }

    /// The next departure, if it is now: who leaves, and how long it waited.
    pub fn depart(&mut self, now: f64) -> Option<(u32, f64)> {
        // Computed as it was when it was entered, unless something came between; then it is later.
        if self.next()? > now {
            return None;
        }
        self.pass(now);
        let job = self.in_service.pop()?;
        self.usage.departures += 1;
        // Not a little less by rounding: those who have the same finish leave now too.
        self.progress = self.progress.max(job.finish);
        let last_first = self.making.discipline == Discipline::Lifo;
        let next = self.waiting.iter_mut().enumerate().find_map(|(class, list)| {
            let next = if last_first { list.pop_back() } else { list.pop_front() };
            next.map(|waiting| (class, waiting))
        });
        if let Some((class, waiting)) = next {
            self.length -= 1;
            self.begin(waiting, class);
        }
        // Under sharing, all that it took longer than its work, but for what the digits of the clock leave.
        let waited = if self.is_sharing() { now + job.waited } else { job.waited };
        let waited = if waited < CLOCK * now { 0.0 } else { waited };
        Some((job.request, waited))
    }

    fn pass(&mut self, now: f64) {
        let time = now - self.now;
        let n = self.in_service.len() as f64;
        if n > 0.0 {
            self.progress += time * self.rate();
        }
        let busy = n.min(self.making.servers as f64);
        self.usage.busy += time * busy;
        self.usage.waiting += time * (self.length as f64 + n - busy);
        self.now = now;
    }

    fn waiting_now(&self) -> i64 {
        self.length as i64 + (self.in_service.len() as i64 - self.making.servers as i64).max(0)
    }

    /// Forgets the time before.
    pub fn clear(&mut self, now: f64) {
        self.pass(now);
        self.usage = Usage { growth: -self.waiting_now(), ..Usage::default() };
    }

    /// How it was used since it was cleared.
    pub fn usage(&mut self, now: f64) -> Usage {
        self.pass(now);
        Usage { growth: self.usage.growth + self.waiting_now(), ..self.usage }
    }
}

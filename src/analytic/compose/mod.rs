//! Response-time distributions composed along the programs.
//!
//! A sequence multiplies transforms, a choice mixes them, a loop raises them to a power; `parallel` works on
//! distribution functions. In the order of the data: `rough` looks ahead for the times that matter; `climb` reads
//! tails on a ladder of such times, from transforms that `sheet` evaluates for all operations on a shared line;
//! `parallel` makes laws of parallel steps; `precise` refines single percentiles. What is constant in a program is kept
//! apart as a shift, because inverting a jump costs accuracy. Where steps are not independent, `fork` and `again` say
//! how much: branches that queue at the same time, and visits to the same queue one after the other, which `course` counts, for certain or by `chance`; `refused`
//! how often what had no room for an attempt has none for the next.

mod again;
mod chance;
mod climb;
mod course;
mod fork;
mod guard;
mod parallel;
mod precise;
mod refused;
mod rough;
mod sheet;

use super::Solution;
use super::follow::{self, Sample, Timed};
use super::stations::{Treatment, fast};
use super::tails::{OrderStatistic, Tail, is_formula, mean_of, table};
use crate::discipline::fcfs::Queue;
use crate::discipline::{Delay, priority, ps};
use crate::distribution::{Distribution, Law};
use crate::math::ladder::Ladder;
use crate::math::rows::Rows;
use crate::network::flows::Losses;
use crate::network::{Network, OperationId, Step, VisitId, flows};
use again::Link;
use chance::Notes;
use course::Course;
use fork::Forked;
use guard::GuardLaw;
use parallel::ParallelLaw;
use refused::Refusals;
use rough::Rough;

/// What a visit meets at its station: a wait, and the time from the start of service to its end.
struct Meeting {
    wait: Delay,
    law: Law,
}

/// A mean time, and what of it is waiting among requests that arrived together.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Mean {
    pub all: f64,
    forked: Forked,
}

impl Mean {
    /// This and so many times another.
    fn and(self, other: Mean, times: f64) -> Mean {
        Mean { all: self.all + times * other.all, forked: self.forked.and(other.forked, times) }
    }
}

/// The response-time laws of all operations, per class.
pub(super) struct Composed<'s> {
    solution: &'s Solution<'s>,
    extent: Extent,
    classes: usize,
    ladder: Ladder,
    /// `[visit][class]`; `None` where the station is overloaded.
    meetings: Rows<Option<Meeting>>,
    /// Chance of success: `[operation][class]`.
    success: Rows<f64>,
    /// What is refused, and what becomes of guarded calls.
    refusals: Losses,
    /// What refuses those that are tried again, and for how long.
    tried: Refusals,
    /// For each station the share of its requests that arrive together with others of the same request elsewhere.
    simultaneous: Vec<f64>,
    /// `[parallel × classes + class]`.
    parallels: Vec<Option<ParallelLaw>>,
    /// `[guard × classes + class]`.
    guards: Vec<Option<GuardLaw>>,
    /// Whether requests of the class get there at all: `[operation × classes + class]`, as everything below.
    live: Vec<bool>,
    rough: Vec<Option<Rough>>,
    courses: Vec<Course>,
    /// Waits within an operation that depend on each other.
    linked: Vec<Vec<Link>>,
    /// Whether requests come to some station more than once.
    repeats: bool,
    /// On what everything made by chance depends.
    chances: Notes,
    /// `None` when overloaded.
    means: Vec<Option<Mean>>,
    tails: Vec<Option<Tail>>,
    /// What requests of each workload take, where they were followed, and where too few were.
    followed: Vec<Option<Timed>>,
    too_much: Vec<bool>,
    /// Whom these met of their own branches.
    pub(super) company: Option<follow::Company>,
    longer: Vec<Option<f64>>,
}

/// How much is composed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Extent {
    /// All that a prediction is read from.
    Whole,
    /// Means and chances, and of times only those that chances depend on: no tails of operations.
    Chances,
}

impl<'s> Composed<'s> {
    pub(super) fn new(solution: &'s Solution<'s>, extent: Extent) -> Composed<'s> {
        let network = solution.network;
        let slots = network.operations.len() * network.classes;
        let refusals = solution.refusals();
        let mut composed = Composed {
            solution,
            extent,
            classes: network.classes,
            ladder: Ladder { unit: network.unit },
            meetings: meetings(solution),
            success: flows::successes(network, &refusals),
            refusals,
            tried: Refusals::of(solution),
            guards: (0..network.guards * network.classes).map(|_| None).collect(),
            simultaneous: fork::simultaneous(network, &solution.flows),
            parallels: (0..network.parallels * network.classes).map(|_| None).collect(),
            live: live(network),
            rough: vec![None; slots],
            courses: vec![Course::default(); slots],
            linked: vec![Vec::new(); slots],
            repeats: solution.memories.iter().any(|memory| memory.repeated),
            chances: Notes::new(),
            means: vec![None; slots],
            tails: vec![None; slots],
            followed: Vec::new(),
            too_much: Vec::new(),
            company: None,
            longer: Vec::new(),
        };
        composed.look_ahead();
        composed.climb();
        composed
    }

    /// Puts what requests take that were followed, once, in the place of what was composed, where they do several things at once.
    pub(super) fn follow(&mut self, sample: Sample) {
        if !self.followed.is_empty() {
            return;
        }
        let met = |visit: VisitId, class: usize| self.met(visit, class).map(|(_, law)| law.clone());
        let Some(followed) = follow::timed(self.solution, sample, &met, &|w| self.request(w)) else { return };
        let workloads = followed.workloads.iter().enumerate();
        let longer = workloads.map(|(w, timed)| Some(timed.as_ref()?.mean / self.request(w)?)).collect();
        self.longer = longer;
        for (slot, timed) in followed.operations.into_iter().enumerate() {
            if let Some(timed) = timed
                && let Some(known) = &mut self.means[slot]
            {
                known.all = timed.mean;
                self.tails[slot] = Some(timed.tail);
            }
        }
        self.followed = followed.workloads;
        self.too_much = followed.too_much;
        self.company = followed.company;
    }

    /// Whether there are tails of operations.
    pub(super) fn has_tails(&self) -> bool {
        self.extent == Extent::Whole
    }

    /// Mean time of the requests of a workload, as it was composed.
    pub(super) fn request(&self, workload: usize) -> Option<f64> {
        let workload = &self.solution.network.workloads[workload];
        workload.mix.iter().map(|(o, share)| Some(share * self.mean(*o, workload.class)?)).sum()
    }

    /// Mean time until requests of a workload succeed or fail, where those that succeed take so many times as long as was composed.
    pub(super) fn cycle(&self, workload: usize, longer: f64) -> Option<f64> {
        let workload = &self.solution.network.workloads[workload];
        let one = |(operation, share): &(OperationId, f64)| {
            let success = self.success(*operation, workload.class);
            let failed = self.rough[self.slot(*operation, workload.class)].map_or(0.0, |rough| rough.failure.mean);
            Some(share * (success * longer * self.mean(*operation, workload.class)? + (1.0 - success) * failed))
        };
        workload.mix.iter().map(one).sum()
    }

    /// How much longer requests of a workload took that were followed.
    pub(super) fn longer(&self, workload: usize) -> Option<f64> {
        *self.longer.get(workload)?
    }

    /// What the requests of a workload take, where they were followed.
    pub(super) fn followed(&self, workload: usize) -> Option<&Timed> {
        self.followed.get(workload)?.as_ref()
    }

    /// Whether few of the requests of a workload were followed, or none, where more should have been.
    pub(super) fn was_too_much(&self, workload: usize) -> bool {
        self.too_much.get(workload).is_some_and(|too_much| *too_much)
    }

    /// The rungs on which tails are read.
    pub(super) fn ladder(&self) -> &Ladder {
        &self.ladder
    }

    /// Mean response time of an operation's successful runs; `None` when overloaded.
    pub(super) fn mean(&self, operation: OperationId, class: usize) -> Option<f64> {
        self.means[self.slot(operation, class)].map(|mean| mean.all)
    }

    /// Variance of an operation's response time; `None` when overloaded.
    pub(super) fn response_variance(&self, operation: OperationId, class: usize) -> Option<f64> {
        let slot = self.slot(operation, class);
        self.rough[slot].map(|rough| self.widened(rough, &self.linked[slot], class).variance)
    }

    /// Tail of an operation's response time; `None` when overloaded.
    pub(super) fn tail(&self, operation: OperationId, class: usize) -> Option<&Tail> {
        self.tails[self.slot(operation, class)].as_ref()
    }

    /// Chance that an operation succeeds, as if no queue grew without end.
    pub(super) fn success(&self, operation: OperationId, class: usize) -> f64 {
        self.success[operation][class]
    }

    /// Chance that all of some steps succeed, as if no queue grew without end.
    pub(super) fn sequence_success(&self, steps: &[Step], class: usize) -> f64 {
        flows::sequence_success(self.solution.network, steps, class, &self.success, &self.refusals)
    }

    /// What each branch of a parallel step contributes to its mean, over the branch's own mean.
    pub(super) fn critical(&self, parallel: usize, class: usize) -> Option<&[f64]> {
        self.parallels[parallel * self.classes + class].as_ref().map(|law| law.critical.as_slice())
    }

    /// The wait of a visit, and the law of its time in service; `None` when overloaded.
    pub(super) fn met(&self, visit: VisitId, class: usize) -> Option<(&Delay, &Law)> {
        self.meetings[visit][class].as_ref().map(|meeting| (&meeting.wait, &meeting.law))
    }

    /// Mean time a visit takes longer than its work; `None` when overloaded.
    pub(super) fn queueing(&self, visit: VisitId, class: usize) -> Option<f64> {
        let (wait, law) = self.met(visit, class)?;
        let beyond = (law.mean() - self.solution.network.visits[visit].time.mean()).max(0.0);
        Some(wait.mean() + beyond)
    }

    fn slot(&self, operation: OperationId, class: usize) -> usize {
        operation * self.classes + class
    }

    fn refusal(&self, visit: VisitId, class: usize) -> f64 {
        self.refusals.stations[self.solution.network.visits[visit].station][class]
    }

    /// Exact mean of successful runs, from the means of what is below.
    pub(super) fn mean_of(&self, steps: &[Step], class: usize) -> Option<Mean> {
        steps.iter().try_fold(Mean::default(), |sum, step| Some(sum.and(self.mean_of_step(step, class)?, 1.0)))
    }

    fn mean_of_step(&self, step: &Step, class: usize) -> Option<Mean> {
        let plain = |all: f64| Mean { all, forked: Forked::default() };
        Some(match step {
            Step::Visit(visit) => {
                let (wait, law) = self.met(*visit, class)?;
                let station = self.solution.network.visits[*visit].station;
                let share = self.simultaneous[station];
                let forked = if share > 0.0 {
                    Forked::of(self.variance(*visit, class), share, &self.solution.memories[station])
                } else {
                    Forked::default()
                };
                Mean { all: wait.mean() + law.mean(), forked }
            }
            Step::Delay(law) => plain(law.mean()),
            Step::Send(_) | Step::Fail(_) => Mean::default(),
            Step::Call(call) if call.times == 0 || call.probability == 0.0 => Mean::default(),
            Step::Call(call) => {
                let network = plain(call.network.as_ref().map_or(0.0, Law::mean));
                let runs = flows::runs_of(call, self.success(call.target, class));
                Mean::default().and(self.means[self.slot(call.target, class)]?.and(network, 1.0), runs)
            }
            Step::Hold { pool, steps } => {
                plain(self.solution.gates[*pool].wait.as_ref()?.mean()).and(self.mean_of(steps, class)?, 1.0)
            }
            Step::Guarded(guarded) => self.mean_of_guarded(guarded, class)?,
            Step::Repeat { times, steps } => Mean::default().and(self.mean_of(steps, class)?, f64::from(*times)),
            Step::Choose { ways, .. } => {
                let (mut total, mut sum) = (0.0, Mean::default());
                for (weight, steps) in ways.iter().filter(|(weight, _)| *weight > 0.0) {
                    let chance = weight * self.sequence_success(steps, class);
                    total += chance;
                    sum = sum.and(self.mean_of(steps, class)?, chance);
                }
                if total > 0.0 { Mean::default().and(sum, 1.0 / total) } else { sum }
            }
            Step::Parallel { id, .. } => self.parallels[id * self.classes + class].as_ref()?.mean,
        })
    }

    /// A visit or delay that is all that happens: its wait and service.
    fn single<'a>(&'a self, steps: &'a [Step], class: usize, depth: usize) -> Option<(&'a Delay, &'a Law)> {
        let mut kept = steps.iter().filter(|step| !matches!(step, Step::Send(_)));
        let (Some(step), None) = (kept.next(), kept.next()) else { return None };
        match step {
            Step::Visit(visit) => self.met(*visit, class),
            Step::Delay(law) => Some((&Delay::None, law)),
            Step::Repeat { times: 1, steps } => self.single(steps, class, depth + 1),
            Step::Hold { pool, steps } if self.solution.gates[*pool].wait == Some(Delay::None) => {
                self.single(steps, class, depth + 1)
            }
            Step::Call(call) if call.times == 1 && call.probability == 1.0 && call.network.is_none() && depth < 32 => {
                self.single(&self.solution.network.operations[call.target].steps, class, depth + 1)
            }
            _ => None,
        }
    }

    /// Its tail, when that is a formula.
    fn single_formula(&self, steps: &[Step], class: usize) -> Option<Tail> {
        let (wait, law) = self.single(steps, class, 0).filter(|(wait, law)| is_formula(wait, law))?;
        Some(Tail::Single { wait: wait.clone(), law: law.clone() })
    }

    /// A tail that is known without inverting a composed transform: of a single visit, or of several at once.
    fn closed_tail(&self, steps: &[Step], class: usize) -> Option<Tail> {
        let [Step::Parallel { branches, needed, .. }] = steps else { return self.single_formula(steps, class) };
        let part = |steps: &Vec<Step>| Some((self.sequence_success(steps, class), self.single_formula(steps, class)?));
        let parts: Option<Vec<(f64, Tail)>> = branches.iter().map(part).collect();
        let together = self.together(branches, class);
        Some(Tail::Parallel(OrderStatistic { parts: parts?, needed: *needed, together }))
    }
}

/// The operations that requests of each class can get to.
fn live(network: &Network) -> Vec<bool> {
    let mut live = vec![false; network.operations.len() * network.classes];
    for workload in &network.workloads {
        for (operation, _) in &workload.mix {
            reach(network, operation * network.classes + workload.class, network.classes, true, &mut live);
        }
    }
    live
}

/// Marks an operation for a class, and every one that it asks; with `sent`, those that it does not wait for too.
fn reach(network: &Network, slot: usize, classes: usize, sent: bool, reached: &mut [bool]) {
    let mut open = vec![slot];
    let mut stack: Vec<&Step> = Vec::new();
    while let Some(slot) = open.pop() {
        if std::mem::replace(&mut reached[slot], true) {
            continue;
        }
        stack.extend(&network.operations[slot / classes].steps);
        while let Some(step) = stack.pop() {
            match step {
                Step::Call(call) => open.push(call.target * classes + slot % classes),
                Step::Send(target) if sent => open.push(target * classes + slot % classes),
                step => step.inner(|steps| stack.extend(steps)),
            }
        }
    }
}

/// What each visit meets, per class.
fn meetings(solution: &Solution<'_>) -> Rows<Option<Meeting>> {
    let network = solution.network;
    let ladder = Ladder { unit: network.unit };
    // Of classes that share alike the first says what all meet.
    let mut sharing: Option<(VisitId, &Queue, Option<ps::Visit>)> = None;
    Rows::from_fn(network.visits.len(), network.classes, |id, class| {
        let visit = &network.visits[id];
        let class = &solution.stations[visit.station].classes[class];
        let wait = class.wait.clone()?;
        Some(match &class.treatment {
            Treatment::Plain => Meeting { wait, law: fast(visit.time.clone()) },
            Treatment::Slowed(slowdown) => Meeting { wait, law: fast(visit.time.scaled(*slowdown)) },
            Treatment::Interrupted(interruptions) => {
                Meeting { wait, law: priority::interrupted(&visit.time, interruptions) }
            }
            Treatment::Shared(queue) => {
                let (_, _, shared) = match &sharing {
                    Some(known) if (known.0, known.1) == (id, queue) => known,
                    _ => sharing.insert((id, queue, ps::visit(queue, &visit.time, &ladder))),
                };
                let ps::Visit { wait, law, .. } = shared.clone()?;
                Meeting { wait, law }
            }
        })
    })
}

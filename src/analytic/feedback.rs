//! What becomes of calls that are given up, tried again or made twice depends on how long they take, and that on how many
//! are made: a fixed point.

use super::compose::Composed;
use super::{Solution, TOLERANCES};
use crate::math::fixed_point::{self, Steps};
use crate::network::flows::Losses;
use crate::network::tries::Tries;
use crate::network::{Guarded, Network, Workload};
use crate::system::Load;
use crate::unit::Seconds;

/// Chances that move less than this have settled.
const SETTLED: f64 = 1e-5;

/// And the time of users' requests that were followed, or by no more than so many of its standard errors.
const TIMED: f64 = 2e-3;
const ERRORS: f64 = 2.0;

/// How often they are at most.
const FOLLOWED: usize = 6;

/// Where they move less than this, whom requests meet can be learned.
const NEAR: f64 = 1e-2;

/// Rounds after which it is given up.
const MOST_ROUNDS: usize = 60;

/// How much longer requests take than the part of the network that they pass: by what is waited out on the way, or less where they
/// do more at once than it says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Beyond {
    difference: Seconds,
    /// About what they take: what less is measured by.
    response: Seconds,
}

impl Beyond {
    /// Before anything is known.
    pub const NONE: Beyond = Beyond { difference: 0.0, response: 0.0 };

    /// What is waited out, in seconds.
    pub fn added(&self) -> Seconds {
        self.difference.max(0.0)
    }

    /// The part of the time that is taken.
    pub fn part(&self) -> f64 {
        if self.difference < 0.0 { self.response / (self.response - self.difference) } else { 1.0 }
    }

    /// What the difference is measured in: about a cycle.
    fn unit(&self, workload: &Workload) -> Seconds {
        let think = match &workload.load {
            Load::Closed { think, .. } => think.mean(),
            _ => 0.0,
        };
        (self.response + think).max(f64::MIN_POSITIVE)
    }

    /// The difference with which requests would take this response time, which are taken to be so long now.
    fn wanted(&self, response: Seconds, taken: Seconds) -> Seconds {
        let part = self.part() * response / taken.max(f64::MIN_POSITIVE);
        if self.difference <= 0.0 && part < 1.0 {
            self.response - self.response / part
        } else {
            response - (taken - self.added()) / self.part()
        }
    }
}

/// Guarded calls on their way to the fixed point.
pub(super) struct Feedback<'n> {
    network: &'n Network,
    guarded: Vec<&'n Guarded>,
    losses: Losses,
    steps: Steps,
    /// For each workload of users how much longer its requests take than the part of the network that they pass.
    beyond: Vec<Beyond>,
    /// How much longer requests took when they were followed last, and how often they were.
    longer: Vec<f64>,
    followed: usize,
    rounds: usize,
    /// How far all that is from where the last round led, and about how far it will be after the next one.
    apart: f64,
    next: f64,
}

impl<'n> Feedback<'n> {
    /// Before anything is known every call succeeds at once; else what becomes of them is about as in this solution.
    pub fn of(network: &'n Network, near: Option<&Solution<'_>>) -> Feedback<'n> {
        let guarded = network.guarded();
        let workloads = network.workloads.len();
        Feedback {
            network,
            guarded,
            losses: near.map_or_else(|| Losses::none(network), |near| near.losses.clone()),
            steps: Steps::default(),
            beyond: near.map_or_else(|| vec![Beyond::NONE; workloads], |near| near.beyond.clone()),
            longer: vec![1.0; workloads],
            followed: 0,
            rounds: 0,
            apart: 0.0,
            // What begins near is expected to settle at once.
            next: if near.is_some() { 0.0 } else { f64::INFINITY },
        }
    }

    /// Whether what becomes of some call depends on how long it takes.
    pub fn is_timed(&self) -> bool {
        self.guarded.iter().any(|guarded| guarded.is_decided_by_time())
    }

    /// Begins again from what is known, since something else has changed.
    pub fn restart(&mut self) {
        (self.steps, self.rounds, self.next) = (Steps::default(), 0, f64::INFINITY);
    }

    /// Whether requests of users that were followed take longer or shorter than was taken; what they take is taken from now on.
    pub fn is_longer(&mut self, composed: &Composed<'_>) -> bool {
        let mut moved = 0.0f64;
        for (w, workload) in self.network.workloads.iter().enumerate() {
            let Some((longer, timed)) = composed.longer(w).zip(composed.followed(w)).filter(|_| workload.is_closed())
            else {
                continue;
            };
            let change = (longer / self.longer[w] - 1.0).abs();
            if change > ERRORS * timed.error {
                moved = moved.max(change);
            }
            self.longer[w] = longer;
        }
        self.followed += 1;
        let goes_on = moved > TIMED && self.followed < FOLLOWED;
        if moved > TIMED && !goes_on {
            self.apart = self.apart.max(moved);
        }
        goes_on
    }

    /// For each workload how much longer requests of users take than the part of the network that they pass.
    pub fn beyond(&self) -> &[Beyond] {
        &self.beyond
    }

    /// How far what has not settled is from where the last round led; zero where all has.
    pub fn apart(&self) -> f64 {
        if self.apart < SETTLED { 0.0 } else { self.apart }
    }

    /// Whether all is about where the last round led.
    pub fn is_near(&self) -> bool {
        self.apart < NEAR
    }

    /// What is lost, as far as it is known.
    pub fn losses(&self) -> Losses {
        self.losses.clone()
    }

    /// Whether anything depends on how long requests take.
    pub fn is_open(&self) -> bool {
        !self.guarded.is_empty() || self.network.workloads.iter().any(Workload::is_closed)
    }

    /// How closely flows are to settle within a round: no more closely than all, unless nothing else is to.
    pub fn tolerance(&self) -> f64 {
        if self.is_open() { SETTLED } else { TOLERANCES.flows }
    }

    /// Whether the next round is expected to be the last.
    pub fn settles_next(&self) -> bool {
        self.next < SETTLED
    }

    /// Whether guarded calls go as the solution took them to; else they are taken as they go now.
    pub fn is_settled(&mut self, solution: &Solution<'_>, composed: &Composed<'_>) -> bool {
        self.losses.stations = solution.losses.stations.clone();
        self.losses.pools.clone_from(&solution.losses.pools);
        self.losses.clear.clone_from(&solution.losses.clear);
        let (mut taken, mut led) = (Vec::new(), Vec::new());
        for guarded in &self.guarded {
            for class in 0..solution.network.classes {
                let next = composed.tries(guarded, class);
                let tries = &mut self.losses.tries[guarded.id][class];
                taken.extend(figures(tries));
                led.extend(figures(&next));
                tries.time = next.time;
            }
        }
        for (w, workload) in solution.network.workloads.iter().enumerate() {
            let Load::Closed { users, think } = &workload.load else { continue };
            let response = composed.cycle(w, self.longer[w]).filter(|response| response.is_finite());
            let taken_now = f64::from(*users) / solution.rates[w] - think.mean();
            let beyond = &mut self.beyond[w];
            if beyond.response == 0.0 {
                beyond.response = response.unwrap_or(0.0);
            }
            let wanted = response.map_or(beyond.difference, |response| beyond.wanted(response, taken_now));
            let unit = beyond.unit(workload);
            taken.push(beyond.difference / unit);
            led.push(wanted / unit);
        }
        // Chances are no further apart than by one before anything is known.
        let before = if self.rounds == 0 { 1.0 } else { self.apart };
        self.apart = fixed_point::apart(&taken, &led);
        self.next = if before > 0.0 { self.apart * self.apart / before } else { 0.0 };
        let next = self.steps.next(&taken, &led);
        self.take(&next);
        self.rounds += 1;
        self.apart < SETTLED || self.rounds == MOST_ROUNDS
    }

    /// Takes these values, in the order in which they were gathered.
    fn take(&mut self, values: &[f64]) {
        let (chances, differences) = values.split_at(FIGURES * self.guarded.len() * self.network.classes);
        let mut chances = chances.chunks_exact(FIGURES);
        for guarded in &self.guarded {
            for tries in &mut self.losses.tries[guarded.id] {
                let Some(Ok(own)) = chances.next().map(<[f64; FIGURES]>::try_from) else { return };
                let [attempt, late, copied, again, vain, through] = own.map(|value| value.clamp(0.0, 1.0));
                let known = Tries { attempt, late, copied, through, ..*tries };
                *tries = known.retried(again, vain, guarded.call.retries);
            }
        }
        let users = self.network.workloads.iter().zip(&mut self.beyond).filter(|(workload, _)| workload.is_closed());
        for ((workload, beyond), difference) in users.zip(differences) {
            beyond.difference = difference * beyond.unit(workload);
        }
    }
}

/// What of a guarded call is found together with all others.
const FIGURES: usize = 6;

fn figures(tries: &Tries) -> [f64; FIGURES] {
    [tries.attempt, tries.late, tries.copied, tries.again, tries.vain, tries.through]
}

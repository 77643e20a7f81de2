//! By what mean values are off where all users are alike, do one thing after the other, and work is exponential: there it can be
//! known exactly.

use crate::math::equivalent::{Element, Filled, filled};
use crate::math::linearizer::{self, Crowd, Others, Queue, Visits};
use crate::unit::{PerSecond, Seconds};

/// Waits are made shorter only, by no higher power: those of several servers are too long.
const HIGHEST: f64 = 100.0;

/// A queue that is busier says nothing of the power: all of them wait, whatever it is.
const FULL: f64 = 0.9999;

/// Corrections that mean values need to be right with them.
const ROUNDS: usize = 3;

/// Waits shorter than this part of the work are not compared.
const NO_WAIT: f64 = 1e-9;

/// All users alike.
pub(super) struct Alike {
    /// How many they are, branches of their requests counted each.
    pub users: f64,
    /// How many of them are in each queue.
    pub present: Vec<f64>,
}

/// Finds the powers of the utilization with which waits of crowds that come at these rates are right for all of them alike.
pub(super) fn correct(crowds: &[Crowd], queues: &mut [Queue], rates: &[PerSecond]) -> Alike {
    let alike = alike(crowds, queues.len(), rates);
    let plain = |queue: &Queue| {
        let others = Others { residual: 1.0, company: 0.0, ..queue.others };
        Queue { residual: 1.0, shared: true, others, most: f64::INFINITY, ..*queue }
    };
    let mut plain: Vec<Queue> = queues.iter().map(plain).collect();
    let element = |(queue, visits): (&Queue, &Visits)| Element {
        demand: visits.demand().max(1e-300),
        servers: queue.servers,
        others: queue.others.load,
    };
    let elements: Vec<Element> = queues.iter().zip(&alike.visits).map(element).collect();
    let Filled { throughput, present, beside } = filled(alike.users as usize, alike.away, &elements);
    for _ in 0..ROUNDS {
        let nearly = linearizer::solve(std::slice::from_ref(&alike), &plain);
        for (e, (visits, queue)) in alike.visits.iter().zip(&mut plain).enumerate() {
            let wait = (present[e] / throughput - visits.demand()) / visits.count;
            let theirs = queue.others.work;
            let utilization = (nearly.throughput[0] * visits.demand() + queue.others.load) / queue.servers;
            let raise = |power: &mut f64, right: Seconds, nearly: Seconds, work: Seconds| {
                if nearly > NO_WAIT * work && utilization < FULL {
                    let missing = (right.max(1e-3 * nearly) / nearly).ln() / utilization.ln();
                    *power = (*power + missing).clamp(0.0, HIGHEST);
                }
            };
            raise(&mut queue.powers.0, wait, nearly.waits[0][e], visits.work);
            raise(&mut queue.powers.1, theirs * (beside[e] - 1.0), nearly.outside[e], theirs);
        }
    }
    queues.iter_mut().zip(&plain).for_each(|(queue, plain)| queue.powers = plain.powers);
    Alike { users: alike.users, present }
}

/// The crowds as one, whose requests do one thing after the other: what they do at the same time is done by as many more of them.
fn alike(crowds: &[Crowd], queues: usize, rates: &[PerSecond]) -> Crowd {
    let total: f64 = rates.iter().sum();
    let (mut users, mut away, mut visits) = (0.0, 0.0, vec![Visits::default(); queues]);
    for (crowd, rate) in crowds.iter().zip(rates) {
        let share = rate / total;
        users += crowd.users / crowd.part;
        away += share * crowd.away / crowd.part;
        for (sum, visits) in visits.iter_mut().zip(&crowd.visits) {
            // First all work, then that of each.
            sum.count += share * visits.count;
            sum.work += share * visits.demand();
        }
    }
    visits.iter_mut().filter(|visits| visits.count > 0.0).for_each(|visits| visits.work /= visits.count);
    Crowd { users: users.round().max(1.0), away, part: 1.0, visits }
}

//! By what mean values are off where all users are alike, do one thing after the other, and work is exponential: there it can be
//! known exactly.

use crate::math::equivalent::{Element, Filled, filled};
use crate::math::linearizer::{Crowd, Queue, Visits};
use crate::unit::{PerSecond, Seconds};

/// Waits are made shorter only, by no higher power: those of several servers are too long.
const HIGHEST: f64 = 100.0;

/// A queue that is busier says nothing of the power: all of them wait, whatever it is.
const FULL: f64 = 0.9999;

/// Waits shorter than this part of the work are not compared.
const NO_WAIT: f64 = 1e-9;

/// All users alike.
pub(super) struct Alike {
    /// How many they are, branches of their requests counted each.
    pub users: f64,
    /// How many of them are in each queue, in one of them where there are several.
    pub present: Vec<f64>,
}

/// Finds the powers of the utilization with which waits of crowds that come at these rates are right for all of them alike.
///
/// One who comes finds what is there with one less (the arrival theorem); what mean values make of that number is compared with the
/// wait.
pub(super) fn correct(crowds: &[Crowd], queues: &mut [Queue], rates: &[PerSecond]) -> Alike {
    let alike = alike(crowds, queues.len(), rates);
    let element = |(queue, visits): (&Queue, &Visits)| Element {
        demand: visits.demand().max(1e-300),
        servers: queue.servers,
        others: queue.others.load,
        copies: queue.copies as u32,
    };
    let elements: Vec<Element> = queues.iter().zip(&alike.visits).map(element).collect();
    let users = alike.users as usize;
    let all = filled(users, alike.away, &elements);
    let fewer = (users > 1).then(|| filled(users - 1, alike.away, &elements));
    for (e, (queue, visits)) in
        queues.iter_mut().zip(&alike.visits).enumerate().filter(|(_, (_, visits))| visits.count > 0.0)
    {
        let own = (all.present[e] / all.throughput - visits.demand()) / visits.count;
        let found = fewer.as_ref().map_or((0.0, 0.0), |fewer| there(queue, visits, fewer, e));
        queue.powers.0 = power(queue, visits.work, found, own);
        let theirs = queue.others.work;
        queue.powers.1 = power(queue, theirs, there(queue, visits, &all, e), theirs * (all.beside[e] - 1.0));
    }
    let present = all.present.iter().zip(queues.iter()).map(|(all, queue)| all / queue.copies).collect();
    Alike { users: alike.users, present }
}

/// How many are at a queue and, by server, in service, as mean values count them: waits of several servers are those of one.
fn there(queue: &Queue, visits: &Visits, filled: &Filled, e: usize) -> (f64, f64) {
    let served = filled.throughput * visits.demand() / (queue.servers * queue.copies);
    (filled.present[e] / queue.copies - served * (queue.servers - 1.0), served)
}

/// The power of the utilization by which the wait behind so many is off.
fn power(queue: &Queue, work: Seconds, (present, served): (f64, f64), right: Seconds) -> f64 {
    let Queue { servers, others, .. } = queue;
    let nearly = work * (others.load / servers + present) / (servers - others.load);
    let utilization = others.load / servers + served;
    if nearly <= NO_WAIT * work || utilization >= FULL {
        return 0.0;
    }
    ((right.max(1e-3 * nearly) / nearly).ln() / utilization.ln()).clamp(0.0, HIGHEST)
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

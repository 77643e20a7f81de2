//! Closed networks with any number of crowds of users, nearly: mean value analysis at their number and one less, instead of at all
//! numbers up to it.
//!
//! | symbol      | meaning                                                                           | unit       |
//! |-------------|-----------------------------------------------------------------------------------|------------|
//! | `N_k, Z_k`  | users of crowd k, time that a cycle spends at no queue                            | 1, seconds |
//! | `p_k`       | part of its time in queues that a cycle takes: less than one where it is in several at once | 1 |
//! | `v_k, τ_k`  | visits of a cycle to a queue, and the mean work of one                            | 1, seconds |
//! | `m, r`      | servers; queues of them to one of which a visit goes, drawn at random              | 1          |
//! | `a_o, τ_o`  | offered load of others at one queue, from outside, and the mean work of one        | 1, seconds |
//! | `f`         | half of one and the squared coefficient of variation of the work                  | 1          |
//! | `w_k, w_o`  | what a visit waits for others of its own cycle, or its own company                | seconds    |
//! | `Q_k, U_k`  | mean number of each crowd at one queue; of those in service                       | 1          |
//! | `W`         | wait of a visit                                                                   | seconds    |
//!
//! Several servers are one that takes a part `1 / m` of the time, and the rest of it away from the queue. With the numbers there as
//! one user of the own crowd less makes them (the arrival theorem) `ρ_o = a_o / m`, and `ρ = ρ_o + Σ U_k`, of that user
//! himself a part `q` there:
//!
//! ```text
//! W = ρ^a (Σ_k τ_k / m (Q_k - (1 - f) (1 - q) U_k) + ρ_o (τ_o f / m + w_o)) / (1 - ρ_o) + w_k
//! X_k = N_k / (Z_k + p_k Σ v_k (τ_k + W_k)),   Q_k = X_k v_k / r (τ_k / m + W_k),   U_k = X_k v_k τ_k / (r m)
//! ```
//!
//! One user less changes the part of each crowd that is in a queue by as much at all populations (Linearizer). An approximation: of
//! single servers with exponential work throughput is off by less than a percent; waits for one of several servers that are not all
//! busy are too long, unless a power `a` is known that says how often they are.
//!
//! Source: Chandy and Neuse, Linearizer: a heuristic algorithm for queueing network models of computing systems (1982); several
//! servers: Seidmann, Schweitzer and Shalev-Oren, Computerized closed queueing network models of flexible manufacturing systems (1987);
//! other work: Reiser, A queueing network analysis of computer communication networks with window flow control (1979).

use crate::unit::{PerSecond, Seconds};

/// How often populations with one less are solved.
const ROUNDS: usize = 3;

/// Steps to the numbers at one population, and how closely they are known.
const MOST_STEPS: usize = 500;
const SETTLED: f64 = 1e-9;

/// Users who wait for their answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Crowd {
    /// How many they are.
    pub users: f64,
    /// Time that a cycle spends at no queue.
    pub away: Seconds,
    /// Part of its time in queues that a cycle takes.
    pub part: f64,
    /// Visits of a cycle to each queue.
    pub visits: Vec<Visits>,
}

/// Visits of a cycle to a queue.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Visits {
    /// How many.
    pub count: f64,
    /// Mean work of each.
    pub work: Seconds,
    /// What each waits for others of its own cycle, and what it would if others kept all servers busy.
    pub company: (Seconds, Seconds),
}

impl Visits {
    /// Work of all of them, in seconds.
    pub fn demand(&self) -> Seconds {
        self.count * self.work
    }
}

/// A queue that they share, or several of which each visit goes to one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Queue {
    /// Servers of each, more than zero.
    pub servers: f64,
    /// How many queues there are.
    pub copies: f64,
    /// What waits are multiplied by because visits do not go to them at random.
    pub even: f64,
    /// Those who come from outside.
    pub others: Others,
    /// Half of one and the squared coefficient of variation of the users' work.
    pub residual: f64,
    /// Whether all who are there share the servers.
    pub shared: bool,
    /// Powers of the utilization that waits of users, and of those from outside, are multiplied by: none where nothing better is known.
    pub powers: (f64, f64),
    /// No wait is longer on average, whoever comes.
    pub most: Seconds,
}

/// Those who come to a queue from outside, as a Poisson process.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Others {
    /// Their offered load, less than the servers.
    pub load: f64,
    /// Mean work of one.
    pub work: Seconds,
    /// Half of one and the squared coefficient of variation of their work.
    pub residual: f64,
    /// What one waits for its own company, besides.
    pub company: Seconds,
}

impl Others {
    /// Nobody.
    pub const NONE: Others = Others { load: 0.0, work: 0.0, residual: 1.0, company: 0.0 };
}

/// What they meet.
#[derive(Debug, Clone, PartialEq)]
pub struct Met {
    /// Cycles of each crowd.
    pub throughput: Vec<PerSecond>,
    /// Mean wait of a visit of each crowd at each queue: `[crowd][queue]`.
    pub waits: Vec<Vec<Seconds>>,
    /// Mean wait of others at each queue; where servers are shared that of one whose work is theirs on average.
    pub outside: Vec<Seconds>,
}

/// The parts of its users that a crowd has at a queue, and in service there.
#[derive(Debug, Clone, Copy, Default)]
struct There {
    present: f64,
    served: f64,
}

impl There {
    /// By how much it is more; no more than half of it.
    fn more_than(self, other: There) -> There {
        let difference = |own: f64, other: f64| (own - other).clamp(-0.5 * other, 0.5 * other);
        There { present: difference(self.present, other.present), served: difference(self.served, other.served) }
    }
}

struct Network<'a> {
    crowds: &'a [Crowd],
    queues: &'a [Queue],
}

/// Solves a closed network.
pub fn solve(crowds: &[Crowd], queues: &[Queue]) -> Met {
    let network = Network { crowds, queues };
    let count = crowds.len();
    let all: Vec<f64> = crowds.iter().map(|crowd| crowd.users).collect();
    let less = |k: usize| -> Vec<f64> {
        all.iter().enumerate().map(|(own, users)| if own == k { (users - 1.0).max(0.0) } else { *users }).collect()
    };
    let even = |crowd: &Crowd| {
        let total = crowd.visits.iter().map(Visits::demand).sum::<f64>().max(f64::MIN_POSITIVE);
        let part = |visits: &Visits| There { present: visits.demand() / total, served: 0.0 };
        crowd.visits.iter().map(part).collect::<Vec<There>>()
    };
    // The parts with all users and with one less of each crowd, and how much more they are with one less.
    let mut whole: Vec<Vec<There>> = crowds.iter().map(even).collect();
    let mut fewer = vec![whole.clone(); count];
    let mut more = vec![vec![vec![There::default(); queues.len()]; count]; count];
    for _ in 1..ROUNDS {
        network.settle(&all, &more, &mut whole);
        for (k, parts) in fewer.iter_mut().enumerate() {
            network.settle(&less(k), &more, parts);
        }
        for k in 0..count {
            for v in 0..count {
                // The only one of a crowd leaves nobody of it.
                let known = v != k || all[k] > 1.0;
                for (e, more) in more[k][v].iter_mut().enumerate().filter(|_| known) {
                    *more = fewer[k][v][e].more_than(whole[v][e]);
                }
            }
        }
    }
    let throughput = network.settle(&all, &more, &mut whole);
    let none = vec![vec![There::default(); queues.len()]; count];
    Met {
        throughput,
        waits: (0..count)
            .map(|k| (0..queues.len()).map(|e| network.wait(e, Some(k), &less(k), &whole, &more[k])).collect())
            .collect(),
        outside: (0..queues.len()).map(|e| network.wait(e, None, &all, &whole, &none)).collect(),
    }
}

impl Network<'_> {
    /// Finds the parts at a population; returns the throughput of each crowd.
    fn settle(&self, users: &[f64], more: &[Vec<Vec<There>>], parts: &mut Vec<Vec<There>>) -> Vec<PerSecond> {
        let mut throughput = vec![0.0; users.len()];
        for _ in 0..MOST_STEPS {
            let mut next = parts.clone();
            let mut moved = 0.0f64;
            for (k, crowd) in self.crowds.iter().enumerate().filter(|(k, _)| users[*k] > 0.0) {
                let mut found = users.to_vec();
                found[k] = (found[k] - 1.0).max(0.0);
                let mut queued = 0.0;
                for (e, there) in next[k].iter_mut().enumerate().filter(|(e, _)| crowd.visits[*e].count > 0.0) {
                    let visits = &crowd.visits[e];
                    let wait = self.wait(e, Some(k), &found, parts, &more[k]);
                    queued += visits.count * (visits.work + wait);
                    let Queue { servers, copies, .. } = self.queues[e];
                    there.served = visits.demand() / (servers * copies);
                    there.present = there.served + visits.count / copies * wait;
                }
                let cycle = (crowd.away + crowd.part * queued).max(f64::MIN_POSITIVE);
                throughput[k] = users[k] / cycle;
                for (there, before) in next[k].iter_mut().zip(&parts[k]) {
                    *there = There { present: there.present / cycle, served: there.served / cycle };
                    moved = moved.max((there.present - before.present).abs());
                }
            }
            *parts = next;
            if moved < SETTLED {
                break;
            }
        }
        throughput
    }

    /// The wait of a visit to a queue, of a crowd or from outside, that finds so many users, of whom these parts and so much more of
    /// them are there.
    fn wait(&self, e: usize, own: Option<usize>, users: &[f64], parts: &[Vec<There>], more: &[Vec<There>]) -> Seconds {
        let Queue { servers, even, others, residual, shared, powers, most, .. } = self.queues[e];
        let (work, (met, behind)) = own.map_or((others.work, (0.0, 0.0)), |k| {
            let visits = &self.crowds[k].visits[e];
            (visits.work, visits.company)
        });
        let of = |average: Seconds| if shared { work } else { average };
        let mut found = (of(others.work) * others.residual / servers + others.company) * others.load;
        let mut utilization = others.load / servers;
        // Of one user more so much more is here: all of it where everybody waits, and then nobody gains from regular work.
        let mut caught = own.map_or(0.0, |k| parts[k][e].present);
        let mut gained = 0.0;
        for (k, users) in users.iter().enumerate() {
            let there = |part: f64, more: f64| (users * (part + more)).max(0.0);
            let present = there(parts[k][e].present, more[k][e].present);
            let served = there(parts[k][e].served, more[k][e].served).min(present);
            utilization += served;
            caught += users * parts[k][e].present - present;
            found += of(self.crowds[k].visits[e].work) * present;
            gained += of(self.crowds[k].visits[e].work) * (1.0 - residual) * served;
        }
        let found = found - gained * (1.0 - caught.clamp(0.0, 1.0));
        let utilization = utilization.min(1.0);
        // Its own it waits for as long as others keep the servers busy; else only where they are too many for them.
        let company = if behind > met { met + (behind - met) * utilization.powf(servers) } else { met };
        let power = if own.is_some() { powers.0 } else { powers.1 };
        let all_busy = if power > 0.0 { utilization.powf(power) } else { 1.0 };
        (even * all_busy * found.max(0.0) / (servers - others.load)).min(most) + company
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::mva::{self, SharedStation};

    fn queue(servers: f64) -> Queue {
        Queue {
            servers,
            copies: 1.0,
            even: 1.0,
            others: Others::NONE,
            residual: 1.0,
            shared: false,
            powers: (0.0, 0.0),
            most: f64::INFINITY,
        }
    }

    #[test]
    fn it_is_about_mean_value_analysis() {
        let demands = [[0.03, 0.01, 0.004], [0.008, 0.02, 0.02]];
        for users in [[1, 1], [3, 8], [20, 5]] {
            let crowd = |k: usize| Crowd {
                users: f64::from(users[k]),
                away: 0.1,
                part: 1.0,
                visits: demands[k].iter().map(|time| Visits { count: 1.0, work: *time, ..Visits::default() }).collect(),
            };
            let station = |i: usize| SharedStation { demands: vec![demands[0][i], demands[1][i]], delay: false };
            let right = mva::solve_classes(&[(users[0], 0.1), (users[1], 0.1)], &[station(0), station(1), station(2)]);
            // First come, first served with work that differs is not of product form: shared queues are.
            let met = solve(&[crowd(0), crowd(1)], &[Queue { shared: true, ..queue(1.0) }; 3]);
            for (k, right) in right.iter().enumerate() {
                assert!((met.throughput[k] / right.throughput - 1.0).abs() < 0.01, "{users:?} {k}");
            }
        }
    }

    #[test]
    fn one_user_meets_others_alone() {
        let crowd = Crowd {
            users: 1.0,
            away: 0.1,
            part: 1.0,
            visits: vec![Visits { count: 1.0, work: 0.01, ..Visits::default() }],
        };
        let met = solve(&[crowd], &[Queue { others: Others { load: 0.6, work: 0.01, ..Others::NONE }, ..queue(1.0) }]);
        assert!((met.waits[0][0] - 0.015).abs() < 1e-9, "{}", met.waits[0][0]);
        // Others find whom the user is among: 1 + U of them, U in service.
        assert!((met.outside[0] - 0.02).abs() < 1e-3, "{}", met.outside[0]);
    }
}

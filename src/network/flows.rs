//! How often everything is visited: success probabilities from the callees up, rates from the workloads down.

use super::tries::Tries;
use super::{Call, GuardId, Network, OperationId, PoolId, StationId, Step};
use crate::math::rows::Rows;
use crate::unit::PerSecond;

/// Rates through the network, given what is lost on the way.
#[derive(Debug, Clone)]
pub struct Flows {
    /// Success probability of each operation, per class of urgency: `[operation][class]`.
    pub success: Rows<f64>,
    /// Times each operation runs per second, for each workload: `[operation][workload]`.
    pub operations: Rows<PerSecond>,
    /// Times that it does so besides in vain: again, to be refused where the attempt before was.
    pub in_vain: Rows<PerSecond>,
    /// Times each visit is made per second, refused ones included but for those in vain, for each workload: `[visit][workload]`.
    pub visits: Rows<PerSecond>,
    /// Times one of each pool is asked for per second, for each workload: `[pool][workload]`.
    pub pools: Rows<PerSecond>,
}

/// What does not get through, and what is done about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Losses {
    /// Chance that a visit of a class gets no further: `[station][class]`.
    pub stations: Rows<f64>,
    /// Chance that whoever wants one of a pool gets none: `[pool]`.
    pub pools: Vec<f64>,
    /// What becomes of guarded calls: `[guard][class]`.
    pub tries: Rows<Tries>,
    /// The same without what is left in queues that grow without end, where some do.
    pub clear: Option<Box<Clear>>,
}

/// What is lost where no queue grows without end.
#[derive(Debug, Clone, PartialEq)]
pub struct Clear {
    losses: Losses,
    /// Success probability of each operation then.
    success: Rows<f64>,
}

impl Clear {
    /// What these losses are, and lead to.
    pub fn of(network: &Network, losses: Losses) -> Clear {
        Clear { success: successes(network, &losses), losses }
    }
}

impl Losses {
    /// Nothing is lost.
    pub fn none(network: &Network) -> Losses {
        Losses {
            stations: Rows::of(0.0, network.stations.len(), network.classes),
            pools: vec![0.0; network.pools.len()],
            tries: Rows::of(Tries::PLAIN, network.guards, network.classes),
            clear: None,
        }
    }

    fn visit(&self, station: StationId, class: usize) -> f64 {
        1.0 - self.stations[station][class]
    }

    fn pool(&self, pool: PoolId) -> f64 {
        1.0 - self.pools[pool]
    }

    fn tries(&self, guard: GuardId, class: usize) -> &Tries {
        &self.tries[guard][class]
    }
}

impl Flows {
    /// How often requests of each workload come to each station, then to each pool.
    pub fn came(&self, network: &Network) -> Vec<Vec<PerSecond>> {
        let mut came = vec![vec![0.0; network.workloads.len()]; network.stations.len()];
        for (visit, rates) in network.visits.iter().zip(self.visits.iter()) {
            came[visit.station].iter_mut().zip(rates).for_each(|(sum, rate)| *sum += rate);
        }
        came.extend((0..network.pools.len()).map(|pool| self.pools[pool].to_vec()));
        came
    }

    /// How often requests of each workload ask an operation per second, in vain or not.
    pub fn asked(&self, operation: OperationId) -> impl Iterator<Item = PerSecond> {
        self.operations[operation].iter().zip(&self.in_vain[operation]).map(|(runs, in_vain)| runs + in_vain)
    }

    /// Requests that come to each station, and the work that they bring, per second.
    pub fn brought(&self, network: &Network) -> Vec<(PerSecond, f64)> {
        let mut brought = vec![(0.0, 0.0); network.stations.len()];
        for (visit, rates) in network.visits.iter().zip(self.visits.iter()) {
            let (rate, sum) = (rates.iter().sum::<f64>(), &mut brought[visit.station]);
            *sum = (sum.0 + rate, sum.1 + rate * visit.time.mean());
        }
        brought
    }
}

/// Flows for workloads that ask at these rates.
pub fn flows(network: &Network, rates: &[PerSecond], losses: &Losses) -> Flows {
    let mixes = network.workloads.iter().map(|workload| workload.mix.as_slice());
    flows_from(network, rates.iter().copied().zip(mixes), losses)
}

/// Flows where each workload begins so many runs of these operations, by their shares, instead of its own.
pub fn flows_from<'m>(
    network: &Network,
    begun: impl Iterator<Item = (PerSecond, &'m [(OperationId, f64)])>,
    losses: &Losses,
) -> Flows {
    let success = successes(network, losses);
    let workloads = network.workloads.len();
    let mut flows = Flows {
        success,
        operations: Rows::of(0.0, network.operations.len(), workloads),
        in_vain: Rows::of(0.0, network.operations.len(), workloads),
        visits: Rows::of(0.0, network.visits.len(), workloads),
        pools: Rows::of(0.0, network.pools.len(), workloads),
    };
    for (w, (rate, mix)) in begun.enumerate() {
        for (operation, share) in mix {
            flows.operations[*operation][w] += rate * share;
        }
    }
    for &operation in &network.order {
        for (w, workload) in network.workloads.iter().enumerate() {
            let (rate, in_vain) = (flows.operations[operation][w], flows.in_vain[operation][w]);
            let walk = Walk { network, losses, workload: w, class: workload.class };
            let steps = &network.operations[operation].steps;
            if rate > 0.0 {
                walk.steps(steps, rate, &mut flows);
            }
            if in_vain > 0.0 {
                walk.in_vain(steps, in_vain, &mut flows);
            }
        }
    }
    flows
}

/// Success probability of each operation for each class, callees first: `[operation][class]`.
pub fn successes(network: &Network, losses: &Losses) -> Rows<f64> {
    let mut success = Rows::of(1.0, network.operations.len(), network.classes);
    for &operation in network.order.iter().rev() {
        for class in 0..network.classes {
            success[operation][class] =
                sequence_success(network, &network.operations[operation].steps, class, &success, losses);
        }
    }
    success
}

/// Chance that all of some steps succeed.
pub fn sequence_success(network: &Network, steps: &[Step], class: usize, success: &Rows<f64>, losses: &Losses) -> f64 {
    steps.iter().map(|step| step_success(network, step, class, success, losses)).product()
}

fn step_success(network: &Network, step: &Step, class: usize, success: &Rows<f64>, losses: &Losses) -> f64 {
    let inner = |steps: &[Step]| sequence_success(network, steps, class, success, losses);
    let made = |call: &Call, one: f64| 1.0 - call.probability + call.probability * all_of(one, call.times);
    match step {
        Step::Visit(visit) => losses.visit(network.visits[*visit].station, class),
        Step::Delay(_) | Step::Send(_) => 1.0,
        Step::Fail(chance) => 1.0 - chance,
        Step::Call(call) => made(call, success[call.target][class]),
        Step::Guarded(guarded) => made(&guarded.call, losses.tries(guarded.id, class).answered()),
        Step::Choose { ways, .. } => ways.iter().map(|(weight, steps)| weight * inner(steps)).sum(),
        Step::Hold { pool, steps } => losses.pool(*pool) * inner(steps),
        Step::Repeat { times, steps } => all_of(inner(steps), *times),
        Step::Parallel { branches, needed, .. } => parallel_success(network, branches, *needed, class, success, losses),
    }
}

/// Chance that as many branches succeed as are needed. Refusals and failures of branches are independent; but in a queue that grows
/// without end those of a request are left together, or not, so that the worst of those that are needed says how many get through.
fn parallel_success(
    network: &Network,
    branches: &[Vec<Step>],
    needed: usize,
    class: usize,
    success: &Rows<f64>,
    losses: &Losses,
) -> f64 {
    let each = |success: &Rows<f64>, losses: &Losses| -> Vec<f64> {
        branches.iter().map(|steps| sequence_success(network, steps, class, success, losses)).collect()
    };
    let all = each(success, losses);
    let Some(clear) = &losses.clear else { return at_least(&all, needed) };
    let open = each(&clear.success, &clear.losses);
    let through = |(all, open): (&f64, &f64)| if *open > 0.0 { (all / open).min(1.0) } else { 1.0 };
    let mut through: Vec<f64> = all.iter().zip(&open).map(through).collect();
    through.sort_by(|a, b| b.total_cmp(a));
    at_least(&open, needed) * needed.checked_sub(1).and_then(|last| through.get(last)).unwrap_or(&1.0)
}

/// Probability that at least `needed` of independent events happen.
pub fn at_least(each: &[f64], needed: usize) -> f64 {
    if needed == each.len() {
        return each.iter().product();
    }
    if needed == 1 {
        return 1.0 - each.iter().map(|p| 1.0 - p).product::<f64>();
    }
    // count[j]: probability that exactly j have happened so far, all from `needed` on together.
    let mut count = vec![0.0; needed + 1];
    count[0] = 1.0;
    for p in each {
        count[needed] += count[needed - 1] * p;
        for j in (1..needed).rev() {
            count[j] = count[j] * (1.0 - p) + count[j - 1] * p;
        }
        count[0] *= 1.0 - p;
    }
    count[needed]
}

/// Probability that as many independent events of the same chance all happen.
pub fn all_of(chance: f64, times: u32) -> f64 {
    // Nearly every call is a single one, and powers are slow.
    if times == 1 { chance } else { chance.powf(f64::from(times)) }
}

/// The sum of the first `times` powers of `p`: how many of a row of calls are made when the first failure ends it.
pub fn geometric_sum(p: f64, times: u32) -> f64 {
    let n = f64::from(times);
    if times == 1 {
        return 1.0;
    }
    if (1.0 - p).abs() < 1e-12 { n } else { (1.0 - all_of(p, times)) / (1.0 - p) }
}

/// How many runs a request that succeeds makes of a call, on average: if one run succeeds so often, those that were made are
/// rarer among the successes.
pub fn runs_of(call: &Call, one: f64) -> f64 {
    let made = call.probability * all_of(one, call.times);
    if made > 0.0 { f64::from(call.times) * made / (made + 1.0 - call.probability) } else { 0.0 }
}

struct Walk<'a> {
    network: &'a Network,
    losses: &'a Losses,
    workload: usize,
    class: usize,
}

impl Walk<'_> {
    /// Adds what some steps cause when they are begun `rate` times per second; returns how often they succeed.
    fn steps(&self, steps: &[Step], mut rate: PerSecond, flows: &mut Flows) -> PerSecond {
        for step in steps {
            rate = self.step(step, rate, flows);
        }
        rate
    }

    fn step(&self, step: &Step, rate: PerSecond, flows: &mut Flows) -> PerSecond {
        match step {
            Step::Visit(visit) => {
                flows.visits[*visit][self.workload] += rate;
                rate * self.losses.visit(self.network.visits[*visit].station, self.class)
            }
            Step::Delay(_) => rate,
            Step::Fail(chance) => rate * (1.0 - chance),
            Step::Send(target) => {
                flows.operations[*target][self.workload] += rate;
                rate
            }
            Step::Call(call) => {
                let success = flows.success[call.target][self.class];
                self.call(call, success, 1.0, rate, flows)
            }
            Step::Guarded(guarded) => {
                let tries = self.losses.tries(guarded.id, self.class);
                let calls = rate * guarded.call.probability * geometric_sum(tries.answered(), guarded.call.times);
                flows.in_vain[guarded.call.target][self.workload] += calls * tries.in_vain();
                self.call(&guarded.call, tries.answered(), tries.runs(), rate, flows)
            }
            Step::Choose { ways, .. } => {
                ways.iter().map(|(weight, steps)| self.steps(steps, rate * weight, flows)).sum()
            }
            Step::Hold { pool, steps } => {
                flows.pools[*pool][self.workload] += rate;
                self.steps(steps, rate * self.losses.pool(*pool), flows)
            }
            Step::Repeat { times, steps } => {
                let success = sequence_success(self.network, steps, self.class, &flows.success, self.losses);
                self.steps(steps, rate * geometric_sum(success, *times), flows);
                rate * all_of(success, *times)
            }
            Step::Parallel { branches, needed, .. } => {
                for steps in branches {
                    self.steps(steps, rate, flows);
                }
                rate * parallel_success(self.network, branches, *needed, self.class, &flows.success, self.losses)
            }
        }
    }

    /// A call that succeeds so often, each made in so many runs of who is asked.
    fn call(&self, call: &Call, success: f64, runs: f64, rate: PerSecond, flows: &mut Flows) -> PerSecond {
        let made = rate * call.probability;
        flows.operations[call.target][self.workload] += made * runs * geometric_sum(success, call.times);
        rate - made + made * all_of(success, call.times)
    }

    /// Adds what some steps cause that are begun so often in vain: all before the one that refuses, and what that itself causes.
    fn in_vain(&self, steps: &[Step], rate: PerSecond, flows: &mut Flows) {
        let (mut refusing, mut passed) = (Vec::with_capacity(steps.len()), 1.0);
        for step in steps {
            let refused = self.refusal(step, &flows.success);
            refusing.push(passed * refused);
            passed *= 1.0 - refused;
        }
        let mut left = rate;
        for (step, refused) in steps.iter().zip(refusing).filter(|_| passed < 1.0) {
            let refused = (rate * refused / (1.0 - passed)).min(left);
            left -= refused;
            self.step(step, left, flows);
            if refused > 0.0 {
                self.step_in_vain(step, refused, flows);
            }
        }
    }

    fn step_in_vain(&self, step: &Step, rate: PerSecond, flows: &mut Flows) {
        let whole = self.refusal(step, &flows.success);
        let refusal = |steps: &[Step], flows: &Flows| self.refusal_in(steps, &flows.success);
        match step {
            Step::Call(call) => flows.in_vain[call.target][self.workload] += rate,
            Step::Guarded(guarded) => flows.in_vain[guarded.call.target][self.workload] += rate,
            Step::Repeat { steps, .. } => self.in_vain(steps, rate, flows),
            Step::Hold { pool, steps } => {
                let held = rate * self.losses.pool(*pool) * refusal(steps, flows) / whole;
                flows.pools[*pool][self.workload] += held;
                self.in_vain(steps, held, flows);
            }
            Step::Choose { ways, .. } => {
                for (weight, steps) in ways {
                    self.in_vain(steps, rate * weight * refusal(steps, flows) / whole, flows);
                }
            }
            Step::Parallel { branches, .. } => {
                for steps in branches {
                    let refused = (rate * refusal(steps, flows) / whole).min(rate);
                    self.in_vain(steps, refused, flows);
                    self.steps(steps, rate - refused, flows);
                }
            }
            Step::Visit(_) | Step::Delay(_) | Step::Send(_) | Step::Fail(_) => {}
        }
    }

    /// The chance that something in a step does not get through, roughly: as if nothing failed for reasons of its own.
    fn refusal(&self, step: &Step, success: &Rows<f64>) -> f64 {
        let inside = |steps: &[Step]| self.refusal_in(steps, success);
        match step {
            Step::Hold { pool, steps } => 1.0 - self.losses.pool(*pool) * (1.0 - inside(steps)),
            Step::Choose { ways, .. } => ways.iter().map(|(weight, steps)| weight * inside(steps)).sum(),
            Step::Repeat { times, steps } => 1.0 - all_of(1.0 - inside(steps), *times),
            Step::Parallel { branches, .. } => 1.0 - branches.iter().map(|steps| 1.0 - inside(steps)).product::<f64>(),
            Step::Fail(_) => 0.0,
            step => 1.0 - step_success(self.network, step, self.class, success, self.losses),
        }
    }

    fn refusal_in(&self, steps: &[Step], success: &Rows<f64>) -> f64 {
        1.0 - steps.iter().map(|step| 1.0 - self.refusal(step, success)).product::<f64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_least_k_of_n_is_the_binomial_tail() {
        let each = [0.5; 4];
        assert!((at_least(&each, 2) - 11.0 / 16.0).abs() < 1e-15);
        assert!((at_least(&each, 1) - 15.0 / 16.0).abs() < 1e-15);
        assert!((at_least(&each, 4) - 1.0 / 16.0).abs() < 1e-15);
        assert!(
            (at_least(&[0.9, 0.8, 0.7], 2) - (0.9 * 0.8 * 0.3 + 0.9 * 0.2 * 0.7 + 0.1 * 0.8 * 0.7 + 0.504)).abs()
                < 1e-15
        );
    }
}

//! Which operations do something while what they sent off may still be where they come.

use super::any;
use crate::network::{Network, Step};

/// Stations and pools, pools after stations.
#[derive(Debug, Clone, PartialEq)]
struct Places(Vec<u64>);

impl Places {
    fn none(network: &Network) -> Places {
        Places(vec![0; (network.stations.len() + network.pools.len()).div_ceil(64)])
    }

    fn put(&mut self, place: usize) {
        self.0[place / 64] |= 1 << (place % 64);
    }

    fn join(&mut self, other: &Places) {
        self.0.iter_mut().zip(&other.0).for_each(|(own, other)| *own |= other);
    }

    fn meet(&self, other: &Places) -> bool {
        self.0.iter().zip(&other.0).any(|(own, other)| own & other != 0)
    }
}

/// Where some steps go, and where what they send off goes.
#[derive(Debug, Clone)]
struct Reach {
    own: Places,
    sent: Places,
    /// Whether these meet.
    meets: bool,
}

impl Reach {
    fn none(network: &Network) -> Reach {
        Reach { own: Places::none(network), sent: Places::none(network), meets: false }
    }

    fn then(&mut self, next: &Reach) {
        self.meets |= next.meets || self.sent.meet(&next.own) || self.sent.meet(&next.sent);
        self.own.join(&next.own);
        self.sent.join(&next.sent);
    }
}

/// The operations whose sends meet them, or each other.
pub(super) fn meeting(network: &Network) -> Vec<bool> {
    let sends = |step: &Step| matches!(step, Step::Send(_));
    if !network.operations.iter().any(|operation| any(&operation.steps, &sends)) {
        return vec![false; network.operations.len()];
    }
    let mut reaches = vec![Reach::none(network); network.operations.len()];
    for &operation in network.order.iter().rev() {
        reaches[operation] = of_steps(network, &reaches, &network.operations[operation].steps);
    }
    reaches.into_iter().map(|reach| reach.meets).collect()
}

fn of_steps(network: &Network, reaches: &[Reach], steps: &[Step]) -> Reach {
    let mut all = Reach::none(network);
    for step in steps {
        match step {
            Step::Visit(visit) => {
                let mut own = Reach::none(network);
                own.own.put(network.visits[*visit].station);
                all.then(&own);
            }
            Step::Call(call) => {
                all.then(&reaches[call.target]);
                if call.times > 1 {
                    all.then(&reaches[call.target]);
                }
            }
            Step::Send(target) => {
                let mut sent = reaches[*target].clone();
                sent.sent.join(&sent.own);
                sent.own = Places::none(network);
                all.then(&sent);
            }
            step => {
                let mut inside = Reach::none(network);
                if let Step::Hold { pool, .. } = step {
                    inside.own.put(network.stations.len() + pool);
                }
                step.inner(|steps| inside.then(&of_steps(network, reaches, steps)));
                all.then(&inside);
                if matches!(step, Step::Repeat { times: 2.., .. }) {
                    all.then(&inside);
                }
            }
        }
    }
    all
}

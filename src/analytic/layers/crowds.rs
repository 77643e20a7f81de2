//! What is waited for something that is held, where requests come to it in crowds: several branches of one.

use super::{Gate, Solver, mean};
use crate::discipline::Delay;
use crate::math::bulk::{Bulk, bulk};
use crate::network::PoolId;
use crate::unit::PerSecond;

impl Solver<'_> {
    /// The entrance where visits meet others of the same request, as if they came in batches; `None` where they do not.
    pub(super) fn crowds(
        &self,
        id: PoolId,
        rate: PerSecond,
        groups: f64,
        throughput: &[PerSecond],
        queue: Option<usize>,
    ) -> Option<Bulk> {
        let batches = self.company?.batches.get(self.network.stations.len() + id)?;
        let together: Vec<(PerSecond, usize)> =
            batches.iter().map(|(rate, size)| (rate / groups, *size as usize)).collect();
        let single = rate - together.iter().map(|(rate, size)| rate * *size as f64).sum::<f64>();
        let all: Vec<(PerSecond, usize)> = together.iter().copied().chain([(single.max(0.0), 1)]).collect();
        if together.is_empty() { None } else { bulk(&all, throughput.len() - 1, |inside| throughput[inside], queue) }
    }
}

impl Gate {
    /// As many of each group go through, in crowds: more find all of it held, and wait. How holding varies, by which waits are
    /// multiplied, matters to what is waited for others.
    pub(super) fn meet_crowds(
        &mut self,
        bulk: &Bulk,
        (rate, groups): (PerSecond, f64),
        capacity: PerSecond,
        factor: f64,
    ) {
        let Bulk { present, waits: [probability, first, second], refused } = bulk;
        let most = present.len() - 1;
        let alone = self.wait.as_ref().map_or(0.0, Delay::mean);
        let crowd = (first / capacity - alone / factor.max(1e-9)).max(0.0);
        let wait = Delay::with_moments(*probability, first / capacity, second / (capacity * capacity));
        let shorter = if *first > 0.0 { (alone + crowd) * capacity / first } else { 1.0 };
        let wait = wait.scaled(shorter.max(1e-9));
        self.waiting = Some(groups * rate * (1.0 - refused) * wait.mean());
        self.utilization = mean(present) / most as f64;
        (self.refused, self.full, self.wait) = (*refused, present[most], Some(wait));
    }
}

//! Which stations see Poisson arrivals by theory: those that only see what started as Poisson and met nothing that spoils it.

use crate::network::{Network, OperationId, Step};

/// Whether each station sees Poisson arrivals, where workloads are `plain` or not and stations leave Poisson arrivals so
/// (`passes`) or not.
pub(super) fn stations(network: &Network, plain: &[bool], passes: &[bool]) -> Vec<bool> {
    let mut poisson = vec![true; network.stations.len()];
    loop {
        let spoiling: Vec<bool> = poisson.iter().zip(passes).map(|(poisson, passes)| !(poisson & passes)).collect();
        let mut walker = Walker {
            network,
            spoiling: &spoiling,
            spoils: vec![false; network.operations.len()],
            spoilt: vec![false; network.operations.len()],
            poisson: poisson.clone(),
        };
        for &operation in network.order.iter().rev() {
            walker.spoils[operation] = walker.spoil(&network.operations[operation].steps);
        }
        for (workload, plain) in network.workloads.iter().zip(plain) {
            workload.mix.iter().for_each(|(operation, _)| walker.spoilt[*operation] |= !plain);
        }
        for &operation in &network.order {
            walker.pass(&network.operations[operation].steps, walker.spoilt[operation]);
        }
        if walker.poisson == poisson {
            return poisson;
        }
        poisson = walker.poisson;
    }
}

struct Walker<'a> {
    network: &'a Network,
    /// Stations that requests do not leave as a Poisson process.
    spoiling: &'a [bool],
    /// Operations that visit such a station.
    spoils: Vec<bool>,
    /// Operations that are not asked as a Poisson process.
    spoilt: Vec<bool>,
    poisson: Vec<bool>,
}

impl Walker<'_> {
    fn spoil(&self, steps: &[Step]) -> bool {
        steps.iter().any(|step| match step {
            Step::Visit(visit) => self.spoiling[self.network.visits[*visit].station],
            Step::Call(call) => self.spoils[call.target],
            Step::Guarded(guarded) => self.spoils[guarded.call.target],
            Step::Send(_) | Step::Delay(_) | Step::Fail(_) => false,
            step => {
                let mut any = false;
                step.inner(|steps| any |= self.spoil(steps));
                any
            }
        })
    }

    /// Goes through some steps and says whether their end is spoilt.
    fn pass(&mut self, steps: &[Step], spoilt: bool) -> bool {
        steps.iter().fold(spoilt, |spoilt, step| match step {
            Step::Visit(visit) => {
                let station = self.network.visits[*visit].station;
                self.poisson[station] &= !spoilt;
                spoilt || self.spoiling[station]
            }
            Step::Call(call) => self.call(call.target, call.times, spoilt),
            Step::Guarded(guarded) => self.call(guarded.call.target, guarded.call.times, spoilt),
            Step::Send(target) => {
                self.spoilt[*target] |= spoilt;
                spoilt
            }
            Step::Delay(_) | Step::Fail(_) => spoilt,
            step => {
                let again = matches!(step, Step::Repeat { times: 2.., .. });
                let mut after = spoilt;
                step.inner(|steps| {
                    let within = spoilt || again && self.spoil(steps);
                    after |= self.pass(steps, within);
                });
                after
            }
        })
    }

    fn call(&mut self, target: OperationId, times: u32, spoilt: bool) -> bool {
        self.spoilt[target] |= spoilt || times > 1 && self.spoils[target];
        spoilt || self.spoils[target]
    }
}

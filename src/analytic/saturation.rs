//! How much more load fits: for each workload alone, and for all of them together.

use super::Solution;
use crate::distribution::Distribution;
use crate::network::flows::{Losses, flows};
use crate::network::{Network, Station};

/// Offered work without any loss, in busy servers of each station, and the use of each pool: `[resource][workload]`.
pub(super) struct Offered {
    load: Vec<Vec<f64>>,
    capacity: Vec<f64>,
}

impl Offered {
    pub(super) fn new(solution: &Solution<'_>) -> Offered {
        let network = solution.network;
        let held = |class| solution.stations.iter().any(|station| station.held(class) > 0.0);
        let without_loss;
        let flows = if (0..network.classes).any(held) || solution.gates.iter().any(|gate| gate.held() > 0.0) {
            let losses = Losses { tries: solution.losses.tries.clone(), ..Losses::none(network) };
            without_loss = flows(network, &solution.rates, &losses);
            &without_loss
        } else {
            &solution.flows
        };
        let mut load = vec![vec![0.0; network.workloads.len()]; network.stations.len()];
        for (visit, rates) in network.visits.iter().zip(flows.visits.iter()) {
            let mean = visit.time.moment(1);
            for (sum, rate) in load[visit.station].iter_mut().zip(rates) {
                *sum += rate * mean;
            }
        }
        let mut capacity = capacities(network);
        for (pool, gate) in solution.gates.iter().enumerate() {
            let asked = &flows.pools[pool];
            let all: f64 = asked.iter().sum();
            load.push(asked.iter().map(|rate| if all > 0.0 { gate.own_load * rate / all } else { 0.0 }).collect());
            capacity.push(1.0);
        }
        Offered { load, capacity }
    }

    /// Work over capacity at a station, or use of a pool, these after the stations.
    pub(super) fn utilization(&self, station: usize) -> f64 {
        self.load[station].iter().sum::<f64>() / self.capacity[station]
    }

    /// The factor by which all workloads together could grow, and the station that then saturates; pools come after the stations.
    pub(super) fn together(&self) -> Option<(f64, usize)> {
        (0..self.load.len())
            .map(|station| (1.0 / self.utilization(station), station))
            .filter(|(factor, _)| factor.is_finite())
            .min_by(|a, b| a.0.total_cmp(&b.0))
    }

    /// The factor by which workload `w` alone could grow; 0 when the others already saturate what it needs.
    pub(super) fn alone(&self, w: usize) -> Option<f64> {
        (0..self.load.len())
            .filter(|station| self.load[*station][w] > 0.0)
            .map(|station| {
                let others: f64 = self.load[station].iter().sum::<f64>() - self.load[station][w];
                ((self.capacity[station] - others) / self.load[station][w]).max(0.0)
            })
            .min_by(f64::total_cmp)
    }
}

fn capacities(network: &Network) -> Vec<f64> {
    network.stations.iter().map(Station::capacity).collect()
}

//! How much more load fits: for each workload alone, and for all of them together.

use super::Solution;
use crate::distribution::Distribution;
use crate::network::flows::flows;
use crate::network::{Network, StationId};

/// Offered work without any loss, in busy servers: `[station][workload]`.
pub(super) struct Offered {
    load: Vec<Vec<f64>>,
    capacity: Vec<f64>,
}

impl Offered {
    pub(super) fn new(solution: &Solution<'_>) -> Offered {
        let network = solution.network;
        let held = |class| solution.stations.iter().any(|station| station.held(class) > 0.0);
        let without_loss;
        let flows = if (0..network.classes).any(held) {
            without_loss = flows(network, &solution.rates, &|_, _| 0.0);
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
        Offered { load, capacity: capacities(network) }
    }

    /// Work over capacity at a station.
    pub(super) fn utilization(&self, station: StationId) -> f64 {
        self.load[station].iter().sum::<f64>() / self.capacity[station]
    }

    /// The factor by which all workloads together could grow, and the station that then saturates.
    pub(super) fn together(&self) -> Option<(f64, StationId)> {
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
    network.stations.iter().map(|station| station.total_servers()).collect()
}

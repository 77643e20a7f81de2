//! Runs put together: their sum, and of each only its figures, so that memory does not grow with what they counted.

use super::figures::{self, Figures, Runs};
use super::record::{Record, Requests};
use crate::math::estimate::half_width;
use crate::network::{Network, ServiceId};
use crate::unit::Seconds;
use rayon::prelude::*;

/// Growth that may be a matter of a few requests is none.
const FEW: f64 = 10.0;

/// All runs together, and the figures of each. Their times add up, so rates and shares come out as those of one run.
#[derive(Debug)]
pub(super) struct Collected<'n> {
    pub network: &'n Network,
    pub together: Record,
    /// Of all together.
    pub figures: Figures,
    /// Simulated time that each left out at its beginning.
    pub warmup: Seconds,
    each: Vec<Figures>,
    /// Requests of each workload, and of each service, that came to each run and were not answered.
    left: Vec<[Vec<f64>; 2]>,
}

impl<'n> Collected<'n> {
    pub fn new<'r>(network: &'n Network, warmup: Seconds, runs: &[&'r Record]) -> Collected<'n> {
        let together = Record::new(network);
        let figures = Figures::new(network, &together);
        let mut collected = Collected { network, together, figures, warmup, each: Vec::new(), left: Vec::new() };
        collected.add(runs);
        collected
    }

    /// Adds runs, in order.
    pub fn add(&mut self, runs: &[&Record]) {
        let network = self.network;
        self.each.par_extend(runs.par_iter().map(|run| Figures::new(network, run)));
        for run in runs {
            self.together.merge(run);
            let left = |requests: &Requests| requests.arrivals as f64 - requests.answered() as f64;
            self.left.push([&run.workloads, &run.services].map(|all| all.iter().map(left).collect()));
        }
        self.figures = Figures::new(network, &self.together);
    }

    /// How many runs.
    pub fn runs(&self) -> usize {
        self.each.len()
    }

    /// A workload's figures.
    pub fn workload(&self, w: usize) -> Runs<'_> {
        Runs {
            name: &self.network.workloads[w].name,
            together: &self.figures.workloads[w],
            each: self.each.iter().map(|run| &run.workloads[w][..]).collect(),
        }
    }

    /// A service's figures.
    pub fn service(&self, id: ServiceId) -> Runs<'_> {
        Runs {
            name: &self.network.services[id].name,
            together: &self.figures.services[id],
            each: self.each.iter().map(|run| &run.services[id][..]).collect(),
        }
    }

    fn all(&self) -> impl Iterator<Item = Runs<'_>> {
        let workloads = (0..self.network.workloads.len()).map(|w| self.workload(w));
        workloads.chain((0..self.network.services.len()).map(|id| self.service(id)))
    }

    /// The greatest half-width over its figure, and which that is.
    pub fn worst(&self) -> (f64, String) {
        let each = self.all().map(|runs| (runs.worst(), runs.name));
        let worst = each.max_by(|(a, _), (b, _)| a.0.total_cmp(&b.0));
        worst.map_or((0.0, String::new()), |((worst, figure), name)| {
            (worst, format!("{name} {}", figures::name_of(figure)))
        })
    }

    /// Figures that are as they are because of one run, by name.
    pub fn resting_on_one(&self) -> Vec<String> {
        self.all().flat_map(|runs| runs.resting_on_one()).collect()
    }

    /// Whether in nearly all runs more requests of a workload come than are answered, so that what is under way grows.
    pub fn workload_grows(&self, w: usize) -> bool {
        self.grows(|[workloads, _]| workloads[w])
    }

    /// The same of a service.
    pub fn service_grows(&self, id: ServiceId) -> bool {
        self.grows(|[_, services]| services[id])
    }

    /// Whether that is so of any of them.
    pub fn anything_grows(&self) -> bool {
        (0..self.network.workloads.len()).any(|w| self.workload_grows(w))
            || (0..self.network.services.len()).any(|id| self.service_grows(id))
    }

    fn grows(&self, left: impl Fn(&[Vec<f64>; 2]) -> f64) -> bool {
        let left: Vec<f64> = self.left.iter().map(left).collect();
        let mean = left.iter().sum::<f64>() / left.len() as f64;
        mean > FEW && half_width(mean, &left).is_some_and(|half| mean > 2.0 * half)
    }
}

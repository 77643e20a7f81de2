//! Whether what was computed and what was simulated agree, as far as each claims to be right, and what is behind it where not.

use super::{Accuracy, Confidence, Prediction, WorkloadResult};
use crate::network::{Network, PoolKind, ServiceId, Step};
use crate::system::{ArrivalLaw, Balancer, Load, Metric};
use crate::unit::ratio;

/// Computed times are right to this at best: what interpolation and an interval of 95% leave.
const NEAR: f64 = 0.02;

/// Utilizations are.
const BUSY: f64 = 0.005;

/// Error rates are, of each other and at all.
const ERRORS: (f64, f64) = (0.1, 0.001);

/// What both engines together say.
#[derive(Debug, Clone, PartialEq)]
pub struct Agreement {
    /// Figures that were compared.
    pub compared: usize,
    /// Those that are further apart than both allow.
    pub apart: Vec<Apart>,
}

/// A figure on which the engines do not agree.
#[derive(Debug, Clone, PartialEq)]
pub struct Apart {
    /// The workload or service.
    pub subject: String,
    /// The figure: `p95`, `error_rate`, `utilization`, or `stable`.
    pub metric: String,
    /// As computed.
    pub computed: f64,
    /// As simulated.
    pub simulated: f64,
    /// What is behind it.
    pub cause: Cause,
}

/// What analysis assumes and does not hold, at a service.
#[derive(Debug, Clone, PartialEq)]
pub struct Cause {
    /// A word for it.
    pub code: &'static str,
    /// The service at which most of the difference arises.
    pub service: String,
    /// A sentence about it.
    pub sentence: String,
}

impl Agreement {
    /// Whether nothing is apart.
    pub fn holds(&self) -> bool {
        self.apart.is_empty()
    }

    /// It in a sentence or two.
    pub fn sentence(&self) -> String {
        let Some(first) = self.apart.first() else {
            return format!("Both engines agree: all {} figures lie within what they allow.", self.compared);
        };
        let worst = self.apart.iter().find(|apart| apart.metric == "p95").unwrap_or(first);
        let off = if worst.simulated != 0.0 { worst.computed / worst.simulated - 1.0 } else { 0.0 };
        let way = if off < 0.0 { "too low" } else { "too high" };
        format!(
            "The engines differ on {} of {} figures; by analysis {} of {} is {} {way}. {}",
            self.apart.len(),
            self.compared,
            worst.metric.replace('_', " "),
            worst.subject,
            ratio::print(off.abs()),
            worst.cause.sentence
        )
    }
}

/// Compares what was computed with what was simulated.
pub fn agreement(network: &Network, computed: &Prediction, simulated: &Prediction) -> Agreement {
    let mut found = Agreement { compared: 1, apart: Vec::new() };
    if computed.stable != simulated.stable {
        let number = |stable: bool| f64::from(u8::from(stable));
        let cause = cause(network, culprit(network, computed, simulated, None));
        found.apart.push(Apart {
            subject: "model".to_string(),
            metric: "stable".to_string(),
            computed: number(computed.stable),
            simulated: number(simulated.stable),
            cause,
        });
    }
    let none = Confidence::default();
    for (w, (own, run)) in computed.workloads.iter().zip(&simulated.workloads).enumerate() {
        let confidence = if let Accuracy::Simulated(confidence) = &run.accuracy { confidence } else { &none };
        let mut look = |metric: &str, own: Option<f64>, run: Option<f64>, allowed: f64| {
            let Some((own, run)) = own.zip(run) else { return };
            found.compared += 1;
            if (own - run).abs() > allowed {
                let cause = cause(network, culprit(network, computed, simulated, Some(w)));
                let subject = computed.workloads[w].name.clone();
                found.apart.push(Apart { subject, metric: metric.to_string(), computed: own, simulated: run, cause });
            }
        };
        let (relative, least) = ERRORS;
        let allowed = (relative * run.error_rate).max(least) + confidence.error_rate.unwrap_or(0.0);
        look("error_rate", Some(own.error_rate), Some(run.error_rate), allowed);
        let error = expected(own).max(NEAR);
        let allowed = |value: Option<f64>, width: Option<f64>| error * value.unwrap_or(0.0) + width.unwrap_or(0.0);
        let width = allowed(run.response.mean, confidence.response.mean);
        look("mean", own.response.mean, run.response.mean, width);
        for (i, (word, _)) in Metric::PERCENTILES.iter().enumerate() {
            let width = allowed(run.response.percentiles[i], confidence.response.percentiles[i]);
            look(word, own.response.percentiles[i], run.response.percentiles[i], width);
        }
    }
    for (id, (own, run)) in computed.services.iter().zip(&simulated.services).enumerate() {
        let Some((own, run_busy)) = own.utilization.zip(run.utilization) else { continue };
        found.compared += 1;
        let width = run.confidence.as_ref().and_then(|confidence| confidence.utilization).unwrap_or(0.0);
        if (own - run_busy).abs() > BUSY * run_busy.max(0.1) + width {
            found.apart.push(Apart {
                subject: run.name.clone(),
                metric: "utilization".to_string(),
                computed: own,
                simulated: run_busy,
                cause: cause(network, Some(id)),
            });
        }
    }
    found
}

/// The error that a workload's accuracy expects of its times.
fn expected(workload: &WorkloadResult) -> f64 {
    match workload.accuracy {
        Accuracy::Approximate { p95_error } => p95_error,
        _ => 0.0,
    }
}

/// The service whose waits differ the most, by how many there are of them, among those that a workload comes to.
fn culprit(network: &Network, computed: &Prediction, simulated: &Prediction, w: Option<usize>) -> Option<ServiceId> {
    let visited =
        |name: &str| w.is_none_or(|w| simulated.workloads[w].breakdown.iter().any(|share| share.service == name));
    let difference = |id: &ServiceId| {
        let (own, run) = (&computed.services[*id], &simulated.services[*id]);
        let mean = |times: &super::Times| times.mean.unwrap_or(0.0);
        run.arrival_rate * (mean(&own.wait) - mean(&run.wait)).abs()
    };
    (0..network.services.len())
        .filter(|id| visited(&network.services[*id].name))
        .max_by(|a, b| difference(a).total_cmp(&difference(b)))
}

/// What analysis takes as given of a service that may not be so: the gravest first.
fn cause(network: &Network, id: Option<ServiceId>) -> Cause {
    let Some(id) = id else {
        let sentence = "Analysis takes the times at successive queues as independent.".to_string();
        return Cause { code: "independence", service: String::new(), sentence };
    };
    let service = &network.services[id];
    let name = &service.name;
    let asked = Asked::of(network, id);
    let station = service.cores.map(|cores| &network.stations[cores]);
    let looks = matches!(service.balancer, Balancer::LeastOutstanding | Balancer::PowerOfTwo) && service.instances > 1;
    let irregular = |workload: &crate::network::Workload| {
        !matches!(&workload.load, Load::Open { arrivals: ArrivalLaw::Poisson, .. })
    };
    let exponential = network
        .visits
        .iter()
        .filter(|visit| service.cores == Some(visit.station))
        .all(|visit| visit.time.is_exponential());
    let (code, sentence) = if asked.guarded {
        (
            "retries",
            format!(
                "Calls to {name} are given up or made again when it is slow: analysis takes attempts as if they did not know its queue."
            ),
        )
    } else if service.workers.is_some() || asked.held {
        (
            "held",
            format!(
                "Requests hold something while they are at {name}: analysis takes what is held as one server whose speed depends on how many hold it."
            ),
        )
    } else if asked.parallel {
        (
            "parallel",
            format!(
                "Branches of one request wait at {name} together: analysis takes them as arriving at once, or not at all."
            ),
        )
    } else if service.queue.is_some() || station.is_some_and(|station| station.queue.is_some()) {
        ("refusals", format!("Requests are refused at {name}: analysis takes those that come back as new arrivals."))
    } else if looks {
        (
            "balancer",
            format!(
                "The balancer of {name} looks at its instances: analysis takes it as between one queue and a random choice."
            ),
        )
    } else if network.workloads.iter().any(irregular) {
        ("arrivals", format!("Arrivals at {name} are not Poisson: analysis knows them by their variability alone."))
    } else if !exponential {
        (
            "law",
            format!(
                "Work at {name} is not exponential: what leaves it is no Poisson process, as analysis takes it nearly to be."
            ),
        )
    } else {
        ("independence", format!("Analysis takes the times at {name} and elsewhere as independent of each other."))
    };
    Cause { code, service: name.clone(), sentence }
}

/// How a service is asked.
#[derive(Default)]
struct Asked {
    guarded: bool,
    parallel: bool,
    held: bool,
}

impl Asked {
    fn of(network: &Network, id: ServiceId) -> Asked {
        let mut asked = Asked::default();
        for operation in &network.operations {
            asked.steps(network, &operation.steps, id, &Asked::default());
        }
        asked
    }

    fn steps(&mut self, network: &Network, steps: &[Step], id: ServiceId, around: &Asked) {
        for step in steps {
            let mut within = Asked { ..*around };
            match step {
                Step::Call(call) if network.operations[call.target].service == id => {
                    self.guarded |= around.guarded;
                    self.parallel |= around.parallel;
                    self.held |= around.held;
                }
                Step::Guarded(_) => within.guarded = true,
                Step::Parallel { .. } => within.parallel = true,
                Step::Hold { pool, .. } => within.held |= network.pools[*pool].kind == PoolKind::Named,
                _ => {}
            }
            step.inner(|steps| self.steps(network, steps, id, &within));
        }
    }
}

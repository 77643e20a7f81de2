//! From shares of time and passages to the prediction people read.

use super::machine::Machine;
use super::passage::Passage;
use super::run::{CAME, Counts, FAILED};
use super::state::{Frame, State, Status};
use crate::discipline::Discipline;
use crate::network::program::{Instruction, Kind};
use crate::network::{Network, ServiceId, StationId};
use crate::prediction::{Accuracy, Prediction, ServiceResult, Share, Times, WorkloadResult};
use crate::unit::PerSecond;

/// What happens per second, and how many are where on average.
pub(super) struct Figures<'m> {
    machine: &'m Machine<'m>,
    /// Requests of each workload that come, succeed, fail, per second; then calls to each service.
    workloads: Vec<[PerSecond; 3]>,
    services: Vec<[PerSecond; 3]>,
    /// Requests of each workload that are under way.
    present: Vec<f64>,
    /// Calls to each service by workload, per second.
    visits: Vec<PerSecond>,
    /// Requests in service at each station, by workload; and those that wait there.
    busy: Vec<Vec<f64>>,
    waiting: Vec<f64>,
    /// Workers that are had, calls that wait for one, and calls that a service has not answered.
    workers: Vec<f64>,
    admissions: Vec<f64>,
    running: Vec<f64>,
    /// Requests that are in queues of each service, and at work there; and that wait for each pool: by workload, of what it
    /// waits for itself.
    queueing: Vec<Vec<f64>>,
    working: Vec<Vec<f64>>,
    pools: Vec<Vec<f64>>,
    /// Time in the queues of each service, per second, of all that comes there.
    waits: Vec<f64>,
}

impl<'m> Figures<'m> {
    pub fn new(machine: &'m Machine<'m>) -> Figures<'m> {
        let network = machine.form.network;
        let (workloads, services) = (network.workloads.len(), network.services.len());
        Figures {
            machine,
            workloads: vec![[0.0; 3]; workloads],
            services: vec![[0.0; 3]; services],
            present: vec![0.0; workloads],
            visits: vec![0.0; services * workloads],
            busy: vec![vec![0.0; workloads]; network.stations.len()],
            waiting: vec![0.0; network.stations.len()],
            workers: vec![0.0; services],
            admissions: vec![0.0; services],
            running: vec![0.0; services],
            queueing: vec![vec![0.0; services]; workloads],
            working: vec![vec![0.0; services]; workloads],
            pools: vec![vec![0.0; network.pools.len()]; workloads],
            waits: vec![0.0; services],
        }
    }

    /// What happens on one way, so many times per second.
    pub fn note(&mut self, rate: PerSecond, counts: &Counts) {
        let add = |sums: &mut [[f64; 3]], own: &[[u32; 3]]| {
            let all = sums.iter_mut().flatten().zip(own.iter().flatten());
            all.for_each(|(sum, number)| *sum += rate * f64::from(*number));
        };
        add(&mut self.workloads, &counts.workloads);
        add(&mut self.services, &counts.services);
        self.visits.iter_mut().zip(&counts.visits).for_each(|(sum, number)| *sum += rate * f64::from(*number));
    }

    /// A share of the time is spent in a state.
    pub fn spend(&mut self, share: f64, state: &State) {
        for frame in &state.frames {
            let service = self.machine.form.service_of(frame.place);
            let workload = usize::from(frame.workload);
            if frame.kind == Kind::Run && frame.is_placed {
                self.running[service] += share;
                self.workers[service] += if frame.has_worker { share } else { 0.0 };
            }
            self.present[workload] += if frame.first { share } else { 0.0 };
            let (mut queueing, mut working) = (0.0, 0.0);
            match frame.status {
                Status::Admission(_) => {
                    self.admissions[service] += share;
                    queueing = share;
                }
                Status::Waiting(..) => queueing = share,
                Status::Served(..) => {
                    let speed = self.machine.speed(state, frame);
                    working = if self.is_shared(frame) { share * speed } else { share };
                    queueing = share - working;
                }
                Status::Delay(_) => working = share,
                Status::Pool(_) => {
                    if let Instruction::Take { pool } = self.machine.form.program.code[frame.place as usize]
                        && is_awaited(state, frame)
                    {
                        self.pools[workload][pool as usize] += share;
                    }
                }
                Status::Ready | Status::Answers | Status::Over => {}
            }
            self.waits[service] += queueing;
            if is_awaited(state, frame) {
                self.queueing[workload][service] += queueing;
                self.working[workload][service] += working;
            }
        }
        self.spend_at_stations(share, state);
    }

    fn is_shared(&self, frame: &Frame) -> bool {
        let station = self.machine.station_of(frame);
        station.is_some_and(|station| self.machine.form.network.stations[station].discipline == Discipline::Ps)
    }

    fn spend_at_stations(&mut self, share: f64, state: &State) {
        for frame in &state.frames {
            let Some(station) = self.machine.station_of(frame) else { continue };
            match frame.status {
                Status::Waiting(..) => self.waiting[station] += share,
                Status::Served(..) => {
                    // Of those that share the servers no more are in service than there are.
                    let number = self.machine.served_with(state, frame, station) as f64;
                    let served = (self.machine.servers(station) as f64 / number).min(1.0);
                    self.busy[station][usize::from(frame.workload)] += share * served;
                    self.waiting[station] += share * (1.0 - served);
                }
                _ => {}
            }
        }
    }

    fn utilization(&self, station: StationId) -> f64 {
        self.busy[station].iter().sum::<f64>() / self.network().stations[station].total_servers()
    }

    fn network(&self) -> &Network {
        self.machine.form.network
    }

    /// The prediction, with how long requests of each workload are under way, and then calls to each service.
    pub fn prediction(&self, passages: &[Option<Passage>], notes: Vec<String>) -> Prediction {
        let network = self.network();
        let (requests, calls) = passages.split_at(network.workloads.len());
        let busiest = (0..network.stations.len()).max_by(|a, b| self.utilization(*a).total_cmp(&self.utilization(*b)));
        let busiest = busiest.filter(|station| self.utilization(*station) > 0.0);
        Prediction {
            stable: true,
            workloads: requests.iter().enumerate().map(|(w, passage)| self.workload(w, passage.as_ref())).collect(),
            services: calls.iter().enumerate().map(|(id, passage)| self.service(id, passage.as_ref())).collect(),
            bottleneck: busiest.map(|station| network.stations[station].name.clone()),
            headroom: busiest.map(|station| 1.0 / self.utilization(station)),
            overloads: Vec::new(),
            deadlocked: Vec::new(),
            metastable: None,
            notes,
            simulation: None,
        }
    }

    fn workload(&self, w: usize, passage: Option<&Passage>) -> WorkloadResult {
        let [came, succeeded, failed] = self.workloads[w];
        // Without a passage the mean is known by Little's law, if all that come are answered.
        let mean = (came > 0.0 && failed <= 0.0).then(|| self.present[w] / came);
        let response = passage.map_or(Times { mean, ..Times::default() }, Passage::times);
        let alone = self.busy.iter().enumerate().filter(|(_, busy)| busy[w] > 0.0).map(|(station, busy)| {
            let others = busy.iter().sum::<f64>() - busy[w];
            (self.network().stations[station].total_servers() - others) / busy[w]
        });
        let factor = alone.fold(f64::INFINITY, f64::min);
        WorkloadResult {
            name: self.network().workloads[w].name.clone(),
            arrival_rate: came,
            throughput: succeeded,
            error_rate: if came > 0.0 { (failed / came).clamp(0.0, 1.0) } else { 0.0 },
            saturation_rate: (factor.is_finite() && came > 0.0).then_some(factor * came),
            breakdown: response.mean.map_or_else(Vec::new, |mean| self.breakdown(w, mean)),
            accuracy: Accuracy::Exact,
            crowd: None,
            response,
        }
    }

    /// Where the mean response time goes: known where nothing goes on at once, and nothing fails.
    fn breakdown(&self, w: usize, mean: f64) -> Vec<Share> {
        let network = self.network();
        if network.parallels > 0 || self.services.iter().any(|service| service[FAILED] > 0.0) {
            return Vec::new();
        }
        let all: f64 = [&self.queueing[w], &self.working[w], &self.pools[w]].into_iter().flatten().sum();
        if all <= 0.0 {
            return Vec::new();
        }
        let visits = |id: ServiceId| self.visits[id * network.workloads.len() + w] / self.workloads[w][CAME];
        let services = network.services.iter().enumerate().map(|(id, service)| Share {
            service: service.name.clone(),
            queueing: self.queueing[w][id] / all * mean,
            service_time: self.working[w][id] / all * mean,
            visits: visits(id),
        });
        let pools = network.pools.iter().zip(&self.pools[w]).map(|(pool, waiting)| Share {
            service: pool.title(),
            queueing: waiting / all * mean,
            service_time: 0.0,
            visits: 1.0,
        });
        services.chain(pools).filter(|share| share.queueing + share.service_time > 0.0).collect()
    }

    fn service(&self, id: ServiceId, passage: Option<&Passage>) -> ServiceResult {
        let network = self.network();
        let service = &network.services[id];
        let [came, succeeded, failed] = self.services[id];
        // By Little's law, where all that come are counted: the ones that fail are no responses.
        let whole = came > 0.0 && failed <= 0.0;
        let mean = |number: f64| Times { mean: whole.then(|| number / came), ..Times::default() };
        let stations: Vec<StationId> = service.cores.iter().chain(&service.devices).copied().collect();
        let busiest = stations.iter().map(|station| self.utilization(*station)).fold(0.0, f64::max);
        let cores = service.cores.map_or(0.0, |station| self.waiting[station]);
        let workers = |each: u32| self.workers[id] / (f64::from(each) * f64::from(service.instances));
        ServiceResult {
            name: service.name.clone(),
            external: service.external,
            instances: service.instances,
            utilization: service.cores.map(|station| self.utilization(station)),
            arrival_rate: came,
            amplification: None,
            throughput: succeeded,
            error_rate: if came > 0.0 { (failed / came).clamp(0.0, 1.0) } else { 0.0 },
            queue_length: Some(cores + self.admissions[id]),
            wait: if network.parallels > 0 { Times::default() } else { mean(self.waits[id]) },
            response: passage.map_or_else(|| mean(self.running[id]), Passage::times),
            workers_utilization: service.workers.map(workers),
            saturation_rate: (busiest > 0.0 && came > 0.0).then(|| came / busiest),
            devices: service
                .devices
                .iter()
                .map(|station| (network.stations[*station].name.clone(), self.utilization(*station)))
                .collect(),
            confidence: None,
        }
    }
}

/// Whether a workload waits for what a frame does.
fn is_awaited(state: &State, frame: &Frame) -> bool {
    let mut frame = frame;
    while let Some(below) = frame.below {
        frame = &state.frames[below];
    }
    frame.first
}

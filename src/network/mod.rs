//! The system compiled for solving: dense numbers instead of names, stations, programs of steps, classes of urgency.
//!
//! Engines receive a `&Network`. [`compile()`] makes one from a checked [`crate::system::System`]; [`flows`] says how often each
//! operation and station is visited, [`tries`] what becomes of calls that are made again, `graph` who asks whom, `horizon` whether time goes
//! on for ever, `profile` how fast a load comes that changes, `program` makes one list of instructions of all steps.

mod compile;
pub mod flows;
pub(crate) mod graph;
pub(crate) mod horizon;
pub(crate) mod profile;
pub(crate) mod program;
pub mod tries;

pub use compile::compile;

use crate::discipline::{Discipline, contended};
use crate::distribution::Law;
use crate::system::{self, ArrivalLaw, Balancer, Contention, Hits, Load};
use crate::unit::{PerSecond, Seconds};

/// Number of a station.
pub type StationId = usize;
/// Number of a visit.
pub type VisitId = usize;
/// Number of an operation.
pub type OperationId = usize;
/// Number of a service or external, in the order of results.
pub type ServiceId = usize;
/// Number of a pool.
pub type PoolId = usize;
/// Number of a guarded call.
pub type GuardId = usize;
/// Number of a cache.
pub type CacheId = usize;

/// A network of stations with programs that visit them.
#[derive(Debug, Clone)]
pub struct Network {
    /// Services first, then externals.
    pub services: Vec<Service>,
    /// Where requests queue: cores, devices, slots of externals.
    pub stations: Vec<Station>,
    /// Programs of all operations; an external is an operation too.
    pub operations: Vec<Operation>,
    /// Operations with every caller before its callees.
    pub order: Vec<OperationId>,
    /// What requests hold for a while.
    pub pools: Vec<Pool>,
    /// What is looked up.
    pub caches: Vec<Cache>,
    /// Where requests come from.
    pub workloads: Vec<Workload>,
    /// Number of classes of urgency; 1 where no station tells them apart.
    pub classes: usize,
    /// Every visit of every program.
    pub visits: Vec<Visit>,
    /// Number of parallel steps in all programs.
    pub parallels: usize,
    /// Number of guarded calls in all programs.
    pub guards: usize,
    /// The shortest mean of all laws: what times are measured in where only ratios count.
    pub unit: Seconds,
}

/// A service or an external.
#[derive(Debug, Clone)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// Whether it is a dependency that nobody here scales.
    pub external: bool,
    /// Replicas.
    pub instances: u32,
    /// The station of its cores; `None` when they are unlimited.
    pub cores: Option<StationId>,
    /// The stations of its devices.
    pub devices: Vec<StationId>,
    /// Its operations.
    pub operations: Vec<OperationId>,
    /// How requests are spread over the instances.
    pub balancer: Balancer,
    /// Requests an instance works on at once; `None` is no limit.
    pub workers: Option<u32>,
    /// Requests an instance lets wait for a worker; `None` is no limit. Without workers it is its cores that limit.
    pub queue: Option<u32>,
    /// Calls it accepts per second, of an external; `None` is no limit.
    pub limit: Option<PerSecond>,
}

/// Things that requests hold for a while.
#[derive(Debug, Clone)]
pub struct Pool {
    /// Its name.
    pub name: String,
    /// How many there are: of each instance, if it belongs to a service.
    pub size: u32,
    /// The service each instance of which has its own; `None` is one pool for all.
    pub per: Option<ServiceId>,
    /// What kind of things they are.
    pub kind: PoolKind,
}

/// What requests hold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PoolKind {
    /// One of a pool that has a name in the model.
    Named,
    /// A worker of a service.
    Workers {
        /// Requests that may wait for one, of each instance; `None` is no limit.
        queue: Option<u32>,
    },
    /// One of the calls that an external takes per second; those of one second are kept for later.
    Calls {
        /// How many there are per second.
        limit: PerSecond,
    },
}

impl Pool {
    /// Its name for people.
    pub fn title(&self) -> String {
        match self.kind {
            PoolKind::Named => format!("pool {}", self.name),
            PoolKind::Workers { .. } => format!("{} workers", self.name),
            PoolKind::Calls { .. } => format!("{} limit", self.name),
        }
    }
}

/// A cache.
#[derive(Debug, Clone)]
pub struct Cache {
    /// Its name.
    pub name: String,
    /// How its hit ratio is known.
    pub hits: Hits,
    /// The share of lookups that hit, in the long run.
    pub ratio: f64,
}

/// A queue with servers.
#[derive(Debug, Clone)]
pub struct Station {
    /// Its name for people: the service, or the service and device.
    pub name: String,
    /// The service it belongs to.
    pub service: ServiceId,
    /// Servers of one instance.
    pub servers: u32,
    /// Instances.
    pub instances: u32,
    /// How requests are spread over the instances.
    pub balancer: Balancer,
    /// How the servers serve.
    pub discipline: Discipline,
    /// Waiting requests an instance holds; `None` is no limit.
    pub queue: Option<u32>,
    /// How much slower the servers are the more of them are busy.
    pub contention: Option<Contention>,
}

impl Station {
    /// Whether requests go to queues of their own at each instance, without a look at how long those are.
    pub fn is_split(&self) -> bool {
        self.instances > 1 && matches!(self.balancer, Balancer::Random | Balancer::RoundRobin)
    }

    /// Servers that one queue of it has: of one instance where each has its own, else all.
    pub fn servers_of_queue(&self) -> u32 {
        if self.is_split() { self.servers } else { self.servers.saturating_mul(self.instances) }.max(1)
    }

    /// Requests that one queue of it has room for, those at its servers included; `None` is no limit.
    pub fn room_of_queue(&self) -> Option<u32> {
        let queues = if self.is_split() { 1 } else { self.instances };
        self.queue.map(|queue| self.servers_of_queue().saturating_add(queue.saturating_mul(queues)))
    }

    /// Servers of all instances.
    pub fn total_servers(&self) -> f64 {
        f64::from(self.servers) * f64::from(self.instances)
    }

    /// The work that all servers can do, in servers that do not slow each other down.
    pub fn capacity(&self) -> f64 {
        let sharing = self.discipline == Discipline::Ps;
        let of_one = self.contention.map(|contention| contended::capacity(contention, self.servers, sharing));
        of_one.unwrap_or(f64::from(self.servers)) * f64::from(self.instances)
    }
}

/// A visit that a program makes to a station.
#[derive(Debug, Clone)]
pub struct Visit {
    /// The station.
    pub station: StationId,
    /// The time a server is needed, already divided by the service's speed.
    pub time: Law,
}

/// The program of an operation.
#[derive(Debug, Clone)]
pub struct Operation {
    /// Its full name, `service.operation`.
    pub name: String,
    /// The service it belongs to.
    pub service: ServiceId,
    /// What it does.
    pub steps: Vec<Step>,
}

/// A step of a program.
#[derive(Debug, Clone)]
pub enum Step {
    /// Needs a server of a station for a time.
    Visit(VisitId),
    /// Passes time without a resource.
    Delay(Law),
    /// Asks another operation and waits.
    Call(Call),
    /// The same with timeouts, retries or copies.
    Guarded(Box<Guarded>),
    /// Several sequences at once; goes on when `needed` of them have succeeded.
    Parallel {
        /// The sequences.
        branches: Vec<Vec<Step>>,
        /// How many must succeed.
        needed: usize,
        /// Number of this step among all parallel steps of the network.
        id: usize,
    },
    /// Asks another operation and does not wait.
    Send(OperationId),
    /// One of several ways, with probabilities that add up to one.
    Choose {
        /// The ways.
        ways: Vec<(f64, Vec<Step>)>,
        /// The cache whose hit is the first way and whose miss is the second; `None` is an independent draw.
        cache: Option<CacheId>,
    },
    /// Takes one from a pool and gives it back after the steps.
    Hold {
        /// The pool.
        pool: PoolId,
        /// What is done meanwhile.
        steps: Vec<Step>,
    },
    /// The same steps several times.
    Repeat {
        /// How often.
        times: u32,
        /// What is repeated.
        steps: Vec<Step>,
    },
    /// Fails with this probability.
    Fail(f64),
}

impl Step {
    /// A guarded call with its number.
    pub(crate) fn guarded(call: Call, id: GuardId) -> Step {
        let plain = Call { network: call.network.clone(), ..Call::to(call.target) };
        Step::Guarded(Box::new(Guarded { call, attempt: vec![Step::Call(plain)], id }))
    }

    /// Looks at each sequence of steps inside this one.
    pub fn inner<'a>(&'a self, mut look: impl FnMut(&'a [Step])) {
        match self {
            Step::Choose { ways, .. } => ways.iter().for_each(|(_, steps)| look(steps)),
            Step::Repeat { steps, .. } | Step::Hold { steps, .. } => look(steps),
            Step::Parallel { branches, .. } => branches.iter().for_each(|steps| look(steps)),
            Step::Guarded(guarded) => look(&guarded.attempt),
            Step::Visit(_) | Step::Delay(_) | Step::Call(_) | Step::Send(_) | Step::Fail(_) => {}
        }
    }

    /// Changes each sequence of steps inside this one.
    pub fn inner_mut<'a>(&'a mut self, mut change: impl FnMut(&'a mut [Step])) {
        match self {
            Step::Choose { ways, .. } => ways.iter_mut().for_each(|(_, steps)| change(steps)),
            Step::Repeat { steps, .. } | Step::Hold { steps, .. } => change(steps),
            Step::Parallel { branches, .. } => branches.iter_mut().for_each(|steps| change(steps)),
            Step::Guarded(guarded) => change(&mut guarded.attempt),
            Step::Visit(_) | Step::Delay(_) | Step::Call(_) | Step::Send(_) | Step::Fail(_) => {}
        }
    }
}

/// A synchronous call, its target a number.
pub type Call = system::Call<OperationId>;

/// A call that its caller may give up, or make more than once.
#[derive(Debug, Clone)]
pub struct Guarded {
    /// The call.
    pub call: Call,
    /// One copy of one attempt: the plain call alone, made for certain.
    pub attempt: Vec<Step>,
    /// Number of this call among all guarded ones of the network.
    pub id: GuardId,
}

impl Guarded {
    /// Whether it depends on how long an attempt takes what comes of it.
    pub fn is_decided_by_time(&self) -> bool {
        self.call.timeout.is_some() || self.call.hedge.is_some()
    }
}

/// Where requests come from.
#[derive(Debug, Clone)]
pub struct Workload {
    /// Its name.
    pub name: String,
    /// Operations it asks for, with their shares.
    pub mix: Vec<(OperationId, f64)>,
    /// How much it asks.
    pub load: Load,
    /// Its class of urgency, 0 the most urgent.
    pub class: usize,
}

impl Workload {
    /// Mean arrival rate of an open workload, per second; zero for the others.
    pub fn rate(&self) -> PerSecond {
        match self.load {
            Load::Open { rate, .. } => rate,
            Load::Closed { .. } | Load::Profile { .. } => 0.0,
        }
    }

    /// Whether it is of users who wait for their answers.
    pub fn is_closed(&self) -> bool {
        matches!(self.load, Load::Closed { .. })
    }

    /// How its arrivals are spaced; `None` when it is not open.
    pub fn arrivals(&self) -> Option<&ArrivalLaw> {
        match &self.load {
            Load::Open { arrivals, .. } => Some(arrivals),
            Load::Closed { .. } | Load::Profile { .. } => None,
        }
    }
}

//! What the architect means: services, what they call, how long things take, how much work arrives, what must hold.
//!
//! Everything is in SI units and carries names; there are no text positions here. What-ifs, sweeps and sizing are
//! edits of a [`System`] by path ([`Path`], [`Change`]); [`check`] finds what is wrong with one, without any text.

pub mod check;
mod edit;
mod path;

pub use edit::{Change, EditError, Kind, Value};
pub use path::Path;

use crate::discipline::Discipline;
use crate::distribution::Law;
use crate::unit::{PerSecond, Seconds};

/// A system under load.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct System {
    /// What it is called.
    pub name: String,
    /// One sentence about it.
    pub description: String,
    /// Currency of all prices.
    pub currency: String,
    /// Services, in the order of the model.
    pub services: Vec<Service>,
    /// Dependencies that nobody here scales.
    pub externals: Vec<External>,
    /// Pools of things that requests hold for a while.
    pub pools: Vec<Pool>,
    /// Caches.
    pub caches: Vec<Cache>,
    /// Where requests come from.
    pub workloads: Vec<Workload>,
    /// What must hold.
    pub objectives: Vec<Objective>,
    /// Named sets of changes.
    pub scenarios: Vec<Scenario>,
    /// Numbers that are known as a range only.
    pub uncertainties: Vec<Uncertainty>,
    /// What the model left unsaid and the language filled in: one sentence each.
    pub assumptions: Vec<String>,
}

/// A service: instances with cores, running operations.
#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// Replicas, at least one.
    pub instances: u32,
    /// Servers per instance; `None` is unlimited, a pure delay.
    pub cores: Option<u32>,
    /// How the cores serve.
    pub discipline: Discipline,
    /// Requests an instance works on at once; `None` is no limit.
    pub workers: Option<u32>,
    /// Waiting requests an instance holds; `None` is no limit.
    pub queue: Option<u32>,
    /// How requests are spread over the instances.
    pub balancer: Balancer,
    /// Divides all work.
    pub speed: f64,
    /// Slow-down of the cores as they are used together.
    pub contention: Option<Contention>,
    /// Price of an instance per hour.
    pub price: Option<f64>,
    /// What sizing may choose.
    pub scale: Scale,
    /// Zones over which the instances are spread evenly.
    pub zones: u32,
    /// Further queues of each instance.
    pub devices: Vec<Device>,
    /// What it can be asked to do.
    pub operations: Vec<Operation>,
}

impl Service {
    /// A service with one instance of one core and no operation yet.
    pub fn new(name: impl Into<String>) -> Service {
        Service {
            name: name.into(),
            instances: 1,
            cores: Some(1),
            discipline: Discipline::Fcfs,
            workers: None,
            queue: None,
            balancer: Balancer::Shared,
            speed: 1.0,
            contention: None,
            price: None,
            scale: Scale::Between { min: 1, max: 1000 },
            zones: 1,
            devices: Vec::new(),
            operations: Vec::new(),
        }
    }
}

/// How requests are spread over the instances of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Balancer {
    /// One queue feeds all instances.
    Shared,
    /// Each request goes to an instance drawn at random.
    Random,
    /// In turn.
    RoundRobin,
    /// To the instance with the fewest unanswered requests.
    LeastOutstanding,
    /// To the better of two drawn at random.
    PowerOfTwo,
}

impl Balancer {
    /// Every balancer with its word and what it means.
    pub const ALL: [(Balancer, &'static str, &'static str); 5] = [
        (Balancer::Shared, "shared", "one queue feeds all instances"),
        (Balancer::Random, "random", "each request goes to an instance drawn at random"),
        (Balancer::RoundRobin, "round-robin", "the instances take turns"),
        (Balancer::LeastOutstanding, "least-outstanding", "the instance with the fewest unanswered requests"),
        (Balancer::PowerOfTwo, "power-of-two", "the better of two instances drawn at random"),
    ];

    /// Its word in a model.
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(b, _, _)| *b == self).map_or("shared", |(_, word, _)| word)
    }

    /// The balancer of this word.
    pub fn from_word(word: &str) -> Option<Balancer> {
        Self::ALL.iter().find(|(_, w, _)| *w == word).map(|(b, _, _)| *b)
    }
}

/// Universal Scalability Law slow-down: with `n` in service each runs at `1 / (1 + α (n - 1) + β n (n - 1))`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Contention {
    /// Contention for shared things.
    pub alpha: f64,
    /// Cost of keeping all of them coherent.
    pub beta: f64,
}

/// What sizing may choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Between two counts.
    Between {
        /// Fewest instances.
        min: u32,
        /// Most instances.
        max: u32,
    },
    /// The count of the model stays.
    Fixed,
}

/// A further queue of each instance: a disk, an accelerator.
#[derive(Debug, Clone, PartialEq)]
pub struct Device {
    /// Its name.
    pub name: String,
    /// Servers per instance.
    pub servers: u32,
    /// How they serve.
    pub discipline: Discipline,
}

/// Something a service can be asked to do.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// Its name.
    pub name: String,
    /// What it does, in order.
    pub steps: Vec<Step>,
}

/// One step of an operation.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Needs a core of the service.
    Work(Law),
    /// Asks another operation and waits for the answer.
    Call(Box<Call>),
    /// Several things at once.
    Parallel {
        /// The branches, each a sequence of steps.
        branches: Vec<Vec<Step>>,
        /// How many must succeed before it goes on.
        wait: Wait,
    },
    /// Asks another operation and does not wait.
    Send(Target),
    /// Time that needs no resource.
    Delay(Law),
    /// A device of the service.
    Use {
        /// Name of the device.
        device: String,
        /// Time it is used.
        time: Law,
    },
    /// Takes one from a pool and gives it back after the steps.
    Hold {
        /// Name of the pool.
        pool: String,
        /// What is done meanwhile.
        steps: Vec<Step>,
    },
    /// One of several ways.
    Choose(Vec<(f64, Vec<Step>)>),
    /// Steps that run only when a cache has no answer.
    Cache {
        /// Name of the cache.
        cache: String,
        /// What is done on a miss.
        miss: Vec<Step>,
    },
    /// The same steps several times, one after the other.
    Repeat {
        /// How often.
        times: u32,
        /// What is repeated.
        steps: Vec<Step>,
    },
    /// Ends the operation with an error, that often.
    Fail(f64),
}

/// How many branches of a `parallel` must succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// All of them.
    All,
    /// The first.
    Any,
    /// So many.
    Some(u32),
}

/// A synchronous call.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Who is asked.
    pub target: Target,
    /// How often, one after the other.
    pub times: u32,
    /// How likely it is made at all.
    pub probability: f64,
    /// Time on the network, there and back.
    pub network: Option<Law>,
    /// The caller gives up after this time.
    pub timeout: Option<Seconds>,
    /// Further attempts after a failed one.
    pub retries: u32,
    /// Time between attempts.
    pub backoff: Option<Backoff>,
    /// A second copy is sent after this time.
    pub hedge: Option<Seconds>,
}

impl Call {
    /// A plain call.
    pub fn to(target: Target) -> Call {
        Call {
            target,
            times: 1,
            probability: 1.0,
            network: None,
            timeout: None,
            retries: 0,
            backoff: None,
            hedge: None,
        }
    }
}

/// Time between the attempts of a call.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    /// Before the first retry.
    pub base: Seconds,
    /// What each further retry multiplies it by.
    pub factor: f64,
    /// It grows no further than this.
    pub max: Seconds,
    /// Whether the time is drawn evenly from zero to it.
    pub full_jitter: bool,
}

/// Whom a step asks.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Target {
    /// An operation of a service.
    Operation {
        /// The service.
        service: String,
        /// Its operation.
        operation: String,
    },
    /// An external dependency.
    External(String),
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Target::Operation { service, operation } => write!(f, "{service}.{operation}"),
            Target::External(name) => f.write_str(name),
        }
    }
}

/// A dependency that nobody here scales.
#[derive(Debug, Clone, PartialEq)]
pub struct External {
    /// Its name.
    pub name: String,
    /// Time to answer.
    pub latency: Law,
    /// Calls in flight at once; more wait.
    pub concurrency: Option<u32>,
    /// Calls it accepts, per second; more are refused.
    pub limit: Option<PerSecond>,
    /// Share of calls that fail.
    pub failure: f64,
}

/// A pool of things that requests hold for a while.
#[derive(Debug, Clone, PartialEq)]
pub struct Pool {
    /// Its name.
    pub name: String,
    /// How many there are.
    pub size: u32,
    /// The service of which each instance has its own; `None` is one pool for all.
    pub per: Option<String>,
}

/// A cache.
#[derive(Debug, Clone, PartialEq)]
pub struct Cache {
    /// Its name.
    pub name: String,
    /// How its hit ratio is known.
    pub hits: Hits,
}

/// How a cache's hit ratio is known.
#[derive(Debug, Clone, PartialEq)]
pub enum Hits {
    /// It is given; every lookup is an independent draw.
    Ratio(f64),
    /// Least recently used, with this many places for so many objects of Zipf popularity.
    Lru {
        /// Objects it holds.
        size: u64,
        /// Objects there are.
        objects: u64,
        /// Exponent of Zipf's law.
        zipf: f64,
    },
}

/// Where requests come from.
#[derive(Debug, Clone, PartialEq)]
pub struct Workload {
    /// Its name.
    pub name: String,
    /// Operations it asks for, with their shares, together one.
    pub mix: Vec<(Target, f64)>,
    /// How much it asks.
    pub load: Load,
    /// Lower is more urgent.
    pub priority: u32,
    /// Growth per month, as a ratio.
    pub growth: f64,
}

/// How much a workload asks.
#[derive(Debug, Clone, PartialEq)]
pub enum Load {
    /// Requests arrive whatever happens to earlier ones.
    Open {
        /// Mean rate.
        rate: PerSecond,
        /// How arrivals are spaced.
        arrivals: ArrivalLaw,
    },
    /// A number of users, each with one request at a time.
    Closed {
        /// How many users.
        users: u32,
        /// Time between an answer and the next request.
        think: Law,
    },
    /// A rate that changes with time.
    Profile {
        /// Times and the rate at each.
        points: Vec<(Seconds, PerSecond)>,
        /// Whether the rate moves in a straight line between the points, or jumps at each.
        linear: bool,
        /// After this time it starts again.
        period: Option<Seconds>,
    },
}

/// How the arrivals of an open workload are spaced.
#[derive(Debug, Clone, PartialEq)]
pub enum ArrivalLaw {
    /// Independently of each other.
    Poisson,
    /// Independent interarrival times of this law, which has mean one.
    Renewal(Law),
    /// Poisson, `ratio` times as fast while on.
    Burst {
        /// Rate while on over rate while off.
        ratio: f64,
        /// Mean length of an on period.
        on: Seconds,
        /// Mean length of an off period.
        off: Seconds,
    },
    /// The arrival times of a file, in seconds, rising.
    Trace(std::sync::Arc<[Seconds]>),
}

/// What must hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Objective {
    /// Whom it is about.
    pub scope: Scope,
    /// What is measured.
    pub metric: Metric,
    /// The bound.
    pub target: f64,
}

/// Whom an objective is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// A workload.
    Workload(String),
    /// A service: each request it serves.
    Service(String),
    /// Everything.
    Model,
}

/// What an objective measures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Metric {
    /// Mean response time, at most.
    Mean,
    /// A percentile of the response time, at most; the number is the probability.
    Percentile(f64),
    /// Throughput, at least.
    Throughput,
    /// Share of failed requests, at most.
    ErrorRate,
    /// Busy share of the cores, at most.
    Utilization,
    /// Share of requests that answer within this time, at least.
    Within(Seconds),
    /// Price per hour, at most.
    Cost,
    /// Share of time the service answers, at least.
    Availability,
}

impl Metric {
    /// The percentiles that every result carries, with their words.
    pub const PERCENTILES: [(&'static str, f64); 6] =
        [("p50", 0.5), ("p75", 0.75), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99), ("p999", 0.999)];

    /// The word of the model language.
    pub fn word(self) -> &'static str {
        match self {
            Metric::Mean => "mean",
            Metric::Percentile(p) => {
                Self::PERCENTILES.iter().find(|(_, value)| *value == p).map_or("percentile", |(word, _)| word)
            }
            Metric::Throughput => "throughput",
            Metric::ErrorRate => "error_rate",
            Metric::Utilization => "utilization",
            Metric::Within(_) => "within",
            Metric::Cost => "cost",
            Metric::Availability => "availability",
        }
    }

    /// Whether a larger figure is the better one.
    pub fn wants_more(self) -> bool {
        matches!(self, Metric::Throughput | Metric::Within(_) | Metric::Availability)
    }
}

/// A named set of changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// What changes, in order.
    pub changes: Vec<(Path, Change)>,
}

/// A number that is known as a range only.
#[derive(Debug, Clone, PartialEq)]
pub struct Uncertainty {
    /// Where it stands.
    pub path: Path,
    /// The least it may be.
    pub low: f64,
    /// What a plain solve uses.
    pub likely: f64,
    /// The most it may be.
    pub high: f64,
}

impl System {
    /// The service of this name.
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.services.iter().find(|s| s.name == name)
    }

    /// The system with the changes of a scenario.
    ///
    /// # Errors
    /// [`EditError`] when a change does not apply, or no scenario has this name.
    pub fn with_scenario(&self, name: &str) -> Result<System, EditError> {
        let scenario = self.scenarios.iter().find(|s| s.name == name).ok_or_else(|| {
            EditError::new(
                format!("there is no scenario \"{name}\""),
                nearest_advice(name, self.scenarios.iter().map(|s| s.name.as_str())),
            )
        })?;
        let mut changed = self.clone();
        for (path, change) in &scenario.changes {
            changed.edit(path, change)?;
        }
        Ok(changed)
    }

    /// Price of everything per hour; `None` when no service has a price.
    pub fn cost_per_hour(&self) -> Option<f64> {
        let priced: Vec<f64> =
            self.services.iter().filter_map(|s| s.price.map(|price| price * f64::from(s.instances))).collect();
        (!priced.is_empty()).then(|| priced.iter().sum())
    }
}

/// The candidate most like a misspelt name, if any is near enough to be meant.
pub fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + name.len().max(candidate.len()) / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Advice for a name that does not exist: the nearest one, or all of them when they are few.
pub fn nearest_advice<'a>(name: &str, candidates: impl Iterator<Item = &'a str> + Clone) -> String {
    if let Some(found) = nearest(name, candidates.clone()) {
        return format!("did you mean \"{found}\"?");
    }
    let all: Vec<&str> = candidates.take(9).collect();
    match all.len() {
        0 => "none is defined".to_string(),
        1..=8 => format!("there is {}", all.join(", ")),
        _ => format!("there is {}, …", all[..8].join(", ")),
    }
}

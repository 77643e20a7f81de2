//! What serves requests: services with their devices, dependencies, pools and caches.

use super::Operation;
use crate::discipline::Discipline;
use crate::discipline::contended::Contention;
use crate::distribution::Law;
use crate::math::cache;
use crate::unit::PerSecond;

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
    /// Whether requests find no room only where so many instances are all full, nearly: the fewest are at one with room, and of two
    /// instances the better is the one with fewer.
    pub fn fills_all(self, instances: u32) -> bool {
        match self {
            Balancer::Shared | Balancer::LeastOutstanding => true,
            Balancer::PowerOfTwo => instances <= 2,
            Balancer::Random | Balancer::RoundRobin => instances == 1,
        }
    }

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

impl Hits {
    /// Share of lookups that find what they look for: of a cache that forgets, by Che's approximation.
    pub fn ratio(&self) -> f64 {
        match *self {
            Hits::Ratio(ratio) => ratio,
            Hits::Lru { size, objects, zipf } => cache::hit_ratio(size, objects, zipf),
        }
    }
}

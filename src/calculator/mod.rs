//! A single-queue calculator: one formula, its inputs, and every figure it gives.
//!
//! [`FORMULAS`] is the table of all; [`calculate`] runs one. Results are flat: keys with values in SI units, `None` for
//! what does not exist, with a sentence on what is assumed and where it stops being exact.

mod closed;
mod losses;
mod queues;
mod simple;
mod target;

pub use target::Target;

use crate::discipline::fcfs::Arrivals;
use crate::distribution::Law;
use crate::math::mva::{SharedStation, Station};

/// Every formula with what it is for.
pub const FORMULAS: [(Formula, &str, &str); 14] = [
    (Formula::Mm1, "mm1", "one server, Poisson arrivals, exponential service"),
    (Formula::Mmc, "mmc", "several servers, Poisson arrivals, exponential service"),
    (Formula::Mg1, "mg1", "one server, Poisson arrivals, any service"),
    (Formula::Mgc, "mgc", "several servers, Poisson arrivals, any service"),
    (Formula::Ggc, "ggc", "several servers, any arrivals, any service"),
    (Formula::Mmck, "mmck", "several servers and a limited number of places"),
    (Formula::ErlangB, "erlang-b", "blocked requests are lost"),
    (Formula::ErlangC, "erlang-c", "blocked requests wait"),
    (Formula::ErlangA, "erlang-a", "blocked requests wait, and give up"),
    (Formula::Priority, "priority", "classes of requests, the urgent first"),
    (Formula::Mva, "mva", "a closed system of users who think between requests"),
    (Formula::Usl, "usl", "throughput against concurrency, fitted or predicted"),
    (Formula::LittlesLaw, "littles-law", "jobs present = throughput × response time"),
    (Formula::Cache, "cache", "hit ratio of a least-recently-used cache"),
];

/// A formula of the calculator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Formula {
    /// M/M/1.
    Mm1,
    /// M/M/c.
    Mmc,
    /// M/G/1.
    Mg1,
    /// M/G/c.
    Mgc,
    /// G/G/c.
    Ggc,
    /// M/M/c/K.
    Mmck,
    /// Erlang B.
    ErlangB,
    /// Erlang C.
    ErlangC,
    /// Erlang A.
    ErlangA,
    /// Priorities.
    Priority,
    /// Closed network.
    Mva,
    /// Universal Scalability Law.
    Usl,
    /// Little's law.
    LittlesLaw,
    /// LRU cache.
    Cache,
}

impl Formula {
    /// Its word on the command line.
    pub fn word(self) -> &'static str {
        FORMULAS.iter().find(|(f, _, _)| *f == self).map_or("", |(_, word, _)| word)
    }
}

/// What a formula may be given; each takes what it needs and refuses the rest.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Inputs {
    /// Arrival rate, per second.
    pub arrival_rate: Option<f64>,
    /// How arrivals are spaced; Poisson where not given.
    pub arrivals: Option<Arrivals>,
    /// Service time.
    pub service: Option<Law>,
    /// Servers.
    pub servers: Option<u32>,
    /// Places, those in service counted.
    pub capacity: Option<u32>,
    /// Time until a waiting request gives up.
    pub patience: Option<Law>,
    /// Offered load, in erlangs.
    pub offered_load: Option<f64>,
    /// Classes, the most urgent first: arrival rate and service time.
    pub classes: Vec<(f64, Law)>,
    /// Whether urgent requests interrupt others.
    pub preemptive: bool,
    /// Users of a closed system: of each class where there are several.
    pub users: Vec<u32>,
    /// Think time, in seconds, of each class.
    pub think: Vec<f64>,
    /// Stations of a closed system with one class of users.
    pub stations: Vec<Station>,
    /// Stations of a closed system with several.
    pub shared_stations: Vec<SharedStation>,
    /// Measured (concurrency, throughput).
    pub points: Vec<(f64, f64)>,
    /// Coefficients of the Universal Scalability Law.
    pub usl: Option<(f64, f64, f64)>,
    /// Jobs present.
    pub jobs: Option<f64>,
    /// Throughput, per second.
    pub throughput: Option<f64>,
    /// Response time, in seconds.
    pub response: Option<f64>,
    /// Objects a cache holds.
    pub size: Option<u64>,
    /// Objects there are.
    pub objects: Option<u64>,
    /// Exponent of Zipf's law.
    pub zipf: Option<f64>,
    /// What to find the servers for.
    pub target: Option<Target>,
}

/// How a figure is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Time,
    /// Per second.
    Rate,
    /// From 0 to 1.
    Ratio,
    /// A number of things.
    Number,
}

/// One figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// Its key in JSON.
    pub key: String,
    /// Its value in SI units; `None` when it does not exist.
    pub value: Option<f64>,
    /// How it is printed.
    pub unit: Unit,
}

/// What a formula gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Calculation {
    /// The formula.
    pub formula: Formula,
    /// What went in.
    pub inputs: Vec<Figure>,
    /// What came out.
    pub results: Vec<Figure>,
    /// What is assumed, and where it stops being exact, in sentences.
    pub assumes: String,
    /// Whether a steady state exists.
    pub stable: bool,
    /// Whether theory is exact.
    pub exact: bool,
}

impl Calculation {
    fn new(formula: Formula, assumes: impl Into<String>) -> Calculation {
        Calculation {
            formula,
            inputs: Vec::new(),
            results: Vec::new(),
            assumes: assumes.into(),
            stable: true,
            exact: true,
        }
    }

    fn input(&mut self, key: &str, value: f64, unit: Unit) {
        self.inputs.push(Figure { key: key.to_string(), value: Some(value), unit });
    }

    fn result(&mut self, key: &str, value: impl Into<Option<f64>>, unit: Unit) {
        let value = value.into().filter(|v: &f64| v.is_finite());
        self.results.push(Figure { key: key.to_string(), value, unit });
    }

    /// A result or input by its key.
    pub fn figure(&self, key: &str) -> Option<f64> {
        self.results.iter().chain(&self.inputs).find(|f| f.key == key).and_then(|f| f.value)
    }
}

/// Runs a formula.
///
/// # Errors
/// What is missing or does not suit, in a sentence for people.
pub fn calculate(formula: Formula, inputs: &Inputs) -> Result<Calculation, String> {
    if let Some(target) = &inputs.target {
        return target::servers_for(formula, inputs, target);
    }
    match formula {
        Formula::Mm1 | Formula::Mmc | Formula::Mg1 | Formula::Mgc | Formula::Ggc => queues::queue(formula, inputs),
        Formula::ErlangC if inputs.arrival_rate.is_some() => queues::queue(formula, inputs),
        Formula::ErlangC => losses::erlang_c(inputs),
        Formula::Mmck => losses::limited(inputs),
        Formula::ErlangB => losses::erlang_b(inputs),
        Formula::ErlangA => losses::impatient(inputs),
        Formula::Priority => queues::priority(inputs),
        Formula::Mva => closed::mva(inputs),
        Formula::Usl => simple::usl(inputs),
        Formula::LittlesLaw => simple::littles_law(inputs),
        Formula::Cache => simple::cache(inputs),
    }
}

/// An input that a formula cannot do without.
fn needed<T: Clone>(value: &Option<T>, flag: &str, example: &str) -> Result<T, String> {
    value.clone().ok_or_else(|| format!("--{flag} is missing: add for example --{flag} {example}"))
}

/// A service time that a formula can only take as its mean, because it is exponential.
fn exponential_mean(inputs: &Inputs, formula: Formula) -> Result<f64, String> {
    let law = needed(&inputs.service, "service-time", "10ms")?;
    if !law.is_exponential() {
        return Err(format!("{} takes exponential service only: write a plain duration, or use mgc", formula.word()));
    }
    Ok(law.mean())
}

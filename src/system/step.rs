//! What an operation does: its steps, and whom they ask.

use crate::distribution::Law;
use crate::unit::Seconds;

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

/// A synchronous call: to a name, or to whatever stands for it once names are resolved.
#[derive(Debug, Clone, PartialEq)]
pub struct Call<T = Target> {
    /// Who is asked.
    pub target: T,
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

impl<T> Call<T> {
    /// A plain call, made once and for certain.
    pub fn to(target: T) -> Call<T> {
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

    /// Whether it is made but once, and waited for.
    pub fn is_plain(&self) -> bool {
        self.timeout.is_none() && self.retries == 0 && self.hedge.is_none()
    }

    /// The same call with another way to say who is asked.
    pub fn aimed_at<U>(&self, target: U) -> Call<U> {
        Call {
            target,
            times: self.times,
            probability: self.probability,
            network: self.network.clone(),
            timeout: self.timeout,
            retries: self.retries,
            backoff: self.backoff,
            hedge: self.hedge,
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

impl Backoff {
    /// The longest it takes before so many-th retry, from the first.
    pub fn most(&self, retry: u32) -> Seconds {
        (self.base * self.factor.powf(f64::from(retry.saturating_sub(1)))).min(self.max)
    }

    /// Its mean before so many-th retry, from the first.
    pub fn mean(&self, retry: u32) -> Seconds {
        if self.full_jitter { 0.5 * self.most(retry) } else { self.most(retry) }
    }
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

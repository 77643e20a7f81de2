//! To which instance of a service a call goes, and whether it may come at all.

use crate::math::random::{Stream, source};
use crate::network::Service;
use crate::system::Balancer;
use std::cmp::Ordering;

/// The instances of a service.
#[derive(Debug)]
pub(super) struct Home {
    balancer: Balancer,
    stream: Stream,
    /// The instance whose turn it is.
    turn: u32,
    /// Calls that each has not answered; one entry for all where they share a queue.
    outstanding: Vec<u32>,
    limit: Option<Bucket>,
}

/// Calls that may still come: refilled evenly, holding what one second brings, at least one.
#[derive(Debug)]
struct Bucket {
    rate: f64,
    tokens: f64,
    now: f64,
}

impl Home {
    pub fn new(service: &Service, seed: u64, replication: u64) -> Home {
        let shared = service.balancer == Balancer::Shared || service.instances == 1;
        Home {
            balancer: if shared { Balancer::Shared } else { service.balancer },
            stream: Stream::new(seed, replication, source(&service.name, 0)),
            turn: 0,
            outstanding: vec![0; if shared { 1 } else { service.instances as usize }],
            limit: service.limit.map(|rate| Bucket { rate, tokens: rate.max(1.0), now: 0.0 }),
        }
    }

    /// A call comes; returns the instance it goes to.
    #[inline]
    pub fn call(&mut self) -> u32 {
        if self.balancer == Balancer::Shared {
            return 0;
        }
        let instance = self.choose();
        self.outstanding[instance as usize] += 1;
        instance
    }

    fn choose(&mut self) -> u32 {
        let n = self.outstanding.len() as u32;
        match self.balancer {
            Balancer::Shared => 0,
            Balancer::Random => self.stream.below(n),
            Balancer::RoundRobin => {
                let next = (self.turn + 1) % n;
                std::mem::replace(&mut self.turn, next)
            }
            Balancer::LeastOutstanding => self.least(),
            Balancer::PowerOfTwo => {
                let one = self.stream.below(n);
                let other = (one + 1 + self.stream.below(n - 1)) % n;
                match self.outstanding[one as usize].cmp(&self.outstanding[other as usize]) {
                    Ordering::Less => one,
                    Ordering::Greater => other,
                    Ordering::Equal => [one, other][self.stream.below(2) as usize],
                }
            }
        }
    }

    /// One of those with the least to answer.
    fn least(&mut self) -> u32 {
        let least = self.outstanding.iter().copied().min().unwrap_or(0);
        let ties = self.outstanding.iter().filter(|calls| **calls == least).count() as u32;
        let chosen = if ties > 1 { self.stream.below(ties) } else { 0 };
        let all = self.outstanding.iter().enumerate().filter(|(_, calls)| **calls == least);
        all.map(|(instance, _)| instance as u32).nth(chosen as usize).unwrap_or(0)
    }

    /// An instance has answered a call.
    #[inline]
    pub fn answer(&mut self, instance: u32) {
        if self.balancer != Balancer::Shared {
            self.outstanding[instance as usize] -= 1;
        }
    }

    /// Whether a call is within the limit on their rate.
    #[inline]
    pub fn admits(&mut self, now: f64) -> bool {
        self.limit.as_mut().is_none_or(|bucket| bucket.take(now))
    }
}

impl Bucket {
    fn take(&mut self, now: f64) -> bool {
        self.tokens = (self.tokens + self.rate * (now - self.now)).min(self.rate.max(1.0));
        self.now = now;
        // Calls exactly as far apart as the limit says are within it, whatever the rounding.
        let admits = self.tokens >= 1.0 - 1e-9;
        if admits {
            self.tokens -= 1.0;
        }
        admits
    }
}

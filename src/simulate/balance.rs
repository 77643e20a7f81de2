//! To which instance of a service a call goes.

use crate::math::random::Stream;
use crate::network::{Network, ServiceId};
use crate::system::Balancer;
use std::cmp::Ordering;

/// The instances of a service.
#[derive(Debug)]
pub(super) struct Home {
    balancer: Balancer,
    stream: Stream,
    /// The instance whose turn it is.
    turn: u32,
    /// Calls that each has not answered.
    outstanding: Vec<u32>,
}

impl Home {
    pub fn new(network: &Network, service: ServiceId, stream: Stream) -> Home {
        let home = &network.services[service];
        let station = home.cores.or(home.devices.first().copied());
        // One instance, or no queue at all, is like one queue for all.
        let balancer = station.filter(|_| home.instances > 1).map(|station| network.stations[station].balancer);
        Home {
            balancer: balancer.unwrap_or(Balancer::Shared),
            stream,
            turn: 0,
            outstanding: vec![0; home.instances as usize],
        }
    }

    /// A call comes; returns the instance it goes to.
    pub fn call(&mut self) -> u32 {
        let n = self.outstanding.len() as u32;
        let instance = match self.balancer {
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
        };
        self.outstanding[instance as usize] += 1;
        instance
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
    pub fn answer(&mut self, instance: u32) {
        self.outstanding[instance as usize] -= 1;
    }
}

//! Where requests queue: which queues there are for each station, the workers of each service and each pool, and how they
//! were used.

use super::engine::Engine;
use super::queue::{Queue, Usage};
use super::share::{Making, Share};
use crate::network::Service;
use crate::network::program::is_plain;
use crate::system::Balancer;

/// Where the queues of a set of servers are: at the first, or at one for each instance from there on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seat {
    first: u32,
    split: bool,
    /// How many there are.
    count: u32,
}

impl Seat {
    #[inline]
    pub fn at(self, instance: u32) -> u32 {
        if self.split { self.first + instance } else { self.first }
    }

    pub fn all(self) -> std::ops::Range<usize> {
        self.first as usize..(self.first + self.count) as usize
    }
}

impl Engine<'_> {
    /// Makes all queues.
    pub fn furnish(&mut self) {
        let network = self.network;
        for station in &network.stations {
            let service = &network.services[station.service];
            let (seats, instances) = seats(service);
            let servers = u64::from(station.servers) * u64::from(instances);
            let places = station.queue.map(|places| u64::from(places) * u64::from(instances));
            let first = if is_plain(station) {
                let queue = || Queue::new(station.discipline, network.classes, servers, places);
                put(&mut self.queues, seats, queue)
            } else {
                let making = Making {
                    discipline: station.discipline,
                    classes: network.classes,
                    servers,
                    instances: u64::from(instances),
                    places,
                    contention: station.contention,
                };
                put(&mut self.shares, seats, || Share::new(making))
            };
            self.stations.push(first);
        }
        for service in &network.services {
            let (count, instances) = seats(service);
            let all = |each: u32| u64::from(each) * u64::from(instances);
            let seat = service.workers.map(|workers| {
                put(&mut self.queues, count, || Queue::of_permits(all(workers), service.queue.map(all)))
            });
            self.workers.push(seat);
        }
        for pool in &network.pools {
            let (count, instances) = pool.per.map_or((1, 1), |service| seats(&network.services[service]));
            let size = u64::from(pool.size) * u64::from(instances);
            let seat = put(&mut self.queues, count, || Queue::of_permits(size, None));
            self.pools.push(seat);
        }
    }

    /// How each station was used, its instances together.
    pub fn station_usage(&mut self) -> Vec<Usage> {
        let now = self.now;
        let by_place = self.usage_by_place();
        let seats = self.stations.iter().zip(&self.network.stations);
        seats
            .map(|(seat, station)| {
                if let Some(used) = &by_place {
                    sum(used[seat.all()].iter().copied())
                } else if is_plain(station) {
                    sum(self.queues[seat.all()].iter_mut().map(|queue| queue.usage(now)))
                } else {
                    sum(self.shares[seat.all()].iter_mut().map(|share| share.usage(now)))
                }
            })
            .collect()
    }

    /// How the workers of each service were used.
    pub fn worker_usage(&mut self) -> Vec<Usage> {
        let none = Seat { first: 0, split: false, count: 0 };
        let seats: Vec<Seat> = self.workers.iter().map(|seat| seat.unwrap_or(none)).collect();
        self.permit_usage(&seats)
    }

    /// How each pool was used.
    pub fn pool_usage(&mut self) -> Vec<Usage> {
        let seats = self.pools.clone();
        self.permit_usage(&seats)
    }

    fn permit_usage(&mut self, seats: &[Seat]) -> Vec<Usage> {
        let now = self.now;
        seats.iter().map(|seat| sum(self.queues[seat.all()].iter_mut().map(|queue| queue.usage(now)))).collect()
    }
}

/// How many sets of queues a service has, and how many instances share each.
fn seats(service: &Service) -> (u32, u32) {
    match service.balancer {
        Balancer::Shared => (1, service.instances),
        _ => (service.instances, 1),
    }
}

/// Adds as many to a list.
fn put<T>(list: &mut Vec<T>, count: u32, make: impl Fn() -> T) -> Seat {
    let first = list.len() as u32;
    list.extend((0..count).map(|_| make()));
    Seat { first, split: count > 1, count }
}

fn sum(all: impl Iterator<Item = Usage>) -> Usage {
    all.fold(Usage::default(), |mut sum, each| {
        sum.add(&each);
        sum
    })
}

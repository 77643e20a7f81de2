//! Instances with queues of their own, as users find them.

use crate::discipline::balancer::{least_outstanding, power_of_two};
use crate::discipline::fcfs::{self, Arrivals, Queue};
use crate::distribution::{Erlang, Law};
use crate::network::Station;
use crate::system::Balancer;
use crate::unit::Seconds;

/// Loads at which balancers are compared: none makes a difference where nobody waits, and one is never quite full.
const LOADS: (f64, f64) = (0.05, 0.97);

/// How many queues a station is taken for, visits going to one at random, and what waits are multiplied by because they do not: what
/// the balancer makes of Poisson arrivals, over what chance would.
pub(super) fn queues(station: &Station, load: f64, work: Seconds) -> (f64, f64) {
    let instances = station.instances;
    if instances == 1 || work <= 0.0 {
        return (1.0, 1.0);
    }
    let load = load.clamp(LOADS.0, LOADS.1);
    let of = |servers: u32, arrivals: Arrivals| Queue {
        arrival_rate: load * f64::from(servers) / work,
        arrivals,
        service: Law::exponential(work),
        servers,
    };
    let wait = |queue: &Queue| fcfs::solve(queue).map_or(0.0, |waiting| waiting.delay.mean());
    let all = || of(station.servers.saturating_mul(instances), Arrivals::Poisson);
    let one = || of(station.servers, Arrivals::Poisson);
    let (copies, balanced, at_random) = match station.balancer {
        Balancer::Shared => return (1.0, 1.0),
        Balancer::Random => return (f64::from(instances), 1.0),
        Balancer::RoundRobin => {
            let own = one();
            let spaced = Law::Erlang(Erlang { mean: 1.0 / own.arrival_rate, stages: instances });
            let balanced = wait(&Queue { arrivals: Arrivals::Renewal(spaced), ..own.clone() });
            (f64::from(instances), balanced, wait(&own))
        }
        Balancer::PowerOfTwo if instances == 2 => (1.0, power_of_two(&all(), 2).delay.mean(), wait(&all())),
        Balancer::PowerOfTwo => (f64::from(instances), power_of_two(&all(), instances).delay.mean(), wait(&one())),
        // Who finds nobody waiting anywhere does not wait; of two the better is the shortest.
        Balancer::LeastOutstanding => (1.0, least_outstanding(&all(), instances).delay.mean(), wait(&all())),
    };
    (copies, if at_random > 0.0 { balanced / at_random } else { 1.0 })
}

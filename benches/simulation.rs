//! How fast simulation could be: hand-written loops for single models, each held against theory.
//!
//! `cargo bench --bench simulation` prints jobs and visits per second on one core. These are the ceilings for an engine that
//! reads any model: a recursion knows no calendar, and the bare loop knows nothing but first come first served.

#![allow(clippy::disallowed_macros, clippy::disallowed_methods)]

use plimsoll::math::erlang::erlang_c;
use plimsoll::math::random::Stream;
use plimsoll::simulate::{self, Effort};
use plimsoll::{document, network};
use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Instant;

const JOBS: u32 = 5_000_000;

/// Runs something five times; prints how much it does a second at its best and how far its mean is from theory.
fn measure(name: &str, unit: &str, count: f64, exact: f64, run: impl Fn() -> f64) -> f64 {
    let mut best = f64::INFINITY;
    let mut mean = 0.0;
    for _ in 0..5 {
        let start = Instant::now();
        mean = run();
        best = best.min(start.elapsed().as_secs_f64());
    }
    let off = mean / exact - 1.0;
    println!("{name:48} {:7.1} million {unit} a second, mean {:+.2}% off", count / best / 1e6, off * 100.0);
    assert!(off.abs() < 0.03, "{name}: {mean}, not {exact}");
    count / best
}

/// Mean wait of M/M/1 by Lindley's recursion.
fn lindley(load: f64) -> f64 {
    let (mut arrivals, mut services) = (Stream::new(1, 0, 0), Stream::new(1, 0, 1));
    let (mut wait, mut sum) = (0.0f64, 0.0);
    for _ in 0..JOBS {
        sum += wait;
        wait = (wait + services.exponential() * load - arrivals.exponential()).max(0.0);
    }
    sum / f64::from(JOBS)
}

/// Mean wait of M/M/8 by the recursion of Kiefer and Wolfowitz: the work left at each server, sorted.
fn kiefer_wolfowitz(load: f64) -> f64 {
    const SERVERS: usize = 8;
    let (mut arrivals, mut services) = (Stream::new(1, 0, 0), Stream::new(1, 0, 1));
    let (mut left, mut sum) = ([0.0f64; SERVERS], 0.0);
    for _ in 0..JOBS {
        sum += left[0];
        let busy = left[0] + services.exponential() * load * SERVERS as f64;
        let gap = arrivals.exponential();
        // The new value moves up to its place.
        let mut place = 0;
        while place + 1 < SERVERS && left[place + 1] < busy {
            left[place] = left[place + 1];
            place += 1;
        }
        left[place] = busy;
        left.iter_mut().for_each(|work| *work = (*work - gap).max(0.0));
    }
    sum / f64::from(JOBS)
}

/// Something that happens at a time; the earliest first, equal times in any order.
#[derive(Clone, Copy, PartialEq)]
struct Event {
    time: f64,
    job: u32,
    station: u32,
}

impl Eq for Event {}

impl Ord for Event {
    fn cmp(&self, other: &Self) -> Ordering {
        other.time.total_cmp(&self.time)
    }
}

impl PartialOrd for Event {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

const STATIONS: u32 = 11;

/// Servers of each station of the network.
const SERVERS: u32 = 2;

/// Jobs through the network; each makes a visit at each station.
const THROUGH: u32 = 400_000;

/// Mean response time of a tandem of eleven M/M/2, by an event loop for nothing else.
fn bare_loop(load: f64) -> f64 {
    let mut streams: Vec<Stream> = (0..=STATIONS).map(|source| Stream::new(1, 0, u64::from(source))).collect();
    let mut waiting: Vec<VecDeque<u32>> = vec![VecDeque::new(); STATIONS as usize];
    let mut busy = [0u32; STATIONS as usize];
    let mut began = vec![0.0f64; THROUGH as usize];
    let mut calendar = BinaryHeap::from([Event { time: 0.0, job: 0, station: 0 }]);
    // An event at station k + 1 is a departure from station k, and an arrival at the next.
    let mut next_job = 0;
    let (mut sum, mut done) = (0.0, 0);
    let service = load * f64::from(SERVERS);
    while let Some(Event { time, job, station }) = calendar.pop() {
        if station == 0 {
            next_job += 1;
            began[job as usize] = time;
            if next_job < THROUGH {
                calendar.push(Event {
                    time: time + streams[STATIONS as usize].exponential(),
                    job: next_job,
                    station: 0,
                });
            }
        } else {
            let from = station as usize - 1;
            match waiting[from].pop_front() {
                Some(job) => calendar.push(Event { time: time + service * streams[from].exponential(), job, station }),
                None => busy[from] -= 1,
            }
        }
        if station == STATIONS {
            sum += time - began[job as usize];
            done += 1;
        } else if busy[station as usize] < SERVERS {
            busy[station as usize] += 1;
            let end = time + service * streams[station as usize].exponential();
            calendar.push(Event { time: end, job, station: station + 1 });
        } else {
            waiting[station as usize].push_back(job);
        }
    }
    sum / f64::from(done)
}

/// Queues that hold so many that none is ever full. Whoever may be refused takes a calendar.
const LIMITED: &str = "queue = 1_000_000_000";

/// Services in a row, each with so many cores and this load, and more keys, asked once a second.
fn row(services: u32, cores: u32, load: f64, keys: &str) -> String {
    let mut text = String::new();
    for station in 0..services {
        let next =
            if station + 1 < services { format!(", {{ call = \"s{}.o\" }}", station + 1) } else { String::new() };
        let work = load * f64::from(cores);
        text += &format!(
            "[service.s{station}]\ncores = {cores}\n{keys}\noperations.o.steps = [ {{ work = \"{work}s\" }}{next} ]\n"
        );
    }
    text + "[workload.w]\nentry = \"s0.o\"\nrate = \"1/s\"\n"
}

/// Mean response time of a model by the engine, all its records kept.
fn engine(model: &str, requests: u32) -> f64 {
    let no_files = |_: &str| Err("none".to_string());
    let system = document::read(model, &no_files).unwrap_or_else(|wrong| panic!("{:?}", wrong.first())).system;
    let effort =
        Effort { replications: Some(1), warmup: Some(0.0), duration: Some(f64::from(requests)), ..Effort::default() };
    let network = network::compile(&system);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");
    let simulated = pool.install(|| simulate::simulate(&network, &effort, &|_| true));
    simulated.prediction.workloads[0].response.mean.unwrap_or(f64::NAN)
}

fn main() {
    let load = 0.8;
    let jobs = f64::from(JOBS);
    let two = erlang_c(2, 2.0 * load).expect("stable") * load / (1.0 - load) + 2.0 * load;
    let eight = erlang_c(8, 8.0 * load).expect("stable") * load / (1.0 - load);
    let visits = f64::from(THROUGH) * f64::from(STATIONS);
    let tandem = f64::from(STATIONS) * two;
    let single = load / (1.0 - load);
    let best = measure("M/M/1 by Lindley's recursion", "jobs", jobs, load * single, || lindley(load));
    by_engine(best, "jobs", jobs, single, JOBS, |keys| row(1, 1, load, keys));
    let best = measure("M/M/8 by Kiefer and Wolfowitz", "jobs", jobs, eight, || kiefer_wolfowitz(load));
    by_engine(best, "jobs", jobs, eight + 8.0 * load, JOBS, |keys| row(1, 8, load, keys));
    let best = measure("tandem of eleven M/M/2 by a bare event loop", "visits", visits, tandem, || bare_loop(load));
    by_engine(best, "visits", visits, tandem, THROUGH, |keys| row(STATIONS, SERVERS, load, keys));
}

/// Measures a model by the engine, place by place and event by event.
fn by_engine(best: f64, unit: &str, count: f64, exact: f64, requests: u32, model: impl Fn(&str) -> String) {
    for (way, keys) in [("place by place", ""), ("event by event", LIMITED)] {
        let own = measure(&format!("  by the engine, {way}"), unit, count, exact, || engine(&model(keys), requests));
        println!("{:48} {:7.2} of it", "", own / best);
    }
}

//! Servers, or things to hold, that are had one each, and those who wait for them.

use crate::discipline::Discipline;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// What becomes of a request that comes to a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrival {
    /// It has a server at once.
    Begins,
    Waits,
    /// All places are taken.
    Refused,
}

/// How servers, or things to hold, were used over some time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// Busy ones, times how long, in seconds.
    pub busy: f64,
    /// Waiting requests, times how long, in seconds.
    pub waiting: f64,
    /// How often one became free.
    pub departures: u64,
    /// Requests that wait at the end, less those at the beginning.
    pub growth: i64,
}

impl Usage {
    /// Adds the use of others.
    pub fn add(&mut self, other: &Usage) {
        self.busy += other.busy;
        self.waiting += other.waiting;
        self.departures += other.departures;
        self.growth += other.growth;
    }
}

/// The queue of one set of servers, or of things to hold.
#[derive(Debug)]
pub(super) struct Queue {
    servers: u64,
    /// Waiting requests it holds.
    places: u64,
    /// The last to come is the first to be served.
    last_first: bool,
    /// Who waits, by class of urgency; one list where they are not told apart.
    waiting: Vec<VecDeque<u32>>,
    busy: u64,
    length: u64,
    usage: Usage,
    now: f64,
}

impl Queue {
    pub fn new(discipline: Discipline, classes: usize, servers: u64, places: Option<u64>) -> Queue {
        let lists = if discipline.uses_priority() { classes } else { 1 };
        Queue {
            servers,
            places: places.unwrap_or(u64::MAX),
            last_first: matches!(discipline, Discipline::Lifo),
            waiting: vec![VecDeque::new(); lists],
            busy: 0,
            length: 0,
            usage: Usage::default(),
            now: 0.0,
        }
    }

    /// Things that are held, first come first served.
    pub fn of_permits(permits: u64, places: Option<u64>) -> Queue {
        Queue::new(Discipline::Fcfs, 1, permits, places)
    }

    pub fn servers(&self) -> u64 {
        self.servers
    }

    /// A request comes.
    #[inline]
    pub fn arrive(&mut self, now: f64, request: u32, class: usize) -> Arrival {
        self.pass(now);
        if self.busy < self.servers {
            self.busy += 1;
            return Arrival::Begins;
        }
        if self.length >= self.places {
            return Arrival::Refused;
        }
        self.length += 1;
        let list = class.min(self.waiting.len() - 1);
        self.waiting[list].push_back(request);
        Arrival::Waits
    }

    /// A server becomes free; returns the request that it takes up next.
    #[inline]
    pub fn depart(&mut self, now: f64) -> Option<u32> {
        self.pass(now);
        self.usage.departures += 1;
        if self.length == 0 {
            self.busy -= 1;
            return None;
        }
        self.length -= 1;
        let last_first = self.last_first;
        self.waiting.iter_mut().find_map(|list| if last_first { list.pop_back() } else { list.pop_front() })
    }

    #[inline]
    fn pass(&mut self, now: f64) {
        let time = now - self.now;
        self.usage.busy += time * self.busy as f64;
        self.usage.waiting += time * self.length as f64;
        self.now = now;
    }

    /// Forgets the time before.
    pub fn clear(&mut self, now: f64) {
        self.pass(now);
        self.usage = Usage { growth: -(self.length as i64), ..Usage::default() };
    }

    /// How it was used since it was cleared.
    pub fn usage(&mut self, now: f64) -> Usage {
        self.pass(now);
        Usage { growth: self.usage.growth + self.length as i64, ..self.usage }
    }

    /// Whether requests wait.
    pub fn has_waiting(&self) -> bool {
        self.length > 0
    }
}

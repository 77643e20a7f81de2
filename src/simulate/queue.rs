//! Servers, and those who wait for them.

use crate::discipline::Discipline;
use std::collections::VecDeque;

/// What becomes of an arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrival {
    /// A server takes it up at once.
    Begins,
    Waits,
    /// All places are taken.
    Refused,
}

/// The queue of one pool of servers.
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
    /// Busy servers and waiting requests, over the time since it was cleared.
    busy_time: f64,
    waiting_time: f64,
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
            busy_time: 0.0,
            waiting_time: 0.0,
            now: 0.0,
        }
    }

    /// A request comes.
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

    /// A service ends; returns the request that the server takes up next.
    pub fn depart(&mut self, now: f64) -> Option<u32> {
        self.pass(now);
        let next = |list: &mut VecDeque<u32>| if self.last_first { list.pop_back() } else { list.pop_front() };
        match self.waiting.iter_mut().find_map(next) {
            Some(request) => {
                self.length -= 1;
                Some(request)
            }
            None => {
                self.busy -= 1;
                None
            }
        }
    }

    fn pass(&mut self, now: f64) {
        let time = now - self.now;
        self.busy_time += time * self.busy as f64;
        self.waiting_time += time * self.length as f64;
        self.now = now;
    }

    /// Forgets the time before.
    pub fn clear(&mut self, now: f64) {
        self.pass(now);
        (self.busy_time, self.waiting_time) = (0.0, 0.0);
    }

    /// Busy servers and waiting requests, each times how long, since it was cleared.
    pub fn times(&mut self, now: f64) -> (f64, f64) {
        self.pass(now);
        (self.busy_time, self.waiting_time)
    }
}

//! First come, first served as a recursion: all that is known of servers is when each is free again.
//!
//! Source: Kiefer and Wolfowitz, On the theory of queues with many servers (1955); with one server Lindley, The theory of
//! queues with a single server (1952).

use super::queue::Usage;

/// Servers that take requests first come, first served.
#[derive(Debug)]
pub(super) struct Line {
    servers: u64,
    /// When each that was ever needed has done what came so far, as a heap with the first at its top.
    free: Vec<f64>,
    /// Of all that came so far, to its end.
    busy: f64,
    waiting: f64,
    number: u64,
    /// How they were used before what is measured began.
    before: Usage,
}

impl Line {
    pub fn new(servers: u64) -> Line {
        Line { servers, free: Vec::new(), busy: 0.0, waiting: 0.0, number: 0, before: Usage::default() }
    }

    /// A request comes; returns when it is taken up.
    #[inline]
    pub fn serve(&mut self, now: f64, work: f64) -> f64 {
        let first = self.free.first().copied().unwrap_or(f64::INFINITY);
        let begin =
            if first <= now || self.free.len() as u64 == self.servers { first.max(now) } else { self.need(now) };
        let end = begin + work;
        self.waiting += begin - now;
        self.busy += work;
        self.number += 1;
        let free = self.free.as_mut_slice();
        let mut place = 0;
        while let Some(child) = free.get(2 * place + 1) {
            let other = free.get(2 * place + 2).copied().unwrap_or(f64::INFINITY);
            let next = 2 * place + 1 + usize::from(other < *child);
            let earlier = child.min(other);
            if earlier >= end {
                break;
            }
            free[place] = earlier;
            place = next;
        }
        free[place] = end;
        begin
    }

    /// One more server is needed; it is put at the top.
    #[cold]
    fn need(&mut self, now: f64) -> f64 {
        let mut place = self.free.len();
        self.free.push(now);
        while place > 0 {
            let parent = (place - 1) / 2;
            self.free[place] = self.free[parent];
            place = parent;
        }
        self.free[0] = now;
        now
    }

    /// How they were used by all that came, from the beginning to their ends.
    pub fn all(&self) -> Usage {
        Usage { busy: self.busy, waiting: self.waiting, departures: self.number, growth: 0 }
    }

    /// How they were used since what is measured began, given how they were used in all.
    pub fn since(&self, all: Usage) -> Usage {
        let before = self.before;
        Usage {
            busy: all.busy - before.busy,
            waiting: all.waiting - before.waiting,
            departures: all.departures - before.departures,
            growth: all.growth - before.growth,
        }
    }

    /// What is measured begins, after this use.
    pub fn forget(&mut self, before: Usage) {
        self.before = before;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::random::Stream;

    #[test]
    fn a_request_is_taken_up_by_whoever_is_free_first() {
        let mut stream = Stream::new(5, 0, 0);
        for servers in [1, 2, 3, 8, 50] {
            let (mut line, mut free, mut now) = (Line::new(servers), vec![0.0f64; servers as usize], 0.0);
            for _ in 0..5_000 {
                now += stream.exponential();
                let work = 0.95 * servers as f64 * stream.exponential();
                free.sort_by(f64::total_cmp);
                let begin = free[0].max(now);
                free[0] = begin + work;
                assert_eq!(line.serve(now, work), begin, "{servers}");
            }
        }
        // Only as many as were needed take memory.
        let mut line = Line::new(u64::MAX);
        (0..3).for_each(|_| assert_eq!(line.serve(1.0, 5.0), 1.0));
        assert_eq!((line.free.len(), line.serve(7.0, 1.0), line.free.len()), (3, 7.0, 3));
    }
}

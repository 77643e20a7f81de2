//! What happens when: events leave in the order of their times, equal times in the order they were entered.
//!
//! Each event is one number of 128 bits: the bits of its time, then the number of its entry, then what it is about. Times
//! are not negative, so that numbers compare as events do. The next few events stand in a sorted list, where one more is
//! put in its place by moving those before it; all later ones wait in a heap with four children a node, from which the list
//! is filled again. Nothing is allocated once it has been as full as it gets.

/// Events to come.
#[derive(Debug, Default)]
pub(super) struct Calendar {
    /// The next events, the first one last.
    near: Vec<u128>,
    /// All that come after those.
    far: Vec<u128>,
    /// Entries so far; starts again after four thousand million, when no event of the same time can still be there.
    entered: u32,
}

const CHILDREN: usize = 4;

/// The next events are at most so many, and half as many after they were filled again.
const NEAR: usize = 48;

fn time_bits(entry: u128) -> u64 {
    (entry >> 64) as u64
}

fn time_of(entry: u128) -> f64 {
    f64::from_bits(time_bits(entry))
}

impl Calendar {
    /// Enters an event at a time that is a number, not below zero.
    #[inline]
    pub fn enter(&mut self, time: f64, what: u32) {
        // Zero may come with a sign.
        let bits = (time + 0.0).to_bits();
        let entry = (u128::from(bits) << 64) | (u128::from(self.entered) << 32) | u128::from(what);
        self.entered = self.entered.wrapping_add(1);
        if self.near.len() == NEAR {
            self.spill();
        }
        if !self.far.is_empty() && self.near.first().is_none_or(|last| entry > *last) {
            self.push(entry);
            return;
        }
        // Of equal times the one that is entered last comes last.
        self.near.push(entry);
        let near = self.near.as_mut_slice();
        let mut place = near.len() - 1;
        while place > 0 && time_bits(near[place - 1]) <= bits {
            near[place] = near[place - 1];
            place -= 1;
        }
        near[place] = entry;
    }

    /// Moves the later half of the next events to the heap.
    #[cold]
    fn spill(&mut self) {
        for i in 0..NEAR / 2 {
            self.push(self.near[i]);
        }
        self.near.drain(..NEAR / 2);
    }

    /// Fills the list of the next events from the heap.
    #[cold]
    fn fill(&mut self) {
        while self.near.len() < NEAR / 2
            && let Some(entry) = self.pop()
        {
            self.near.push(entry);
        }
        self.near.reverse();
    }

    /// When the next event comes.
    #[inline]
    pub fn next_time(&mut self) -> Option<f64> {
        if self.near.is_empty() {
            self.fill();
        }
        self.near.last().map(|first| time_of(*first))
    }

    /// Takes out the next event unless it comes after a time: when, and what it is about.
    #[inline]
    pub fn next_until(&mut self, end: f64) -> Option<(f64, u32)> {
        let time = self.next_time().filter(|time| *time <= end)?;
        self.near.pop().map(|first| (time, first as u32))
    }

    fn push(&mut self, entry: u128) {
        let mut place = self.far.len();
        self.far.push(entry);
        while place > 0 {
            let parent = (place - 1) / CHILDREN;
            if entry >= self.far[parent] {
                break;
            }
            self.far[place] = self.far[parent];
            place = parent;
        }
        self.far[place] = entry;
    }

    fn pop(&mut self) -> Option<u128> {
        let first = *self.far.first()?;
        let last = self.far.pop()?;
        if self.far.is_empty() {
            return Some(first);
        }
        let heap = self.far.as_mut_slice();
        let mut place = 0;
        loop {
            let start = (CHILDREN * place + 1).min(heap.len());
            let children = &heap[start..(start + CHILDREN).min(heap.len())];
            let mut least = (last, place);
            for (i, child) in children.iter().enumerate() {
                least = if *child < least.0 { (*child, start + i) } else { least };
            }
            if least.1 == place {
                break;
            }
            heap[place] = least.0;
            place = least.1;
        }
        heap[place] = last;
        Some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::random::Stream;

    #[test]
    fn events_leave_in_order_and_equal_ones_as_they_came() {
        let mut stream = Stream::new(1, 0, 0);
        let mut calendar = Calendar::default();
        let mut expected: Vec<(u32, u32)> = (0..5000).map(|what| (stream.below(300), what)).collect();
        expected.iter().for_each(|(time, what)| calendar.enter(f64::from(*time), *what));
        expected.sort();
        let all = || calendar.next_until(f64::MAX);
        let left: Vec<(u32, u32)> = std::iter::from_fn(all).map(|(t, what)| (t as u32, what)).collect();
        assert_eq!(left, expected);
    }

    #[test]
    fn entering_and_taking_by_turns_keeps_the_order() {
        let mut stream = Stream::new(2, 0, 0);
        let (mut calendar, mut now, mut there) = (Calendar::default(), 0.0, 0u32);
        for round in 0..20_000u32 {
            for _ in 0..stream.below(4) {
                calendar.enter(now + stream.exponential(), round);
                there += 1;
            }
            for _ in 0..stream.below(4) {
                if let Some((time, _)) = calendar.next_until(now + 2.0) {
                    assert!(time >= now);
                    (now, there) = (time, there - 1);
                }
            }
        }
        while let Some((time, _)) = calendar.next_until(f64::MAX) {
            assert!(time >= now);
            (now, there) = (time, there - 1);
        }
        assert_eq!(there, 0);
        assert_eq!(calendar.next_until(f64::MAX), None);
    }
}

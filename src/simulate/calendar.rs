//! What happens when: events leave in the order of their times, equal times in the order they were entered.
//!
//! A heap with four children a node, each event one number of 128 bits: the bits of its time, then the number of its entry,
//! then what it is about. Times are not negative, so that numbers compare as events do. The place of the event that was
//! taken last is filled by the next that is entered, which saves a way through the heap for each pair. Nothing is
//! allocated once the heap has been as large as it gets.

/// Events to come.
#[derive(Debug, Default)]
pub(super) struct Calendar {
    heap: Vec<u128>,
    /// The first place is empty: its event was taken.
    taken: bool,
    /// Entries so far; starts again after four thousand million, when no event of the same time can still be there.
    entered: u32,
}

const CHILDREN: usize = 4;

fn time_of(entry: u128) -> f64 {
    f64::from_bits((entry >> 64) as u64)
}

impl Calendar {
    /// Enters an event at a time that is a number, not below zero.
    #[inline]
    pub fn enter(&mut self, time: f64, what: u32) {
        // Zero may come with a sign.
        let bits = (time + 0.0).to_bits();
        let entry = (u128::from(bits) << 64) | (u128::from(self.entered) << 32) | u128::from(what);
        self.entered = self.entered.wrapping_add(1);
        if std::mem::take(&mut self.taken) {
            self.sink(entry);
            return;
        }
        let mut place = self.heap.len();
        self.heap.push(entry);
        while place > 0 {
            let parent = (place - 1) / CHILDREN;
            if entry >= self.heap[parent] {
                break;
            }
            self.heap[place] = self.heap[parent];
            place = parent;
        }
        self.heap[place] = entry;
    }

    /// Takes out the next event unless it comes after a time: when, and what it is about.
    #[inline]
    pub fn next_until(&mut self, end: f64) -> Option<(f64, u32)> {
        if std::mem::take(&mut self.taken)
            && let Some(last) = self.heap.pop()
            && !self.heap.is_empty()
        {
            self.sink(last);
        }
        let first = *self.heap.first()?;
        let time = time_of(first);
        if time > end {
            return None;
        }
        self.taken = true;
        Some((time, first as u32))
    }

    /// Puts an entry at the first place and lets it sink to where it belongs.
    #[inline]
    fn sink(&mut self, entry: u128) {
        let heap = self.heap.as_mut_slice();
        let mut place = 0;
        loop {
            let first = CHILDREN * place + 1;
            let Some(children) = heap.get(first..(first + CHILDREN).min(heap.len()).max(first)) else { break };
            let mut least = (u128::MAX, 0);
            for (i, child) in children.iter().enumerate() {
                least = if *child < least.0 { (*child, i) } else { least };
            }
            if least.0 >= entry {
                break;
            }
            heap[place] = least.0;
            place = first + least.1;
        }
        heap[place] = entry;
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

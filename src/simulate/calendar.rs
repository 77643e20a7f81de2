//! What happens when: events leave in the order of their times, equal times in the order they were entered.
//!
//! A heap with four children a node in one piece of memory: half as deep as a binary one, and the children of a node lie
//! side by side. Nothing is allocated once it has been as large as it gets.

/// An event: when, its number among all, and what it is about.
#[derive(Debug, Clone, Copy)]
struct Entry {
    time: f64,
    order: u64,
    what: u32,
}

impl Entry {
    fn is_before(&self, other: &Entry) -> bool {
        self.time < other.time || (self.time == other.time && self.order < other.order)
    }
}

/// Events to come.
#[derive(Debug, Default)]
pub(super) struct Calendar {
    heap: Vec<Entry>,
    entered: u64,
}

const CHILDREN: usize = 4;

impl Calendar {
    /// Enters an event. `time` is a number.
    pub fn enter(&mut self, time: f64, what: u32) {
        let entry = Entry { time, order: self.entered, what };
        self.entered += 1;
        let mut place = self.heap.len();
        self.heap.push(entry);
        while place > 0 {
            let parent = (place - 1) / CHILDREN;
            if !entry.is_before(&self.heap[parent]) {
                break;
            }
            self.heap[place] = self.heap[parent];
            place = parent;
        }
        self.heap[place] = entry;
    }

    /// Takes out the next event: its time and what it is about.
    pub fn next(&mut self) -> Option<(f64, u32)> {
        let first = *self.heap.first()?;
        let last = self.heap.pop()?;
        let size = self.heap.len();
        if size > 0 {
            let mut place = 0;
            loop {
                let children = CHILDREN * place + 1..(CHILDREN * place + 1 + CHILDREN).min(size);
                let Some(least) = children.reduce(|a, b| if self.heap[b].is_before(&self.heap[a]) { b } else { a })
                else {
                    break;
                };
                if !self.heap[least].is_before(&last) {
                    break;
                }
                self.heap[place] = self.heap[least];
                place = least;
            }
            self.heap[place] = last;
        }
        Some((first.time, first.what))
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
        let left: Vec<(u32, u32)> = std::iter::from_fn(|| calendar.next()).map(|(t, what)| (t as u32, what)).collect();
        assert_eq!(left, expected);
    }
}

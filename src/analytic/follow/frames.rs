//! Where a request stands: a frame for each run, loop and branch of it, and what will happen to them.

use crate::network::program::{Kind, Place};
use crate::unit::Seconds;
use std::cmp::Ordering;

/// A run of an operation, what a loop goes through, or a branch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub place: Place,
    pub kind: Kind,
    /// The frame or join that waits for its end.
    pub below: u32,
    /// The stamp of the frame below for as long as it waits.
    pub below_stamp: u32,
    /// Changes whenever answers that it waited for no longer matter.
    pub stamp: u32,
    /// Runs of a loop, or of the call it makes, that are left, this one included.
    pub left: u32,
    /// Attempts of a call so far, and its copies that are not answered.
    pub tries: u32,
    pub copies: u32,
    /// The line that it is on.
    pub line: u32,
    /// Time of each way between caller and service.
    pub way: Seconds,
    pub began: Seconds,
}

impl Frame {
    pub fn new(place: Place, kind: Kind, below: u32, line: u32, began: Seconds) -> Frame {
        let (below_stamp, stamp, left, tries, copies, way) = (0, 0, 0, 0, 0, 0.0);
        Frame { place, kind, below, below_stamp, stamp, left, tries, copies, line, way, began }
    }
}

/// The lines that a request is on at once: the first, and one for each branch and for what is sent, which leaves the line above it.
#[derive(Debug, Clone, Default)]
pub(super) struct Lines(Vec<Line>);

#[derive(Debug, Clone, Copy)]
struct Line {
    above: u32,
    depth: u32,
    /// The fork at which it left the line above; none where that does not wait for it.
    fork: Option<u32>,
    /// How much had happened by then.
    left: u32,
    /// The last visit on it.
    last: Last,
}

/// A visit: the station, and which of all visits of the request it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Last {
    pub station: u32,
    pub number: u32,
}

impl Lines {
    /// Back to the first alone.
    pub fn clear(&mut self) {
        self.0.clear();
        self.0.push(Line { above: 0, depth: 0, fork: None, left: 0, last: Last::default() });
    }

    /// A line that leaves another one at a fork, whose number rises, after so much has happened; a line that nobody waits for has no fork.
    pub fn leave(&mut self, above: u32, fork: Option<u32>, left: u32) -> u32 {
        let Line { depth, last, .. } = self.0[above as usize];
        self.0.push(Line { above, depth: depth + 1, fork, left, last });
        self.0.len() as u32 - 1
    }

    /// Notes a visit on a line; the one before it.
    pub fn visits(&mut self, line: u32, visit: Last) -> Last {
        std::mem::replace(&mut self.0[line as usize].last, visit)
    }

    /// Whether what is done on one line now does not depend on what was done on another one before, when so much had happened: they are
    /// branches of one fork, nobody waits for the other one, or that went on after this one had left it.
    pub fn are_apart(&self, now: u32, before: u32, happened: u32) -> bool {
        let line = |line: u32| self.0[line as usize];
        let (mut a, mut b) = (now, before);
        let mut left = u32::MAX;
        while line(b).depth > line(a).depth {
            if line(b).fork.is_none() {
                return true;
            }
            b = line(b).above;
        }
        while line(a).depth > line(b).depth {
            (a, left) = (line(a).above, line(a).left);
        }
        while a != b && line(a).above != line(b).above {
            if line(b).fork.is_none() {
                return true;
            }
            (a, b) = (line(a).above, line(b).above);
        }
        if a == b {
            return happened > left;
        }
        // Of two forks of one line the second waits for the first.
        line(b).fork.is_none() || line(a).fork == line(b).fork || line(b).left > line(a).left
    }
}

/// Branches that go on together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Join {
    pub frame: u32,
    pub needed: u32,
    pub running: u32,
    /// Whether the frame has gone on, or failed, already.
    pub over: bool,
}

/// What happens to a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// It goes on.
    Goes,
    /// Its call is sent again.
    Tries,
    /// It has ended, and the answer comes: with success or without.
    Answers(bool),
    /// It gives up an attempt, if it has this stamp still.
    GivesUp(u32),
    /// It sends a copy of its call, if it has this stamp still.
    Copies(u32),
}

/// Something that happens to a frame at a time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Event {
    pub time: Seconds,
    /// Of events at the same time the first to be known is the first to happen.
    pub number: u32,
    pub frame: u32,
    pub what: What,
}

/// The first is the greatest, as heaps have it.
impl Ord for Event {
    fn cmp(&self, other: &Event) -> Ordering {
        other.time.total_cmp(&self.time).then(other.number.cmp(&self.number))
    }
}

impl PartialOrd for Event {
    fn partial_cmp(&self, other: &Event) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Event {
    fn eq(&self, other: &Event) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Event {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_apart_until_they_meet_again() {
        let mut lines = Lines::default();
        lines.clear();
        let (left, right, sent) = (lines.leave(0, Some(1), 1), lines.leave(0, Some(1), 1), lines.leave(0, None, 1));
        let inner = lines.leave(left, Some(2), 2);
        assert!(
            lines.are_apart(left, right, 2) && lines.are_apart(inner, right, 2) && lines.are_apart(right, inner, 3)
        );
        // What went before a fork, and what a fork has waited for.
        assert!(!lines.are_apart(inner, left, 2) && !lines.are_apart(left, inner, 3) && !lines.are_apart(0, left, 2));
        // What goes on after something was sent does not wait for it, nor that for what goes on.
        assert!(lines.are_apart(0, sent, 2) && !lines.are_apart(sent, 0, 1) && lines.are_apart(sent, 0, 2));
        let later = lines.leave(0, Some(3), 4);
        assert!(!lines.are_apart(later, right, 2) && !lines.are_apart(later, inner, 3));
        assert!(lines.are_apart(later, sent, 2) && lines.are_apart(sent, later, 5));
    }
}

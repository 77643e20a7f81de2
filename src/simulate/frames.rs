//! Runs of operations and what they are made of, each a small record found by its number.
//!
//! The place of a record that has ended is taken by the next; what waits for a record knows its stamp, which is never the
//! same again for another record at that place.

use crate::network::program::{Kind, NONE, Place};

/// What a frame waits for, and thereby what its next event means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// To go on.
    Running,
    /// To arrive at the service it is sent to.
    Sent,
    /// For a worker of its service.
    Admission,
    /// For a server, or for its service there to end.
    Work,
    /// For a delay to end.
    Delay,
    /// For one of a pool.
    Pool,
    /// For answers.
    Answers,
    /// For the time before a call is sent again.
    Backoff,
    /// To arrive at who sent it, with success or without.
    Success,
    Failure,
}

/// One frame.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub place: Place,
    /// The frame or join that waits for the end.
    pub below: u32,
    /// The stamp of the frame below for as long as it waits.
    pub below_stamp: u32,
    /// Changes whenever answers it waited for no longer matter.
    pub stamp: u32,
    pub operation: u32,
    /// The service that runs it.
    pub service: u32,
    pub instance: u32,
    pub workload: u32,
    /// Runs of a loop that are left, this one included.
    pub left: u32,
    /// Runs of the call it makes that are left.
    pub asked: u32,
    /// Where its time went; nobody looks if none.
    pub ledger: u32,
    /// What is written of it; nobody reads if none.
    pub span: u32,
    pub kind: Kind,
    pub phase: Phase,
    /// Whether a workload made it itself.
    pub first: bool,
    /// Whether its caller waits for it and nothing else.
    pub is_awaited: bool,
    /// Whether it is there because some call was made again, or copied.
    pub is_again: bool,
    /// Whether it was sent to an instance.
    pub is_placed: bool,
    /// Whether it holds a worker of its service.
    pub has_worker: bool,
    /// Copies of a call that are not answered.
    pub copies: u8,
    /// Attempts of a call so far.
    pub tries: u32,
    /// When the service received it.
    pub began: f64,
    /// Time it waited in queues of its service.
    pub waited: f64,
    /// When the present wait, call or step began.
    pub since: f64,
    /// Work of the present step.
    pub work: f64,
    /// Time of each way between caller and service.
    pub way: f64,
}

/// A frame of nobody.
const BLANK: Frame = Frame {
    place: 0,
    below: NONE,
    below_stamp: 0,
    stamp: 0,
    operation: 0,
    service: 0,
    instance: 0,
    workload: 0,
    left: 0,
    asked: 0,
    ledger: NONE,
    span: NONE,
    kind: Kind::Run,
    phase: Phase::Running,
    first: false,
    is_awaited: false,
    is_again: false,
    is_placed: false,
    has_worker: false,
    copies: 0,
    tries: 0,
    began: 0.0,
    waited: 0.0,
    since: 0.0,
    work: 0.0,
    way: 0.0,
};

/// All frames.
#[derive(Debug, Default)]
pub(super) struct Frames {
    records: Vec<Frame>,
    free: Vec<u32>,
}

impl Frames {
    /// Makes a frame where there is room: its number, and the frame with nothing but its kind and stamp.
    #[inline]
    pub fn put(&mut self, kind: Kind) -> (u32, &mut Frame) {
        let number = match self.free.pop() {
            Some(number) => number,
            None => {
                self.records.push(BLANK);
                self.records.len() as u32 - 1
            }
        };
        let frame = &mut self.records[number as usize];
        // What is not set here is set before it is read.
        (frame.kind, frame.phase) = (kind, Phase::Running);
        (frame.first, frame.is_awaited, frame.is_placed, frame.has_worker) = (false, false, false, false);
        (frame.below, frame.ledger, frame.span) = (NONE, NONE, NONE);
        (frame.waited, frame.way, frame.is_again) = (0.0, 0.0, false);
        (number, frame)
    }

    /// Gives up a number.
    #[inline]
    pub fn free(&mut self, number: u32) {
        let frame = &mut self.records[number as usize];
        frame.stamp = frame.stamp.wrapping_add(1);
        self.free.push(number);
    }

    /// Numbers are below this.
    pub fn room(&self) -> usize {
        self.records.len()
    }

    /// All frames with their numbers.
    pub fn all(&self) -> impl Iterator<Item = (u32, &Frame)> {
        let mut there = vec![true; self.records.len()];
        self.free.iter().for_each(|number| there[*number as usize] = false);
        let numbered = (0u32..).zip(&self.records).zip(there);
        numbered.filter(|(_, there)| *there).map(|(frame, _)| frame)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.records.len() - self.free.len()
    }
}

impl std::ops::Index<u32> for Frames {
    type Output = Frame;

    #[inline]
    fn index(&self, number: u32) -> &Frame {
        &self.records[number as usize]
    }
}

impl std::ops::IndexMut<u32> for Frames {
    #[inline]
    fn index_mut(&mut self, number: u32) -> &mut Frame {
        &mut self.records[number as usize]
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
    /// When the last branch succeeded, of those that have; and where its time went.
    pub last: f64,
    pub ledger: u32,
}

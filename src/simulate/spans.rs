//! Requests written down span by span, as tracing tools do.

use super::frames::Frame;
use crate::network::program::NONE;
use crate::unit::Seconds;

/// The span of a request that has none yet but shall have one.
pub(super) const ROOT: u32 = NONE - 1;

/// What a span is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// A run of an operation, from receipt to answer.
    Operation,
    /// A part of it: a wait, work, a delay.
    Step(&'static str),
}

/// A stretch of time of a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// Number of the request, from 0.
    pub request: usize,
    /// The span it is a part of: its number in the list; `None` for the request itself.
    pub parent: Option<usize>,
    /// The operation that runs, by its number in the network.
    pub operation: usize,
    /// What it is.
    pub part: Part,
    /// Simulated time at its begin.
    pub start: Seconds,
    /// At its end; `None` where the run was over before.
    pub end: Option<Seconds>,
    /// Whether it ended with an error.
    pub failed: bool,
}

/// The spans of the first requests.
#[derive(Debug, Default)]
pub(super) struct Spans {
    list: Vec<Span>,
    requests: usize,
    wanted: usize,
}

impl Spans {
    /// For so many requests.
    pub fn new(wanted: usize) -> Spans {
        Spans { list: Vec::new(), requests: 0, wanted }
    }

    /// All that was written down: request by request, each in the order of time, what contains before what it contains.
    pub fn in_order(self) -> Vec<Span> {
        let mut depths: Vec<usize> = Vec::with_capacity(self.list.len());
        for span in &self.list {
            depths.push(span.parent.map_or(0, |parent| depths[parent] + 1));
        }
        let mut order: Vec<usize> = (0..self.list.len()).collect();
        order.sort_by(|i, j| {
            let (one, other) = (&self.list[*i], &self.list[*j]);
            (one.request.cmp(&other.request))
                .then(one.start.total_cmp(&other.start))
                .then(depths[*i].cmp(&depths[*j]))
                .then(one.operation.cmp(&other.operation))
        });
        let mut places = vec![0; order.len()];
        order.iter().zip(0..).for_each(|(number, place)| places[*number] = place);
        let placed = |number: &usize| {
            let span = &self.list[*number];
            Span { parent: span.parent.map(|parent| places[parent]), ..span.clone() }
        };
        order.iter().map(placed).collect()
    }

    /// Whether the next request is to be written down.
    pub fn wants_another(&self) -> bool {
        self.requests < self.wanted
    }

    /// A run of an operation begins.
    pub fn begin(&mut self, frame: &Frame, now: Seconds) -> u32 {
        let parent = (frame.span != ROOT).then_some(frame.span as usize);
        let request = match parent {
            Some(parent) => self.list[parent].request,
            None => {
                self.requests += 1;
                self.requests - 1
            }
        };
        let operation = frame.operation as usize;
        self.list.push(Span {
            request,
            parent,
            operation,
            part: Part::Operation,
            start: now,
            end: None,
            failed: false,
        });
        self.list.len() as u32 - 1
    }

    /// A part of a run is over; nothing is written of what took no time.
    pub fn part(&mut self, span: u32, name: &'static str, start: Seconds, end: Seconds) {
        if span == NONE || end <= start {
            return;
        }
        let Span { request, operation, .. } = self.list[span as usize];
        let (parent, end) = (Some(span as usize), Some(end));
        self.list.push(Span { request, parent, operation, part: Part::Step(name), start, end, failed: false });
    }

    /// A run of an operation is over.
    pub fn end(&mut self, frame: &Frame, now: Seconds, success: bool) {
        let span = &mut self.list[frame.span as usize];
        (span.end, span.failed) = (Some(now), !success);
    }
}

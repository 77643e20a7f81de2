//! From where each station gets its requests: streams followed through the programs.

use crate::network::{Network, StationId, Step};

/// Streams kept apart at one place: the many small ones beyond change the variability by little, and their number
/// grows with everything downstream of a chance call. Their rate goes to the kept ones.
const MOST_STREAMS: usize = 8;

/// Where a stream of requests comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Source {
    Workload(usize),
    Station(StationId),
}

/// A stream into a station.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stream {
    pub source: Source,
    pub rate: f64,
}

/// Follows requests through the programs and notes from where each station gets them.
pub(super) struct Walker<'a> {
    network: &'a Network,
    held: &'a [Vec<f64>],
    /// Which station a request leaves an operation from, with probabilities; `None` when it visits none.
    exits: Vec<Vec<(Option<StationId>, f64)>>,
    streams: Vec<Vec<Stream>>,
}

impl<'a> Walker<'a> {
    pub(super) fn new(network: &'a Network, held: &'a [Vec<f64>]) -> Self {
        let mut exits = vec![Vec::new(); network.operations.len()];
        for &operation in network.order.iter().rev() {
            exits[operation] = exit_of(network, &network.operations[operation].steps, &exits);
        }
        Walker { network, held, exits, streams: vec![Vec::new(); network.stations.len()] }
    }

    pub(super) fn streams(mut self) -> Vec<Vec<Stream>> {
        let network = self.network;
        let mut arriving: Vec<Vec<Stream>> = vec![Vec::new(); network.operations.len()];
        for (w, workload) in network.workloads.iter().enumerate() {
            for (operation, share) in &workload.mix {
                add(&mut arriving[*operation], Stream { source: Source::Workload(w), rate: workload.rate() * share });
            }
        }
        for &operation in &network.order {
            let mut incoming = std::mem::take(&mut arriving[operation]);
            keep_largest(&mut incoming, |stream| &mut stream.rate);
            if !incoming.is_empty() {
                self.steps(&network.operations[operation].steps, incoming, &mut arriving);
            }
        }
        self.streams
    }

    fn steps(&mut self, steps: &[Step], mut at: Vec<Stream>, arriving: &mut [Vec<Stream>]) -> Vec<Stream> {
        for step in steps {
            at = self.step(step, at, arriving);
            keep_largest(&mut at, |stream| &mut stream.rate);
        }
        at
    }

    fn step(&mut self, step: &Step, at: Vec<Stream>, arriving: &mut [Vec<Stream>]) -> Vec<Stream> {
        match step {
            Step::Delay(_) => at,
            Step::Visit(visit) => {
                let station = self.network.visits[*visit].station;
                at.iter().for_each(|stream| add(&mut self.streams[station], *stream));
                let rate = total(&at) * (1.0 - self.held[station].iter().copied().fold(0.0, f64::max));
                vec![Stream { source: Source::Station(station), rate }]
            }
            Step::Fail(chance) => scaled(&at, 1.0 - chance),
            Step::Send(target) => {
                at.iter().for_each(|stream| add(&mut arriving[*target], *stream));
                at
            }
            Step::Call(call) => {
                if call.times == 0 || call.probability == 0.0 {
                    return at;
                }
                let made = scaled(&at, call.probability);
                made.iter().for_each(|stream| add(&mut arriving[call.target], *stream));
                let mut after = self.leave(&self.exits[call.target], &made);
                if call.times > 1 {
                    scaled(&after, f64::from(call.times - 1))
                        .into_iter()
                        .for_each(|stream| add(&mut arriving[call.target], stream));
                }
                scaled(&at, 1.0 - call.probability).into_iter().for_each(|stream| add(&mut after, stream));
                after
            }
            Step::Choose(ways) => {
                let mut after = Vec::new();
                for (weight, steps) in ways {
                    self.steps(steps, scaled(&at, *weight), arriving).into_iter().for_each(|s| add(&mut after, s));
                }
                after
            }
            Step::Repeat { times, steps } => {
                if *times == 0 {
                    return at;
                }
                let first = self.steps(steps, at, arriving);
                if *times == 1 {
                    return first;
                }
                let again = scaled(&first, f64::from(times - 1));
                let last = self.steps(steps, again, arriving);
                scaled(&last, 1.0 / f64::from(times - 1))
            }
            Step::Parallel { branches, .. } => {
                // What leaves is paced by the branch that visits the most; the others end within it.
                let mut after = at.clone();
                for steps in branches {
                    let left = self.steps(steps, at.clone(), arriving);
                    if left.iter().any(|s| matches!(s.source, Source::Station(_))) {
                        after = left;
                    }
                }
                after
            }
        }
    }

    /// Streams after an operation that is left from these stations.
    fn leave(&self, exits: &[(Option<StationId>, f64)], at: &[Stream]) -> Vec<Stream> {
        let rate = total(at);
        let mut after = Vec::new();
        for (exit, share) in exits {
            match exit {
                Some(station) => add(&mut after, Stream { source: Source::Station(*station), rate: rate * share }),
                None => scaled(at, *share).into_iter().for_each(|stream| add(&mut after, stream)),
            }
        }
        after
    }
}

fn exit_of(
    network: &Network,
    steps: &[Step],
    exits: &[Vec<(Option<StationId>, f64)>],
) -> Vec<(Option<StationId>, f64)> {
    let mut at = vec![(None, 1.0)];
    for step in steps {
        let onward = |inner: &[(Option<StationId>, f64)], at: &[(Option<StationId>, f64)], chance: f64| {
            let mut after: Vec<(Option<StationId>, f64)> = Vec::new();
            let mut put = |exit: Option<StationId>, share: f64| match after.iter_mut().find(|(e, _)| *e == exit) {
                Some((_, sum)) => *sum += share,
                None => after.push((exit, share)),
            };
            for (exit, share) in inner {
                match exit {
                    Some(_) => put(*exit, chance * share),
                    None => at.iter().for_each(|(e, s)| put(*e, chance * share * s)),
                }
            }
            if chance < 1.0 {
                at.iter().for_each(|(e, s)| put(*e, (1.0 - chance) * s));
            }
            after
        };
        at = match step {
            Step::Visit(visit) => vec![(Some(network.visits[*visit].station), 1.0)],
            Step::Delay(_) | Step::Fail(_) | Step::Send(_) => at,
            Step::Call(call) if call.times > 0 => onward(&exits[call.target], &at, call.probability),
            Step::Call(_) => at,
            Step::Repeat { times, steps } if *times > 0 => onward(&exit_of(network, steps, exits), &at, 1.0),
            Step::Repeat { .. } => at,
            Step::Choose(ways) => {
                let mut merged: Vec<(Option<StationId>, f64)> = Vec::new();
                for (weight, steps) in ways {
                    merged.extend(exit_of(network, steps, exits).into_iter().map(|(e, s)| (e, s * weight)));
                }
                onward(&merged, &at, 1.0)
            }
            Step::Parallel { branches, .. } => {
                let mut all = branches.iter().map(|steps| exit_of(network, steps, exits));
                let slowest = all.rfind(|exit| exit.iter().any(|(e, _)| e.is_some()));
                slowest.map_or(at.clone(), |exit| onward(&exit, &at, 1.0))
            }
        };
        keep_largest(&mut at, |(_, share)| share);
    }
    at
}

fn add(streams: &mut Vec<Stream>, stream: Stream) {
    if stream.rate <= 0.0 {
        return;
    }
    match streams.iter_mut().find(|s| s.source == stream.source) {
        Some(same) => same.rate += stream.rate,
        None => streams.push(stream),
    }
}

/// Keeps the largest entries and scales them to the old total.
fn keep_largest<T>(entries: &mut Vec<T>, size: impl Fn(&mut T) -> &mut f64) {
    // Only now and then: sorting costs more than carrying a few more along.
    if entries.len() <= 2 * MOST_STREAMS {
        return;
    }
    let before: f64 = entries.iter_mut().map(|entry| *size(entry)).sum();
    // Of equal ones the first in the order of the model are kept.
    let mut sizes: Vec<(usize, f64)> = entries.iter_mut().map(|entry| *size(entry)).enumerate().collect();
    sizes.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let mut kept = vec![false; entries.len()];
    sizes.iter().take(MOST_STREAMS).for_each(|(i, _)| kept[*i] = true);
    let mut i = 0;
    entries.retain(|_| {
        i += 1;
        kept[i - 1]
    });
    let after: f64 = entries.iter_mut().map(|entry| *size(entry)).sum();
    if after > 0.0 {
        entries.iter_mut().for_each(|entry| *size(entry) *= before / after);
    }
}

fn scaled(streams: &[Stream], factor: f64) -> Vec<Stream> {
    if factor <= 0.0 {
        return Vec::new();
    }
    streams.iter().map(|s| Stream { rate: s.rate * factor, ..*s }).collect()
}

fn total(streams: &[Stream]) -> f64 {
    streams.iter().map(|s| s.rate).sum()
}

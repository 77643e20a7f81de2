//! One pool, as one request finds it.

use super::super::layers::{groups, tokens};
use super::place::MOST_LANES;
use super::wait::Wait;
use crate::math::random::Stream;
use crate::network::{Network, Pool, PoolKind};
use crate::unit::Seconds;
use std::collections::VecDeque;

/// What comes of asking a pool.
pub(super) enum Taken {
    Refused,
    After(Seconds),
    /// The request itself holds all of them.
    Waits,
}

/// What of a pool one instance has: how many the request holds, and who of it waits for more.
#[derive(Debug, Clone, Default)]
struct Share {
    holders: Vec<u32>,
    waiting: VecDeque<(u32, Seconds)>,
}

/// A pool.
#[derive(Debug, Clone)]
pub(super) struct Tokens {
    /// How many there are of each share.
    size: usize,
    shares: Vec<Share>,
    pub wait: Wait,
    pub refused: f64,
    /// Sum of waits for the own request.
    pub waited: Seconds,
}

impl Tokens {
    /// Before anybody is known to wait for it.
    pub fn new(network: &Network, pool: &Pool) -> Tokens {
        let limited = !matches!(pool.kind, PoolKind::Calls { .. });
        Tokens {
            size: if limited { tokens(network, pool) } else { usize::MAX },
            shares: vec![Share::default(); groups(network, pool).min(f64::from(MOST_LANES)) as usize],
            wait: Wait::new(0.0, 0.0, 1.0),
            refused: 0.0,
            waited: 0.0,
        }
    }

    /// Begins with another request.
    pub fn clear(&mut self) {
        for share in &mut self.shares {
            share.holders.clear();
            share.waiting.clear();
        }
    }

    /// A frame asks for one: what comes of it, and how many of the same request are before it.
    pub fn take(&mut self, frame: u32, now: Seconds, stream: &mut Stream) -> (Taken, usize) {
        let shares = self.shares.len();
        let share = if shares > 1 { stream.below(shares as u32) as usize } else { 0 };
        let Some(share) = self.shares.get_mut(share) else { return (Taken::Refused, 0) };
        let met = share.holders.len() + share.waiting.len();
        if share.holders.len() >= self.size {
            share.waiting.push_back((frame, now));
            return (Taken::Waits, met);
        }
        share.holders.push(frame);
        (Taken::After(self.wait.draw(stream)), met)
    }

    /// A frame gives one back; who of the same request gets it next.
    pub fn give(&mut self, frame: u32, now: Seconds) -> Option<u32> {
        let holds = |share: &Share| share.holders.iter().rposition(|holder| *holder == frame);
        let (share, place) = self.shares.iter_mut().find_map(|share| holds(share).map(|place| (share, place)))?;
        share.holders.swap_remove(place);
        let (next, since) = share.waiting.pop_front()?;
        share.holders.push(next);
        self.waited += now - since;
        Some(next)
    }
}

//! One station, as the visits of one request find it.

use super::frames::{Last, Lines};
use super::wait::{Wait, passed};
use crate::discipline::Discipline;
use crate::math::random::Stream;
use crate::network::Station;
use crate::network::program::LawId;
use crate::system::Balancer;
use crate::unit::Seconds;

/// Of more visits of a request to a queue the last of those are looked at on which another one depends.
const RECENT: usize = 64;

/// More servers than these are taken as these: a request that keeps as many busy is rare.
const MOST_SERVERS: u32 = 256;

/// Of more queues, or shares of a pool, a request hardly ever meets itself in one.
pub(super) const MOST_LANES: u32 = 256;

/// A visit to a station: how much work of which law, by whom, and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Visit {
    pub law: LawId,
    pub work: Seconds,
    pub line: u32,
    /// Which of all visits of the request it is, and the one before it.
    pub number: u32,
    pub from: Last,
    pub now: Seconds,
}

/// A visit that stands before others: from when to when its work is done in their place, and how much that is. It leaves before that,
/// others who came behind it taking its place: what depends on that it has left finds no more than anybody does.
#[derive(Debug, Clone, Copy)]
struct Stands {
    begins: Seconds,
    until: Seconds,
    work: Seconds,
    came: Seconds,
    leaves: Seconds,
    line: u32,
    number: u32,
    from: Last,
}

impl Stands {
    /// What is left of the work.
    fn left(&self, now: Seconds) -> Seconds {
        let part = (self.until - now) / (self.until - self.begins).max(f64::MIN_POSITIVE);
        self.work * part.clamp(0.0, 1.0)
    }
}

/// One queue of a station, as the visits of one request find it.
#[derive(Debug, Clone, Default)]
struct Lane {
    /// Its visits that stand before others.
    present: Vec<Stands>,
    /// When each server is done with them.
    free: Vec<Seconds>,
    /// Until when those stand before them that were there already.
    behind: Seconds,
    /// Until when its visits keep all servers.
    kept: Seconds,
    /// All its visits.
    past: Vec<Stands>,
    /// What was found last, and when.
    found: Option<(Seconds, Seconds)>,
}

/// A station.
#[derive(Debug, Clone)]
pub(super) struct Place {
    lanes: Vec<Lane>,
    /// Whether visits go to the lanes in turn.
    turns: bool,
    turn: usize,
    pub wait: Wait,
    /// The part of the servers that others leave.
    pub idle: f64,
    /// How much longer work stands before others than it takes, and the variance of the time for each second of it.
    stretch: f64,
    jitter: f64,
    /// Variance of the work that others bring, per second.
    brings: f64,
    forgets: Seconds,
    pub refused: f64,
    /// Whether all that is there is served at once: what is found is how many times longer it takes then, not a wait.
    shared: bool,
    pub slowdown: f64,
    /// Sums over visits: of waits for the own request.
    pub waited: Seconds,
    /// What they would be if others always kept all servers busy.
    pub behind: Seconds,
    /// How many others were met that had not come at the same time.
    pub elsewhen: f64,
    /// The products of its work and that of others on other branches, as far as what they left was still there.
    pub beside: f64,
    /// How long the request keeps all servers of a queue.
    pub kept: Seconds,
}

impl Lane {
    fn clear(&mut self) {
        self.present.clear();
        self.free.fill(0.0);
        self.past.clear();
        (self.behind, self.kept, self.found) = (0.0, 0.0, None);
    }
}

impl Place {
    /// Begins with another request.
    pub fn clear(&mut self) {
        self.lanes.iter_mut().for_each(Lane::clear);
    }

    /// Visits of the request that stand before others.
    pub fn standing(&self) -> usize {
        self.lanes.iter().map(|lane| lane.present.len()).sum()
    }

    pub fn new(
        station: &Station,
        utilization: f64,
        (work, square): (Seconds, f64),
        wait: Wait,
        forgets: Seconds,
    ) -> Place {
        let servers = of_one_queue(station).min(MOST_SERVERS);
        let lanes = if station.is_split() { station.instances.min(MOST_LANES) as usize } else { 1 };
        let lane = Lane { free: vec![0.0; servers as usize], ..Lane::default() };
        let idle = 1.0 - utilization;
        Place {
            lanes: vec![lane; lanes],
            turns: station.balancer == Balancer::RoundRobin,
            turn: 0,
            wait,
            idle,
            stretch: 1.0 + (1.0 / idle - 1.0) / f64::from(servers),
            jitter: utilization * work * square / (f64::from(servers) * idle * idle * idle),
            brings: utilization * work * square / f64::from(servers),
            forgets,
            refused: 0.0,
            shared: station.discipline == Discipline::Ps,
            slowdown: 1.0,
            waited: 0.0,
            behind: 0.0,
            elsewhen: 0.0,
            beside: 0.0,
            kept: 0.0,
        }
    }

    /// The queue that the next visit goes to.
    fn lane(&mut self, stream: &mut Stream) -> usize {
        match self.lanes.len() {
            1 => 0,
            lanes if self.turns => {
                self.turn = (self.turn + 1) % lanes;
                self.turn
            }
            lanes => stream.below(lanes as u32) as usize,
        }
    }

    /// How many visits of the request itself stand before this one, and when it is over; `busy` is the utilization of the station that it
    /// comes from.
    pub fn visit(&mut self, visit: Visit, busy: f64, lines: &Lines, stream: &mut Stream) -> (usize, Seconds) {
        let Visit { work, line, number, from, now, .. } = visit;
        let (lane, lanes) = (self.lane(stream), self.lanes.len() as f64);
        let lane = &mut self.lanes[lane];
        lane.present.retain(|before| before.until > now);
        let is_apart = |past: &Stands| lines.are_apart(line, past.line, past.number);
        let recent = || lane.past.iter().rev().take(RECENT);
        let last = recent().find(|past| past.leaves <= now && !is_apart(past)).copied();
        let (mut met, mut left) = (0, 0.0);
        // Those who came from one busy queue came no closer than anybody does who leaves it.
        let follows = |before: &Stands| before.from.station == from.station && before.from.number != from.number;
        for past in recent().filter(|past| is_apart(past)) {
            let spaced = if follows(past) { busy * busy } else { 0.0 };
            let gap = (now - past.leaves).max(0.0);
            let left = if gap > 0.0 { (-gap / self.forgets).exp() } else { 1.0 };
            self.beside += (1.0 - spaced) * left * work * past.work;
        }
        for before in &lane.present {
            let spaced = follows(before) && stream.chance(busy * busy);
            let since = last.is_none_or(|last| before.came >= last.leaves);
            if !spaced && (before.leaves > now || since && is_apart(before)) {
                met += 1;
                self.elsewhen += f64::from(u8::from(before.came < now));
                left += before.left(now);
            }
        }
        let mut is_kept = |since: Seconds| self.forgets > 0.0 && stream.chance((-(now - since) / self.forgets).exp());
        let wait = match (last, lane.found) {
            // Who came while the last visit was there stands behind it.
            (Some(last), _) if lane.free.len() == 1 && !self.shared && is_kept(last.leaves) => {
                let there = last.leaves - last.came;
                passed((1.0 - self.idle) * there, self.brings * there, stream)
            }
            (_, Some((time, wait))) if is_kept(time) => wait,
            _ => self.wait.draw(stream),
        };
        lane.found = Some((now, wait));
        if met == 0 && !self.shared {
            lane.behind = now + passed(wait / self.idle, wait * self.jitter, stream);
        }
        // A lane has one server at least.
        let servers = lane.free.len();
        let first = (0..servers).min_by(|a, b| lane.free[*a].total_cmp(&lane.free[*b])).unwrap_or(0);
        let begins = now.max(lane.behind).max(lane.free[first]);
        let until = begins + passed(work * self.stretch, work * self.jitter, stream);
        lane.free[first] = until;
        let kept = lane.free.iter().copied().fold(f64::INFINITY, f64::min);
        self.kept += (kept - now.max(lane.kept)).max(0.0) / lanes;
        lane.kept = lane.kept.max(kept);
        // Of the work of so many before it a visit waits for what is too much for the servers.
        let own = if met >= servers { left * (met + 1 - servers) as f64 / (met * servers) as f64 } else { 0.0 };
        // Where all are served at once what was found is how slow that is; one more there makes it longer by its work over 2 - ρ, as
        // those do who come behind, so that those before count twice.
        let each = if self.shared { 2.0 / (1.0 + self.idle) } else { 1.0 };
        let own = own * each;
        let time = if self.shared { work * wait } else { wait + work };
        let leaves = now + own + time;
        let stands = Stands { begins, until: until.max(leaves), work, came: now, leaves, line, number, from };
        lane.present.push(stands);
        lane.past.push(stands);
        self.waited += own;
        self.behind += own.max(each * left / servers as f64);
        (met, leaves)
    }
}

/// The servers of one queue of a station.
pub(super) fn of_one_queue(station: &Station) -> u32 {
    if station.is_split() { station.servers } else { station.servers.saturating_mul(station.instances) }.max(1)
}

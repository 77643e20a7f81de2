//! One station, as the visits of one request find it.

use super::frames::{Last, Lines};
use super::wait::{Wait, brought};
use crate::discipline::Discipline;
use crate::math::random::Stream;
use crate::math::special::normal_upper;
use crate::network::Station;
use crate::network::program::LawId;
use crate::system::Balancer;
use crate::unit::{PerSecond, Seconds};
use std::sync::LazyLock;

/// Of more visits of a request to a queue the last of those are looked at on which another one depends.
const RECENT: usize = 64;

/// After so many times what a queue forgets in, nothing of what one left there is found; on the way there so much is, by the square
/// root of the time.
const FORGOTTEN: f64 = 32.0;
const PARTS: f64 = 512.0;
static STILL_BUSY: LazyLock<Vec<f64>> = LazyLock::new(|| {
    let root = |i: u32| f64::from(i) / PARTS * (0.5 * FORGOTTEN).sqrt();
    (0..=PARTS as u32).map(|i| busy_since(root(i))).collect()
});

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

/// Work that stands before one server: when it was looked at last, what others had brought by then, and what all had.
#[derive(Debug, Clone, Copy)]
struct InLine {
    at: Seconds,
    others: Seconds,
    all: Seconds,
}

/// One who comes, and looks at those of the same request who came before.
struct Comer<'a> {
    visit: Visit,
    /// Utilization of the station that it comes from.
    busy: f64,
    lines: &'a Lines,
    /// When the last visit left there on which this one depends.
    last: Option<Seconds>,
}

impl Comer<'_> {
    fn is_apart(&self, past: &Stands) -> bool {
        self.lines.are_apart(self.visit.line, past.line, past.number)
    }

    /// The chance that both are as far from each other as anybody who leaves a busy queue.
    fn spaced(&self, past: &Stands) -> f64 {
        let from = self.visit.from;
        if past.from.station == from.station && past.from.number != from.number { self.busy * self.busy } else { 0.0 }
    }

    /// Whether one who stands there is met.
    fn meets(&self, before: &Stands, stream: &mut Stream) -> bool {
        let spaced = self.spaced(before);
        if spaced > 0.0 && stream.chance(spaced) {
            return false;
        }
        let since = self.last.is_none_or(|last| before.came >= last);
        before.leaves > self.visit.now || since && self.is_apart(before)
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
    /// What stood before its one server then.
    line: Option<InLine>,
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
    /// By how much others' work puts off that of one who stands before them.
    stretch: f64,
    /// How much more of them come at first, since this request came, and how often its like come: less where these come as a regular
    /// stream.
    pub spaced: (f64, PerSecond),
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
    /// How often a visit has looked at another one, since that was asked last.
    pub looked: u64,
}

impl Lane {
    fn clear(&mut self) {
        self.present.clear();
        self.free.fill(0.0);
        self.past.clear();
        (self.behind, self.kept, self.found, self.line) = (0.0, 0.0, None, None);
    }
}

impl Place {
    /// Begins with another request.
    pub fn clear(&mut self) {
        self.lanes.iter_mut().for_each(Lane::clear);
    }

    /// Whether its visits stand in line before one server.
    fn is_line(&self) -> bool {
        !self.shared && self.lanes.iter().all(|lane| lane.free.len() == 1)
    }

    /// Others wait as those of this do, each visit so long for its own request.
    pub fn meet(&mut self, waited: Seconds) {
        if self.is_line() && waited > 0.0 {
            let utilization = 1.0 - self.idle;
            let mean = self.wait.mean + utilization * waited / self.idle;
            self.wait = Wait::new(utilization, mean / utilization, 1.0);
        }
    }

    pub fn new(station: &Station, utilization: f64, wait: Wait, forgets: Seconds) -> Place {
        let servers = station.servers_of_queue().min(MOST_SERVERS);
        let lanes = if station.is_split() { station.instances.min(MOST_LANES) as usize } else { 1 };
        let lane = Lane { free: vec![0.0; servers as usize], ..Lane::default() };
        let idle = 1.0 - utilization;
        Place {
            lanes: vec![lane; lanes],
            turns: station.balancer == Balancer::RoundRobin,
            turn: 0,
            wait,
            idle,
            stretch: 1.0 / (idle * f64::from(servers)),
            spaced: (0.0, 0.0),
            forgets,
            refused: 0.0,
            shared: station.discipline == Discipline::Ps,
            slowdown: 1.0,
            waited: 0.0,
            behind: 0.0,
            elsewhen: 0.0,
            beside: 0.0,
            kept: 0.0,
            looked: 0,
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
        let at = self.lane(stream);
        let mut lane = std::mem::take(&mut self.lanes[at]);
        self.looked += (lane.past.len().min(RECENT) + lane.present.len()) as u64;
        let mut comer = Comer { visit, busy, lines, last: None };
        for past in lane.past.iter().rev().take(RECENT) {
            let since = visit.now - past.came;
            if since > FORGOTTEN * self.forgets && comer.last.is_some() {
                break;
            }
            if comer.is_apart(past) {
                let left = still_busy(since, self.forgets);
                self.beside += (1.0 - comer.spaced(past)) * left * visit.work * past.work;
            } else if comer.last.is_none() && past.leaves <= visit.now {
                comer.last = Some(past.leaves);
            }
        }
        let (met, stands) = if lane.free.len() == 1 && !self.shared {
            self.in_line(&mut lane, &comer, stream)
        } else {
            self.side_by_side(&mut lane, &comer, stream)
        };
        lane.past.push(stands);
        self.lanes[at] = lane;
        (met, stands.leaves)
    }

    /// The part of what was found that is still so after some time.
    fn kept_for(&self, time: Seconds) -> f64 {
        if time <= 0.0 {
            1.0
        } else if self.forgets > 0.0 {
            (-time / self.forgets).exp()
        } else {
            0.0
        }
    }

    /// One more in line before one server: all that stood there is there but what has been done since, and who came since stands before
    /// it too.
    fn in_line(&mut self, lane: &mut Lane, comer: &Comer<'_>, stream: &mut Stream) -> (usize, Stands) {
        let Visit { work, line, number, from, now, .. } = comer.visit;
        let (own, others) = match lane.line {
            None => (0.0, self.wait.draw(stream)),
            Some(InLine { at, others, all }) => {
                let gap = now - at;
                if self.wait.is_plain {
                    let came = self.brought(at, now, stream) - gap;
                    let mut others = others + came;
                    if others <= 0.0 {
                        others = if stream.chance(self.kept_for(-others)) { 0.0 } else { self.wait.draw(stream) };
                    }
                    ((all + came - others).max(0.0), others)
                } else {
                    // How that goes on is not known: what others leave is what is done of the own work meanwhile.
                    let same = stream.chance(self.kept_for(gap));
                    let own = (all - others - self.idle * gap).max(0.0);
                    (own, if same { others } else { self.wait.draw(stream) })
                }
            }
        };
        // What of it stands there is of those who came last.
        let (mut met, mut left, mut waited) = (0, own, 0.0);
        for before in lane.past.iter().rev().take(RECENT) {
            if left <= 0.0 {
                break;
            }
            if comer.meets(before, stream) {
                met += 1;
                waited += before.work.min(left);
                self.elsewhen += f64::from(u8::from(before.came < now));
            }
            left -= before.work;
        }
        self.waited += waited;
        self.behind += waited;
        self.keeps(lane, now, now + own + work);
        let all = own + others + work;
        lane.line = Some(InLine { at: now, others, all });
        let leaves = now + all;
        (met, Stands { begins: now, until: leaves, work, came: now, leaves, line, number, from })
    }

    /// What others bring from one time to another, since the request came.
    fn brought(&self, from: Seconds, until: Seconds, stream: &mut Stream) -> Seconds {
        let (more, rate) = self.spaced;
        let time = until - from;
        let at_first = if rate > 0.0 { more * ((-rate * from).exp() - (-rate * until).exp()) / rate } else { 0.0 };
        // As often as makes what they bring as long on average as it is: each an exponential part.
        let often = if self.wait.mean > 0.0 {
            (1.0 - self.idle) * self.wait.chance / (self.wait.mean * self.idle)
        } else {
            0.0
        };
        brought(often * time, (1.0 - self.idle) * (time + at_first).max(0.0), stream)
    }

    /// The request keeps all servers of a queue until some time.
    fn keeps(&mut self, lane: &mut Lane, now: Seconds, until: Seconds) {
        self.kept += (until - now.max(lane.kept)).max(0.0) / self.lanes.len() as f64;
        lane.kept = lane.kept.max(until);
    }

    /// One more where several are served at once.
    fn side_by_side(&mut self, lane: &mut Lane, comer: &Comer<'_>, stream: &mut Stream) -> (usize, Stands) {
        let Visit { work, line, number, from, now, .. } = comer.visit;
        lane.present.retain(|before| before.until > now);
        let (mut met, mut left) = (0, 0.0);
        for before in lane.present.iter().filter(|before| comer.meets(before, stream)) {
            met += 1;
            self.elsewhen += f64::from(u8::from(before.came < now));
            left += before.left(now);
        }
        let wait = match lane.found {
            Some((time, wait)) if stream.chance(self.kept_for(now - time)) => wait,
            _ => self.wait.draw(stream),
        };
        lane.found = Some((now, wait));
        if met == 0 && !self.shared {
            lane.behind = now + wait + self.brought(now, now + wait, stream) / self.idle;
        }
        // A lane has one server at least.
        let servers = lane.free.len();
        let first = (0..servers).min_by(|a, b| lane.free[*a].total_cmp(&lane.free[*b])).unwrap_or(0);
        let begins = now.max(lane.behind).max(lane.free[first]);
        let until = begins + work + self.brought(begins, begins + work, stream) * self.stretch;
        lane.free[first] = until;
        self.keeps(lane, now, lane.free.iter().copied().fold(f64::INFINITY, f64::min));
        // Of the work of so many before it a visit waits for what is too much for the servers.
        let own = if met >= servers { left * (met + 1 - servers) as f64 / (met * servers) as f64 } else { 0.0 };
        // Where all are served at once what was found is how slow that is; one more there makes it longer by its work over 2 - ρ, as
        // those do who come behind, so that those before count twice.
        let each = if self.shared { 2.0 / (1.0 + self.idle) } else { 1.0 };
        let own = own * each;
        let time = if self.shared { work * wait } else { wait + work };
        let leaves = now + own + time;
        self.waited += own;
        self.behind += own.max(each * left / servers as f64);
        let stands = Stands { begins, until: until.max(leaves), work, came: now, leaves, line, number, from };
        lane.present.push(stands);
        (met, stands)
    }
}

/// The chance that a queue in heavy traffic that forgets in such a time has not been empty for so long: what one brings then waits with
/// what another brought before. Read from a table, to 1e-5.
fn still_busy(time: Seconds, forgets: Seconds) -> f64 {
    if time <= 0.0 {
        return 1.0;
    }
    let at = ((time / (FORGOTTEN * forgets)).sqrt() * PARTS).min(PARTS);
    let (before, part) = (at as usize, at.fract());
    STILL_BUSY.get(before..before + 2).map_or(0.0, |near| near[0] + part * (near[1] - near[0]))
}

/// The same, by the square root of the time in units of twice what it forgets in: first passage from the stationary state of a
/// reflected Brownian motion.
///
/// Source: Abate and Whitt, Transient behavior of regulated Brownian motion, Advances in Applied Probability 19 (1987).
fn busy_since(root: f64) -> f64 {
    let t = root * root;
    let density = (-0.5 * t).exp() / std::f64::consts::TAU.sqrt();
    (2.0 * (1.0 + t) * normal_upper(root) - 2.0 * root * density).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_stays_busy_as_long_on_average_as_it_remembers() {
        let (forgets, step) = (3.0, 1e-3);
        let mean: f64 = (0..200_000).map(|i| still_busy((f64::from(i) + 0.5) * step, forgets) * step).sum();
        assert!((mean / forgets - 1.0).abs() < 1e-3, "{mean}");
        assert_eq!((still_busy(0.0, forgets), still_busy(1.0, 0.0)), (1.0, 0.0));
        assert!(still_busy(1e6, forgets) < 1e-12);
    }
}

//! What stations do: who is served, who waits, who is sent away.

use super::run::{Run, Then};
use super::state::{Frame, FrameId, Status};
use crate::discipline::Discipline;
use crate::network::StationId;
use crate::network::program::LawId;

impl Run<'_> {
    /// A frame needs a server.
    pub(super) fn work(&mut self, id: FrameId, station: StationId) -> Then {
        let place = &self.machine.form.network.stations[station];
        let (servers, discipline) = (self.machine.servers(station), place.discipline);
        let places = place
            .queue
            .map_or(usize::MAX, |places| places as usize * self.machine.form.together(place.service) as usize);
        let Frame { instance, .. } = self.state.frames[id];
        let served = self.served(station, instance);
        let class = self.class(id, station);
        if served.len() < servers {
            return self.begin(id, station);
        }
        if discipline == Discipline::Ps {
            if served.len() - servers >= places {
                return Then::Fails(id);
            }
            return self.begin(id, station);
        }
        if discipline == Discipline::Preemptive {
            let least = served.iter().copied().max_by_key(|other| match self.state.frames[*other].status {
                Status::Served(_, order) => (self.class(*other, station), order),
                _ => (0, 0),
            });
            if let Some(victim) = least.filter(|victim| self.class(*victim, station) > class) {
                self.interrupt(victim, station);
                return self.begin(id, station);
            }
        }
        let waiting = self
            .count(|other| matches!(other.status, Status::Waiting(..)) && self.machine.is_at(other, station, instance));
        if waiting >= places {
            return Then::Fails(id);
        }
        let before = self.waiting(station, instance, class).len();
        self.state.frames[id].status = Status::Waiting(before as u16, None);
        Then::Waits
    }

    /// A frame passes time.
    pub(super) fn delay(&mut self, id: FrameId, law: LawId) -> Then {
        let begin = &self.machine.laws[law as usize].begin;
        if begin.is_empty() {
            return self.past(id);
        }
        self.state.frames[id].status = Status::Delay(self.dice.draw(begin) as u16);
        Then::Waits
    }

    fn class(&self, id: FrameId, station: StationId) -> usize {
        let network = self.machine.form.network;
        let heeds = network.stations[station].discipline.uses_priority();
        if heeds { network.workloads[usize::from(self.state.frames[id].workload)].class } else { 0 }
    }

    fn served(&self, station: StationId, instance: u16) -> Vec<FrameId> {
        self.in_order(|frame| match frame.status {
            Status::Served(_, order) if self.machine.is_at(frame, station, instance) => Some(order),
            _ => None,
        })
    }

    /// Who waits in a class, the first to come first.
    fn waiting(&self, station: StationId, instance: u16, class: usize) -> Vec<FrameId> {
        let mut all = self.in_order(|frame| match frame.status {
            Status::Waiting(rank, _) if self.machine.is_at(frame, station, instance) => Some(rank),
            _ => None,
        });
        all.retain(|id| self.class(*id, station) == class);
        all
    }

    /// Begins, or takes up again, the work of a frame.
    fn begin(&mut self, id: FrameId, station: StationId) -> Then {
        let frame = self.state.frames[id];
        let begun = if let Status::Waiting(_, phase) = frame.status { phase } else { None };
        let law = self.machine.law_at(&frame).map(|law| &self.machine.laws[law as usize]);
        let phase = match (begun, law) {
            (Some(phase), _) => phase,
            (None, Some(law)) if !law.begin.is_empty() => self.dice.draw(&law.begin) as u16,
            // Work that takes no time waits for its server all the same, and has none for long.
            _ => {
                self.state.frames[id].status = Status::Ready;
                return self.over(id, station);
            }
        };
        let place = &self.machine.form.network.stations[station];
        // In which order they began counts only where one of several may be interrupted.
        let counts = place.discipline == Discipline::Preemptive && self.machine.servers(station) > 1;
        let order = if counts { self.served(station, frame.instance).len() as u16 } else { 0 };
        self.state.frames[id].status = Status::Served(phase, order);
        Then::Waits
    }

    /// Takes the server from a frame, which waits before all others of its class.
    fn interrupt(&mut self, victim: FrameId, station: StationId) {
        let frame = self.state.frames[victim];
        let Status::Served(phase, order) = frame.status else { return };
        let behind = self.waiting(station, frame.instance, self.class(victim, station));
        self.rank(&behind, 1);
        self.state.frames[victim].status = Status::Waiting(0, Some(phase));
        self.close_ranks(station, frame.instance, order);
    }

    /// Gives those that wait their ranks from one on.
    fn rank(&mut self, waiting: &[FrameId], first: u16) {
        for (id, place) in waiting.iter().zip(first..) {
            if let Status::Waiting(rank, _) = &mut self.state.frames[*id].status {
                *rank = place;
            }
        }
    }

    /// Those who began after one that is no longer served.
    fn close_ranks(&mut self, station: StationId, instance: u16, gone: u16) {
        for id in self.served(station, instance) {
            if let Status::Served(_, order) = &mut self.state.frames[id].status
                && *order > gone
            {
                *order -= 1;
            }
        }
    }

    /// The phase of a frame is over.
    pub(super) fn passes(&mut self, id: FrameId) {
        let frame = self.state.frames[id];
        let next = |phase: u16| {
            let law = self.machine.law_at(&frame)?;
            self.machine.laws[law as usize].next[usize::from(phase)].map(|next| next as u16)
        };
        let then = match frame.status {
            Status::Delay(phase) => match next(phase) {
                Some(next) => return self.state.frames[id].status = Status::Delay(next),
                None => self.past(id),
            },
            Status::Served(phase, order) => match next(phase) {
                Some(next) => return self.state.frames[id].status = Status::Served(next, order),
                None => {
                    let Some(station) = self.machine.station_of(&frame) else { return };
                    self.state.frames[id].status = Status::Ready;
                    self.close_ranks(station, frame.instance, order);
                    self.over(id, station)
                }
            },
            _ => return,
        };
        self.drive(then);
    }

    /// The work of a frame is done: the next one is served, and it goes on.
    fn over(&mut self, id: FrameId, station: StationId) -> Then {
        let instance = self.state.frames[id].instance;
        let free = self.served(station, instance).len() < self.machine.servers(station);
        let network = self.machine.form.network;
        let discipline = network.stations[station].discipline;
        let classes = if discipline.uses_priority() { network.classes } else { 1 };
        let waiting = (0..classes).map(|class| self.waiting(station, instance, class)).find(|list| !list.is_empty());
        let mut waiting = waiting.unwrap_or_default();
        let next = if discipline == Discipline::Lifo {
            waiting.pop()
        } else {
            (!waiting.is_empty()).then(|| waiting.remove(0))
        };
        self.rank(&waiting, 0);
        if let Some(next) = next.filter(|_| free) {
            let then = self.begin(next, station);
            self.drive(then);
        }
        self.past(id)
    }

    /// A frame goes on behind its present step.
    fn past(&mut self, id: FrameId) -> Then {
        self.state.frames[id].place += 1;
        Then::Goes(id)
    }
}

//! What can happen in a state, and how fast.

use super::dice::Dice;
use super::phases::Phases;
use super::run::Run;
use super::state::{Form, Frame, FrameId, State, Status};
use crate::discipline::{Discipline, contended};
use crate::network::program::{Instruction, LawId, Program};
use crate::network::{Network, StationId};
use crate::system::{ArrivalLaw, Load};
use crate::unit::PerSecond;

/// How a workload asks.
#[derive(Debug)]
pub(super) enum Source {
    Never,
    Poisson(PerSecond),
    /// The phases of interarrival times.
    Renewal(Phases),
    /// Rates off and on, and the rates at which each ends.
    Burst([PerSecond; 2], [PerSecond; 2]),
    /// Users, and the phases of the time they think.
    Users(u16, Phases),
}

impl Source {
    fn of(load: &Load) -> Option<Source> {
        Some(match load {
            Load::Closed { users, think } => Source::Users(u16::try_from(*users).ok()?, Phases::of(think)?),
            Load::Open { rate, .. } if *rate <= 0.0 => Source::Never,
            Load::Open { rate, arrivals: ArrivalLaw::Poisson } => Source::Poisson(*rate),
            Load::Open { rate, arrivals: ArrivalLaw::Renewal(law) } => {
                Source::Renewal(Phases::of(law)?.scaled(1.0 / rate))
            }
            Load::Open { rate, arrivals: ArrivalLaw::Burst { ratio, on, off } } => {
                let slow = rate * (on + off) / (ratio * on + off);
                Source::Burst([slow, slow * ratio], [1.0 / off, 1.0 / on])
            }
            Load::Open { .. } | Load::Profile { .. } => return None,
        })
    }

    /// Numbers that it takes in a state.
    fn words(&self) -> usize {
        match self {
            Source::Never | Source::Poisson(_) => 0,
            Source::Renewal(_) | Source::Burst(..) => 1,
            Source::Users(_, think) => think.rates.len(),
        }
    }
}

/// What happens.
#[derive(Debug, Clone, Copy)]
pub(super) enum Event {
    /// A number of a source changes.
    Turns { word: usize, to: u16 },
    /// A request of an open workload comes; what is left of the time to the next one begins anew.
    Comes { workload: usize },
    /// A user goes on from a phase of its time to think, to ask after the last one.
    Thinks { workload: usize, phase: usize },
    /// The phase of a frame is over.
    Passes(FrameId),
}

/// The network as a machine that goes from state to state.
pub(super) struct Machine<'n> {
    pub form: Form<'n>,
    pub laws: Vec<Phases>,
    pub sources: Vec<Source>,
    /// Where the numbers of each source begin.
    pub words: Vec<usize>,
    /// Requests under way with which no others come.
    pub most: usize,
}

impl<'n> Machine<'n> {
    /// The machine of a network; `None` where a law is not made of phases.
    pub fn new(network: &'n Network, program: &'n Program, most: usize) -> Option<Machine<'n>> {
        let laws = program.laws.iter().map(Phases::of).collect::<Option<Vec<Phases>>>()?;
        let sources =
            network.workloads.iter().map(|workload| Source::of(&workload.load)).collect::<Option<Vec<Source>>>()?;
        let (mut words, mut all) = (Vec::with_capacity(sources.len()), 0);
        for source in &sources {
            words.push(all);
            all += source.words();
        }
        let users: usize = sources
            .iter()
            .map(|source| if let Source::Users(users, _) = source { usize::from(*users) } else { 0 })
            .sum();
        Some(Machine { form: Form::new(network, program, all), laws, sources, words, most: most + users })
    }

    /// The state in which nothing has come yet.
    pub fn beginning(&self) -> State {
        let mut state = State {
            frames: Vec::new(),
            sources: vec![0; self.form.sources],
            turns: vec![0; self.form.network.services.len()],
            followed: None,
        };
        let mut asking = Vec::new();
        for ((workload, source), word) in self.sources.iter().enumerate().zip(&self.words) {
            let Source::Users(users, think) = source else { continue };
            match think.begin.iter().position(|chance| *chance > 0.0) {
                Some(phase) => state.sources[word + phase] = *users,
                None => asking.extend(std::iter::repeat_n(workload, usize::from(*users))),
            }
        }
        let mut dice = Dice::default();
        dice.first();
        let mut run = Run::new(self, state, &mut dice, None);
        asking.into_iter().for_each(|workload| run.asks(workload));
        run.finish();
        run.state
    }

    /// What can happen in a state, each with its rate.
    pub fn events(&self, state: &State) -> Vec<(PerSecond, Event)> {
        let mut events = Vec::with_capacity(state.frames.len() + 4);
        for ((workload, source), word) in self.sources.iter().enumerate().zip(&self.words) {
            let comes = Event::Comes { workload };
            match source {
                Source::Never => {}
                Source::Poisson(rate) => events.push((*rate, comes)),
                Source::Renewal(phases) => {
                    let phase = usize::from(state.sources[*word]);
                    let next = phases.next[phase].map(|next| Event::Turns { word: *word, to: next as u16 });
                    events.push((phases.rates[phase], next.unwrap_or(comes)));
                }
                Source::Burst(rates, leaving) => {
                    let phase = state.sources[*word];
                    events.push((rates[usize::from(phase)], comes));
                    events.push((leaving[usize::from(phase)], Event::Turns { word: *word, to: 1 - phase }));
                }
                Source::Users(_, think) => {
                    let there = &state.sources[*word..*word + think.rates.len()];
                    for (phase, (users, rate)) in
                        there.iter().zip(&think.rates).enumerate().filter(|(_, (n, _))| **n > 0)
                    {
                        events.push((f64::from(*users) * rate, Event::Thinks { workload, phase }));
                    }
                }
            }
        }
        for (id, frame) in state.frames.iter().enumerate() {
            let (phase, speed) = match frame.status {
                Status::Delay(phase) => (phase, 1.0),
                Status::Served(phase, _) => (phase, self.speed(state, frame)),
                _ => continue,
            };
            if let Some(law) = self.law_at(frame) {
                events.push((speed * self.laws[law as usize].rates[usize::from(phase)], Event::Passes(id)));
            }
        }
        events
    }

    /// The law that a frame at a place with one is in.
    pub fn law_at(&self, frame: &Frame) -> Option<LawId> {
        match self.form.program.code[frame.place as usize] {
            Instruction::Work { law, .. } | Instruction::Shared { law, .. } | Instruction::Delay { law } => Some(law),
            _ => None,
        }
    }

    /// The station that a frame needs.
    pub fn station_of(&self, frame: &Frame) -> Option<StationId> {
        match self.form.program.code[frame.place as usize] {
            Instruction::Work { station, .. } | Instruction::Shared { station, .. } => Some(station as usize),
            _ => None,
        }
    }

    /// Whether a frame needs this station, at this instance.
    pub fn is_at(&self, frame: &Frame, station: StationId, instance: u16) -> bool {
        frame.instance == instance && self.station_of(frame) == Some(station)
    }

    /// How fast a frame in service is served.
    pub fn speed(&self, state: &State, frame: &Frame) -> f64 {
        let Instruction::Shared { station, .. } = self.form.program.code[frame.place as usize] else { return 1.0 };
        let station = station as usize;
        let n = self.served_with(state, frame, station) as f64;
        let place = &self.form.network.stations[station];
        let shared = place.discipline == Discipline::Ps;
        let share = if shared { (self.servers(station) as f64 / n).min(1.0) } else { 1.0 };
        let present = n / f64::from(self.form.together(place.service));
        share / place.contention.map_or(1.0, |contention| contended::slower(contention, present))
    }

    /// How many are in service where a frame is, it included.
    pub fn served_with(&self, state: &State, frame: &Frame, station: StationId) -> usize {
        let served =
            |other: &&Frame| matches!(other.status, Status::Served(..)) && self.is_at(other, station, frame.instance);
        state.frames.iter().filter(served).count()
    }

    /// Servers of one queue of a station.
    pub fn servers(&self, station: StationId) -> usize {
        let place = &self.form.network.stations[station];
        place.servers as usize * self.form.together(place.service) as usize
    }
}

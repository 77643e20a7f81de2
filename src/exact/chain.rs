//! All states that are reached, and how fast each follows each.

use super::dice::Dice;
use super::machine::{Event, Machine};
use super::run::{Counts, Run, Subject};
use super::state::State;
use crate::unit::PerSecond;
use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::BuildHasher;

/// Number of a state.
pub(super) type StateId = u32;

/// States of a chain, and numbers that all of them together are written with.
const MOST_STATES: usize = 1_000_000;
const MOST_WORDS: usize = 150_000_000;

/// Numbers that are written until all states are known: half a minute.
const MOST_WRITTEN: usize = 5_000_000_000;

/// Why there is no chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unbuilt {
    /// It has too many states.
    TooLarge,
    /// Something goes on for ever without any time.
    Endless,
}

/// States that are written down, each once.
#[derive(Default)]
pub(super) struct States {
    words: Vec<u16>,
    ends: Vec<usize>,
    known: HashTable<StateId>,
    hasher: DefaultHashBuilder,
}

impl States {
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn get(&self, id: usize) -> &[u16] {
        written(&self.words, &self.ends, id)
    }

    /// The number of a state; a new one if it is not known.
    pub fn number(&mut self, words: &[u16]) -> StateId {
        let hash = self.hasher.hash_one(words);
        if let Some(id) = self.known.find(hash, |id| self.get(*id as usize) == words) {
            return *id;
        }
        self.words.extend(words);
        self.ends.push(self.words.len());
        let id = self.ends.len() as StateId - 1;
        let States { words: all, ends, known, hasher } = self;
        let of = |id: &StateId| hasher.hash_one(written(all, ends, *id as usize));
        known.insert_unique(hash, id, of);
        id
    }
}

/// One of several that are written one after the other.
fn written<'w>(words: &'w [u16], ends: &[usize], id: usize) -> &'w [u16] {
    let start = if id == 0 { 0 } else { ends[id - 1] };
    &words[start..ends[id]]
}

/// A chain: for each state those that follow it, with their rates per second.
pub(super) struct Chain {
    pub states: States,
    /// Where the followers of each state end.
    pub ends: Vec<usize>,
    pub followers: Vec<StateId>,
    pub rates: Vec<PerSecond>,
}

/// Where a followed request that is over goes, instead of a state: with success, and without.
pub(super) const SUCCEEDED: StateId = StateId::MAX;
pub(super) const FAILED: StateId = StateId::MAX - 1;

impl Chain {
    /// The chain of all states that are reached from some.
    pub fn explore(machine: &Machine<'_>, states: States) -> Result<Chain, Unbuilt> {
        let mut chain = Chain { states, ends: Vec::new(), followers: Vec::new(), rates: Vec::new() };
        let mut row: Vec<(StateId, PerSecond)> = Vec::new();
        let mut effort = 0;
        while chain.ends.len() < chain.states.len() {
            let own = chain.ends.len();
            let state = machine.form.read(chain.states.get(own));
            row.clear();
            let mut endless = false;
            for (rate, event) in machine.events(&state) {
                outcomes(machine, &state, event, None, |run, chance| {
                    endless |= run.is_endless();
                    let to = match run.state.followed {
                        Some(true) => SUCCEEDED,
                        Some(false) => FAILED,
                        None => {
                            let words = machine.form.write(&mut run.state);
                            effort += words.len();
                            chain.states.number(&words)
                        }
                    };
                    row.push((to, rate * chance));
                });
            }
            if endless {
                return Err(Unbuilt::Endless);
            }
            row.sort_unstable_by_key(|(to, _)| *to);
            let begin = chain.followers.len();
            for (to, rate) in row.iter().filter(|(to, _)| *to as usize != own) {
                if chain.followers.len() > begin && chain.followers.last() == Some(to) {
                    chain.rates.last_mut().into_iter().for_each(|sum| *sum += rate);
                } else {
                    chain.followers.push(*to);
                    chain.rates.push(*rate);
                }
            }
            chain.ends.push(chain.followers.len());
            if chain.states.len() > MOST_STATES || chain.states.words.len() > MOST_WORDS || effort > MOST_WRITTEN {
                return Err(Unbuilt::TooLarge);
            }
        }
        Ok(chain)
    }

    /// Those that follow a state, with their rates.
    pub fn row(&self, id: usize) -> impl Iterator<Item = (StateId, PerSecond)> + '_ {
        let begin = if id == 0 { 0 } else { self.ends[id - 1] };
        let row = begin..self.ends[id];
        self.followers[row.clone()].iter().copied().zip(self.rates[row].iter().copied())
    }
}

/// Looks at each way that things may go after an event, with its chance; one request of those that come on the way may be
/// followed.
pub(super) fn outcomes(
    machine: &Machine<'_>,
    state: &State,
    event: Event,
    followed: Option<(Subject, u32)>,
    mut look: impl FnMut(&mut Run<'_>, f64),
) {
    let mut dice = Dice::default();
    dice.first();
    loop {
        let mut run = Run::new(machine, state.clone(), &mut dice, followed);
        run.happen(event);
        let chance = run.dice.chance;
        look(&mut run, chance);
        if !dice.next() {
            return;
        }
    }
}

/// What happens per second on average, and where those of each subject begin that are followed.
pub(super) fn walk(
    machine: &Machine<'_>,
    chain: &Chain,
    shares: &[f64],
    subjects: &[Subject],
    mut note: impl FnMut(PerSecond, &Counts),
    mut begun: impl FnMut(usize, f64, &mut State),
) {
    for (id, share) in shares.iter().enumerate().filter(|(_, share)| **share > 0.0) {
        let state = machine.form.read(chain.states.get(id));
        for (rate, event) in machine.events(&state) {
            let mut most = vec![0u32; subjects.len()];
            outcomes(machine, &state, event, None, |run, chance| {
                note(share * rate * chance, &run.counts);
                most.iter_mut()
                    .zip(subjects)
                    .for_each(|(most, subject)| *most = (*most).max(run.counts.came(*subject)));
            });
            for (i, (subject, most)) in subjects.iter().zip(most).enumerate() {
                for number in 0..most {
                    outcomes(machine, &state, event, Some((*subject, number)), |run, chance| {
                        if run.counts.came(*subject) > number {
                            begun(i, share * rate * chance, &mut run.state);
                        }
                    });
                }
            }
        }
    }
}

//! Solves small models exactly: every state that the system can be in, and how fast each follows each, a Markov chain.
//!
//! In the order of the data: `refused` names what has no such chain, `phases` makes laws of memoryless steps. A `machine` says
//! what can happen in a `state`, `run` with `calls`, `holds` and `serve` what comes of it, by every way that the `dice` can fall; `chain` finds all
//! states that are reached. `stationary` says how much of all time each of them takes, `passage` how long one request is under
//! way that is followed, `figures` makes the prediction.
//!
//! Requests of open workloads that come when a great many are under way are left out, so that there is an end of states; how
//! seldom that is goes into the notes.

mod calls;
mod chain;
mod dice;
mod figures;
mod holds;
mod machine;
mod passage;
mod phases;
mod refused;
mod run;
mod serve;
mod state;
mod stationary;

use crate::network::Network;
use crate::network::program::Program;
use crate::prediction::{Prediction, laws};
use crate::unit::ratio;
use chain::{Chain, States, Unbuilt};
use figures::Figures;
use machine::Machine;
use passage::Passage;
use rayon::prelude::*;
use refused::refused;
use run::Subject;

/// Requests under way with which no more come: the first two that are tried.
const MOST: [usize; 2] = [3, 5];

/// And the last.
const MOST_AT_ALL: usize = 2_000;

/// With this share of the time so full nothing is gained by more states.
const NEVER: f64 = 1e-8;

/// With more than this share it may have no steady state.
const OFTEN: f64 = 1e-3;

/// With more than this share it is not exact.
const SELDOM: f64 = 1e-6;

/// Solves a network by its Markov chain; in sentences why there is none that is small enough.
///
/// Exact but for arithmetic, and for requests that are left out when too many are under way.
pub fn solve(network: &Network) -> Result<Prediction, Vec<String>> {
    let program = Program::new(network);
    let why = refused(network, &program);
    if !why.is_empty() {
        return Err(why);
    }
    let mut found: Vec<Solved<'_>> = Vec::new();
    while let Some(most) = next(&found) {
        let Some(machine) = Machine::new(network, &program, most) else {
            return Err(vec!["a law is not made of phases".to_string()]);
        };
        match Solved::new(machine, most) {
            Ok(solved) => found.push(solved),
            Err(Unsolved::TooLarge) => break,
            Err(Unsolved::Endless) => return Err(vec!["something goes on for ever without any time".to_string()]),
            Err(Unsolved::Unsettled) if found.last().is_some_and(|last| last.full > OFTEN) => break,
            Err(Unsolved::Unsettled) => {
                return Err(vec!["its chain does not settle: requests may wait for one another for ever".to_string()]);
            }
        }
        found.drain(..found.len().saturating_sub(2));
    }
    let last = found.last().map(|solved| (solved.machine.most, solved.full));
    let Some(solved) = found.pop().filter(|solved| solved.full <= SELDOM) else {
        return Err(vec![too_large(last)]);
    };
    let prediction = solved.prediction();
    debug_assert!(laws::broken(&prediction, 1e-6).is_empty(), "{:?}", laws::broken(&prediction, 1e-6));
    Ok(prediction)
}

/// Why more requests under way cannot be told apart than so many, with which it is full for a share of the time.
fn too_large(last: Option<(usize, f64)>) -> String {
    let more = last.map_or_else(String::new, |(most, full)| {
        format!(": with at most {most} requests under way it is full {} of the time", ratio::print(full))
    });
    format!("its Markov chain has more than a million states, or no steady state{more}")
}

/// With how many requests under way to try next: as many as leave out hardly any, if that falls as it did.
fn next(found: &[Solved<'_>]) -> Option<usize> {
    match found {
        [] => Some(MOST[0]),
        [.., last] if last.full < NEVER || last.most == MOST_AT_ALL => None,
        [_] => Some(MOST[1]),
        [.., before, last] => {
            let falls = (before.full / last.full).ln() / (last.most - before.most) as f64;
            let more = ((last.full / NEVER).ln() / falls * 1.05).ceil();
            let more = if falls > 0.0 { more.clamp(2.0, 3.0 * last.most as f64) as usize } else { 3 * last.most };
            Some((last.most + more).min(MOST_AT_ALL))
        }
    }
}

/// Why a chain was not solved.
enum Unsolved {
    TooLarge,
    Endless,
    Unsettled,
}

impl From<Unbuilt> for Unsolved {
    fn from(unbuilt: Unbuilt) -> Unsolved {
        match unbuilt {
            Unbuilt::TooLarge => Unsolved::TooLarge,
            Unbuilt::Endless => Unsolved::Endless,
        }
    }
}

/// A chain with the share of time in each of its states.
struct Solved<'n> {
    machine: Machine<'n>,
    chain: Chain,
    shares: Vec<f64>,
    /// Requests of open workloads under way with which no more come.
    most: usize,
    /// Share of the time in which no more requests come.
    full: f64,
}

impl<'n> Solved<'n> {
    fn new(machine: Machine<'n>, most: usize) -> Result<Solved<'n>, Unsolved> {
        let mut states = States::default();
        states.number(&machine.form.write(&mut machine.beginning()));
        let chain = Chain::explore(&machine, states)?;
        let n = chain.states.len();
        let roots: Vec<usize> = (0..n).map(|id| machine.form.read(chain.states.get(id)).roots()).collect();
        let shares = stationary::stationary(&chain, &roots).ok_or(Unsolved::Unsettled)?;
        let full = roots.iter().zip(&shares).filter(|(roots, _)| **roots >= machine.most).map(|(_, share)| share).sum();
        Ok(Solved { machine, chain, shares, most, full })
    }

    fn prediction(&self) -> Prediction {
        let machine = &self.machine;
        let network = machine.form.network;
        let mut figures = Figures::new(machine);
        let workloads = (0..network.workloads.len()).map(Subject::Workload);
        let subjects: Vec<Subject> = workloads.chain((0..network.services.len()).map(Subject::Service)).collect();
        // States in which what is followed begins, with how many do per second; and those that are over at once.
        let mut begun: Vec<(States, Vec<f64>, [f64; 2])> =
            subjects.iter().map(|_| (States::default(), Vec::new(), [0.0; 2])).collect();
        chain::walk(
            machine,
            &self.chain,
            &self.shares,
            &subjects,
            |rate, counts| figures.note(rate, counts),
            |subject, rate, state| {
                let (states, rates, at_once) = &mut begun[subject];
                match state.followed {
                    Some(success) => at_once[usize::from(!success)] += rate,
                    None => {
                        let id = states.number(&machine.form.write(state)) as usize;
                        rates.resize(rates.len().max(id + 1), 0.0);
                        rates[id] += rate;
                    }
                }
            },
        );
        for (id, share) in self.shares.iter().enumerate() {
            figures.spend(*share, &machine.form.read(self.chain.states.get(id)));
        }
        let left_out = if self.full > 0.0 {
            format!(
                "; more than {} requests at once are left out, which there would be {:.1e} of the time",
                machine.most, self.full
            )
        } else {
            String::new()
        };
        let mut notes = vec![format!("a Markov chain of {} states{left_out}", self.chain.states.len())];
        let passages: Vec<Option<Passage>> = begun
            .into_par_iter()
            .map(|(states, rates, at_once)| {
                let all: f64 = rates.iter().sum::<f64>() + at_once[0] + at_once[1];
                if all <= 0.0 {
                    return Some(Passage::none());
                }
                let followed = Chain::explore(machine, states).ok()?;
                Passage::new(&followed, rates.into_iter().map(|rate| rate / all).collect(), at_once[0] / all)
            })
            .collect();
        for (subject, _) in subjects.iter().zip(&passages).filter(|(_, passage)| passage.is_none()) {
            let (what, name) = match subject {
                Subject::Workload(w) => ("request of", &network.workloads[*w].name),
                Subject::Service(id) => ("call to", &network.services[*id].name),
            };
            notes
                .push(format!("the chain that follows one {what} {name} is too large: there are no percentiles of it"));
        }
        figures.prediction(&passages, notes)
    }
}

//! A network made ready to run: programs as one list of instructions, laws as samplers, each with its own stream.

use super::{Network, Operation, OperationId, PoolId, Station, Step, Visit, VisitId};
use crate::discipline::Discipline;
use crate::distribution::{Law, Sampler};
use crate::math::random::{Stream, source};
use crate::system::Backoff;

/// Where an instruction stands.
pub(crate) type Place = u32;

/// A law to draw from, by number.
pub(crate) type LawId = u32;

/// A random choice, by number.
pub(crate) type ChanceId = u32;

/// What is held at a place: the number of the innermost hold.
pub(crate) type HoldId = u32;

/// Nothing, where a number could stand.
pub(crate) const NONE: u32 = u32::MAX;

/// What a frame is for, and thereby who waits for its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A run of an operation, for the call of the frame below it or for nobody.
    Run,
    /// What a loop goes through, for the frame below it.
    Body,
    /// A branch, for the fork that it is one of.
    Branch,
}

/// One instruction.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Instruction {
    /// Needs a server, and has it alone at a fixed speed.
    Work { station: u32, law: LawId },
    /// Needs a server that may be shared, taken away, or slowed down.
    Shared { station: u32, law: LawId },
    /// Passes time.
    Delay { law: LawId },
    /// Asks and waits.
    Call { call: u32 },
    /// Asks and does not wait.
    Send { operation: u32 },
    /// Goes on at one of several places.
    Choose { choice: u32 },
    /// Goes on at a place on a hit, else here.
    Lookup { cache: u32, hit: Place },
    /// Goes on at a place.
    Jump { place: Place },
    /// Goes through what follows so many times, then on at a place.
    Loop { times: u32, after: Place },
    /// The end of what a loop goes through.
    Again { body: Place },
    /// Takes one from a pool.
    Take { pool: u32 },
    /// Gives it back.
    Give { pool: u32 },
    /// Goes through several sequences at once.
    Fork { fork: u32 },
    /// Fails by chance.
    Fail { probability: f64, chance: ChanceId },
    /// The end of an operation or a branch.
    End,
}

/// A call.
#[derive(Debug)]
pub(crate) struct Call {
    pub operation: OperationId,
    pub times: u32,
    pub probability: f64,
    pub chance: ChanceId,
    /// There and back.
    pub network: Option<LawId>,
    /// Whether it is sent once, and waited for however long it takes.
    pub is_plain: bool,
    pub timeout: Option<f64>,
    pub hedge: Option<f64>,
    pub retries: u32,
    pub backoff: Option<Backoff>,
}

/// Places with the chance of this one or one before it.
#[derive(Debug)]
pub(crate) struct Choice {
    pub ways: Vec<(f64, Place)>,
    pub chance: ChanceId,
}

/// Sequences at once, how many must succeed, and where it goes on then.
#[derive(Debug)]
pub(crate) struct Fork {
    pub branches: Vec<Place>,
    pub needed: u32,
    pub after: Place,
}

/// The programs of a network.
#[derive(Debug, Default)]
pub(crate) struct Program {
    pub code: Vec<Instruction>,
    /// What is held at each place.
    pub held: Vec<HoldId>,
    /// Each hold: the pool, and the hold around it.
    pub holds: Vec<(PoolId, HoldId)>,
    /// Where each operation begins, and the service that runs it.
    pub operations: Vec<(Place, u32)>,
    pub calls: Vec<Call>,
    pub choices: Vec<Choice>,
    pub forks: Vec<Fork>,
    pub laws: Vec<Law>,
    pub samplers: Vec<Sampler>,
    /// The visit that each law is the work of, if it is one.
    pub visits: Vec<Option<VisitId>>,
    law_sources: Vec<u64>,
    chance_sources: Vec<u64>,
}

impl Program {
    pub fn new(network: &Network) -> Program {
        let mut program = Program::default();
        for operation in &network.operations {
            let place = program.code.len() as Place;
            let mut writer = Writer { program: &mut program, network, operation, hold: NONE, laws: 0, chances: 0 };
            writer.steps(&operation.steps);
            writer.put(Instruction::End);
            program.operations.push((place, operation.service as u32));
        }
        program
    }

    /// The stream of each law in a replication.
    pub fn law_streams(&self, seed: u64, replication: u64) -> Vec<Stream> {
        self.law_sources.iter().map(|source| Stream::new(seed, replication, *source)).collect()
    }

    /// The stream of each choice in a replication.
    pub fn chance_streams(&self, seed: u64, replication: u64) -> Vec<Stream> {
        self.chance_sources.iter().map(|source| Stream::new(seed, replication, *source)).collect()
    }
}

/// Whether the servers of a station serve one request each, at a speed that never changes.
pub(crate) fn is_plain(station: &Station) -> bool {
    station.contention.is_none() && !matches!(station.discipline, Discipline::Ps | Discipline::Preemptive)
}

/// Writes the instructions of an operation.
struct Writer<'p> {
    program: &'p mut Program,
    network: &'p Network,
    operation: &'p Operation,
    hold: HoldId,
    /// Laws and choices of the operation so far: with its name they address their streams, so that designs that share an
    /// operation share its random numbers.
    laws: u64,
    chances: u64,
}

impl Writer<'_> {
    fn put(&mut self, instruction: Instruction) -> usize {
        self.program.code.push(instruction);
        self.program.held.push(self.hold);
        self.program.code.len() - 1
    }

    fn here(&self) -> Place {
        self.program.code.len() as Place
    }

    fn steps(&mut self, steps: &[Step]) {
        steps.iter().for_each(|step| self.step(step));
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Visit(visit) => {
                let Visit { station, time } = &self.network.visits[*visit];
                let (law, plain) = (self.law(time), is_plain(&self.network.stations[*station]));
                self.program.visits[law as usize] = Some(*visit);
                let station = *station as u32;
                self.put(if plain { Instruction::Work { station, law } } else { Instruction::Shared { station, law } });
            }
            Step::Delay(law) => {
                let law = self.law(law);
                self.put(Instruction::Delay { law });
            }
            Step::Call(call) => self.call(call),
            Step::Guarded(guarded) => self.call(&guarded.call),
            Step::Send(operation) => {
                self.put(Instruction::Send { operation: *operation as u32 });
            }
            Step::Choose { ways, cache: None } => self.choose(ways),
            Step::Choose { ways, cache: Some(cache) } => {
                let lookup = self.put(Instruction::Jump { place: 0 });
                if let Some((_, miss)) = ways.get(1) {
                    self.steps(miss);
                }
                self.program.code[lookup] = Instruction::Lookup { cache: *cache as u32, hit: self.here() };
            }
            Step::Hold { pool, steps } => {
                let pool_number = *pool as u32;
                self.put(Instruction::Take { pool: pool_number });
                self.program.holds.push((*pool, self.hold));
                let around = std::mem::replace(&mut self.hold, self.program.holds.len() as HoldId - 1);
                self.steps(steps);
                self.put(Instruction::Give { pool: pool_number });
                self.hold = around;
            }
            Step::Repeat { times, steps } => {
                let start = self.put(Instruction::Jump { place: 0 });
                let body = self.here();
                self.within_frame(|writer| {
                    writer.steps(steps);
                    writer.put(Instruction::Again { body });
                });
                self.program.code[start] = Instruction::Loop { times: *times, after: self.here() };
            }
            Step::Parallel { branches, needed, .. } => self.fork(branches, *needed),
            Step::Fail(probability) => {
                let chance = self.chance();
                self.put(Instruction::Fail { probability: *probability, chance });
            }
        }
    }

    fn call(&mut self, call: &super::Call) {
        let network = call.network.as_ref().map(|law| self.law(law));
        let chance = self.chance();
        self.program.calls.push(Call {
            operation: call.target,
            times: call.times,
            probability: call.probability,
            chance,
            network,
            is_plain: call.is_plain(),
            timeout: call.timeout,
            hedge: call.hedge,
            retries: call.retries,
            backoff: call.backoff,
        });
        let call = self.program.calls.len() as u32 - 1;
        self.put(Instruction::Call { call });
    }

    fn fork(&mut self, branches: &[Vec<Step>], needed: usize) {
        self.put(Instruction::Fork { fork: self.program.forks.len() as u32 });
        let fork = self.program.forks.len();
        self.program.forks.push(Fork { branches: Vec::new(), needed: needed as u32, after: 0 });
        let mut places = Vec::with_capacity(branches.len());
        for steps in branches {
            places.push(self.here());
            self.within_frame(|writer| {
                writer.steps(steps);
                writer.put(Instruction::End);
            });
        }
        self.program.forks[fork].branches = places;
        self.program.forks[fork].after = self.here();
    }

    /// Steps that run in a frame of their own: what is held around them is held by another one.
    fn within_frame(&mut self, write: impl FnOnce(&mut Self)) {
        let around = std::mem::replace(&mut self.hold, NONE);
        write(self);
        self.hold = around;
    }

    fn choose(&mut self, ways: &[(f64, Vec<Step>)]) {
        let chance = self.chance();
        self.put(Instruction::Choose { choice: self.program.choices.len() as u32 });
        let choice = self.program.choices.len();
        self.program.choices.push(Choice { ways: Vec::new(), chance });
        let (mut sum, mut places, mut ends) = (0.0, Vec::with_capacity(ways.len()), Vec::new());
        for (weight, steps) in ways {
            sum += weight;
            places.push((sum, self.here()));
            self.steps(steps);
            ends.push(self.put(Instruction::Jump { place: 0 }));
        }
        let after = self.here();
        ends.into_iter().for_each(|end| self.program.code[end] = Instruction::Jump { place: after });
        self.program.choices[choice].ways = places;
    }

    fn law(&mut self, law: &Law) -> LawId {
        self.program.laws.push(law.clone());
        self.program.samplers.push(law.sampler());
        self.program.visits.push(None);
        self.program.law_sources.push(source(&self.operation.name, 2 * self.laws));
        self.laws += 1;
        self.program.laws.len() as LawId - 1
    }

    fn chance(&mut self) -> ChanceId {
        self.program.chance_sources.push(source(&self.operation.name, 2 * self.chances + 1));
        self.chances += 1;
        self.program.chance_sources.len() as ChanceId - 1
    }
}

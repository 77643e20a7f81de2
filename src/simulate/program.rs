//! A network made ready to run: programs as one list of instructions, laws as samplers, each with its own stream.

use crate::distribution::{Law, Sampler};
use crate::math::random::Stream;
use crate::network::{self, Network, OperationId, StationId, Step};

/// Where an instruction stands.
pub(super) type Place = u32;

/// A law to draw from, by number.
pub(super) type LawId = u32;

/// A random choice, by number.
pub(super) type ChanceId = u32;

/// One instruction.
#[derive(Debug, Clone, Copy)]
pub(super) enum Instruction {
    /// Needs a server.
    Work { station: u32, law: LawId },
    /// Passes time.
    Delay { law: LawId },
    /// Asks and waits.
    Call { call: u32 },
    /// Asks and does not wait.
    Send { operation: u32 },
    /// Goes on with one of several sequences.
    Choose { choice: u32 },
    /// Goes through a sequence so many times.
    Repeat { times: u32, body: Place },
    /// Goes through several sequences at once.
    Parallel { parallel: u32 },
    /// Fails by chance.
    Fail { probability: f64, chance: ChanceId },
    /// The end of a sequence.
    End,
}

/// A call.
#[derive(Debug)]
pub(super) struct Call {
    pub operation: OperationId,
    pub times: u32,
    pub probability: f64,
    pub chance: ChanceId,
    /// There and back.
    pub network: Option<LawId>,
}

/// Ways with the chance of this one or one before it.
#[derive(Debug)]
pub(super) struct Choice {
    pub ways: Vec<(f64, Place)>,
    pub chance: ChanceId,
}

/// Sequences at once, and how many must succeed.
#[derive(Debug)]
pub(super) struct Parallel {
    pub branches: Vec<Place>,
    pub needed: u32,
}

/// The programs of a network.
#[derive(Debug, Default)]
pub(super) struct Program {
    pub code: Vec<Instruction>,
    /// Where each operation begins.
    pub operations: Vec<Place>,
    pub calls: Vec<Call>,
    pub choices: Vec<Choice>,
    pub parallels: Vec<Parallel>,
    pub laws: Vec<Sampler>,
    pub chances: u32,
}

impl Program {
    pub fn new(network: &Network) -> Program {
        let mut program = Program::default();
        for operation in &network.operations {
            let place = program.sequence(network, &operation.steps);
            program.operations.push(place);
        }
        program
    }

    /// The streams of all laws and choices of a replication: those of laws first.
    pub fn streams(&self, seed: u64, replication: u64) -> (Vec<Stream>, Vec<Stream>) {
        let laws = self.laws.len() as u64;
        let stream = |source: u64| Stream::new(seed, replication, source);
        ((0..laws).map(stream).collect(), (laws..laws + u64::from(self.chances)).map(stream).collect())
    }

    /// Puts down a sequence, those inside it first; returns where it begins.
    fn sequence(&mut self, network: &Network, steps: &[Step]) -> Place {
        let code: Vec<Instruction> = steps.iter().map(|step| self.instruction(network, step)).collect();
        let place = self.code.len() as Place;
        self.code.extend(code);
        self.code.push(Instruction::End);
        place
    }

    fn instruction(&mut self, network: &Network, step: &Step) -> Instruction {
        match step {
            Step::Visit(visit) => {
                let network::Visit { station, time } = &network.visits[*visit];
                Instruction::Work { station: number(*station), law: self.law(time) }
            }
            Step::Delay(law) => Instruction::Delay { law: self.law(law) },
            Step::Call(call) => {
                let network = call.network.as_ref().map(|law| self.law(law));
                let chance = self.chance();
                self.calls.push(Call {
                    operation: call.target,
                    times: call.times,
                    probability: call.probability,
                    chance,
                    network,
                });
                Instruction::Call { call: number(self.calls.len() - 1) }
            }
            Step::Send(operation) => Instruction::Send { operation: number(*operation) },
            Step::Choose(ways) => {
                let mut sum = 0.0;
                let way = |(weight, steps): &(f64, Vec<Step>)| {
                    sum += weight;
                    (sum, self.sequence(network, steps))
                };
                let ways = ways.iter().map(way).collect();
                let chance = self.chance();
                self.choices.push(Choice { ways, chance });
                Instruction::Choose { choice: number(self.choices.len() - 1) }
            }
            Step::Repeat { times, steps } => Instruction::Repeat { times: *times, body: self.sequence(network, steps) },
            Step::Parallel { branches, needed, .. } => {
                let branches = branches.iter().map(|steps| self.sequence(network, steps)).collect();
                self.parallels.push(Parallel { branches, needed: number(*needed) });
                Instruction::Parallel { parallel: number(self.parallels.len() - 1) }
            }
            Step::Fail(probability) => Instruction::Fail { probability: *probability, chance: self.chance() },
        }
    }

    fn law(&mut self, law: &Law) -> LawId {
        self.laws.push(law.sampler());
        number(self.laws.len() - 1)
    }

    fn chance(&mut self) -> ChanceId {
        self.chances += 1;
        self.chances - 1
    }
}

/// Numbers of things in a network fit: no file of 4 GB is read.
fn number(id: StationId) -> u32 {
    id as u32
}

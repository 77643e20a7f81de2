//! Whether requests can be simulated place by place instead of event by event, and in which order of places.
//!
//! Where requests never come back to a place, and nothing depends on what happens further on, all that happens at one place
//! in a stretch of time can be simulated before anything behind it: first come, first served is then a recursion, and no
//! calendar is needed. Requests that wait for a time stand in buffers: one behind each step that takes time, and one where
//! several streams of requests meet and share servers or random numbers. There they go on in the order of their times, as
//! they would event by event, so that all random numbers are drawn in the same order and all figures are the same.
//!
//! Equal times are told apart by the order in which a calendar learnt of them, which is not known here: where streams meet
//! or branches end, such times must have no probability.

use crate::discipline::Discipline;
use crate::distribution::Sampler;
use crate::network::program::{Instruction, NONE, Place, Program};
use crate::network::{Network, OperationId, ServiceId};
use crate::system::{ArrivalLaw, Balancer, Load};
use std::collections::{BTreeMap, BTreeSet};

/// A buffer, by its number: what stands in those of lower numbers goes on first.
pub(super) type Stage = u32;

/// The buffers of a network.
#[derive(Debug)]
pub(super) struct Stages {
    /// How many there are, and whether time passes until requests come out.
    pub takes_time: Vec<bool>,
    /// The one behind each place that takes time; that of a call holds requests on their way.
    pub behind: Vec<Stage>,
    /// The one of each call for answers on their way back.
    pub back: Vec<Stage>,
    /// The one before each place, if streams meet there.
    pub before: Vec<Stage>,
    /// The same before each service.
    pub gate: Vec<Stage>,
}

impl Stages {
    /// The buffers of a network; `None` where it takes a calendar.
    pub fn of(network: &Network, program: &Program) -> Option<Stages> {
        let mut graph = Graph::new(network, program);
        for workload in &network.workloads {
            graph.come(&workload.load)?;
            for (operation, _) in &workload.mix {
                let entry = graph.enter(*operation)?;
                graph.link(Node::Root, entry);
            }
        }
        while let Some((place, within)) = graph.next.pop() {
            graph.follow(place, within)?;
        }
        graph.answer();
        let order = graph.order()?;
        let meetings = graph.meetings(&order);
        graph.features.allow(!meetings.is_empty()).then(|| graph.stages(&order, &meetings))
    }
}

/// What requests pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Node {
    /// Where they come from.
    Root,
    Place(Place),
    /// All places that need this station, or look this cache up, since they share what they need.
    Station(u32),
    Cache(u32),
    Gate(ServiceId),
    Behind(Place),
    Back(Place),
    /// Where the branches of a fork meet.
    Join(u32),
}

/// What a sequence of instructions is a part of.
#[derive(Debug, Clone, Copy)]
enum Within {
    Operation(OperationId),
    Branch(u32),
}

/// Where requests come from at a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// All from one buffer, so in the order of their times.
    One(Node),
    Many,
}

/// What may happen at all.
#[derive(Debug, Default)]
struct Features {
    /// Arrivals or work, then delays or ways, with times that have a probability.
    fixed_work: bool,
    fixed_times: bool,
    /// A request at several places at once.
    sends: bool,
    forks: bool,
    failures: bool,
}

impl Features {
    /// Whether requests may be simulated place by place, if streams meet or not.
    fn allow(&self, meetings: bool) -> bool {
        // With work of any length no two requests come at the same moment, and one alone is at several places only if it sends.
        let may_tie = self.fixed_work || self.sends && self.fixed_times;
        // A branch that fails ends its fork before the others.
        let may_end_early = self.fixed_work || self.fixed_times || self.failures;
        !(meetings && may_tie || self.forks && may_end_early)
    }
}

/// What follows what.
struct Graph<'n> {
    network: &'n Network,
    program: &'n Program,
    links: BTreeMap<Node, BTreeSet<Node>>,
    /// Places that are reached, and those still to be looked at.
    reached: Vec<bool>,
    next: Vec<(Place, Within)>,
    /// Where each operation ends, and where its answers go.
    ends: Vec<Vec<Node>>,
    returns: Vec<Vec<Node>>,
    features: Features,
}

impl<'n> Graph<'n> {
    fn new(network: &'n Network, program: &'n Program) -> Graph<'n> {
        Graph {
            network,
            program,
            links: BTreeMap::new(),
            reached: vec![false; program.code.len()],
            next: Vec::new(),
            ends: vec![Vec::new(); network.operations.len()],
            returns: vec![Vec::new(); network.operations.len()],
            features: Features::default(),
        }
    }

    fn link(&mut self, from: Node, to: Node) {
        self.links.entry(from).or_default().insert(to);
        self.links.entry(to).or_default();
    }

    /// The node of a place, which is to be looked at too.
    fn reach(&mut self, place: Place, within: Within) -> Node {
        if !std::mem::replace(&mut self.reached[place as usize], true) {
            self.next.push((place, within));
        }
        self.node(place)
    }

    fn node(&self, place: Place) -> Node {
        match self.program.code[place as usize] {
            Instruction::Work { station, .. } => Node::Station(station),
            Instruction::Lookup { cache, .. } => Node::Cache(cache),
            _ => Node::Place(place),
        }
    }

    fn law(&self, law: u32) -> &'n Sampler {
        &self.program.samplers[law as usize]
    }

    /// How requests of a workload come.
    fn come(&mut self, load: &Load) -> Option<()> {
        self.features.fixed_work |= match load {
            Load::Closed { .. } => return None,
            Load::Open { arrivals: ArrivalLaw::Renewal(law), .. } => !law.sampler().is_continuous(),
            Load::Open { arrivals: ArrivalLaw::Trace(_), .. } => true,
            Load::Open { .. } | Load::Profile { .. } => false,
        };
        Some(())
    }

    /// The node at which requests enter an operation.
    fn enter(&mut self, operation: OperationId) -> Option<Node> {
        let (place, id) = self.program.operations[operation];
        let service = &self.network.services[id as usize];
        let alone = service.instances == 1 || service.balancer == Balancer::Shared;
        if service.workers.is_some() || !alone && !matches!(service.balancer, Balancer::Random | Balancer::RoundRobin) {
            return None;
        }
        self.features.failures |= service.limit.is_some();
        let first = self.reach(place, Within::Operation(operation));
        // Nothing is remembered of who passes.
        if alone && service.limit.is_none() {
            return Some(first);
        }
        self.link(Node::Gate(id as usize), first);
        Some(Node::Gate(id as usize))
    }

    /// What comes after an instruction.
    fn follow(&mut self, place: Place, within: Within) -> Option<()> {
        let node = self.node(place);
        match self.program.code[place as usize] {
            Instruction::Work { station, law } => {
                let station = &self.network.stations[station as usize];
                if station.discipline != Discipline::Fcfs || station.queue.is_some() {
                    return None;
                }
                self.features.fixed_work |= !self.law(law).is_continuous();
                self.pass_time(place, within);
            }
            Instruction::Delay { law } => {
                self.features.fixed_times |= !self.law(law).is_continuous();
                self.pass_time(place, within);
            }
            Instruction::Call { call } => self.call(place, call, within)?,
            Instruction::Send { operation } => {
                self.features.sends = true;
                let entry = self.enter(operation as usize)?;
                self.link(node, entry);
                self.lead(node, place + 1, within);
            }
            Instruction::Choose { choice } => {
                let ways = &self.program.choices[choice as usize].ways;
                ways.iter().for_each(|(_, way)| self.lead(node, *way, within));
            }
            Instruction::Lookup { hit, .. } => [hit, place + 1].into_iter().for_each(|to| self.lead(node, to, within)),
            Instruction::Jump { place: to } => self.lead(node, to, within),
            Instruction::Fail { .. } => {
                self.features.failures = true;
                self.lead(node, place + 1, within);
            }
            Instruction::Fork { fork } => self.fork(node, fork, within)?,
            Instruction::End => match within {
                Within::Operation(operation) => self.ends[operation].push(node),
                Within::Branch(fork) => self.link(node, Node::Join(fork)),
            },
            Instruction::Shared { .. }
            | Instruction::Loop { .. }
            | Instruction::Again { .. }
            | Instruction::Take { .. }
            | Instruction::Give { .. } => return None,
        }
        Some(())
    }

    fn lead(&mut self, from: Node, place: Place, within: Within) {
        let to = self.reach(place, within);
        self.link(from, to);
    }

    fn pass_time(&mut self, place: Place, within: Within) {
        self.link(self.node(place), Node::Behind(place));
        self.lead(Node::Behind(place), place + 1, within);
    }

    fn call(&mut self, place: Place, call: u32, within: Within) -> Option<()> {
        let call = &self.program.calls[call as usize];
        if !call.is_plain || call.times > 1 {
            return None;
        }
        if call.probability < 1.0 || call.times == 0 {
            self.lead(Node::Place(place), place + 1, within);
        }
        let (sent, back) = match call.network {
            None => (Node::Place(place), self.reach(place + 1, within)),
            Some(law) => {
                let law = self.law(law);
                // A way that takes no time goes past the buffer.
                if !law.is_positive() {
                    return None;
                }
                self.features.fixed_times |= !law.is_continuous();
                self.link(Node::Place(place), Node::Behind(place));
                self.lead(Node::Back(place), place + 1, within);
                (Node::Behind(place), Node::Back(place))
            }
        };
        let entry = self.enter(call.operation)?;
        self.link(sent, entry);
        self.returns[call.operation].push(back);
        Some(())
    }

    fn fork(&mut self, node: Node, fork: u32, within: Within) -> Option<()> {
        let program = self.program;
        let kept = &program.forks[fork as usize];
        if kept.needed as usize != kept.branches.len() || kept.branches.is_empty() {
            return None;
        }
        self.features.forks = true;
        kept.branches.iter().for_each(|branch| self.lead(node, *branch, Within::Branch(fork)));
        self.lead(Node::Join(fork), kept.after, within);
        Some(())
    }

    /// Answers go back to all who ask.
    fn answer(&mut self) {
        for (ends, returns) in self.ends.clone().into_iter().zip(self.returns.clone()) {
            for end in ends {
                returns.iter().for_each(|back| self.link(end, *back));
            }
        }
    }

    /// All nodes, each behind those before it; `None` if some come before themselves.
    fn order(&self) -> Option<Vec<Node>> {
        let mut before: BTreeMap<Node, usize> = self.links.keys().map(|node| (*node, 0)).collect();
        for to in self.links.values().flatten() {
            before.entry(*to).and_modify(|count| *count += 1);
        }
        let mut free: BTreeSet<Node> = before.iter().filter(|(_, count)| **count == 0).map(|(node, _)| *node).collect();
        let mut order = Vec::with_capacity(before.len());
        while let Some(node) = free.pop_first() {
            order.push(node);
            for to in &self.links[&node] {
                let left = before.entry(*to).and_modify(|count| *count -= 1).or_default();
                if *left == 0 {
                    free.insert(*to);
                }
            }
        }
        (order.len() == self.links.len()).then_some(order)
    }

    /// The nodes at which several streams of requests meet that share what they need.
    fn meetings(&self, order: &[Node]) -> BTreeSet<Node> {
        let mut meetings = BTreeSet::new();
        let mut sources: BTreeMap<Node, Source> = BTreeMap::new();
        for node in order {
            let mut source = match node {
                Node::Root | Node::Behind(_) | Node::Back(_) => Source::One(*node),
                Node::Join(_) => Source::Many,
                _ => sources.get(node).copied().unwrap_or(Source::Many),
            };
            if source == Source::Many && self.is_shared(*node) {
                meetings.insert(*node);
                source = Source::One(*node);
            }
            for to in &self.links[node] {
                let known = sources.entry(*to).or_insert(source);
                if *known != source {
                    *known = Source::Many;
                }
            }
        }
        meetings
    }

    /// Whether what happens at a node depends on who came before.
    fn is_shared(&self, node: Node) -> bool {
        match node {
            Node::Station(_) | Node::Cache(_) | Node::Gate(_) => true,
            Node::Place(place) => match self.program.code[place as usize] {
                Instruction::Delay { .. } | Instruction::Choose { .. } | Instruction::Fail { .. } => true,
                Instruction::Call { call } => {
                    let call = &self.program.calls[call as usize];
                    call.probability < 1.0 || call.network.is_some()
                }
                _ => false,
            },
            Node::Root | Node::Behind(_) | Node::Back(_) | Node::Join(_) => false,
        }
    }

    fn stages(&self, order: &[Node], meetings: &BTreeSet<Node>) -> Stages {
        let buffered = |node: &&Node| matches!(node, Node::Behind(_) | Node::Back(_)) || meetings.contains(node);
        let stages: BTreeMap<Node, Stage> = order.iter().filter(buffered).copied().zip(0..).collect();
        let stage = |node: Node| stages.get(&node).copied().unwrap_or(NONE);
        let places = || 0..self.program.code.len() as Place;
        Stages {
            takes_time: order.iter().filter(buffered).map(|node| !meetings.contains(node)).collect(),
            behind: places().map(|place| stage(Node::Behind(place))).collect(),
            back: places().map(|place| stage(Node::Back(place))).collect(),
            before: places().map(|place| stage(self.node(place))).collect(),
            gate: (0..self.network.services.len()).map(|service| stage(Node::Gate(service))).collect(),
        }
    }
}

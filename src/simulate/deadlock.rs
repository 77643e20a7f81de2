//! Whether something waits that will never be given back: workers or pools whose holders all wait for one another.
//!
//! A frame is alive when it will go on by itself: it is served, on its way, pauses, will stop to wait when a time is over,
//! or waits for something that is given back. Whoever waits for a frame that is alive is alive too. A set of things that
//! are held is dead when some wait for them and none of their holders is alive. What is dead makes those dead that wait for
//! it, so one looks again until nothing changes.

use super::engine::Engine;
use super::frames::{Frame, Phase};
use super::seats::Seat;
use crate::network::program::{Instruction, Kind, NONE};

/// Services whose workers, and pools that, will never be given back.
pub(super) fn find(engine: &Engine<'_>) -> (Vec<usize>, Vec<usize>) {
    let mut dead: Vec<bool> = engine.queues.iter().map(|queue| queue.has_waiting()).collect();
    loop {
        let held_by_living = held(engine, &living(engine, &dead));
        let mut changed = false;
        for (dead, held) in dead.iter_mut().zip(held_by_living) {
            changed |= *dead && held;
            *dead &= !held;
        }
        if !changed {
            break;
        }
    }
    let is_dead = |seat: &Seat| dead[seat.all()].iter().any(|dead| *dead);
    let services = engine.workers.iter().enumerate().filter(|(_, seat)| seat.as_ref().is_some_and(is_dead));
    let pools = engine.pools.iter().enumerate().filter(|(_, seat)| is_dead(seat));
    (services.map(|(id, _)| id).collect(), pools.map(|(id, _)| id).collect())
}

/// The frames that are alive, if these queues are dead.
fn living(engine: &Engine<'_>, dead: &[bool]) -> Vec<bool> {
    let mut alive = vec![false; engine.frames.room()];
    for (number, frame) in engine.frames.all() {
        let goes_on = match frame.phase {
            Phase::Answers => gives_up(engine, frame),
            Phase::Admission => {
                engine.workers[frame.service as usize].is_none_or(|seat| !dead[seat.at(frame.instance) as usize])
            }
            Phase::Pool => pool_at(engine, frame).is_none_or(|queue| !dead[queue]),
            _ => true,
        };
        let mut next = goes_on.then_some(number);
        while let Some(number) = next.filter(|number| !alive[*number as usize]) {
            alive[number as usize] = true;
            next = waits_for(engine, &engine.frames[number]);
        }
    }
    alive
}

/// Whether a frame that waits for answers will stop to wait.
fn gives_up(engine: &Engine<'_>, frame: &Frame) -> bool {
    match engine.program.code[frame.place as usize] {
        Instruction::Call { call } => engine.program.calls[call as usize].timeout.is_some(),
        _ => false,
    }
}

fn pool_at(engine: &Engine<'_>, frame: &Frame) -> Option<usize> {
    match engine.program.code[frame.place as usize] {
        Instruction::Take { pool } => Some(engine.pools[pool as usize].at(frame.instance) as usize),
        _ => None,
    }
}

/// The frame that waits for the end of another.
fn waits_for(engine: &Engine<'_>, frame: &Frame) -> Option<u32> {
    match frame.kind {
        Kind::Branch => {
            let join = &engine.joins[frame.below as usize];
            (!join.over).then_some(join.frame)
        }
        Kind::Body => Some(frame.below),
        Kind::Run => {
            (frame.below != NONE && engine.frames[frame.below].stamp == frame.below_stamp).then_some(frame.below)
        }
    }
}

/// Whether one of some frames holds something of each queue.
fn held(engine: &Engine<'_>, alive: &[bool]) -> Vec<bool> {
    let mut held = vec![false; engine.queues.len()];
    for (_, frame) in engine.frames.all().filter(|(number, _)| alive[*number as usize]) {
        if let Some(seat) = engine.workers[frame.service as usize].filter(|_| frame.has_worker) {
            held[seat.at(frame.instance) as usize] = true;
        }
        let mut hold = engine.program.held[frame.place as usize];
        while hold != NONE {
            let (pool, around) = engine.program.holds[hold as usize];
            held[engine.pools[pool].at(frame.instance) as usize] = true;
            hold = around;
        }
        // Servers are given back by themselves.
        if let Instruction::Work { station, .. } = engine.program.code[frame.place as usize] {
            held[engine.stations[station as usize].at(frame.instance) as usize] = true;
        }
    }
    held
}

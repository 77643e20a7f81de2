//! Branches that run at once, and where they meet again.

use super::engine::{Engine, Then};
use super::frames::{Join, Phase};
use crate::network::program::{Instruction, Kind, NONE};

impl Engine<'_> {
    /// A frame splits up.
    pub fn fork(&mut self, number: u32, id: usize) -> Then {
        let fork = &self.program.forks[id];
        let frame = &mut self.frames[number];
        if fork.needed == 0 || fork.branches.is_empty() {
            frame.place = fork.after;
            return Then::Goes(number);
        }
        frame.phase = Phase::Answers;
        let looked_at = frame.ledger != NONE;
        let (needed, running) = (fork.needed, fork.branches.len() as u32);
        let join = Join { frame: number, needed, running, over: false, last: self.now, ledger: NONE };
        let join = match self.free_joins.pop() {
            Some(free) => {
                self.joins[free as usize] = join;
                free
            }
            None => {
                self.joins.push(join);
                self.joins.len() as u32 - 1
            }
        };
        for place in &fork.branches {
            let branch = self.inner(Kind::Branch, join, number, *place, 1);
            self.frames[branch].ledger = if looked_at { self.ledgers.open() } else { NONE };
            self.ready.push_back(branch);
        }
        Then::Waits
    }

    /// A branch has ended, with success or without.
    pub fn branch_over(&mut self, number: u32, success: bool) -> Then {
        let branch = self.frames[number];
        self.frames.free(number);
        let join = &mut self.joins[branch.below as usize];
        join.running -= 1;
        join.needed -= u32::from(success && join.needed > 0);
        let mut of_no_use = branch.ledger;
        if success && !join.over && self.now >= join.last {
            join.last = self.now;
            of_no_use = std::mem::replace(&mut join.ledger, branch.ledger);
        }
        self.ledgers.inherit(of_no_use, NONE);
        let (frame, met, lost) = (join.frame, join.needed == 0, join.running < join.needed);
        let was_over = join.over;
        join.over |= met || lost;
        if join.running == 0 {
            self.free_joins.push(branch.below);
        }
        if was_over {
            return Then::Waits;
        }
        self.frames[frame].waited += branch.waited;
        if !met && !lost {
            return Then::Waits;
        }
        let (last, ledger) = (join.last, join.ledger);
        self.ledgers.inherit(ledger, if met { self.frames[frame].ledger } else { NONE });
        if lost {
            return Then::Fails(frame);
        }
        // Branches that are simulated one after the other may end in another order.
        self.now = last;
        let frame_there = &mut self.frames[frame];
        if let Instruction::Fork { fork } = self.program.code[frame_there.place as usize] {
            frame_there.place = self.program.forks[fork as usize].after;
        }
        frame_there.phase = Phase::Running;
        Then::Goes(frame)
    }
}

//! Branches that run at once, and where they meet again.

use super::engine::{Engine, Then};
use super::frames::{Join, Kind, Phase};
use super::program::{Instruction, NONE};

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
        let join = Join { frame: number, needed: fork.needed, running: fork.branches.len() as u32, over: false };
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
        let (frame, met, lost) = (join.frame, join.needed == 0, join.running < join.needed);
        let was_over = join.over;
        join.over |= met || lost;
        if join.running == 0 {
            self.free_joins.push(branch.below);
        }
        let decides = !was_over && (met || lost);
        let heir = if decides && met { self.frames[frame].ledger } else { NONE };
        self.ledgers.inherit(branch.ledger, heir);
        if !was_over {
            self.frames[frame].waited += branch.waited;
        }
        if !decides {
            return Then::Waits;
        }
        if lost {
            return Then::Fails(frame);
        }
        let frame_there = &mut self.frames[frame];
        if let Instruction::Fork { fork } = self.program.code[frame_there.place as usize] {
            frame_there.place = self.program.forks[fork as usize].after;
        }
        frame_there.phase = Phase::Running;
        Then::Goes(frame)
    }
}

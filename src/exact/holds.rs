//! What is held for a while, and who waits for it.

use super::run::{Run, Then};
use super::state::{Frame, FrameId, Status, held};
use crate::network::PoolId;
use crate::network::program::Instruction;

impl Run<'_> {
    /// Whether two frames take from a pool at the same place.
    fn is_with(&self, pool: PoolId, one: &Frame, other: &Frame) -> bool {
        self.machine.form.network.pools[pool].per.is_none() || one.instance == other.instance
    }

    /// A frame wants one of a pool.
    pub(super) fn take(&mut self, id: FrameId, pool: PoolId) -> Then {
        let own = self.state.frames[id];
        let program = self.machine.form.program;
        let pooled = &self.machine.form.network.pools[pool];
        let together = pooled.per.map_or(1, |service| self.machine.form.together(service));
        let holds = |frame: &Frame| held(program, frame.place).filter(|held| *held == pool).count();
        let with =
            self.state.frames.iter().filter(|other| other.status != Status::Over && self.is_with(pool, &own, other));
        let busy: usize = with.map(holds).sum();
        if (busy as u64) < u64::from(pooled.size) * u64::from(together) {
            self.state.frames[id].place += 1;
            return Then::Goes(id);
        }
        self.state.frames[id].status = Status::Pool(self.takers(pool, &own).len() as u16);
        Then::Waits
    }

    /// Who waits for one of a pool, the first to come first.
    fn takers(&self, pool: PoolId, one: &Frame) -> Vec<FrameId> {
        self.in_order(|frame| match (frame.status, self.machine.form.program.code[frame.place as usize]) {
            (Status::Pool(rank), Instruction::Take { pool: own })
                if own as usize == pool && self.is_with(pool, one, frame) =>
            {
                Some(rank)
            }
            _ => None,
        })
    }

    /// One of a pool is given back, to the next who waits.
    pub(super) fn give(&mut self, pool: PoolId, by: FrameId) {
        let waiting = self.takers(pool, &self.state.frames[by]);
        if let Some(next) = self.hand_over(&waiting, Status::Pool) {
            // It holds it from now on.
            self.state.frames[next].place += 1;
        }
    }
}

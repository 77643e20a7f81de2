//! What becomes of a call that is given up, made again, or made twice.

use super::flows::{all_of, geometric_sum};
use super::{Guarded, Network, Step};
use crate::unit::Seconds;

/// What becomes of a guarded call.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tries {
    /// Chance that an attempt succeeds.
    pub attempt: f64,
    /// Chance that an attempt ends because its time is over.
    pub late: f64,
    /// Chance that a second copy of an attempt is sent.
    pub copied: f64,
    /// Chance that an attempt fails when the one before has failed.
    pub again: f64,
    /// The chance that it then fails because what had no room for the one before still has none: such an attempt is made in vain, and
    /// nobody who comes at any time would be refused more often because of it.
    pub vain: f64,
    /// Chance that the call succeeds, or would if no queue grew without end.
    pub success: f64,
    /// Chance that it is not left in such a queue.
    pub through: f64,
    /// Attempts that are made, on average.
    pub attempts: f64,
    /// Mean time until the call succeeds or fails, in seconds.
    pub time: Seconds,
}

impl Tries {
    /// A call that is answered at once.
    pub const PLAIN: Tries = Tries {
        attempt: 1.0,
        late: 0.0,
        copied: 0.0,
        again: 0.0,
        vain: 0.0,
        success: 1.0,
        through: 1.0,
        attempts: 1.0,
        time: 0.0,
    };

    /// These with as many retries, which fail with the chance `again`, in vain with the chance `vain`.
    pub fn retried(self, again: f64, vain: f64, retries: u32) -> Tries {
        let failed = 1.0 - self.attempt;
        let success = 1.0 - failed * all_of(again, retries);
        let attempts = 1.0 + failed * geometric_sum(again, retries);
        Tries { again, vain: vain.min(again), success, attempts, ..self }
    }

    /// Chance that the call is answered, and not by a failure.
    pub fn answered(&self) -> f64 {
        self.success * self.through
    }

    /// Attempts that are not made in vain, on average.
    pub fn met(&self) -> f64 {
        self.attempts - self.in_vain()
    }

    /// Attempts that are made in vain, on average.
    pub fn in_vain(&self) -> f64 {
        (self.attempts - 1.0) * self.vain
    }

    /// Times that the operation runs which is asked, those in vain left out.
    pub fn runs(&self) -> f64 {
        self.met() * (1.0 + self.copied)
    }
}

impl Guarded {
    /// Whether a second copy is sent before it is given up.
    pub fn is_copied(&self) -> bool {
        self.call.hedge.is_some_and(|hedge| self.call.timeout.is_none_or(|timeout| hedge < timeout))
    }

    /// What becomes of it where attempts never end: whoever gives up or asks again after a while does.
    pub fn endless(&self) -> Tries {
        let late = if self.call.timeout.is_some() { 1.0 } else { 0.0 };
        let copied = if self.is_copied() { 1.0 } else { 0.0 };
        Tries { attempt: 1.0 - late, late, copied, ..Tries::PLAIN }.retried(late, 0.0, self.call.retries)
    }
}

impl Network {
    /// Every guarded call.
    pub fn guarded(&self) -> Vec<&Guarded> {
        let mut guarded = Vec::with_capacity(self.guards);
        self.operations.iter().for_each(|operation| find(&operation.steps, &mut guarded));
        guarded
    }

    /// Whether calls are ever made again, or copied.
    pub fn makes_calls_again(&self) -> bool {
        self.guarded().iter().any(|guarded| guarded.call.retries > 0 || guarded.call.hedge.is_some())
    }
}

fn find<'n>(steps: &'n [Step], guarded: &mut Vec<&'n Guarded>) {
    for step in steps {
        if let Step::Guarded(found) = step {
            guarded.push(found);
        }
        step.inner(|steps| find(steps, guarded));
    }
}

//! Ways to put jobs into phases.

/// How many ways there are to put `jobs` into `phases`; no more than a little over 100,000 are counted.
pub(super) fn count(jobs: usize, phases: usize) -> usize {
    let mut count = 1usize;
    for i in 1..phases {
        count = count.saturating_mul(jobs + i) / i;
        if count > 100_000 {
            return count;
        }
    }
    count
}

/// All ways to put so many jobs into phases, numbered by the jobs in the first phase, the most first.
pub(super) struct States {
    phases: usize,
    /// Jobs in each phase, one state after the other.
    jobs: Vec<usize>,
}

impl States {
    pub fn new(jobs: usize, phases: usize) -> States {
        let mut states = States { phases, jobs: Vec::with_capacity(count(jobs, phases) * phases) };
        let mut state = vec![0; phases];
        states.enumerate(jobs, 0, &mut state);
        states
    }

    fn enumerate(&mut self, left: usize, phase: usize, state: &mut [usize]) {
        if phase + 1 == self.phases {
            state[phase] = left;
            self.jobs.extend_from_slice(state);
            return;
        }
        for here in (0..=left).rev() {
            state[phase] = here;
            self.enumerate(left - here, phase + 1, state);
        }
    }

    pub fn len(&self) -> usize {
        self.jobs.len() / self.phases
    }

    pub fn iter(&self) -> impl Iterator<Item = &[usize]> {
        self.jobs.chunks_exact(self.phases)
    }
}

/// The number of a state among all with as many jobs.
pub(super) fn number(state: &[usize]) -> usize {
    let mut left: usize = state.iter().sum();
    let mut number = 0;
    for (phase, here) in state.iter().enumerate().take(state.len() - 1) {
        // All states with more jobs in this phase come first: as many as ways to put what is beyond into the rest.
        let rest = state.len() - phase;
        if left > *here {
            number += count(left - here - 1, rest);
        }
        left -= here;
    }
    number
}

/// The number of the state with one job moved, `from` or `to` being `None` outside.
pub(super) fn moved(state: &[usize], from: Option<usize>, to: Option<usize>, scratch: &mut Vec<usize>) -> usize {
    if let [_, second] = state {
        // Of two phases the jobs in the second number the state.
        return second + usize::from(to == Some(1)) - usize::from(from == Some(1));
    }
    scratch.clear();
    scratch.extend_from_slice(state);
    if let Some(from) = from {
        scratch[from] -= 1;
    }
    if let Some(to) = to {
        scratch[to] += 1;
    }
    number(scratch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_follow_the_order_of_the_states() {
        for (jobs, phases) in [(0, 3), (4, 1), (5, 2), (4, 3), (3, 5)] {
            let states = States::new(jobs, phases);
            assert_eq!(states.len(), count(jobs, phases));
            for (i, state) in states.iter().enumerate() {
                assert_eq!(number(state), i, "{state:?}");
                assert_eq!(moved(state, None, None, &mut Vec::new()), i, "{state:?}");
            }
        }
    }
}

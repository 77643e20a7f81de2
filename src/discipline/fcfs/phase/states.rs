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

/// All ways to put jobs into phases, from none up to some number of them: level `n` has those of `n` jobs, numbered by
/// the jobs in the first phase, the most first.
pub(super) struct States {
    phases: usize,
    /// Where each level begins, and the end.
    starts: Vec<usize>,
    /// Jobs in each phase, one state after the other.
    jobs: Vec<usize>,
    /// For each state and phase the number of the state with one job less there, where there is one.
    lowered: Vec<usize>,
    /// The same with one job more; of the last level there is none.
    raised: Vec<usize>,
}

impl States {
    pub fn new(most: usize, phases: usize) -> States {
        let starts: Vec<usize> = (0..=most + 1)
            .scan(0, |end, n| {
                let start = *end;
                *end += count(n, phases) * phases;
                Some(start)
            })
            .collect();
        let size = starts[most + 1];
        let mut states =
            States { phases, starts, jobs: Vec::with_capacity(size), lowered: vec![0; size], raised: Vec::new() };
        let mut state = vec![0; phases];
        for n in 0..=most {
            states.enumerate(n, 0, &mut state);
        }
        states.raised.reserve(states.starts[most]);
        for n in 0..most {
            let (start, next) = (states.starts[n], states.starts[n + 1]);
            for place in 0..next - start {
                let (own, phase) = (place / phases, place % phases);
                state.copy_from_slice(&states.jobs[start + own * phases..][..phases]);
                state[phase] += 1;
                let up = number(&state);
                states.raised.push(up);
                states.lowered[next + up * phases + phase] = own;
            }
        }
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

    /// Number of states of a level.
    pub fn count(&self, level: usize) -> usize {
        (self.starts[level + 1] - self.starts[level]) / self.phases
    }

    /// The states of a level.
    pub fn of(&self, level: usize) -> impl Iterator<Item = &[usize]> {
        self.jobs[self.starts[level]..self.starts[level + 1]].chunks_exact(self.phases)
    }

    /// State, phase and the jobs there, wherever there are any.
    pub fn busy(&self, level: usize) -> impl Iterator<Item = (usize, usize, f64)> {
        let places = self.jobs[self.starts[level]..self.starts[level + 1]].iter().enumerate();
        let phases = self.phases;
        places.filter(|(_, jobs)| **jobs > 0).map(move |(place, jobs)| (place / phases, place % phases, *jobs as f64))
    }

    /// The number, one level down, of a state without one of its jobs in a phase.
    pub fn lowered(&self, level: usize, state: usize, phase: usize) -> usize {
        self.lowered[self.starts[level] + state * self.phases + phase]
    }

    /// The number, one level up, of a state with one job more in a phase.
    pub fn raised(&self, level: usize, state: usize, phase: usize) -> usize {
        self.raised[self.starts[level] + state * self.phases + phase]
    }
}

/// The number of a state among all with as many jobs.
fn number(state: &[usize]) -> usize {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_follow_the_order_of_the_states() {
        for (jobs, phases) in [(0, 3), (4, 1), (5, 2), (4, 3), (3, 5)] {
            let states = States::new(jobs, phases);
            for n in 0..=jobs {
                assert_eq!(states.count(n), count(n, phases));
                for (i, state) in states.of(n).enumerate() {
                    assert_eq!(number(state), i, "{state:?}");
                    assert_eq!(state.iter().sum::<usize>(), n);
                }
            }
        }
    }

    #[test]
    fn a_job_put_in_and_taken_out_leaves_the_state_as_it_was() {
        let states = States::new(4, 3);
        for n in 0..4 {
            for (s, state) in states.of(n).enumerate() {
                for (phase, jobs) in state.iter().enumerate() {
                    let up = states.raised(n, s, phase);
                    assert_eq!(states.lowered(n + 1, up, phase), s);
                    assert_eq!(states.of(n + 1).nth(up).unwrap()[phase], jobs + 1);
                }
            }
        }
    }
}

//! Fixed points of several values at once: `x = g(x)`.
//!
//! Of the last values and corrections `f = g(x) - x`, what combination would have had the smallest correction, were `g` linear;
//! the next values are what `g` makes of that (Anderson acceleration). In one dimension it is the secant method.
//!
//! Source: Anderson, Iterative procedures for nonlinear integral equations (1965); Walker and Ni, Anderson acceleration for
//! fixed-point iterations (2011).

use std::collections::VecDeque;

/// Differences that are remembered: more say less where `g` has kinks.
const MEMORY: usize = 3;

/// Differences that say nothing new are a smaller part of themselves apart from what newer ones say.
const NEW: f64 = 1e-6;

/// No step is longer than so many corrections.
const LONGEST: f64 = 100.0;

/// A way to a fixed point.
#[derive(Debug, Clone, Default)]
pub struct Steps {
    /// Between one round and the next, the newest first: of the corrections, and of what the values became.
    differences: VecDeque<(Vec<f64>, Vec<f64>)>,
    /// Values and corrections of the last round.
    last: Option<(Vec<f64>, Vec<f64>)>,
}

impl Steps {
    /// The values that come after these, of which this was made.
    pub fn next(&mut self, values: &[f64], made: &[f64]) -> Vec<f64> {
        let correction = minus(made, values);
        if let Some((values_before, correction_before)) = &self.last {
            let corrections = minus(&correction, correction_before);
            let became: Vec<f64> = minus(values, values_before).iter().zip(&corrections).map(|(x, f)| x + f).collect();
            self.differences.truncate(MEMORY - 1);
            self.differences.push_front((corrections, became));
        }
        let (mut left, mut next) = (correction.clone(), made.to_vec());
        let mut said: Vec<(Vec<f64>, Vec<f64>)> = Vec::with_capacity(self.differences.len());
        for (corrections, became) in &self.differences {
            let whole = norm(corrections);
            let (mut corrections, mut became) = (corrections.clone(), became.clone());
            for (before, became_before) in &said {
                let part = product(&corrections, before);
                subtract(&mut corrections, part, before);
                subtract(&mut became, part, became_before);
            }
            let size = norm(&corrections);
            if size <= NEW * whole {
                continue;
            }
            corrections.iter_mut().chain(&mut became).for_each(|value| *value /= size);
            let part = product(&left, &corrections);
            subtract(&mut left, part, &corrections);
            subtract(&mut next, part, &became);
            said.push((corrections, became));
        }
        let mut step = minus(&next, values);
        // Away from where the corrections lead there is only what they lead away from.
        if product(&step, &correction) <= 0.0 {
            (next, step) = (made.to_vec(), correction.clone());
        }
        let shorter = (LONGEST * norm(&correction) / norm(&step)).min(1.0);
        if shorter < 1.0 {
            next = values.iter().zip(&step).map(|(value, step)| value + shorter * step).collect();
        }
        self.last = Some((values.to_vec(), correction));
        next
    }
}

fn minus(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

fn product(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn norm(a: &[f64]) -> f64 {
    product(a, a).sqrt()
}

fn subtract(a: &mut [f64], part: f64, b: &[f64]) {
    a.iter_mut().zip(b).for_each(|(a, b)| *a -= part * b);
}

/// How far values are from where a round leads them, at most; without end where one of them is no number.
pub fn apart(taken: &[f64], led: &[f64]) -> f64 {
    let each = taken.iter().zip(led).map(|(taken, led)| if led == taken { 0.0 } else { (led - taken).abs() });
    each.fold(0.0, |most: f64, apart| if apart.is_nan() { f64::INFINITY } else { most.max(apart) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounds(mut values: Vec<f64>, g: impl Fn(&[f64]) -> Vec<f64>) -> usize {
        let mut steps = Steps::default();
        for round in 0..100 {
            let made = g(&values);
            if minus(&made, &values).iter().all(|f| f.abs() < 1e-10) {
                return round;
            }
            values = steps.next(&values, &made);
        }
        100
    }

    #[test]
    fn a_line_is_left_behind_at_once_from_either_side() {
        for slope in [-30.0, -3.0, -1.0, -0.5, 0.0, 0.3, 0.99] {
            assert!(rounds(vec![0.0], |x| vec![1.0 + slope * (x[0] - 1.0)]) <= 3, "{slope}");
        }
    }

    #[test]
    fn values_that_depend_on_each_other_settle_together() {
        let slow = |x: &[f64]| vec![0.1 + 0.9 * x[1], 0.2 + 0.8 * x[2], 0.05 + 0.9 * x[0]];
        assert!(rounds(vec![0.0; 3], slow) < 8);
        let bent = |x: &[f64]| vec![(x[0] + x[1]).cos(), (x[0] - 0.5 * x[1]).sin(), 0.5 * x[0] * x[1]];
        assert!(rounds(vec![0.0; 3], bent) < 20);
        // What settles one after the other does so in as many rounds as there are.
        let chain = |x: &[f64]| (0..12).map(|i| if i == 0 { 1.0 } else { x[i - 1] }).collect();
        assert!(rounds(vec![0.0; 12], chain) <= 40);
    }

    #[test]
    fn it_does_not_go_back_to_what_it_is_led_away_from() {
        // From above one half all goes up to one.
        let away = |x: &[f64]| vec![(0.5 + 1.5 * (x[0] - 0.5)).clamp(0.0, 1.0)];
        let mut steps = Steps::default();
        let mut values = vec![0.6];
        for _ in 0..10 {
            values = steps.next(&values, &away(&values));
        }
        assert!((values[0] - 1.0).abs() < 1e-12, "{values:?}");
    }

    #[test]
    fn what_is_no_number_has_not_settled() {
        assert_eq!(apart(&[1.0, 2.0], &[1.5, 1.75]), 0.5);
        assert_eq!(apart(&[f64::NEG_INFINITY], &[f64::NEG_INFINITY]), 0.0);
        assert_eq!(apart(&[1.0, f64::NAN], &[1.0, 2.0]), f64::INFINITY);
    }
}

//! Draws whose every outcome is followed.

/// Draws on the way to one outcome; the next way differs in the last draw that can.
#[derive(Debug, Default)]
pub(super) struct Dice {
    /// What was drawn, and the last that could be.
    drawn: Vec<(usize, usize)>,
    at: usize,
    /// Chance of this way.
    pub chance: f64,
}

impl Dice {
    /// Starts the first way.
    pub fn first(&mut self) {
        self.drawn.clear();
        (self.at, self.chance) = (0, 1.0);
    }

    /// Goes on to the next way; whether there is one.
    pub fn next(&mut self) -> bool {
        while let Some((drawn, last)) = self.drawn.pop() {
            if drawn < last {
                self.drawn.push((drawn + 1, last));
                (self.at, self.chance) = (0, 1.0);
                return true;
            }
        }
        false
    }

    /// Draws one of some chances, which add up to one.
    pub fn draw(&mut self, chances: &[f64]) -> usize {
        let possible = |from: usize| (from..chances.len()).find(|i| chances[*i] > 0.0);
        let wanted = self.drawn.get(self.at).map_or(0, |(wanted, _)| *wanted);
        let drawn = possible(wanted).unwrap_or(0);
        let last = chances.iter().rposition(|chance| *chance > 0.0).unwrap_or(0);
        match self.drawn.get_mut(self.at) {
            Some(known) => *known = (drawn, last),
            None => self.drawn.push((drawn, last)),
        }
        self.at += 1;
        self.chance *= chances.get(drawn).copied().unwrap_or(1.0);
        drawn
    }

    /// Draws yes or no.
    pub fn chance(&mut self, probability: f64) -> bool {
        probability >= 1.0 || probability > 0.0 && self.draw(&[probability, 1.0 - probability]) == 0
    }

    /// Draws one of so many that are alike.
    pub fn one_of(&mut self, number: usize) -> usize {
        if number < 2 { 0 } else { self.draw(&vec![1.0 / number as f64; number]) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_is_followed_once() {
        let mut dice = Dice::default();
        let mut ways = Vec::new();
        dice.first();
        loop {
            let first = dice.draw(&[0.5, 0.0, 0.5]);
            let second = if first == 0 { dice.one_of(3) } else { 9 };
            ways.push((first, second, dice.chance));
            if !dice.next() {
                break;
            }
        }
        let seen: Vec<(usize, usize)> = ways.iter().map(|(a, b, _)| (*a, *b)).collect();
        assert_eq!(seen, [(0, 0), (0, 1), (0, 2), (2, 9)]);
        assert!((ways.iter().map(|way| way.2).sum::<f64>() - 1.0).abs() < 1e-12);
    }
}

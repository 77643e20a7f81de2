//! Where a simulation that began empty has settled: the marginal standard error rule.
//!
//! | symbol | meaning                                                     |
//! |--------|-------------------------------------------------------------|
//! | `Z_i`  | means of batches of five observations in a row, `i = 1 … k` |
//! | `d`    | batches left out at the beginning                           |
//!
//! ```text
//! d* = argmin over d of  1 / (k - d)² Σ_{i > d} (Z_i - mean of Z_{d+1} … Z_k)²
//! ```
//!
//! The least standard error of the mean that is left: leaving out more would cost more by fewer values than it wins by
//! less bias. A least value in the second half says that the run is too short to tell.
//!
//! Source: White, An effective truncation heuristic for bias reduction in simulation output, Simulation 69 (1997); White,
//! Cobb and Spratt (2000).

/// Observations in a batch.
pub const BATCH: usize = 5;

/// How many observations at the beginning to leave out; `None` when the series is too short to tell.
pub fn truncation(observations: &[f64]) -> Option<usize> {
    let most = observations.len() / BATCH;
    (most > 0).then(|| truncation_within(observations, most)).filter(|left_out| *left_out <= most / 2 * BATCH)
}

/// The same for a series that is known to have settled after at most so many batches.
pub fn truncation_within(observations: &[f64], most: usize) -> usize {
    let means: Vec<f64> =
        observations.chunks_exact(BATCH).map(|batch| batch.iter().sum::<f64>() / BATCH as f64).collect();
    // From the end, so that each sum of squares follows from the next.
    let (mut count, mut mean, mut squares) = (0.0, 0.0, 0.0);
    let mut best = (f64::INFINITY, means.len().min(most));
    for (left_out, value) in means.iter().enumerate().rev() {
        count += 1.0;
        let off = value - mean;
        mean += off / count;
        squares += off * (value - mean);
        // The last few values are alike by chance.
        if count >= BATCH as f64 && left_out <= most {
            let error = squares / (count * count);
            if error <= best.0 {
                best = (error, left_out);
            }
        }
    }
    best.1 * BATCH
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::random::Stream;

    #[test]
    fn what_has_not_settled_is_left_out() {
        let mut stream = Stream::new(2, 0, 0);
        // Rises to 10 within some 100 observations.
        let series: Vec<f64> =
            (0..2000).map(|i| 10.0 * (1.0 - (-f64::from(i) / 50.0).exp()) + 0.5 * stream.normal()).collect();
        let cut = truncation(&series).unwrap();
        assert!((100..400).contains(&cut), "{cut}");
    }

    #[test]
    fn what_has_settled_is_kept_for_the_most_part() {
        let mut stream = Stream::new(3, 0, 0);
        let kept: usize = (0..200)
            .map(|_| {
                let series: Vec<f64> = (0..1000).map(|_| stream.normal()).collect();
                1000 - truncation(&series).unwrap_or(1000)
            })
            .sum();
        assert!(kept > 200 * 850, "{kept}");
    }

    #[test]
    fn a_series_that_rises_to_its_end_is_too_short() {
        let rising: Vec<f64> = (0..500).map(f64::from).collect();
        assert_eq!(truncation(&rising), None);
        assert_eq!(truncation(&[1.0, 2.0]), None);
        assert_eq!(truncation(&[3.0; 100]), Some(0));
    }
}

//! From how many others visits meet to batches that would meet as many.

use crate::unit::PerSecond;

/// The batches, rate and size, in which as many visits meet as many others: `met[k]` per second meet `k`.
///
/// The `j`th of a batch meets `j - 1`, so that never more meet more; where they do they are taken as meeting as many as their
/// neighbours do on average.
pub(super) fn batches(met: &[PerSecond]) -> Vec<(PerSecond, u32)> {
    let mut blocks: Vec<(PerSecond, usize)> = Vec::new();
    for rate in met {
        let (mut sum, mut size) = (*rate, 1);
        while let Some((above, count)) =
            blocks.last().copied().filter(|(above, n)| above * (size as f64) < sum * (*n as f64))
        {
            blocks.pop();
            (sum, size) = (sum + above, size + count);
        }
        blocks.push((sum, size));
    }
    let mut found = Vec::with_capacity(blocks.len());
    let mut size = 0;
    for (place, (sum, count)) in blocks.iter().enumerate() {
        size += count;
        let below = blocks.get(place + 1).map_or(0.0, |(sum, count)| sum / *count as f64);
        let rate = sum / *count as f64 - below;
        if size > 1 && rate > 0.0 {
            found.push((rate, size as u32));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_meet_as_many_as_was_counted() {
        // Three a second alone, two in pairs, one in a batch of three.
        assert_eq!(batches(&[6.0, 3.0, 1.0]), [(2.0, 2), (1.0, 3)]);
        assert_eq!(batches(&[5.0]), []);
        // As many requests come as were counted, whatever the order.
        let found = batches(&[1.0, 4.0, 0.5, 0.5]);
        let all: f64 = found.iter().map(|(rate, size)| rate * f64::from(*size)).sum();
        assert!((all - 6.0).abs() < 1e-12 && found.iter().all(|(rate, _)| *rate > 0.0), "{found:?}");
    }
}

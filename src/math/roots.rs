//! Roots of functions of one variable in a bracket.

/// More halvings than a double has bits between its smallest and its largest number change nothing.
const MAX_STEPS: usize = 200;

/// The root of `f` between `low` and `high`, where `f` has opposite signs, by the method of Illinois with bisection
/// as its safeguard (Dowell and Jarratt, 1971). Stops at a relative width of `tolerance` or when no double lies between.
pub fn bracketed(mut low: f64, mut high: f64, tolerance: f64, f: impl Fn(f64) -> f64) -> f64 {
    let (mut f_low, mut f_high) = (f(low), f(high));
    if f_low == 0.0 {
        return low;
    }
    if f_high == 0.0 {
        return high;
    }
    let mut side = 0;
    for step in 0..MAX_STEPS {
        let width = high - low;
        if width.abs() <= tolerance * (low.abs() + high.abs()) * 0.5 {
            break;
        }
        // Every third step bisects, so that the bracket shrinks whatever the shape of `f`.
        let mut mid = low - f_low * width / (f_high - f_low);
        if step % 3 == 2 || !mid.is_finite() || mid <= low.min(high) || mid >= low.max(high) {
            mid = low + 0.5 * width;
        }
        if mid == low || mid == high {
            break;
        }
        let f_mid = f(mid);
        if f_mid == 0.0 {
            return mid;
        }
        if (f_mid > 0.0) == (f_low > 0.0) {
            (low, f_low) = (mid, f_mid);
            if side == -1 {
                f_high *= 0.5;
            }
            side = -1;
        } else {
            (high, f_high) = (mid, f_mid);
            if side == 1 {
                f_low *= 0.5;
            }
            side = 1;
        }
    }
    0.5 * (low + high)
}

/// The time at which a falling function of time (the chance to last longer) reaches `level`.
///
/// `scale` is a guess of the order of magnitude, in seconds. Zero when the function starts at or below `level`;
/// infinite when it stays above it for 1e15 times the scale.
pub fn falling_to(level: f64, scale: f64, f: impl Fn(f64) -> f64) -> f64 {
    if f(0.0) <= level {
        return 0.0;
    }
    let mut high = scale.max(f64::MIN_POSITIVE);
    let mut low = 0.0;
    while f(high) > level {
        low = high;
        high *= 2.0;
        if high > scale * 1e15 {
            return f64::INFINITY;
        }
    }
    if low == 0.0 {
        // The answer may lie many orders of magnitude below the guess.
        let mut probe = high * 0.5;
        while probe > scale * 1e-30 && f(probe) <= level {
            high = probe;
            probe *= 0.5;
        }
        if probe <= scale * 1e-30 {
            // It starts at the level but for rounding.
            return 0.0;
        }
        low = probe;
    }
    // Tails fall exponentially: on the logarithm they are nearly straight, and the secant lands at once.
    let target = level.max(f64::MIN_POSITIVE).ln();
    bracketed(low, high, 1e-13, |t| f(t).max(1e-300).ln() - target)
}

/// The time after `low` at which a falling function reaches `level`, looked for in steps of the order of `step`; `low`
/// when it is there already, infinite when it stays above for 1e15 steps.
pub fn falling_after(low: f64, level: f64, step: f64, f: impl Fn(f64) -> f64) -> f64 {
    if low == 0.0 {
        return falling_to(level, step, f);
    }
    if f(low) <= level {
        return low;
    }
    let (mut from, mut to, mut stride) = (low, low + step, step);
    while f(to) > level {
        stride *= 2.0;
        (from, to) = (to, to + stride);
        if stride.is_nan() || stride > step * 1e15 {
            return f64::INFINITY;
        }
    }
    let target = level.max(f64::MIN_POSITIVE).ln();
    bracketed(from, to, 1e-13, |t| f(t).max(1e-300).ln() - target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_of_a_cubic_is_found_to_the_last_digits() {
        let root = bracketed(0.0, 10.0, 1e-15, |x| x * x * x - 2.0);
        assert!((root - 2f64.cbrt()).abs() < 1e-14);
    }

    #[test]
    fn quantiles_of_an_exponential_are_exact_at_any_scale() {
        for scale in [1e-9, 1.0, 1e9] {
            let t = falling_to(0.05, 1.0, |t| (-t / scale).exp());
            assert!((t / (scale * 20f64.ln()) - 1.0).abs() < 1e-12, "{scale}");
        }
        assert_eq!(falling_to(0.5, 1.0, |_| 0.2), 0.0);
        assert_eq!(falling_to(0.5, 1.0, |_| 0.7), f64::INFINITY);
    }
}

//! Roots of functions of one variable, in a bracket, and fixed points in the complex plane.

use num_complex::Complex64;

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
    let mut wide = (high - low).abs();
    for step in 0..MAX_STEPS {
        let width = high - low;
        if width.abs() <= tolerance * (low.abs() + high.abs()) * 0.5 {
            break;
        }
        // Bisects where three steps have not halved the bracket, so that it shrinks whatever the shape of `f`.
        let mut mid = low - f_low * width / (f_high - f_low);
        let slow = step % 3 == 2 && width.abs() > 0.5 * std::mem::replace(&mut wide, width.abs());
        if slow || !mid.is_finite() || mid <= low.min(high) || mid >= low.max(high) {
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

/// The square of a step, over that of the point, that is the last one: the error after it is about it times the one before.
const LAST_STEP: f64 = 1e-20;

/// The fixed point of a function of complex numbers whose iteration from `begun` would reach it, by the secant method; the last point
/// where that does not settle. A step that leads away, or to where the fixed point is not `within`, gives way to one of the iteration.
pub fn fixed_point(
    begun: Complex64,
    within: impl Fn(Complex64) -> bool,
    image_of: impl Fn(Complex64) -> Complex64,
) -> Complex64 {
    let mut before = (begun, image_of(begun));
    let (mut point, mut image) = (before.1, image_of(before.1));
    for _ in 0..MAX_STEPS {
        let gap = image - point;
        let slope = (image - before.1) / (point - before.0);
        let step = gap / (1.0 - slope);
        let secant = point + step;
        if gap == Complex64::ZERO || step.norm_sqr() <= LAST_STEP * point.norm_sqr() {
            return if secant.is_finite() { secant } else { image };
        }
        before = (point, image);
        let there = image_of(secant);
        if within(secant) && (there - secant).norm_sqr() < gap.norm_sqr() {
            (point, image) = (secant, there);
        } else {
            (point, image) = (image, image_of(image));
        }
    }
    point
}

/// The time at which a falling function of time (the chance to last longer) reaches `level`.
///
/// `scale` is a guess of the order of magnitude, in seconds. Zero when the function starts at or below `level`;
/// infinite when it stays above it for 1e15 times the scale.
pub fn falling_to(level: f64, scale: f64, f: impl Fn(f64) -> f64) -> f64 {
    if f(0.0) <= level {
        return 0.0;
    }
    let high = scale.max(f64::MIN_POSITIVE);
    if f(high) > level {
        return falling_after(high, level, high, f);
    }
    // The answer may lie many orders of magnitude below the guess.
    let mut low = 0.5 * high;
    while f(low) <= level {
        low *= 0.5;
        if low <= scale * 1e-30 {
            // It starts at the level but for rounding.
            return 0.0;
        }
    }
    falling_after(low, level, low, f)
}

/// The time after `low` at which a falling function reaches `level`, where `step` is a guess of how far; `low` when
/// it is there already, infinite when it stays above for 1e15 steps.
///
/// Tails fall about exponentially: on the logarithm they are nearly straight, so that secants land soon. A secant that
/// leaves what is known to hold the answer gives way to halving.
pub fn falling_after(low: f64, level: f64, step: f64, f: impl Fn(f64) -> f64) -> f64 {
    if low <= 0.0 {
        return falling_to(level, step, f);
    }
    let excess = |t: f64| (f(t).max(1e-300) / level.max(1e-300)).ln();
    let (mut from, mut to) = (low, f64::INFINITY);
    let mut before = (low, excess(low));
    if before.1 <= 0.0 {
        return low;
    }
    let mut t = low + step;
    let mut wide = f64::INFINITY;
    for round in 0..MAX_STEPS {
        let here = excess(t);
        // As near as the rounding of a tail can say.
        if here.abs() < 1e-12 {
            return t;
        }
        if here > 0.0 {
            from = t;
        } else {
            to = t;
        }
        if from - low > 1e15 * step {
            return f64::INFINITY;
        }
        let secant = t - here * (t - before.0) / (here - before.1);
        before = (t, here);
        let slow = round % 3 == 2 && to - from > 0.5 * std::mem::replace(&mut wide, to - from);
        t = if secant > from && secant < to && !slow {
            secant.min(from + 4.0 * (from - low).max(step))
        } else if to.is_finite() {
            from + 0.5 * (to - from)
        } else {
            from + 2.0 * (from - low).max(step)
        };
        if t <= from || t >= to {
            break;
        }
    }
    if to.is_finite() { t } else { f64::INFINITY }
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
    fn a_step_is_found_where_it_is() {
        let t = falling_to(0.5, 1.0, |t| if t < 3.7 { 1.0 } else { 0.0 });
        assert!((t / 3.7 - 1.0).abs() < 1e-12, "{t}");
    }

    #[test]
    fn few_looks_are_needed() {
        let looks = std::cell::Cell::new(0);
        let tail = |t: f64| {
            looks.set(looks.get() + 1);
            0.3 * (-t).exp() + 0.7 * (-4.0 * t).exp()
        };
        let t = falling_after(1.0, 0.01, 1.0, tail);
        assert!((tail(t) / 0.01 - 1.0).abs() < 1e-11);
        assert!(looks.get() < 10, "{}", looks.get());
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

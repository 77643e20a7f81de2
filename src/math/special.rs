//! Special functions, by statrs and libm.

pub use statrs::function::gamma::{gamma, ln_gamma};

/// Regularised lower incomplete gamma function: the chance that an Erlang of shape `a` and rate 1 is at most `x`.
pub fn gamma_lower(a: f64, x: f64) -> f64 {
    match x {
        x if x <= 0.0 => 0.0,
        // statrs refuses infinities; far out nothing is left above.
        x if x > 1e300 => 1.0,
        x => statrs::function::gamma::checked_gamma_lr(a, x).unwrap_or(1.0),
    }
}

/// Regularised upper incomplete gamma function: the chance that an Erlang of shape `a` and rate 1 exceeds `x`.
pub fn gamma_upper(a: f64, x: f64) -> f64 {
    match x {
        x if x <= 0.0 => 1.0,
        x if x > 1e300 => 0.0,
        x => statrs::function::gamma::checked_gamma_ur(a, x).unwrap_or(0.0),
    }
}

/// Probability that a standard normal exceeds `z`, with full relative precision in the tail.
pub fn normal_upper(z: f64) -> f64 {
    // libm is right to the last digit; the rational approximation of statrs leaves an error of 1e-11.
    0.5 * libm::erfc(z / std::f64::consts::SQRT_2)
}

/// The standard normal quantile: the `z` below which a normal lies with probability `p`.
pub fn normal_quantile(p: f64) -> f64 {
    -std::f64::consts::SQRT_2 * statrs::function::erf::erfc_inv(2.0 * p)
}

/// Logarithm of the Poisson probability of `k` at mean `mean`.
pub fn ln_poisson(k: f64, mean: f64) -> f64 {
    if mean == 0.0 {
        return if k == 0.0 { 0.0 } else { f64::NEG_INFINITY };
    }
    k * mean.ln() - mean - ln_gamma(k + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_quantile_and_tail_are_inverse() {
        for z in [-6.0, -1.0, 0.0, 0.5, 3.0] {
            assert!((normal_quantile(1.0 - normal_upper(z)) - z).abs() < 1e-7 * (1.0 + z.abs().powi(4)), "{z}");
        }
        assert!((normal_quantile(0.95) - 1.644_853_626_951_472_2).abs() < 1e-12);
        assert!((normal_upper(1.644_853_626_951_472_2) - 0.05).abs() < 1e-14);
    }

    #[test]
    fn incomplete_gamma_of_shape_one_is_exponential() {
        for x in [1e-8f64, 0.1, 1.0, 30.0] {
            assert!((gamma_upper(1.0, x) / (-x).exp() - 1.0).abs() < 1e-11, "{x}");
        }
        assert!((gamma_upper(4.0, 3.0) + gamma_lower(4.0, 3.0) - 1.0).abs() < 1e-14);
    }
}

//! Erlang's two formulas: the chance that a request is lost, and the chance that it waits.
//!
//! | symbol | meaning                                     | unit     |
//! |--------|---------------------------------------------|----------|
//! | `a`    | offered load, arrival rate × mean service   | erlang   |
//! | `c`    | servers                                     | 1        |
//! | `ρ`    | utilization, `a / c`                        | 1        |
//!
//! Source: Bolch, Greiner, de Meer, Trivedi (1998), section 6.5.

/// Probability that a request is lost when every one of `c` servers is busy (M/G/c/c, insensitive to the service law).
///
/// ```text
/// 1 / B(c) = 1 + (c / a) / B(c - 1),   B(0) = 1
/// ```
///
/// The recursion runs on the reciprocal: it only adds positive terms, so no digit is lost, and it overflows to
/// infinity, that is to a loss of zero, only where the loss is below 1e-300. Factorials would overflow at 171 servers.
pub fn erlang_b(servers: u32, offered_load: f64) -> f64 {
    if offered_load <= 0.0 {
        return if servers == 0 { 1.0 } else { 0.0 };
    }
    let mut inverse = 1.0f64;
    for k in 1..=servers {
        inverse = 1.0 + inverse * f64::from(k) / offered_load;
        if inverse.is_infinite() {
            return 0.0;
        }
    }
    1.0 / inverse
}

/// Probability that a request waits when blocked requests queue (M/M/c).
///
/// ```text
/// C(c, a) = B / (1 - ρ (1 - B)),   ρ = a / c,   B = B(c, a)
/// ```
///
/// `None` when `ρ ≥ 1`: every request waits and no steady state exists.
pub fn erlang_c(servers: u32, offered_load: f64) -> Option<f64> {
    let rho = offered_load / f64::from(servers);
    if rho.is_nan() || rho >= 1.0 {
        return None;
    }
    let b = erlang_b(servers, offered_load);
    Some(b / (1.0 - rho * (1.0 - b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_server_waits_with_the_utilization() {
        for rho in [0.0, 1e-9, 0.3, 0.9999] {
            assert!((erlang_c(1, rho).unwrap() - rho).abs() < 1e-15);
        }
        assert_eq!(erlang_c(1, 1.0), None);
    }

    #[test]
    fn five_thousand_servers_stay_finite() {
        let b = erlang_b(5000, 4999.5);
        assert!(b > 0.009 && b < 0.012, "{b}");
        let c = erlang_c(5000, 4999.5).unwrap();
        assert!(c > 0.98 && c < 1.0, "{c}");
        assert_eq!(erlang_b(5000, 1.0), 0.0);
    }

    #[test]
    fn adding_a_server_never_raises_the_loss() {
        for c in 1..200 {
            assert!(erlang_b(c + 1, 80.0) < erlang_b(c, 80.0));
        }
    }
}

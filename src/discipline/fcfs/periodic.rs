//! M/D/c: Poisson arrivals, every service equally long.
//!
//! | symbol | meaning                                                   | unit       |
//! |--------|-----------------------------------------------------------|------------|
//! | `λ, D` | arrival rate, service time                                | per second, seconds |
//! | `c, a` | servers, offered load `λD`                                | 1, erlang  |
//! | `z_k`  | roots of `z^c = exp(a (z - 1))` inside the unit circle    | 1          |
//! | `L`    | requests waiting                                          | 1          |
//!
//! ```text
//! E z^L = (c - a) (z - 1) / (z^c - exp(a (z - 1))) × Π (z - z_k) / (1 - z_k)
//! E exp(-sW) = E z^L  at  z = 1 - s / λ
//! P(W ≤ x) = exp(-λ (kD - x)) Σ_{j < kc} P(L ≤ kc - 1 - j) (λ (kD - x))^j / j!,   (k - 1) D ≤ x < kD
//! ```
//!
//! The last line adds positive terms only; the older formula of Erlang alternates and loses all digits within a few
//! service times.
//!
//! Source: Crommelin (1932); Franx, A simple solution for the M/D/c waiting time distribution, Operations Research
//! Letters 29 (2001).

use crate::math::inversion::Line;
use crate::math::special;
use num_complex::Complex64;
use std::f64::consts::PI;

/// Beyond so many servers the product over the roots costs more than an approximation loses.
pub const MOST_SERVERS: u32 = 256;

/// Points of the Fourier sum for the queue lengths, at the most.
const MOST_POINTS: usize = 1 << 16;

/// Queue lengths rarer than this are left out.
const NEGLIGIBLE: f64 = 1e-15;

/// The wait of M/D/c.
#[derive(Debug, Clone, PartialEq)]
pub struct Periodic {
    arrival_rate: f64,
    service: f64,
    servers: u32,
    roots: Vec<Complex64>,
    /// `P(L > m)` for `m = 0, 1, …`, until negligible.
    longer: Vec<f64>,
}

impl Periodic {
    /// The wait in a stable queue of at most 256 servers. `None` when the utilization is so near 1 that
    /// the queue lengths do not fit the sum.
    pub fn new(arrival_rate: f64, service: f64, servers: u32) -> Option<Periodic> {
        let mut delay = Periodic { arrival_rate, service, servers, roots: Vec::new(), longer: Vec::new() };
        delay.roots = roots(servers, delay.load());
        delay.longer = delay.queue_tail()?;
        Some(delay)
    }

    fn load(&self) -> f64 {
        self.arrival_rate * self.service
    }

    /// Probability generating function of the number waiting.
    fn generating(&self, z: Complex64) -> Complex64 {
        let (c, a) = (f64::from(self.servers), self.load());
        if (z - 1.0).norm() < 1e-12 {
            return Complex64::ONE;
        }
        let product: Complex64 = self.roots.iter().map(|root| (z - root) / (1.0 - root)).product();
        (c - a) * (z - 1.0) / (z.powu(self.servers) - (a * (z - 1.0)).exp()) * product
    }

    /// `P(L > m)` by a Fourier sum of `(1 - E z^L) / (1 - z)` over the unit circle.
    fn queue_tail(&self) -> Option<Vec<f64>> {
        let decay = self.decay_per_job();
        let wanted = (-NEGLIGIBLE.ln() / decay).ceil().max(8.0);
        if wanted > MOST_POINTS as f64 {
            return None;
        }
        let points = (wanted as usize).next_power_of_two() * 2;
        let mean = self.mean_waiting();
        let mut values: Vec<Complex64> = (0..points)
            .map(|j| {
                if j == 0 {
                    return Complex64::from(mean);
                }
                let z = Complex64::cis(2.0 * PI * j as f64 / points as f64);
                (1.0 - self.generating(z)) / (1.0 - z)
            })
            .collect();
        transform(&mut values);
        let tail = values.iter().take(points / 2).map(|value| (value.re / points as f64).clamp(0.0, 1.0));
        Some(tail.take_while(|p| *p > NEGLIGIBLE).collect())
    }

    /// How fast `P(L > m)` falls: the logarithm of the root of `z^c = exp(a (z - 1))` above one.
    fn decay_per_job(&self) -> f64 {
        let rho = self.load() / f64::from(self.servers);
        // x = ln z solves x = ρ (exp(x) - 1); beyond it the right side wins.
        let mut high = 2.0 * (1.0 - rho);
        while rho * high.exp_m1() < high {
            high *= 1.5;
        }
        crate::math::roots::bracketed(0.5 * (1.0 - rho), high, 1e-12, |x| x - rho * x.exp_m1())
    }

    fn mean_waiting(&self) -> f64 {
        let (c, a) = (f64::from(self.servers), self.load());
        let sum: f64 = self.roots.iter().map(|root| (1.0 / (1.0 - root)).re).sum();
        let closed = sum - (c * (c - 1.0) - a * a) / (2.0 * (c - a));
        // The difference of two sums of order c² keeps no digits where hardly anyone waits.
        if closed > 1e-3 { closed } else { self.mean_by_series() }
    }

    /// Spitzer's series for the mean: positive terms that fall quickly unless the load is near the capacity.
    fn mean_by_series(&self) -> f64 {
        let (c, rate, service) = (f64::from(self.servers), self.arrival_rate, self.service);
        let mut sum = 0.0;
        for l in 1..100_000 {
            let l = f64::from(l);
            let (n, x) = (l * c, l * service);
            let term = (x * special::gamma_lower(n, rate * x) - n / rate * special::gamma_lower(n + 1.0, rate * x)) / l;
            sum += term;
            if term <= 1e-16 * sum {
                break;
            }
        }
        sum * rate
    }

    /// Mean wait, in seconds.
    pub fn mean(&self) -> f64 {
        self.mean_waiting() / self.arrival_rate
    }

    /// Mean square of the wait, by Little's law for second moments: `E L (L - 1) = λ² E W²`.
    pub fn second_moment(&self) -> f64 {
        let sum: f64 = self.longer.iter().enumerate().map(|(m, p)| 2.0 * m as f64 * p).sum();
        sum / (self.arrival_rate * self.arrival_rate)
    }

    /// Probability to wait longer than `t`.
    pub fn exceeding(&self, t: f64) -> f64 {
        let periods = (t / self.service).floor() + 1.0;
        let last = periods * f64::from(self.servers) - 1.0;
        let x = self.arrival_rate * (periods * self.service - t);
        if periods > 1e6 {
            return 0.0;
        }
        // 1 - Σ P(L ≤ last - j) pois(j) = P(Poisson > last) + Σ P(L > last - j) pois(j): no difference of near equals.
        let mut sum = special::gamma_lower(last + 1.0, x);
        let reach = (self.longer.len() as f64).min(last + 1.0);
        for back in 0..reach as usize {
            sum += self.longer[back] * special::ln_poisson(last - back as f64, x).exp();
        }
        sum.min(1.0)
    }

    /// The mean of `exp(-sW)` along a line.
    pub fn transform(&self, line: Line, out: &mut [Complex64]) {
        line.fill(out, |s| self.generating(1.0 - s / self.arrival_rate));
    }

    /// The rate at which the tail falls, per second.
    pub fn decay_rate(&self) -> f64 {
        self.arrival_rate * self.decay_per_job().exp_m1()
    }
}

/// The square of a step, over that of the root, that is the last one.
const LAST_STEP: f64 = 1e-18;

/// The roots other than 1: `z = ω exp(ρ (z - 1))` for each c-th root of unity `ω`, by Newton's method from the fixed
/// point iteration, which contracts by `ρ`.
fn roots(servers: u32, load: f64) -> Vec<Complex64> {
    let rho = load / f64::from(servers);
    (1..servers)
        .map(|k| {
            let omega = Complex64::cis(2.0 * PI * f64::from(k) / f64::from(servers));
            let mut z = Complex64::ZERO;
            for step in 0..200 {
                let image = omega * (rho * (z - 1.0)).exp();
                let next = if step < 4 { image } else { z - (z - image) / (1.0 - rho * image) };
                let moved = (next - z).norm_sqr();
                z = next;
                // Newton's method squares the error.
                if step >= 4 && moved < LAST_STEP * z.norm_sqr() {
                    break;
                }
            }
            z
        })
        .collect()
}

/// Discrete Fourier transform in place, forward, for a power of two (Cooley and Tukey, 1965).
fn transform(values: &mut [Complex64]) {
    let n = values.len();
    let bits = n.trailing_zeros();
    for i in 0..n {
        let j = i.reverse_bits() >> (usize::BITS - bits);
        if i < j {
            values.swap(i, j);
        }
    }
    let mut size = 2;
    while size <= n {
        let turn = -2.0 * PI / size as f64;
        for start in (0..n).step_by(size) {
            for k in 0..size / 2 {
                let twiddle = Complex64::cis(turn * k as f64);
                let (a, b) = (values[start + k], values[start + k + size / 2] * twiddle);
                values[start + k] = a + b;
                values[start + k + size / 2] = a - b;
            }
        }
        size *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_server_waits_half_as_long_as_with_memoryless_service() {
        let delay = Periodic::new(40.0, 0.02, 1).unwrap();
        assert!((delay.mean() - 0.04).abs() < 1e-12);
        assert!((delay.exceeding(0.0) - 0.8).abs() < 1e-12);
        // P(W ≤ x) = (1 - ρ) exp(λx) within the first service.
        assert!((delay.exceeding(0.01) - (1.0 - 0.2 * 0.4f64.exp())).abs() < 1e-12);
    }

    #[test]
    fn series_and_roots_give_the_same_mean() {
        for (rate, servers) in [(0.8, 1), (5.6, 8), (7.2, 8)] {
            let delay = Periodic::new(rate, 1.0, servers).unwrap();
            let series = delay.mean_by_series();
            assert!((delay.mean_waiting() / series - 1.0).abs() < 1e-9, "{rate} {servers}");
        }
    }

    #[test]
    fn the_tail_integrates_to_the_mean() {
        let delay = Periodic::new(3.6, 1.0, 4).unwrap();
        let mut sum = 0.0;
        for period in 0..60 {
            let from = f64::from(period);
            sum += crate::math::quadrature::panel(from, from + 1.0).map(|(t, w)| w * delay.exceeding(t)).sum::<f64>();
        }
        assert!((sum / delay.mean() - 1.0).abs() < 1e-8);
    }
}

//! Queues through time: the chances of each number while the arrival rate changes.

use crate::Tally;
use plimsoll::math::transient::Transient;
use serde_json::Value;

/// Parts of a period in which a rate that moves is taken as even: what that leaves falls with their square.
const PARTS: f64 = 10_000.0;

/// Time after which a queue is taken to have settled, in mean service times.
const SETTLED: f64 = 400.0;

/// Checks the figures of all transients in the table.
pub fn check(tally: &mut Tally, cases: &[Value]) {
    for case in cases.iter().filter(|case| case["family"] == "11_transient") {
        let (p, rows) = (&case["params"], case["rows"].as_array().unwrap());
        let mut queue = Queue::of(p);
        for row in rows {
            let (metric, at) = row["metric"].as_str().unwrap().split_once("@t=").unwrap();
            queue.until(at.parse().unwrap());
            let want = row["value"].as_f64().unwrap();
            let tolerance = &row["tolerance"];
            let allowed = tolerance["abs"].as_f64().unwrap() + tolerance["rel"].as_f64().unwrap() * want.abs();
            tally.check("11_transient", row["id"].as_str().unwrap(), queue.figure(metric), want, allowed);
        }
    }
}

struct Queue<'a> {
    profile: &'a Value,
    servers: u32,
    now: f64,
    state: Transient,
}

impl Queue<'_> {
    fn of(p: &Value) -> Queue<'_> {
        let (servers, rate) = (p["servers"].as_u64().unwrap() as u32, p["mu_per_s"].as_f64().unwrap());
        let profile = &p["rate_profile"];
        let mut state = Transient::empty(servers, rate);
        if p["initial"].as_str().unwrap().starts_with("stationary") {
            state.pass(profile["before_per_s"].as_f64().unwrap(), SETTLED / rate);
        }
        Queue { profile, servers, now: 0.0, state }
    }

    fn rate(&self, t: f64) -> f64 {
        let number = |name: &str| self.profile[name].as_f64();
        match self.profile["kind"].as_str().unwrap() {
            "sinusoid" => {
                let turn = 2.0 * std::f64::consts::PI * t / number("period_s").unwrap();
                number("mean_per_s").unwrap() + number("amplitude_per_s").unwrap() * turn.sin()
            }
            _ => {
                let within =
                    number("start_s").is_none_or(|start| t >= start) && number("end_s").is_none_or(|end| t < end);
                number(if within { "after_per_s" } else { "before_per_s" }).unwrap()
            }
        }
    }

    /// Lets time pass until then.
    fn until(&mut self, t: f64) {
        let mut edges: Vec<f64> = ["start_s", "end_s"].iter().filter_map(|name| self.profile[*name].as_f64()).collect();
        if let Some(period) = self.profile["period_s"].as_f64() {
            let part = period / PARTS;
            edges.extend((0..).map(|k| self.now + f64::from(k) * part).take_while(|edge| *edge < t));
        }
        edges.push(t);
        edges.retain(|edge| (self.now..=t).contains(edge));
        edges.sort_by(f64::total_cmp);
        for edge in edges {
            self.state.pass(self.rate(0.5 * (self.now + edge)), edge - self.now);
            self.now = edge;
        }
    }

    fn figure(&self, metric: &str) -> Option<f64> {
        let chances = self.state.chances();
        let servers = f64::from(self.servers);
        let mean = |value: &dyn Fn(f64) -> f64| chances.iter().zip(0..).map(|(p, n)| p * value(f64::from(n))).sum();
        Some(match metric {
            "utilisation" => mean(&|n| n.min(servers) / servers),
            "mean_in_system" => mean(&|n| n),
            "mean_queue_length" => mean(&|n| (n - servers).max(0.0)),
            "prob_all_busy" => mean(&|n| f64::from(u8::from(n >= servers))),
            "p95_in_system" => {
                let mut sum = 0.0;
                let reached = |p: &f64| {
                    sum += p;
                    sum >= 0.95
                };
                chances.iter().position(reached)? as f64
            }
            _ => return None,
        })
    }
}

//! Random models over the whole language, as text: what a model has is drawn first, then the model.

use rand_core::Rng;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;
use std::collections::BTreeSet;
use std::fmt::Write;

/// Things a model may have; each is drawn for a model with this chance.
pub const FEATURES: [(&str, f64); 27] = [
    ("laws", 0.6),
    ("instances", 0.5),
    ("balancers", 0.25),
    ("disciplines", 0.2),
    ("priorities", 0.15),
    ("devices", 0.2),
    ("workers", 0.25),
    ("queues", 0.12),
    ("pools", 0.2),
    ("externals", 0.3),
    ("concurrency", 0.15),
    ("limits", 0.08),
    ("contention", 0.1),
    ("network", 0.35),
    ("timeouts", 0.2),
    ("retries", 0.2),
    ("hedges", 0.1),
    ("failures", 0.2),
    ("parallel", 0.3),
    ("quorums", 0.1),
    ("sends", 0.2),
    ("choices", 0.3),
    ("caches", 0.2),
    ("loops", 0.2),
    ("arrivals", 0.2),
    ("bursts", 0.08),
    ("users", 0.15),
];

/// A random model.
pub struct Model {
    /// What it has.
    pub features: BTreeSet<&'static str>,
    pub services: usize,
    /// How much of the load that saturates it, it is to get.
    pub utilization: f64,
    parts: Parts,
}

struct Parts {
    text: String,
    workloads: Vec<Workload>,
}

struct Workload {
    text: String,
    load: Load,
}

enum Load {
    Rate(f64),
    Users(f64, f64),
}

impl Model {
    /// A model that is whole as it is, whatever its load.
    pub fn whole(text: String, features: BTreeSet<&'static str>, services: usize) -> Model {
        Model { features, services, utilization: f64::NAN, parts: Parts { text, workloads: Vec::new() } }
    }

    /// The model with so many times its load.
    pub fn text(&self, factor: f64) -> String {
        let mut text = self.parts.text.clone();
        for workload in &self.parts.workloads {
            text += &workload.text;
            match workload.load {
                Load::Rate(rate) => writeln!(text, "rate = \"{:.6}/s\"", rate * factor).unwrap(),
                Load::Users(users, think) => {
                    writeln!(text, "users = {}\nthink = \"{think:.6}s\"", (users * factor).round().clamp(1.0, 1e6))
                        .unwrap()
                }
            }
        }
        text
    }
}

/// Draws the model of a number.
pub fn model(seed: u64, number: u64) -> Model {
    let mut draw = Draw::of(seed, number);
    let features: BTreeSet<&'static str> =
        FEATURES.iter().filter(|(_, chance)| draw.chance(*chance)).map(|(name, _)| *name).collect();
    let services = (30f64.powf(draw.uniform(0.0, 1.0))).round() as usize;
    let utilization = draw.uniform(0.1, 0.95);
    let mut maker = Maker {
        draw,
        features: features.clone(),
        text: String::new(),
        services,
        work: Vec::new(),
        runs: Vec::new(),
        asked: 0.0,
        taken: Vec::new(),
    };
    let parts = maker.make();
    Model { features, services, utilization, parts }
}

pub struct Draw {
    random: Xoshiro256PlusPlus,
}

impl Draw {
    pub fn of(seed: u64, number: u64) -> Draw {
        Draw { random: Xoshiro256PlusPlus::seed_from_u64(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ number) }
    }

    pub fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * (self.random.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub fn chance(&mut self, p: f64) -> bool {
        self.uniform(0.0, 1.0) < p
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.uniform(0.0, n as f64) as usize).min(n - 1)
    }

    pub fn between(&mut self, low: u32, high: u32) -> u32 {
        low + self.below((high - low + 1) as usize) as u32
    }

    fn log(&mut self, low: f64, high: f64) -> f64 {
        self.uniform(low.ln(), high.ln()).exp()
    }

    pub fn one_of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }
}

struct Maker {
    draw: Draw,
    features: BTreeSet<&'static str>,
    text: String,
    services: usize,
    /// Mean time of an operation of each service with all that it asks, without waits, in milliseconds.
    work: Vec<f64>,
    /// Operations that run for one of each service, itself included.
    runs: Vec<f64>,
    /// Operations that the calls of the service run that is being made.
    asked: f64,
    /// Whom the branches of the parallel step ask that is being made.
    taken: Vec<usize>,
}

impl Maker {
    fn has(&self, feature: &str) -> bool {
        self.features.contains(feature)
    }

    /// The feature is there, and used here.
    fn uses(&mut self, feature: &str, chance: f64) -> bool {
        self.has(feature) && self.draw.chance(chance)
    }

    fn law(&mut self, mean: f64) -> String {
        if !self.has("laws") || self.draw.chance(0.3) {
            return format!("\"{mean:.4}ms\"");
        }
        match self.draw.below(8) {
            0 => format!("{{ constant = \"{mean:.4}ms\" }}"),
            1 => format!("{{ mean = \"{mean:.4}ms\", cv = {:.2} }}", self.draw.uniform(0.3, 2.0)),
            2 => format!("{{ dist = \"erlang\", mean = \"{mean:.4}ms\", k = {} }}", self.draw.between(2, 5)),
            3 => format!("{{ dist = \"gamma\", mean = \"{mean:.4}ms\", cv = {:.2} }}", self.draw.uniform(0.4, 1.8)),
            4 => format!(
                "{{ dist = \"hyperexponential\", mean = \"{mean:.4}ms\", cv = {:.2} }}",
                self.draw.uniform(1.1, 2.0)
            ),
            5 => format!("{{ dist = \"uniform\", min = \"{:.4}ms\", max = \"{:.4}ms\" }}", 0.4 * mean, 1.6 * mean),
            6 => {
                format!("{{ dist = \"weibull\", mean = \"{mean:.4}ms\", shape = {:.2} }}", self.draw.uniform(0.7, 2.0))
            }
            _ => format!("{{ p50 = \"{:.4}ms\", p99 = \"{:.4}ms\" }}", 0.75 * mean, 4.0 * mean),
        }
    }

    fn make(&mut self) -> Parts {
        let externals = if self.has("externals") { 1 + self.draw.below(2) } else { 0 };
        // Who is called stands behind who calls; the last are made first, so that times are known.
        self.work = vec![0.0; self.services + externals];
        self.runs = vec![1.0; self.services + externals];
        for i in 0..externals {
            self.external(i);
        }
        if self.has("pools") {
            writeln!(self.text, "[pool.p]\nsize = {}", self.draw.between(4, 24)).unwrap();
        }
        if self.has("caches") {
            let cache = if self.draw.chance(0.5) {
                format!("hit = {:.2}", self.draw.uniform(0.3, 0.95))
            } else {
                format!(
                    "size = {}, objects = 20000, popularity = {{ zipf = {:.2} }}",
                    self.draw.between(500, 10_000),
                    self.draw.uniform(0.6, 1.1)
                )
            };
            writeln!(self.text, "[cache]\nc = {{ {cache} }}").unwrap();
        }
        for s in (0..self.services).rev() {
            self.service(s, externals);
        }
        let workloads = self.workloads();
        Parts { text: std::mem::take(&mut self.text), workloads }
    }

    fn external(&mut self, i: usize) {
        let mean = self.draw.log(5.0, 60.0);
        let law = self.law(mean);
        writeln!(self.text, "[external.x{i}]\nlatency = {law}").unwrap();
        if self.uses("concurrency", 0.7) {
            writeln!(self.text, "concurrency = {}", self.draw.between(4, 40)).unwrap();
        }
        if self.uses("limits", 0.8) {
            writeln!(self.text, "limit = \"{}/s\"", self.draw.between(20, 400)).unwrap();
        }
        if self.uses("failures", 0.5) {
            writeln!(self.text, "failure = {:.4}", self.draw.log(0.001, 0.05)).unwrap();
        }
        let place = self.services + i;
        self.work[place] = mean;
    }

    fn service(&mut self, s: usize, externals: usize) {
        writeln!(self.text, "[service.s{s}]").unwrap();
        let instances = if self.uses("instances", 0.5) { self.draw.between(2, 5) } else { 1 };
        let cores = if self.draw.chance(0.5) { 1 } else { self.draw.between(2, 8) };
        writeln!(self.text, "instances = {instances}\ncores = {cores}").unwrap();
        if instances > 1 && self.uses("balancers", 0.7) {
            let balancer = self.draw.one_of(&["random", "round-robin", "least-outstanding", "power-of-two"]);
            writeln!(self.text, "balancer = \"{balancer}\"").unwrap();
        }
        let discipline = if self.uses("disciplines", 0.4) {
            self.draw.one_of(&["ps", "lifo"])
        } else if self.uses("priorities", 0.5) {
            self.draw.one_of(&["priority", "preemptive"])
        } else {
            "fcfs"
        };
        writeln!(self.text, "discipline = \"{discipline}\"").unwrap();
        if self.uses("workers", 0.5) {
            writeln!(self.text, "workers = {}", cores * self.draw.between(2, 8)).unwrap();
        }
        if self.uses("queues", 0.4) {
            writeln!(self.text, "queue = {}", self.draw.between(2, 30)).unwrap();
        }
        if matches!(discipline, "fcfs" | "ps") && cores > 1 && self.uses("contention", 0.5) {
            let (alpha, beta) = (self.draw.uniform(0.0, 0.08), self.draw.uniform(0.0, 0.003));
            writeln!(self.text, "contention = {{ alpha = {alpha:.3}, beta = {beta:.4} }}").unwrap();
        }
        let device = self.uses("devices", 0.5);
        if device {
            writeln!(self.text, "devices.d = {{ servers = {} }}", self.draw.between(1, 3)).unwrap();
        }
        self.asked = 0.0;
        let mut steps = Vec::new();
        let mut time = 0.0;
        let count = 1 + self.draw.below(3);
        let mut room = 1 + self.draw.below(3);
        for k in 0..count {
            let work = self.draw.log(0.5, 15.0);
            if k == 0 || self.draw.chance(0.3) {
                let law = self.law(work);
                steps.push(format!("{{ work = {law} }}"));
                time += work;
            }
            if room > 0 && self.asked < 40.0 && (s + 1 < self.services || externals > 0) && self.draw.chance(0.8) {
                let (step, took) = self.step(s, externals);
                room -= 1;
                steps.push(step);
                time += took;
            }
        }
        if device {
            let mean = self.draw.log(0.5, 8.0);
            let law = self.law(mean);
            steps.push(format!("{{ use = \"d\", time = {law} }}"));
            time += mean;
        }
        if self.draw.chance(0.1) {
            let mean = self.draw.log(1.0, 20.0);
            let law = self.law(mean);
            steps.push(format!("{{ delay = {law} }}"));
            time += mean;
        }
        if self.uses("failures", 0.3) {
            steps.push(format!("{{ fail = {:.4} }}", self.draw.log(0.0005, 0.03)));
        }
        writeln!(self.text, "operations.o.steps = [ {} ]", steps.join(", ")).unwrap();
        self.work[s] = time;
        self.runs[s] += self.asked;
    }

    /// Whom service `s` may ask: mostly one of the next few.
    fn target(&mut self, s: usize, externals: usize) -> usize {
        let all = self.services + externals - s - 1;
        if all == 1 || s + 1 == self.services {
            return s + 1 + self.draw.below(all);
        }
        if externals > 0 && self.draw.chance(0.2) {
            return self.services + self.draw.below(externals);
        }
        s + 1 + self.draw.below((self.services - s - 1).min(3))
    }

    fn name(&self, target: usize) -> String {
        if target < self.services { format!("s{target}.o") } else { format!("x{}", target - self.services) }
    }

    /// A step that asks others, and its time without waits.
    fn step(&mut self, s: usize, externals: usize) -> (String, f64) {
        if self.asked < 15.0 && self.uses("parallel", 0.4) {
            let branches = 2 + self.draw.below(3);
            self.taken.clear();
            let (mut steps, mut times) = (Vec::new(), Vec::new());
            for _ in 0..branches {
                let (call, time) = self.branch(s, externals);
                steps.push(call);
                times.push(time);
            }
            let wait = if self.uses("quorums", 0.7) {
                if self.draw.chance(0.5) {
                    ", wait = \"any\"".to_string()
                } else {
                    format!(", wait = {}", branches - 1)
                }
            } else {
                String::new()
            };
            return (
                format!("{{ parallel = [ {} ]{wait} }}", steps.join(", ")),
                1.5 * times.iter().copied().fold(0.0, f64::max),
            );
        }
        if self.uses("sends", 0.25) {
            let target = self.target(s, externals);
            return (format!("{{ send = \"{}\" }}", self.name(target)), 0.0);
        }
        if self.uses("choices", 0.4) {
            let share = self.draw.uniform(0.1, 0.9);
            let (first, a) = self.call(s, externals, 1);
            let (second, b) = if self.draw.chance(0.5) { self.call(s, externals, 1) } else { (String::new(), 0.0) };
            return (
                format!(
                    "{{ choose = [ {{ weight = {share:.3}, steps = [ {first} ] }}, {{ weight = {:.3}, steps = [ {second} ] }} ] }}",
                    1.0 - (share * 1000.0).round() / 1000.0
                ),
                share * a + (1.0 - share) * b,
            );
        }
        if self.uses("caches", 0.5) {
            let (call, time) = self.call(s, externals, 1);
            return (format!("{{ cache = \"c\", miss = [ {call} ] }}"), 0.5 * time);
        }
        if self.uses("pools", 0.4) {
            let (call, time) = self.call(s, externals, 1);
            // One pool, held by one service only: nobody waits for one that it holds.
            self.features.remove("pools");
            return (format!("{{ hold = \"p\", steps = [ {call} ] }}"), time);
        }
        let times = if self.uses("loops", 0.4) { self.draw.between(2, 3) } else { 1 };
        self.call(s, externals, times)
    }

    /// A call at the same time as others: mostly to someone else.
    fn branch(&mut self, s: usize, externals: usize) -> (String, f64) {
        let mut target = self.target(s, externals);
        for _ in 0..5 {
            if !self.taken.contains(&target) || self.draw.chance(0.2) {
                break;
            }
            target = self.target(s, externals);
        }
        self.taken.push(target);
        self.call_to(target, 1)
    }

    fn call(&mut self, s: usize, externals: usize, times: u32) -> (String, f64) {
        let target = self.target(s, externals);
        self.call_to(target, times)
    }

    fn call_to(&mut self, target: usize, times: u32) -> (String, f64) {
        // No request runs hundreds of operations.
        let times = if self.runs[target] > 20.0 { 1 } else { times };
        let mut time = self.work[target];
        let mut call = format!("{{ call = \"{}\"", self.name(target));
        if times > 1 {
            write!(call, ", times = {times}").unwrap();
        }
        let mut chance = 1.0;
        if self.draw.chance(0.15) {
            chance = self.draw.uniform(0.1, 0.9);
            write!(call, ", probability = {chance:.3}").unwrap();
        }
        if self.uses("network", 0.6) {
            let mean = self.draw.log(0.2, 3.0);
            let law = self.law(mean);
            write!(call, ", network = {law}").unwrap();
            time += mean;
        }
        if self.uses("timeouts", 0.4) {
            let timeout = time * self.draw.log(2.0, 12.0) + 1.0;
            write!(call, ", timeout = \"{timeout:.3}ms\"").unwrap();
        }
        if self.uses("retries", 0.4) {
            write!(call, ", retries = {}", self.draw.between(1, 3)).unwrap();
            if self.draw.chance(0.6) {
                write!(call, ", backoff = \"{:.3}ms\"", self.draw.log(1.0, 50.0)).unwrap();
            }
        }
        if self.uses("hedges", 0.4) {
            let hedge = time * self.draw.log(1.5, 6.0) + 0.5;
            write!(call, ", hedge = \"{hedge:.3}ms\"").unwrap();
        }
        self.asked += chance * f64::from(times) * self.runs[target];
        (call + " }", chance * f64::from(times) * time)
    }

    fn workloads(&mut self) -> Vec<Workload> {
        let count = if self.has("priorities") { 2 } else { 1 + self.draw.below(2) };
        let mut workloads = Vec::with_capacity(count);
        // Everything that nobody asks is an entry.
        let entries: Vec<usize> = (0..self.services).filter(|s| !self.text.contains(&format!("\"s{s}.o\""))).collect();
        for w in 0..count {
            let mut text = format!("[workload.w{w}]\n");
            let own: Vec<usize> =
                entries.iter().copied().enumerate().filter(|(i, _)| i % count == w).map(|(_, s)| s).collect();
            let own = if own.is_empty() { vec![self.draw.below(self.services)] } else { own };
            if let [entry] = own.as_slice() {
                writeln!(text, "entry = \"s{entry}.o\"").unwrap();
            } else {
                let share = 1.0 / own.len() as f64;
                let mut left = 1.0;
                let mut mix = Vec::new();
                for (i, entry) in own.iter().enumerate() {
                    let share = if i + 1 == own.len() { left } else { (share * 1e6).round() / 1e6 };
                    left -= share;
                    mix.push(format!("\"s{entry}.o\" = {share:.6}"));
                }
                writeln!(text, "mix = {{ {} }}", mix.join(", ")).unwrap();
            }
            if self.has("priorities") {
                writeln!(text, "priority = {}", w + 1).unwrap();
            }
            let rate = self.draw.log(10.0, 200.0);
            let load = if self.uses("users", 0.6) {
                Load::Users(rate, self.draw.log(0.05, 2.0))
            } else {
                if self.uses("bursts", 0.8) {
                    writeln!(
                        text,
                        "arrivals = {{ burst = {{ ratio = {:.2}, on = \"{:.3}s\", off = \"{:.3}s\" }} }}",
                        self.draw.uniform(1.5, 6.0),
                        self.draw.log(0.1, 3.0),
                        self.draw.log(0.5, 10.0)
                    )
                    .unwrap();
                } else if self.uses("arrivals", 0.8) {
                    let arrivals = match self.draw.below(3) {
                        0 => "\"regular\"".to_string(),
                        1 => format!("{{ cv = {:.2} }}", self.draw.uniform(0.3, 2.0)),
                        _ => format!("{{ dist = \"erlang\", k = {} }}", self.draw.between(2, 5)),
                    };
                    writeln!(text, "arrivals = {arrivals}").unwrap();
                }
                Load::Rate(rate)
            };
            workloads.push(Workload { text, load });
        }
        workloads
    }
}

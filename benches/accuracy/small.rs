//! Random models that are small enough for their Markov chain: one to three services, laws of phases, and all that the chain knows.

use super::generator::{Draw, Model};
use std::collections::BTreeSet;
use std::fmt::Write;

/// Draws the small model of a number.
pub fn model(seed: u64, number: u64) -> Model {
    let mut maker = Maker { draw: Draw::of(seed, number), features: BTreeSet::new(), text: String::new() };
    let services = [1, 2, 2, 2, 3][maker.draw.below(5)];
    let workloads = [1, 1, 1, 2][maker.draw.below(4)];
    for service in 0..services {
        maker.service(service, services, workloads);
    }
    for workload in 1..=workloads {
        maker.workload(workload, workloads);
    }
    Model::whole(maker.text, maker.features, services)
}

struct Maker {
    draw: Draw,
    features: BTreeSet<&'static str>,
    text: String,
}

impl Maker {
    /// Has the feature with this chance.
    fn has(&mut self, feature: &'static str, chance: f64) -> bool {
        let has = self.draw.chance(chance);
        if has {
            self.features.insert(feature);
        }
        has
    }

    fn line(&mut self, line: String) {
        writeln!(self.text, "{line}").unwrap();
    }

    fn law(&mut self, mean: f64) -> String {
        if !self.has("laws", 0.3) {
            return format!("\"{mean:.3}ms\"");
        }
        if self.draw.chance(0.5) {
            format!("{{ dist = \"erlang\", mean = \"{mean:.3}ms\", k = {} }}", self.draw.between(2, 3))
        } else {
            let cv = self.draw.one_of(&["1.3", "1.6", "2.0"]);
            format!("{{ dist = \"hyperexponential\", mean = \"{mean:.3}ms\", cv = {cv} }}")
        }
    }

    fn service(&mut self, service: usize, services: usize, workloads: usize) {
        self.line(format!("[service.s{service}]"));
        if self.has("instances", 0.2) {
            let balancer = self.draw.one_of(&["shared", "random", "round-robin", "least-outstanding", "power-of-two"]);
            self.line(format!("instances = 2\nbalancer = \"{balancer}\""));
        }
        if self.draw.chance(0.25) {
            self.line("cores = 2".to_string());
        }
        let shared = self.has("disciplines", 0.15);
        if shared {
            self.line("discipline = \"ps\"".to_string());
        } else if workloads > 1 && self.has("priorities", 0.4) {
            let discipline = self.draw.one_of(&["priority", "preemptive"]);
            self.line(format!("discipline = \"{discipline}\""));
        }
        if self.has("queues", 0.3) {
            let places = self.draw.one_of(&["0", "1", "2", "3", "4", "6"]);
            self.line(format!("queue = {places}"));
        }
        if service + 1 < services && self.has("workers", 0.2) {
            let workers = self.draw.between(1, 3);
            self.line(format!("workers = {workers}"));
        }
        if !shared && self.has("contention", 0.06) {
            self.line("contention = { alpha = 0.1, beta = 0.01 }".to_string());
        }
        let steps = self.steps(service, services);
        self.line(format!("operations.o.steps = [ {} ]", steps.join(", ")));
    }

    fn call(&mut self, service: usize) -> String {
        let mut call = format!("{{ call = \"s{service}.o\"");
        if self.has("retries", 0.25) {
            write!(call, ", retries = {}", self.draw.between(1, 2)).unwrap();
        }
        if self.has("loops", 0.08) {
            call += ", times = 2";
        }
        call + " }"
    }

    fn steps(&mut self, service: usize, services: usize) -> Vec<String> {
        let mean = self.draw.uniform(2.0, 10.0);
        let mut steps = vec![format!("{{ work = {} }}", self.law(mean))];
        let later: Vec<usize> = (service + 1..services).collect();
        match (later.as_slice(), self.draw.uniform(0.0, 1.0)) {
            ([first, second], x) if x < 0.35 => {
                let wait = if self.has("quorums", 0.3) { ", wait = 1" } else { "" };
                self.features.insert("parallel");
                steps.push(format!("{{ parallel = [ {}, {} ]{wait} }}", self.call(*first), self.call(*second)));
            }
            ([first, second], x) if x < 0.7 => steps.extend([self.call(*first), self.call(*second)]),
            ([first], x) if x < 0.15 => {
                self.features.insert("parallel");
                steps.push(format!("{{ parallel = [ {}, {} ] }}", self.call(*first), self.call(*first)));
            }
            ([first], x) if x < 0.3 => {
                self.features.insert("choices");
                let (asked, own) = (self.call(*first), self.law(0.5 * mean));
                steps.push(format!(
                    "{{ choose = [ {{ weight = 0.4, steps = [ {asked} ] }}, {{ weight = 0.6, steps = [ {{ work = {own} }} ] }} ] }}"
                ));
            }
            ([first], x) if x < 0.38 => {
                self.features.insert("sends");
                steps.push(format!("{{ send = \"s{first}.o\" }}"));
            }
            ([first, ..], _) => steps.push(self.call(*first)),
            ([], _) => {}
        }
        if !later.is_empty() && self.draw.chance(0.1) {
            steps.push(format!("{{ work = {} }}", self.law(0.5 * mean)));
        }
        if self.has("failures", 0.15) {
            steps.push(format!("{{ fail = {} }}", self.draw.one_of(&["0.02", "0.1", "0.3"])));
        }
        steps
    }

    fn workload(&mut self, workload: usize, workloads: usize) {
        self.line(format!("[workload.w{workload}]\nentry = \"s0.o\""));
        if workloads > 1 {
            self.line(format!("priority = {workload}"));
        }
        if self.has("users", 0.35) {
            let users = self.draw.one_of(&["2", "3", "5"]);
            let think = self.draw.uniform(5.0, 60.0);
            return self.line(format!("users = {users}\nthink = \"{think:.1}ms\""));
        }
        let rate = self.draw.uniform(15.0, 80.0) / workloads as f64;
        self.line(format!("rate = \"{rate:.1}/s\""));
        if self.has("bursts", 0.15) {
            let (ratio, on, off) = (self.draw.between(2, 3), self.draw.between(1, 20), self.draw.between(3, 50));
            self.line(format!(
                "arrivals = {{ burst = {{ ratio = {ratio}, on = \"{on}00ms\", off = \"{off}00ms\" }} }}"
            ));
        } else if self.has("arrivals", 0.15) {
            let cv = self.draw.one_of(&["0.6", "1.5", "2.0"]);
            self.line(format!("arrivals = {{ cv = {cv} }}"));
        }
    }
}

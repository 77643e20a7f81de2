//! Services, their devices and operations; externals, pools and caches.

use super::language::{CACHE, CONTENTION, DEVICE, EXTERNAL, OPERATION, POOL, POPULARITY, SCALE, SERVICE};
use super::reader::{Keys, Node, Reader};
use crate::discipline::Discipline;
use crate::distribution::Law;
use crate::system::{Balancer, Cache, Contention, Device, External, Hits, Kind, Operation, Pool, Scale, Service, Step};
use toml::de::DeValue;

impl Reader<'_> {
    /// A service from `[service.NAME]`.
    pub(super) fn service(&mut self, name: &str, node: Node<'_>) -> Option<Service> {
        let keys = self.table(name, node, &SERVICE)?;
        let mut service = Service::new(name);
        if let Some(count) = self.optional_count(&keys, "instances", 1) {
            service.instances = count;
        }
        if let Some(node) = keys.get("cores") {
            service.cores = self.cores(node).unwrap_or(service.cores);
        }
        if let Some(node) = keys.get("discipline") {
            service.discipline = self.discipline(node).unwrap_or_default();
        }
        service.workers = self.optional_count(&keys, "workers", 1);
        service.queue = self.optional_count(&keys, "queue", 0);
        match keys.get("balancer") {
            Some(node) => {
                let words: Vec<_> = Balancer::ALL.iter().map(|(_, word, meaning)| (*word, *meaning)).collect();
                let word = self.word("balancer", node, &words);
                service.balancer = word.and_then(Balancer::from_word).unwrap_or(Balancer::Shared);
            }
            None if service.instances > 1 && service.cores.is_some() => {
                self.assumptions.push(format!("one shared queue feeds the {} instances of {name}", service.instances));
            }
            None => {}
        }
        if let Some(speed) = self.optional(&keys, "speed", Kind::Number) {
            if speed > 0.0 {
                service.speed = speed;
            } else {
                let span = keys.get("speed").map_or(keys.span.clone(), |n| n.span());
                self.out_of_range("speed", span, "0", "write a number above zero; 1 is the normal speed");
            }
        }
        if let Some(node) = keys.get("contention") {
            service.contention = self.contention(node);
        }
        service.price = self.optional(&keys, "price", Kind::Price);
        if let Some(node) = keys.get("scale") {
            service.scale = self.scale(node).unwrap_or(service.scale);
        }
        service.zones = self.optional_count(&keys, "zones", 1).unwrap_or(1);
        service.devices = self.named(&keys, "devices", |reader, name, node| reader.device(name, node));
        service.operations = self.named(&keys, "operations", |reader, name, node| reader.operation(name, node));
        Some(service)
    }

    /// The named tables below a key, in their order.
    fn named<T>(
        &mut self,
        keys: &Keys<'_>,
        key: &str,
        mut read: impl FnMut(&mut Self, &str, Node<'_>) -> Option<T>,
    ) -> Vec<T> {
        let Some(node) = keys.get(key) else { return Vec::new() };
        let DeValue::Table(table) = node.get_ref() else {
            self.wrong_type(key, node, "a table of names");
            return Vec::new();
        };
        self.within(key, |reader| {
            table
                .iter()
                .filter_map(|(name, node)| {
                    let name: &str = name.get_ref();
                    reader.within(name, |reader| read(reader, name, node))
                })
                .collect()
        })
    }

    fn cores(&mut self, node: Node<'_>) -> Option<Option<u32>> {
        match node.get_ref() {
            DeValue::String(text) if text == "unlimited" => Some(None),
            DeValue::String(text) if !text.starts_with(|c: char| c.is_ascii_digit()) => {
                self.error(
                    "word",
                    node.span(),
                    format!("`cores` cannot be \"{text}\""),
                    "not a number of cores",
                    "write a whole number, or \"unlimited\"",
                );
                None
            }
            _ => self.within("cores", |reader| reader.count("cores", node, 1)).map(Some),
        }
    }

    pub(super) fn discipline(&mut self, node: Node<'_>) -> Option<Discipline> {
        let words: Vec<_> = Discipline::ALL.iter().map(|(_, word, meaning)| (*word, *meaning)).collect();
        self.word("discipline", node, &words).and_then(Discipline::from_word)
    }

    fn contention(&mut self, node: Node<'_>) -> Option<Contention> {
        let keys = self.table("contention", node, &CONTENTION)?;
        self.within("contention", |reader| {
            let alpha = reader.optional(&keys, "alpha", Kind::Number).unwrap_or(0.0);
            let beta = reader.optional(&keys, "beta", Kind::Number).unwrap_or(0.0);
            Some(Contention { alpha, beta })
        })
    }

    fn scale(&mut self, node: Node<'_>) -> Option<Scale> {
        if let DeValue::String(_) = node.get_ref() {
            return self.word("scale", node, &[("fixed", "")]).map(|_| Scale::Fixed);
        }
        let keys = self.table("scale", node, &SCALE)?;
        let min = self.optional_count(&keys, "min", 1).unwrap_or(1);
        let max = self.optional_count(&keys, "max", 1).unwrap_or(1000.max(min));
        if min > max {
            self.error(
                "range",
                node.span(),
                format!("`scale` goes from {min} down to {max}"),
                "out of order",
                "swap `min` and `max`",
            );
            return None;
        }
        Some(Scale::Between { min, max })
    }

    fn device(&mut self, name: &str, node: Node<'_>) -> Option<Device> {
        let keys = self.table(name, node, &DEVICE)?;
        let servers = self.optional_count(&keys, "servers", 1).unwrap_or(1);
        let discipline = keys.get("discipline").and_then(|n| self.discipline(n)).unwrap_or_default();
        Some(Device { name: name.to_string(), servers, discipline })
    }

    fn operation(&mut self, name: &str, node: Node<'_>) -> Option<Operation> {
        let keys = self.table(name, node, &OPERATION)?;
        let short = keys.has("work") || keys.has("calls");
        if keys.has("steps") && short {
            self.error(
                "operation",
                keys.span.clone(),
                format!("operation \"{name}\" has `steps` and the short form"),
                "one of the two",
                "move `work` and `calls` into `steps`",
            );
        }
        if !keys.has("steps") && !short {
            self.missing(&keys, "steps", "[ { work = \"3ms\" } ]");
        }
        let mut steps = Vec::new();
        if let Some(node) = keys.get("work")
            && let Some(law) = self.within("work", |reader| reader.law("work", node))
        {
            steps.push(Step::Work(law));
        }
        if let Some(node) = keys.get("calls") {
            for item in self.list("calls", node).unwrap_or_default() {
                steps.extend(self.target("calls", item).map(|t| Step::Call(Box::new(crate::system::Call::to(t)))));
            }
        }
        if let Some(node) = keys.get("steps") {
            steps.extend(self.within("steps", |reader| reader.steps("steps", node, 0)));
        }
        Some(Operation { name: name.to_string(), steps })
    }

    /// An external from `[external.NAME]`.
    pub(super) fn external(&mut self, name: &str, node: Node<'_>) -> Option<External> {
        let keys = self.table(name, node, &EXTERNAL)?;
        let latency = match keys.get("latency") {
            Some(node) => self.within("latency", |reader| reader.law("latency", node)),
            None => {
                self.missing(&keys, "latency", "\"80ms\"");
                None
            }
        };
        let concurrency = self.optional_count(&keys, "concurrency", 1);
        let limit = self.optional(&keys, "limit", Kind::Rate);
        let failure = self.optional(&keys, "failure", Kind::Ratio).unwrap_or(0.0);
        Some(External {
            name: name.to_string(),
            latency: latency.unwrap_or(Law::constant(0.0)),
            concurrency,
            limit,
            failure,
        })
    }

    /// A pool from `[pool.NAME]`.
    pub(super) fn pool(&mut self, name: &str, node: Node<'_>) -> Option<Pool> {
        let keys = self.table(name, node, &POOL)?;
        if !keys.has("size") {
            self.missing(&keys, "size", "20");
        }
        let size = self.optional_count(&keys, "size", 1);
        let per = keys.get("per").and_then(|n| self.text("per", n));
        Some(Pool { name: name.to_string(), size: size.unwrap_or(1), per })
    }

    /// A cache from `[cache.NAME]`.
    pub(super) fn cache(&mut self, name: &str, node: Node<'_>) -> Option<Cache> {
        let keys = self.table(name, node, &CACHE)?;
        let lru = ["size", "objects", "popularity"];
        let name = name.to_string();
        if keys.has("hit") {
            if lru.iter().any(|key| keys.has(key)) {
                self.error(
                    "cache",
                    keys.span.clone(),
                    format!("cache \"{name}\" has `hit` and a size"),
                    "one of the two",
                    "keep `hit`, or `size`, `objects` and `popularity`",
                );
            }
            let hit = self.optional(&keys, "hit", Kind::Ratio).unwrap_or(0.0);
            return Some(Cache { name, hits: Hits::Ratio(hit) });
        }
        if !lru.iter().any(|key| keys.has(key)) {
            self.missing(&keys, "hit", "0.92");
            return Some(Cache { name, hits: Hits::Ratio(0.0) });
        }
        for (key, example) in lru.iter().zip(["50000", "2000000", "{ zipf = 0.9 }"]) {
            if !keys.has(key) {
                self.missing(&keys, key, example);
            }
        }
        let size = self.optional_count(&keys, "size", 1);
        let objects = self.optional_count(&keys, "objects", 1);
        let zipf = keys.get("popularity").and_then(|node| {
            let keys = self.table("popularity", node, &POPULARITY)?;
            if !keys.has("zipf") {
                self.missing(&keys, "zipf", "0.9");
            }
            self.within("popularity", |reader| reader.optional(&keys, "zipf", Kind::Number))
        });
        if zipf.is_some_and(|z| z > 10.0) {
            self.out_of_range(
                "zipf",
                keys.span.clone(),
                "above 10",
                "write an exponent from 0 to 10; 0.6 to 1.2 are common",
            );
            return None;
        }
        let hits = match (size, objects, zipf) {
            (Some(size), Some(objects), Some(zipf)) => Hits::Lru { size: size.into(), objects: objects.into(), zipf },
            _ => Hits::Ratio(0.0),
        };
        Some(Cache { name, hits })
    }
}

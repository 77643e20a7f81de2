//! Caches that forget what was asked for longest ago.
//!
//! Only what is in the cache takes memory. A run begins with a cache as it is after a long time: it holds the objects that
//! were asked for last, drawn backwards in time until it is full of different ones.

use crate::math::random::Stream;
use crate::network::program::NONE;
use crate::system::Hits;
use hashbrown::HashMap;
use rand_distr::{Distribution, Zipf};

/// Lookups drawn at most to fill a cache at the beginning; what they do not bring is so rare that it hardly matters.
const MOST_DRAWS: u64 = 20_000_000;

/// Objects a cache has memory for.
const MOST_OBJECTS: u64 = 1 << 28;

/// One cache.
#[derive(Debug)]
pub(super) enum Lookups {
    /// Every lookup is an independent draw.
    Ratio(f64),
    Recent(Box<Recent>),
}

impl Lookups {
    pub fn new(hits: &Hits, stream: &mut Stream) -> Lookups {
        let Hits::Lru { size, objects, zipf } = *hits else {
            let Hits::Ratio(ratio) = *hits else { return Lookups::Ratio(0.0) };
            return Lookups::Ratio(ratio);
        };
        if size >= objects {
            return Lookups::Ratio(1.0);
        }
        match Zipf::new(objects as f64, zipf) {
            Ok(popularity) if size > 0 => Lookups::Recent(Box::new(Recent::new(size, popularity, stream))),
            _ => Lookups::Ratio(0.0),
        }
    }

    /// Whether the next lookup is a hit.
    pub fn hits(&mut self, stream: &mut Stream) -> bool {
        match self {
            Lookups::Ratio(ratio) => stream.chance(*ratio),
            Lookups::Recent(recent) => recent.look(stream),
        }
    }
}

/// An object in the cache, between the one asked for after it and the one asked for before it.
#[derive(Debug, Clone, Copy)]
struct Entry {
    object: u64,
    newer: u32,
    older: u32,
}

/// The objects that were asked for last.
#[derive(Debug)]
pub(super) struct Recent {
    size: usize,
    popularity: Zipf<f64>,
    places: HashMap<u64, u32>,
    entries: Vec<Entry>,
    newest: u32,
    oldest: u32,
}

impl Recent {
    fn new(size: u64, popularity: Zipf<f64>, stream: &mut Stream) -> Recent {
        let size = size.min(MOST_OBJECTS) as usize;
        // All of it at once: a table that grows, or is cleared of what was taken out, takes memory as it runs.
        let (places, entries) = (HashMap::with_capacity(2 * size), Vec::with_capacity(size));
        let mut recent = Recent { size, popularity, places, entries, newest: NONE, oldest: NONE };
        for _ in 0..MOST_DRAWS {
            if recent.entries.len() == size {
                break;
            }
            // Backwards in time: what is not there yet is older than all that is.
            let object = recent.draw(stream);
            if !recent.places.contains_key(&object) {
                recent.append(object);
            }
        }
        recent
    }

    fn draw(&self, stream: &mut Stream) -> u64 {
        self.popularity.sample(stream.generator()) as u64
    }

    fn append(&mut self, object: u64) {
        let place = self.entries.len() as u32;
        self.entries.push(Entry { object, newer: self.oldest, older: NONE });
        match self.oldest {
            NONE => self.newest = place,
            oldest => self.entries[oldest as usize].older = place,
        }
        self.oldest = place;
        self.places.insert(object, place);
    }

    fn look(&mut self, stream: &mut Stream) -> bool {
        let object = self.draw(stream);
        if let Some(place) = self.places.get(&object).copied() {
            self.take_out(place);
            self.put_first(place);
            return true;
        }
        let place = if self.entries.len() < self.size {
            self.entries.push(Entry { object, newer: NONE, older: NONE });
            self.entries.len() as u32 - 1
        } else {
            let place = self.oldest;
            self.places.remove(&self.entries[place as usize].object);
            self.take_out(place);
            self.entries[place as usize].object = object;
            place
        };
        self.places.insert(object, place);
        self.put_first(place);
        false
    }

    fn take_out(&mut self, place: u32) {
        let Entry { newer, older, .. } = self.entries[place as usize];
        match newer {
            NONE => self.newest = older,
            newer => self.entries[newer as usize].older = older,
        }
        match older {
            NONE => self.oldest = newer,
            older => self.entries[older as usize].newer = newer,
        }
    }

    fn put_first(&mut self, place: u32) {
        let entry = &mut self.entries[place as usize];
        (entry.newer, entry.older) = (NONE, self.newest);
        match self.newest {
            NONE => self.oldest = place,
            newest => self.entries[newest as usize].newer = place,
        }
        self.newest = place;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against a list that is searched from its beginning.
    #[test]
    fn it_holds_what_was_asked_for_last() {
        let popularity = Zipf::new(50.0, 0.8).unwrap();
        let mut recent = Recent::new(10, popularity, &mut Stream::new(1, 0, 0));
        let mut list: Vec<u64> = Vec::new();
        let mut place = recent.newest;
        while place != NONE {
            list.push(recent.entries[place as usize].object);
            place = recent.entries[place as usize].older;
        }
        assert_eq!(list.len(), 10);
        let (mut stream, mut same) = (Stream::new(2, 0, 0), Stream::new(2, 0, 0));
        for _ in 0..5000 {
            let object = popularity.sample(same.generator()) as u64;
            let found = list.iter().position(|other| *other == object);
            found.map(|at| list.remove(at));
            list.insert(0, object);
            list.truncate(10);
            assert_eq!(recent.look(&mut stream), found.is_some());
        }
    }

    #[test]
    fn the_hit_ratio_is_that_of_independent_requests() {
        // Two of three objects with popularities p: the cache holds {i, j} with p_i p_j (1 / (1 - p_i) + 1 / (1 - p_j)),
        // King (1971); a hit is a request for one of them.
        let weights = [1.0, 0.5, 1.0 / 3.0];
        let p = weights.map(|weight| weight / weights.iter().sum::<f64>());
        let mut exact = 0.0;
        for i in 0..3 {
            for j in (0..3).filter(|j| *j != i) {
                exact += p[i] * p[j] / (1.0 - p[i]) * (p[i] + p[j]);
            }
        }
        let mut stream = Stream::new(3, 0, 0);
        let mut cache = Lookups::new(&Hits::Lru { size: 2, objects: 3, zipf: 1.0 }, &mut stream);
        let n = 200_000;
        let hits = (0..n).filter(|_| cache.hits(&mut stream)).count() as f64 / f64::from(n);
        // Lookups in a row depend on each other: ten standard deviations of independent ones.
        assert!((hits - exact).abs() < 10.0 * (exact * (1.0 - exact) / f64::from(n)).sqrt(), "{hits} {exact}");
    }
}

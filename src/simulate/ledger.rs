//! Where the time of a request went, along the path that its answer waited for.
//!
//! Every so many requests carry a ledger through the system: waits and services are entered as they happen, a copy of a
//! call or a branch has a ledger of its own, and whoever waits for it inherits the one of the answer that decided. The
//! entries of a request add up to its response time.

use super::record::{Account, Elsewhere, Spent, place_of};
use crate::network::Network;
use crate::network::program::NONE;

/// Every so many requests are looked at, after the first ones.
const EVERY: u64 = 16;
const FIRST: u64 = 256;

/// The ledgers of all requests that carry one.
#[derive(Debug)]
pub(super) struct Ledgers {
    /// For each its entries by place; few, so they are searched one by one.
    entries: Vec<Vec<(u32, Spent)>>,
    free: Vec<u32>,
    places: usize,
}

impl Ledgers {
    pub fn new(network: &Network) -> Ledgers {
        let places = place_of(network, Elsewhere::Pool(network.pools.len()));
        Ledgers { entries: Vec::new(), free: Vec::new(), places }
    }

    /// A ledger for the request of this number, if it is one to look at.
    pub fn open_for(&mut self, number: u64) -> u32 {
        if number <= FIRST || number % EVERY == 1 { self.open() } else { NONE }
    }

    /// An empty ledger.
    pub fn open(&mut self) -> u32 {
        if let Some(free) = self.free.pop() {
            return free;
        }
        self.entries.push(Vec::new());
        self.entries.len() as u32 - 1
    }

    /// Enters time that was spent at a place; nothing is entered without a ledger.
    pub fn spend(&mut self, ledger: u32, place: usize, spent: Spent) {
        if ledger == NONE {
            return;
        }
        debug_assert!(place < self.places);
        let entries = &mut self.entries[ledger as usize];
        match entries.iter_mut().find(|(known, _)| *known as usize == place) {
            Some((_, sum)) => sum.add(spent),
            None => entries.push((place as u32, spent)),
        }
    }

    /// Closes a ledger and enters all of it in another, if there is one.
    pub fn inherit(&mut self, from: u32, to: u32) {
        if from == NONE {
            return;
        }
        let mut entries = std::mem::take(&mut self.entries[from as usize]);
        if to != NONE {
            entries.iter().for_each(|(place, spent)| self.spend(to, *place as usize, *spent));
        }
        entries.clear();
        self.entries[from as usize] = entries;
        self.free.push(from);
    }

    /// Closes the ledger of a request, and adds it to an account if it succeeded.
    pub fn close(&mut self, ledger: u32, account: Option<&mut Account>) {
        if let Some(account) = account {
            account.requests += 1;
            for (place, spent) in &self.entries[ledger as usize] {
                account.spent[*place as usize].add(*spent);
            }
        }
        self.inherit(ledger, NONE);
    }
}

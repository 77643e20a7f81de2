//! Formulas and estimators on plain numbers: nothing here knows a queueing network.
//!
//! In reading order: [`erlang`] and [`birth_death`] for the classical queues, [`inversion`] from transforms to
//! distribution functions and [`ladder`] for many at once, [`roots`], [`quadrature`], [`special`] and [`rows`] as tools, then [`mva`], [`usl`] and [`cache`].

pub mod birth_death;
pub mod cache;
pub mod curve;
pub mod erlang;
pub mod inversion;
pub mod ladder;
pub mod mva;
pub mod quadrature;
pub mod roots;
pub mod rows;
pub mod special;
pub mod usl;

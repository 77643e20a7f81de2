//! Formulas and estimators on plain numbers: nothing here knows a queueing network.
//!
//! In reading order: [`erlang`] and [`birth_death`] for the classical queues, [`inversion`] from transforms to
//! distribution functions and [`ladder`] for many at once, [`roots`], [`quadrature`], [`special`] and [`rows`] as tools,
//! then [`mva`], [`classes`] and [`sharing`] for users, [`transient`] and [`lasting`] through time, [`usl`] and [`cache`]; [`random`], [`histogram`], [`estimate`] and [`warmup`] for what is drawn.

pub mod birth_death;
pub mod bucket;
pub mod bulk;
pub mod cache;
pub mod classes;
pub mod curve;
pub mod entrance;
pub mod equivalent;
pub mod erlang;
pub mod estimate;
pub mod fixed_point;
pub mod histogram;
pub mod inversion;
pub mod ladder;
pub mod lasting;
pub mod linearizer;
pub mod mixed;
pub mod mva;
pub mod quadrature;
pub mod random;
pub mod roots;
pub mod rows;
pub mod sharing;
pub mod special;
pub mod transient;
pub mod usl;
pub mod warmup;

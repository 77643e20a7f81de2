pub mod document;
pub mod system;
pub mod discipline;
pub mod distribution;
pub mod math;
pub mod unit;

//! Plimsoll predicts how a system behaves under load before it is built, and how many instances of everything it takes.
//!
//! The way of the data is one line: text → [`system::System`] → [`network::Network`] → [`predict`] →
//! [`prediction::Prediction`] → [`plan`] → [`report`] → bytes.
//!
//! ```
//! let model = r#"
//!     [service.web]
//!     cores = 4
//!     operations.page.work = "8ms"
//!     [workload.readers]
//!     entry = "web.page"
//!     rate = "400/s"
//! "#;
//! let no_files = |_: &str| Err("no files here".to_string());
//! let document = plimsoll::document::read(model, &no_files).expect("the model is correct");
//! let network = plimsoll::network::compile(&document.system);
//! let prediction = plimsoll::predict::solve(&network);
//! let p95 = prediction.workloads[0].response.p95().expect("it is stable");
//! assert!(p95 > 0.02 && p95 < 0.04);
//! ```

#![warn(missing_docs)]

pub mod unit;

pub mod math;

pub mod distribution;

pub mod discipline;

pub mod system;

pub mod network;

pub mod prediction;

pub mod analytic;

pub mod simulate;

pub mod exact;

pub mod predict;

pub mod plan;

pub mod calculator;

pub mod document;

pub mod report;

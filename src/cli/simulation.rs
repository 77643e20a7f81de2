//! Options of commands that simulate, and running with them: threads, progress, limits on time, the interrupt key.

use super::{Failure, OutputArgs, input, output};
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use plimsoll::network::Network;
use plimsoll::plan::{LoadTest, SPIKE, TestKind, load_test};
use plimsoll::report::{Manifest, format};
use plimsoll::simulate::{self, Effort, Progress, Replication, Simulated};
use plimsoll::system::System;
use plimsoll::unit::{Mistake, duration, number, ratio};
use serde::{Deserialize, Serialize};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};

/// Version of the form of files of replications.
const FORM: u32 = 1;

/// Requests that `--trace` writes down unless told otherwise.
const TRACED: usize = 100;

/// Stretches of time of `--series`.
const STRETCHES: usize = 120;

/// Options of a simulation.
#[derive(Args)]
#[command(next_help_heading = "Simulation")]
pub(crate) struct SimulationArgs {
    /// Where all random numbers come from: same seed, same figures
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Stop when every figure's 95% interval is within this share of it [default: 2%]
    #[arg(long, value_name = "RATIO", value_parser = share)]
    precision: Option<f64>,
    /// Simulated time that each replication measures
    #[arg(long, value_name = "TIME", value_parser = time, conflicts_with = "requests")]
    duration: Option<f64>,
    /// Requests that all replications answer together
    #[arg(long, value_name = "N", value_parser = count)]
    requests: Option<u64>,
    /// Independent runs [default: 16, of large models 8]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    replications: Option<u64>,
    /// Number of the first replication, when others are run elsewhere
    #[arg(long, value_name = "N", default_value_t = 0)]
    first_replication: u64,
    /// Simulated time that each replication leaves out at its beginning [default: found by rule]
    #[arg(long, value_name = "TIME", value_parser = time)]
    warmup: Option<f64>,
    /// Stop after so much real time and print what was reached
    #[arg(long, value_name = "TIME", value_parser = time)]
    max_time: Option<f64>,
    /// Threads [default: one for each core]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Write what each replication counted, to be merged later
    #[arg(long, value_name = "FILE", requires = "replications")]
    save: Option<PathBuf>,
    /// Do not simulate: put together what other runs saved (repeatable)
    #[arg(long, value_name = "FILE")]
    merge: Vec<PathBuf>,
    /// Write the first requests span by span: FILE.csv, or FILE.json for trace viewers (OTLP)
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Write rate, p95, utilization and queue of everything through time: FILE.csv
    #[arg(long, value_name = "FILE")]
    series: Option<PathBuf>,
    /// Run a load test instead
    #[arg(long, value_name = "KIND", value_parser = kind)]
    pub test: Option<TestKind>,
    /// How many times the load a spike is
    #[arg(long, value_name = "N", default_value_t = SPIKE, requires = "test", value_parser = factor)]
    spike: f64,
    /// How many requests --trace writes
    #[arg(long, value_name = "N", default_value_t = TRACED, requires = "trace")]
    trace_requests: usize,
}

fn kind(text: &str) -> Result<TestKind, String> {
    let found = TestKind::ALL.iter().find(|(_, word)| *word == text);
    let words: Vec<&str> = TestKind::ALL.iter().map(|(_, word)| *word).collect();
    found.map(|(kind, _)| *kind).ok_or_else(|| format!("write one of {}", words.join(", ")))
}

fn factor(text: &str) -> Result<f64, String> {
    let factor = read(text, number::parse)?;
    if factor > 0.0 && factor <= 1e6 { Ok(factor) } else { Err("write a number above zero, as 3".to_string()) }
}

fn share(text: &str) -> Result<f64, String> {
    let share = read(text, ratio::parse)?;
    if share > 0.0 && share < 1.0 { Ok(share) } else { Err("write a share between 0 and 1, as 2% or 0.02".to_string()) }
}

fn time(text: &str) -> Result<f64, String> {
    let time = read(text, duration::parse)?;
    if time >= 0.0 && time.is_finite() { Ok(time) } else { Err("write a time, as 10s or 5min".to_string()) }
}

fn count(text: &str) -> Result<u64, String> {
    let (digits, factor) = match text.strip_suffix(['k', 'M', 'G']) {
        Some(digits) if text.ends_with('k') => (digits, 1e3),
        Some(digits) if text.ends_with('M') => (digits, 1e6),
        Some(digits) => (digits, 1e9),
        None => (text, 1.0),
    };
    let count = read(digits, number::parse)? * factor;
    if (1.0..=1e15).contains(&count) {
        Ok(count as u64)
    } else {
        Err("write a number of requests, as 250000 or 1M".to_string())
    }
}

fn read(text: &str, parse: fn(&str) -> Result<f64, Mistake>) -> Result<f64, String> {
    parse(text).map_err(|mistake| format!("{}: {}", mistake.wrong, mistake.advice))
}

/// What the replications of a run counted, as it is kept in a file.
#[derive(Serialize, Deserialize)]
struct Saved {
    plimsoll_replications: u32,
    version: String,
    model_sha256: String,
    changes: Vec<String>,
    seed: u64,
    replications: Vec<Replication>,
}

impl SimulationArgs {
    /// Refuses options that only a simulation heeds.
    pub(crate) fn unused(&self) -> Result<(), Failure> {
        if self.is_used() {
            let why = "error: this option is for simulations: add --method simulate";
            return Err(Failure::Wrong(why.to_string()));
        }
        Ok(())
    }

    fn is_used(&self) -> bool {
        self.precision.is_some()
            || self.duration.is_some()
            || self.requests.is_some()
            || self.replications.is_some()
            || self.warmup.is_some()
            || self.max_time.is_some()
            || self.threads.is_some()
            || self.save.is_some()
            || !self.merge.is_empty()
            || self.trace.is_some()
            || self.series.is_some()
            || self.test.is_some()
    }

    /// How long to run, and with which numbers.
    fn effort(&self) -> Effort {
        Effort {
            seed: self.seed,
            first: self.first_replication,
            replications: self.replications,
            warmup: self.warmup,
            duration: self.duration.filter(|duration| *duration > 0.0),
            requests: self.requests,
            most_events: None,
            precision: self.precision,
            traced: if self.trace.is_some() { self.trace_requests } else { 0 },
        }
    }

    /// Simulates a network, or merges what was simulated elsewhere; keeps what is to be saved.
    pub(crate) fn run(
        &self,
        network: &Network,
        manifest: &Manifest,
        output: &OutputArgs,
    ) -> Result<Simulated, Failure> {
        let effort = self.effort();
        let simulated = if self.merge.is_empty() {
            self.in_pool(|| watched(self.max_time, output, |watch| simulate::simulate(network, &effort, watch)))?
        } else {
            let replications = self.saved(manifest)?;
            simulate::merge(network, &effort, replications)
                .map_err(|why| Failure::Wrong(format!("error: --merge: {why}")))?
        };
        if simulated.replications.is_empty() && simulated.is_stopped() {
            return Err(Failure::Outside("error: it was stopped before anything was measured".to_string()));
        }
        if let Some(file) = &self.save {
            let saved = Saved {
                plimsoll_replications: FORM,
                version: manifest.version.to_string(),
                model_sha256: manifest.model_sha256.clone(),
                changes: manifest.changes.clone(),
                seed: self.seed,
                replications: simulated.replications.clone(),
            };
            output::write_file(file, |out| Ok(serde_json::to_writer(out, &saved)?))?;
        }
        if let Some(file) = &self.trace {
            let json = file.extension().is_some_and(|extension| extension == "json");
            let write = if json { format::trace::otlp } else { format::trace::csv };
            output::write_file(file, |out| write(network, &simulated.spans, out))?;
        }
        self.write_series(network, output)?;
        Ok(simulated)
    }

    /// Runs a load test.
    pub(crate) fn test(&self, system: &System, kind: TestKind, output: &OutputArgs) -> Result<LoadTest, Failure> {
        let effort = self.effort();
        self.in_pool(|| watched(self.max_time, output, |watch| load_test(system, kind, self.spike, &effort, watch)))
    }

    /// Writes how everything goes through time, if that was asked for.
    fn write_series(&self, network: &Network, output: &OutputArgs) -> Result<(), Failure> {
        let Some(file) = &self.series else { return Ok(()) };
        let effort = Effort { traced: 0, ..self.effort() };
        let moments = self.in_pool(|| {
            watched(self.max_time, output, |watch| {
                let Some((from, to)) = simulate::span(network, &effort, watch) else { return Vec::new() };
                let step = (to - from) / STRETCHES as f64;
                let stretches = (1..=STRETCHES).map(|i| from + step * i as f64);
                let ends: Vec<f64> = (from > 0.0).then_some(from).into_iter().chain(stretches).collect();
                let mut moments = simulate::follow(network, &effort, None, &ends, watch);
                moments.retain(|moment| moment.start >= from);
                moments
            })
        })?;
        output::write_file(file, |out| format::series::csv(&moments, out))
    }

    /// Runs on as many threads as were asked for.
    fn in_pool<T: Send>(&self, run: impl FnOnce() -> T + Send) -> Result<T, Failure> {
        let Some(threads) = self.threads else { return Ok(run()) };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.max(1)).build();
        let pool = pool.map_err(|error| Failure::Outside(format!("error: --threads {threads}: {error}")))?;
        Ok(pool.install(run))
    }

    /// The replications of all files to merge.
    fn saved(&self, manifest: &Manifest) -> Result<Vec<Replication>, Failure> {
        let mut replications = Vec::new();
        for file in &self.merge {
            let saved = read_saved(file)?;
            let wrong = |why: String| Err(Failure::Wrong(format!("error: {} {why}", file.display())));
            if saved.plimsoll_replications != FORM {
                return wrong(format!(
                    "is a file of form {}; this version reads form {FORM}",
                    saved.plimsoll_replications
                ));
            }
            if saved.version != manifest.version {
                return wrong(format!("was written by plimsoll {}, this is {}", saved.version, manifest.version));
            }
            if saved.model_sha256 != manifest.model_sha256 || saved.changes != manifest.changes {
                return wrong("was simulated with another model, or other changes to it".to_string());
            }
            if saved.seed != self.seed {
                return wrong(format!("was simulated with --seed {}", saved.seed));
            }
            replications.extend(saved.replications);
        }
        Ok(replications)
    }
}

fn read_saved(file: &Path) -> Result<Saved, Failure> {
    let name = file.display();
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::Outside(format!("error: {name} cannot be read: {}", input::reason(&error))))?;
    serde_json::from_str(&text)
        .map_err(|error| Failure::Wrong(format!("error: {name} is no file of replications: {error}")))
}

/// Runs something that can be watched: a bar on a terminal, an end after so much time or when it is interrupted.
fn watched<T>(max_time: Option<f64>, output: &OutputArgs, run: impl FnOnce(simulate::Watch<'_>) -> T) -> T {
    let interrupted = interrupted();
    let began = Instant::now();
    let last = max_time.map(Duration::from_secs_f64);
    let bar = bar(output);
    let watch = |progress: &Progress| {
        bar.set_position((progress.share * 1000.0) as u64);
        let reached =
            progress.precision.map_or_else(String::new, |reached| format!("within {}", ratio::print(reached)));
        bar.set_message(reached);
        !interrupted.load(Relaxed) && last.is_none_or(|last| began.elapsed() < last)
    };
    let result = run(&watch);
    bar.finish_and_clear();
    result
}

/// A bar on standard error where that is a terminal.
fn bar(output: &OutputArgs) -> ProgressBar {
    let seen = std::io::stderr().is_terminal() && !output.quiet;
    let target = if seen { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(1000), target);
    if let Ok(style) = ProgressStyle::with_template("simulating {bar:32} {percent:>3}%  {msg}  {eta} left") {
        bar.set_style(style);
    }
    bar
}

/// Whether the interrupt key was pressed. Pressed once, a simulation prints what it has; pressed again, it ends.
fn interrupted() -> Arc<AtomicBool> {
    static PRESSED: std::sync::OnceLock<Arc<AtomicBool>> = std::sync::OnceLock::new();
    static ONCE: Once = Once::new();
    let pressed = PRESSED.get_or_init(|| Arc::new(AtomicBool::new(false))).clone();
    ONCE.call_once(|| {
        let pressed = pressed.clone();
        // Where no handler can be set, the key ends the program as it always does.
        let _ = ctrlc::set_handler(move || {
            if pressed.swap(true, Relaxed) {
                std::process::exit(130);
            }
        });
    });
    pressed
}

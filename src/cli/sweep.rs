//! `plimsoll sweep`: predictions along a parameter.

use super::{Failure, ModelArgs, Outcome, OutputArgs, input, output, plot, solve};
use clap::Args;
use plimsoll::plan::{self, Sweep};
use plimsoll::system::{Change, Kind, Path, System, Value};
use plimsoll::{document, report};

/// Points where the range says nothing of their number.
const POINTS: usize = 11;

/// Predict along a parameter.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  plimsoll sweep shop.toml --vary workload.shoppers.rate=100/s..900/s:20\n  plimsoll sweep shop.toml --vary service.orders.instances=1..8\n  plimsoll sweep shop.toml --vary external.payments.latency=50ms..500ms --format csv -o sweep.csv"
)]
pub(crate) struct SweepCommand {
    #[command(flatten)]
    model: ModelArgs,
    /// The parameter and its range
    #[arg(long, value_name = "PATH=FROM..TO[:N]")]
    vary: String,
    /// Draw response times along it: FILE.svg or FILE.png
    #[arg(long, value_name = "FILE")]
    plot: Option<std::path::PathBuf>,
    #[command(flatten)]
    output: OutputArgs,
}

impl SweepCommand {
    pub(crate) fn run(self) -> Outcome {
        let model = input::read(&self.model, &self.output)?;
        let mut system = model.with_scenarios(&self.model.scenario)?.into_owned();
        model.correct(&system, &self.output)?;
        let (sweep, kind) = range(&self.vary, &mut system)?;
        let points = plan::sweep(&system, &sweep, solve::solved)
            .map_err(|why| Failure::Wrong(format!("error: --vary: {why}")))?;
        let path = sweep.path.to_string();
        let curve: Vec<(f64, f64)> = points
            .iter()
            .filter_map(|p| p.prediction.workloads.first().and_then(|w| w.response.p95()).map(|t| (p.value, t)))
            .collect();
        let knee = plan::knee(&curve);
        let report = || report::swept(&system, &path, kind, &points, knee, &model.manifest);
        let facts = || report::json::swept(&path, &points, knee, &model.manifest);
        if let Some(file) = &self.plot {
            plot::write(&plot::sweep_curve(&system, &sweep, kind, &points), file)?;
        }
        output::print(&self.output, report, facts)?;
        Ok(0)
    }
}

/// Reads `PATH=FROM..TO[:N]`.
fn range(text: &str, system: &mut System) -> Result<(Sweep, Kind), Failure> {
    let wrong = |why: &str| Failure::Wrong(format!("error: --vary {text}: {why}"));
    let example = "write PATH=FROM..TO or PATH=FROM..TO:N, for example workload.shoppers.rate=100/s..900/s:20";
    let (path, range) = text.split_once('=').ok_or_else(|| wrong(example))?;
    let (from, rest) = range.split_once("..").ok_or_else(|| wrong(example))?;
    let (to, count) = match rest.rsplit_once(':') {
        Some((to, count)) => (to, Some(count.trim().parse::<usize>().map_err(|_| wrong(example))?)),
        None => (rest, None),
    };
    let path = Path::parse(path);
    let kind = system.kind(&path).map_err(|error| wrong(&error.to_string()))?;
    let mut value = |text: &str| -> Result<f64, Failure> {
        let (_, change) = document::read_change(&format!("{path}={text}"), system).map_err(|why| wrong(&why))?;
        match change {
            Change::Set(Value::Number(value)) => Ok(value),
            Change::Set(Value::Count(value)) => Ok(f64::from(value)),
            Change::Set(Value::Law(law)) => Ok(law.mean()),
            _ => Err(wrong("the range needs two plain values")),
        }
    };
    let (from, to) = (value(from.trim())?, value(to.trim())?);
    let whole = kind == Kind::Count;
    if from >= to {
        return Err(wrong("the range should rise"));
    }
    let n = count.unwrap_or(if whole { (to - from) as usize + 1 } else { POINTS });
    if !(2..=10_000).contains(&n) {
        return Err(wrong("the number of points should be from 2 to 10000"));
    }
    let mut values: Vec<f64> = (0..n).map(|i| from + (to - from) * i as f64 / (n - 1) as f64).collect();
    if whole {
        values.iter_mut().for_each(|v| *v = v.round());
        values.dedup();
    }
    Ok((Sweep { path, values, whole }, kind))
}

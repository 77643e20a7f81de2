//! `plimsoll check`: the objectives alone, for CI.

use super::simulation::SimulationArgs;
use super::{Failure, ModelArgs, Outcome, OutputArgs, input, output, solve};
use clap::{Args, ValueEnum};
use plimsoll::network::compile;
use plimsoll::report::format;
use plimsoll::report::json::Solved;
use plimsoll::{plan, report};
use std::path::PathBuf;

/// The objectives alone, for CI: exit 1 when one is missed.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  plimsoll check shop.toml\n  plimsoll check shop.toml --scenario sale --format json\n  plimsoll check shop.toml --junit objectives.xml --github"
)]
pub(crate) struct Check {
    #[command(flatten)]
    model: ModelArgs,
    /// Write the objectives as test cases in JUnit's XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Annotate missed objectives for GitHub's workflows
    #[arg(long)]
    github: bool,
    /// How to predict
    #[arg(long, value_enum, default_value_t = Engine::Analytic)]
    method: Engine,
    #[command(flatten)]
    simulation: SimulationArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Ways to predict, one at a time.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Engine {
    /// Queueing-network analysis, in milliseconds
    Analytic,
    /// Discrete-event simulation
    Simulate,
}

impl Check {
    pub(crate) fn run(self) -> Outcome {
        let mut model = input::read(&self.model, &self.output)?;
        if self.method == Engine::Simulate {
            model.manifest.method = "simulate";
            model.manifest.seed = Some(self.simulation.seed);
        }
        let system = model.with_scenarios(&self.model.scenario)?;
        if system.objectives.is_empty() {
            return Err(Failure::Wrong(format!(
                "error: {} states no objective: add [[objective]] with workload and p95",
                model.name
            )));
        }
        let prediction = match self.method {
            Engine::Analytic => {
                self.simulation.unused()?;
                model.correct(&system, &self.output)?;
                solve::solved(&system)
            }
            Engine::Simulate => {
                model.correct(&system, &self.output)?;
                self.simulation.run(&compile(&system), &model.manifest, &self.output)?.prediction
            }
        };
        let verdicts = plan::assess(&system, &prediction);
        let warnings = solve::warnings(&model, &prediction);
        let scenario = &self.model.scenario;
        let report = || report::checked(&system, &prediction, &verdicts);
        let facts = || Solved::new(&system, scenario, &prediction, &verdicts, &warnings, &model.manifest).into();
        output::print(&self.output, report, facts)?;
        if let Some(file) = &self.junit {
            output::write(Some(file), &format::ci::junit(&system, &verdicts))?;
        }
        if self.github {
            // Workflows read annotations from both streams; standard output is the result's.
            eprint!("{}", format::ci::github(&model.name, &system, &verdicts));
        }
        Ok(u8::from(verdicts.iter().any(|v| !v.met)))
    }
}

//! `plimsoll solve`: predict.

use super::{ModelArgs, Outcome, OutputArgs, input, output, plot};
use clap::Args;
use plimsoll::network::compile;
use plimsoll::prediction::Prediction;
use plimsoll::report::json::Solved;
use plimsoll::system::System;
use plimsoll::{analytic, plan, report};

/// Predict: response times, errors, utilization, saturation, objectives.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  plimsoll solve shop.toml\n  plimsoll solve shop.toml --scenario sale --format json\n  plimsoll solve shop.toml --set service.orders.instances=4 --set workload.shoppers.rate=x2"
)]
pub(crate) struct Solve {
    #[command(flatten)]
    model: ModelArgs,
    /// Draw response times against load: FILE.svg or FILE.png
    #[arg(long, value_name = "FILE")]
    plot: Option<std::path::PathBuf>,
    #[command(flatten)]
    output: OutputArgs,
}

impl Solve {
    pub(crate) fn run(self) -> Outcome {
        let model = input::read(&self.model, &self.output)?;
        let system = model.with_scenarios(&self.model.scenario)?;
        model.supported(&system, &self.output)?;
        let prediction = solved(&system);
        let verdicts = plan::assess(&system, &prediction);
        let warnings = warnings(&model, &prediction);
        let scenario = &self.model.scenario;
        let report = || report::solved(&system, &prediction, &verdicts, &warnings, &model.manifest);
        let facts = || Solved::new(&system, scenario, &prediction, &verdicts, &warnings, &model.manifest).into();
        if let Some(file) = &self.plot {
            plot::write(&plot::load_curve(&system, prediction.headroom)?, file)?;
        }
        output::print(&self.output, report, facts)?;
        Ok(0)
    }
}

/// The prediction of a system that was found supported.
pub(crate) fn solved(system: &System) -> Prediction {
    analytic::solve(&compile(system))
}

/// What is odd about the model, and what is over capacity.
pub(crate) fn warnings(model: &input::Model, prediction: &Prediction) -> Vec<String> {
    let mut warnings = model.warnings.clone();
    for overload in &prediction.overloads {
        warnings.push(format!(
            "{} is over capacity: it gets {} of the work it can do",
            overload.station,
            plimsoll::unit::ratio::print(overload.load)
        ));
    }
    warnings
}

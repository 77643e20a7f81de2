//! `plimsoll check`: the objectives alone, for CI.

use super::{Failure, ModelArgs, Outcome, OutputArgs, input, output, solve};
use clap::Args;
use plimsoll::{plan, report};

/// The objectives alone, for CI: exit 1 when one is missed.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  plimsoll check shop.toml\n  plimsoll check shop.toml --scenario black-friday --format json"
)]
pub(crate) struct Check {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    output: OutputArgs,
}

impl Check {
    pub(crate) fn run(self) -> Outcome {
        let model = input::read(&self.model, &self.output)?;
        let system = model.with_scenarios(&self.model.scenario)?;
        if system.objectives.is_empty() {
            return Err(Failure::Wrong(format!(
                "error: {} states no objective: add [[objective]] with workload and p95",
                model.name
            )));
        }
        model.supported(&system, &self.output)?;
        let prediction = solve::solved(&system);
        let verdicts = plan::assess(&system, &prediction);
        let warnings = solve::warnings(&model, &prediction);
        let report = report::checked(&system, &prediction, &verdicts);
        let json =
            report::json::solved(&system, &self.model.scenario, &prediction, &verdicts, &warnings, &model.manifest);
        output::print(&self.output, &report, &json)?;
        Ok(u8::from(verdicts.iter().any(|v| !v.met)))
    }
}

//! `plimsoll plan`: the cheapest instance counts that meet every objective.

use super::{Failure, ModelArgs, Outcome, OutputArgs, input, output, solve};
use clap::{Args, ValueEnum};
use plimsoll::plan::{self, Survive};
use plimsoll::report;
use plimsoll::report::json::Solved;

/// Find the cheapest instance counts that meet every objective, and why not one fewer.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  plimsoll plan shop.toml\n  plimsoll plan shop.toml --scenario sale     for the model and that scenario\n  plimsoll plan shop.toml --survive zone              with one zone lost"
)]
pub(crate) struct PlanCommand {
    #[command(flatten)]
    model: ModelArgs,
    /// Keep the objectives with one of these lost
    #[arg(long, value_enum)]
    survive: Option<Lost>,
    #[command(flatten)]
    output: OutputArgs,
}

/// What may be lost.
#[derive(Clone, Copy, ValueEnum)]
enum Lost {
    /// One instance of any one service
    Instance,
    /// One zone, with its share of the instances of each service with `zones`
    Zone,
}

impl PlanCommand {
    pub(crate) fn run(self) -> Outcome {
        let model = input::read(&self.model, &self.output)?;
        if model.system.objectives.is_empty() {
            return Err(Failure::Wrong(format!(
                "error: {} states no objective to plan for: add [[objective]] with workload and p95",
                model.name
            )));
        }
        let mut systems = vec![(None, model.system.clone())];
        for name in &self.model.scenario {
            systems.push((Some(name.clone()), model.with_scenarios(std::slice::from_ref(name))?.into_owned()));
        }
        for (_, system) in &systems {
            model.correct(system, &self.output)?;
            model.without_users(system, &self.output)?;
        }
        let survive = match self.survive {
            None => Survive::Nothing,
            Some(Lost::Instance) => Survive::Instance,
            Some(Lost::Zone) => Survive::Zone,
        };
        let before = solve::solved(&model.system);
        let predict = solve::solved;
        let scenario = &self.model.scenario;
        match plan::size(&systems, survive, &predict) {
            Ok(plan) => {
                let after = predict(&plan.system);
                let verdicts = plan::assess(&plan.system, &after);
                let warnings = solve::warnings(&model, &after);
                let manifest = &model.manifest;
                let report = || report::planned(&model.system, &plan, &before, &after, &verdicts, &warnings, manifest);
                let facts = || {
                    let solved = Solved::new(&plan.system, scenario, &after, &verdicts, &warnings, manifest);
                    solved.planned(&plan).into()
                };
                output::print(&self.output, report, facts)?;
                // A cost objective is the plan's own aim: a plan that misses it is no plan.
                Ok(u8::from(verdicts.iter().any(|v| !v.met)))
            }
            Err(error) => {
                let verdicts = plan::assess(&model.system, &before);
                let warnings = solve::warnings(&model, &before);
                let report = || report::no_plan(&model.system, &error);
                let facts = || {
                    let manifest = &model.manifest;
                    let solved = Solved::new(&model.system, scenario, &before, &verdicts, &warnings, manifest);
                    solved.no_plan(&error).into()
                };
                output::print(&self.output, report, facts)?;
                Ok(1)
            }
        }
    }
}

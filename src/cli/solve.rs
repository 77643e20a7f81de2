//! `plimsoll solve`: predict.

use super::simulation::SimulationArgs;
use super::{Failure, ModelArgs, Outcome, OutputArgs, input, output, plot};
use clap::{Args, ValueEnum};
use plimsoll::network::compile;
use plimsoll::plan::TestKind;
use plimsoll::prediction::{Ended, Prediction, agreement};
use plimsoll::report::json::Solved;
use plimsoll::system::System;
use plimsoll::unit::ratio;
use plimsoll::{analytic, exact, plan, predict, report};

/// Predict: response times, errors, utilization, saturation, objectives.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  plimsoll solve shop.toml\n  plimsoll solve shop.toml --scenario sale --format json\n  plimsoll solve shop.toml --set service.orders.instances=4 --set workload.shoppers.rate=x2\n  plimsoll solve shop.toml --method simulate --precision 1%\n  plimsoll solve shop.toml --method both\n  plimsoll solve shop.toml --method simulate --requests 10k --trace requests.json"
)]
pub(crate) struct Solve {
    #[command(flatten)]
    model: ModelArgs,
    /// How to predict
    #[arg(long, value_enum, default_value_t = Method::Analytic)]
    method: Method,
    /// Say why: what the p95 is made of, what each input does to it, and what would help
    #[arg(long)]
    explain: bool,
    /// Draw response times against load: FILE.svg or FILE.png
    #[arg(long, value_name = "FILE")]
    plot: Option<std::path::PathBuf>,
    #[command(flatten)]
    simulation: SimulationArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Ways to predict.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Method {
    /// Queueing-network analysis, in milliseconds; where that expects to be far off, with a brief simulation
    Analytic,
    /// Discrete-event simulation, with an interval for every figure
    Simulate,
    /// Analysis alone and simulation, side by side
    Both,
    /// The Markov chain of a small model, for those who doubt the others
    Exact,
    /// Analysis alone, and simulation where it expects to be far off
    Auto,
}

/// Beyond this error of a p95 analysis is not trusted where there is a choice.
const TRUSTED: f64 = 0.1;

impl Solve {
    pub(crate) fn run(mut self) -> Outcome {
        if self.simulation.test.is_some() {
            // A load test is always simulated.
            self.method = Method::Simulate;
        }
        if matches!(self.method, Method::Analytic | Method::Exact) {
            self.simulation.unused()?;
        }
        let mut model = input::read(&self.model, &self.output)?;
        model.manifest.method = self.method.word();
        model.manifest.seed = self.method.is_random().then_some(self.simulation.seed);
        let system = model.with_scenarios(&self.model.scenario)?.into_owned();
        model.correct(&system, &self.output)?;
        if let Some(kind) = self.simulation.test {
            return self.test(&model, &system, kind);
        }
        let network = compile(&system);
        let mut computed = match self.method {
            Method::Simulate => None,
            Method::Exact => Some(exact::solve(&network).map_err(|why| unsolved(&why))?),
            Method::Analytic => Some(predict::solve(&network)),
            Method::Both | Method::Auto => Some(analytic::solve(&network)),
        };
        let mut warnings = Vec::new();
        if self.method == Method::Auto {
            let doubt = computed.as_ref().and_then(|prediction| prediction.doubt(TRUSTED));
            self.method = if doubt.is_some() { Method::Simulate } else { Method::Analytic };
            if let Some(doubt) = doubt {
                warnings.push(format!("{doubt}: simulated instead"));
                computed = None;
            }
            model.manifest.method = self.method.word();
            model.manifest.seed = (self.method == Method::Simulate).then_some(self.simulation.seed);
        }
        let simulated = match self.method {
            Method::Analytic | Method::Auto | Method::Exact => None,
            Method::Simulate | Method::Both => Some(self.simulation.run(&network, &model.manifest, &self.output)?),
        };
        let (prediction, beside) = match (&simulated, &computed) {
            (Some(simulated), beside) => (&simulated.prediction, beside.as_ref()),
            (None, Some(computed)) => (computed, None),
            (None, None) => return Ok(0),
        };
        let verdicts = plan::assess(&system, prediction);
        warnings.extend(self::warnings(&model, prediction));
        warnings.extend(beside.iter().flat_map(|computed| &computed.notes).map(|note| format!("analysis: {note}")));
        let scenario = &self.model.scenario;
        let agreement = beside.map(|computed| agreement(&network, computed, prediction));
        let beside = beside.zip(agreement.as_ref());
        let explanation = self.explain.then(|| plan::explain(&system, prediction));
        let report =
            || report::solved(&system, prediction, beside, explanation.as_ref(), &verdicts, &warnings, &model.manifest);
        let facts = || {
            let solved = Solved::new(&system, scenario, prediction, &verdicts, &warnings, &model.manifest);
            let solved = match beside {
                Some((computed, agreement)) => solved.beside(computed, prediction, agreement),
                None => solved,
            };
            match &explanation {
                Some(explanation) => solved.explained(explanation, &system.currency),
                None => solved,
            }
            .into()
        };
        if let Some(file) = &self.plot {
            model.correct(&system, &self.output)?;
            plot::write(&plot::load_curve(&system, solved(&system).headroom)?, file)?;
        }
        output::print(&self.output, report, facts)?;
        Ok(0)
    }

    fn test(&self, model: &input::Model, system: &System, kind: TestKind) -> Outcome {
        let test = self.simulation.test(system, kind, &self.output)?;
        let (warnings, manifest) = (&model.warnings, &model.manifest);
        let report = || report::tested(system, &test, warnings, manifest);
        let facts = || report::json::tested(system, &self.model.scenario, &test, warnings, manifest);
        output::print(&self.output, report, facts)?;
        Ok(0)
    }
}

/// Why there is no exact solution.
fn unsolved(why: &[String]) -> Failure {
    let why = why.join("\n  - ");
    Failure::Wrong(format!(
        "error: the model cannot be solved exactly:\n  - {why}\n  = help: `--method both` compares analysis and simulation, which know all of the language"
    ))
}

impl Method {
    /// Whether anything is drawn by chance.
    fn is_random(self) -> bool {
        matches!(self, Method::Simulate | Method::Both | Method::Auto)
    }

    fn word(self) -> &'static str {
        match self {
            Method::Analytic => "analytic",
            Method::Simulate => "simulate",
            Method::Both => "both",
            Method::Exact => "exact",
            Method::Auto => "auto",
        }
    }
}

/// The prediction of a system that was found supported.
pub(crate) fn solved(system: &System) -> Prediction {
    predict::solve(&compile(system))
}

/// What is odd about the model, what is over capacity, and where a simulation did not get as far as it should.
pub(crate) fn warnings(model: &input::Model, prediction: &Prediction) -> Vec<String> {
    let mut warnings = model.warnings.clone();
    for overload in &prediction.overloads {
        warnings.push(format!(
            "{} is over capacity: it gets {} of the work it can do",
            overload.station,
            ratio::print(overload.load)
        ));
    }
    let dead = prediction.deadlocked.iter();
    warnings.extend(
        dead.map(|name| format!("{name} is deadlocked: requests that wait for it hold all of it, and none can go on")),
    );
    warnings.extend(prediction.metastable.iter().map(plimsoll::prediction::Metastable::sentence));
    warnings.extend(prediction.notes.iter().cloned());
    if let Some(simulation) = &prediction.simulation {
        warnings.extend(simulation.notes.iter().cloned());
        if simulation.ended == Ended::Stopped {
            warnings.push("the simulation was stopped: these are the figures it had reached".to_string());
        }
        if prediction.stable && !simulation.is_precise() {
            let reached = simulation.precision.map_or_else(|| "unknown".to_string(), ratio::print);
            let wanted = simulation.wanted.map_or_else(String::new, ratio::print);
            warnings.push(format!(
                "not converged: {} is known to {reached}, {wanted} was wanted; simulate longer with --requests or --duration",
                simulation.least_certain
            ));
        }
    }
    warnings
}

//! The command line: one file a command. The only place that reads and writes files and talks to the terminal.

mod calc;
mod check;
mod init;
mod input;
mod output;
mod plan;
mod plot;
mod schema;
mod simulation;
mod solve;
mod sweep;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::process::ExitCode;

/// Why a command did not do what was asked; the number is the exit code.
pub(crate) enum Failure {
    /// The command or the model is wrong: 2.
    Wrong(String),
    /// Something outside failed: 3.
    Outside(String),
}

/// What a command ends with: 0, or 1 when an objective is missed or no plan exists.
pub(crate) type Outcome = Result<u8, Failure>;

/// Capacity planning by queueing networks.
#[derive(Parser)]
#[command(
    name = "plimsoll",
    version,
    about = "Predicts p95 latency, saturation and the instances it takes, from one TOML file",
    after_help = "Examples:\n  plimsoll init > shop.toml        a commented model to start from\n  plimsoll solve shop.toml         what this load does to it\n  plimsoll plan shop.toml          the cheapest counts that meet the objectives\n  plimsoll check shop.toml         for CI: exit 1 when an objective is missed\n  plimsoll sweep shop.toml --vary workload.shoppers.rate=100/s..900/s:20\n\nExit codes: 0 done; 1 an objective is missed or no plan exists; 2 the command or the model is wrong; 3 a file cannot be read or written."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Predict: response times, errors, utilization, saturation, objectives
    Solve(Box<solve::Solve>),
    /// Find the cheapest instance counts that meet every objective
    Plan(plan::PlanCommand),
    /// The objectives alone, for CI
    Check(Box<check::Check>),
    /// Predict along a parameter
    Sweep(sweep::SweepCommand),
    /// A single queue, without a model
    Calc(Box<calc::Calc>),
    /// Write a commented model to start from
    Init(init::Init),
    /// Print the JSON Schema of the model language
    Schema(schema::SchemaCommand),
    /// Print a shell completion script
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// Options of every command that reads a model.
#[derive(Args)]
pub(crate) struct ModelArgs {
    /// The model file, - for standard input
    #[arg(value_name = "MODEL")]
    pub model: String,
    /// Apply a scenario of the model (repeatable)
    #[arg(long, value_name = "NAME")]
    pub scenario: Vec<String>,
    /// Change a value, as in a scenario: workload.shoppers.rate=x2 (repeatable)
    #[arg(long, value_name = "PATH=VALUE")]
    pub set: Vec<String>,
}

/// Options of every command that prints a result.
#[derive(Args)]
pub(crate) struct OutputArgs {
    /// Form of the output
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    /// Write to a file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// No warnings
    #[arg(long)]
    pub quiet: bool,
    /// Colours
    #[arg(long, value_enum, default_value_t = Color::Auto)]
    pub color: Color,
}

/// Forms of output.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Aligned tables for a terminal
    Table,
    /// One object with every figure
    Json,
    /// One row a figure
    Csv,
    /// Tables in Markdown
    Markdown,
}

/// When to use colours.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal only
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// Parses the command line, runs the command, and gives its exit code.
pub(crate) fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers; everything else is a wrong command.
            let code = if error.use_stderr() { 2 } else { 0 };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let outcome = match cli.command {
        Command::Solve(command) => command.run(),
        Command::Plan(command) => command.run(),
        Command::Check(command) => command.run(),
        Command::Sweep(command) => command.run(),
        Command::Calc(command) => command.run(),
        Command::Init(command) => command.run(),
        Command::Schema(command) => command.run(),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "plimsoll", &mut script);
            output::write(None, &String::from_utf8_lossy(&script)).map(|()| 0)
        }
    };
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(Failure::Wrong(text)) => {
            eprintln!("{}", text.trim_end());
            ExitCode::from(2)
        }
        Err(Failure::Outside(text)) => {
            eprintln!("{}", text.trim_end());
            ExitCode::from(3)
        }
    }
}

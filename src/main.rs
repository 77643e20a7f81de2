//! The command `plimsoll`.

// Only the command line talks to the outside: see clippy.toml.
#[allow(clippy::disallowed_macros, clippy::disallowed_methods)]
mod cli;

fn main() -> std::process::ExitCode {
    cli::run()
}

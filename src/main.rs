//! The command `plimsoll`.

mod cli;

fn main() -> std::process::ExitCode {
    cli::run()
}

//! The program `squall`.

use std::process::ExitCode;

use clap::Parser as _;
use squall::cli::{self, Cli};

fn main() -> ExitCode {
    match cli::execute(Cli::parse()) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            cli::say(&cli::explain(&error));
            ExitCode::from(cli::USAGE)
        }
    }
}

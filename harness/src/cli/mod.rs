//! The program: what its subcommands do.

mod args;
mod coverage;
mod filter;
mod flaws;
mod fuzz;
mod fuzz_args;
mod inspect;
mod new;
mod prove;
mod recheck;
mod run;
mod screen;
mod server;
mod signals;
mod subject_check;

use std::io::{self, Write as _};

use crate::scenario::ScenarioError;

pub use args::{
    CheckArgs, Cli, Command, CoverageArgs, HistoriesArgs, ListArgs, NewArgs, RecheckArgs, RunArgs,
    SubjectCheckArgs,
};
pub use fuzz_args::{FlawsArgs, FuzzArgs};
pub use run::draw_seed;
pub use server::Typed;
pub use signals::Signals;

/// Exit code for wrong usage, errors in scenario files, and reports that cannot be written.
pub const USAGE: u8 = 2;

/// Does what the command line says and returns the exit code.
///
/// # Errors
///
/// Everything that keeps a command from doing its work; the exit code is then [`USAGE`].
pub fn execute(cli: Cli) -> anyhow::Result<u8> {
    match cli.command {
        Command::Run(args) => run::run(&args),
        Command::Fuzz(args) => fuzz::fuzz(&args),
        Command::Flaws(args) => flaws::flaws(&args),
        Command::List(args) => inspect::list(&args),
        Command::Check(args) => inspect::check(&args),
        Command::New(args) => new::new(&args),
        Command::Coverage(args) => coverage::coverage(&args),
        Command::Histories(args) => prove::histories(&args),
        Command::Recheck(args) => recheck::recheck(&args),
        Command::SubjectCheck(args) => subject_check::subject_check(&args),
    }
}

/// What to tell the user about `error`.
pub fn explain(error: &anyhow::Error) -> String {
    // It says by itself that it is an error, and where.
    match error.downcast_ref::<ScenarioError>() {
        Some(error) => error.to_string(),
        None => format!("error: {error:#}"),
    }
}

/// Tells the user something on standard error. When nobody listens there, nothing can be done about it.
pub fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// When nobody reads it any more, as in `squall list | head -1`, the work goes on: the exit code must be that of the verdict.
fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        printed => printed,
    }
}

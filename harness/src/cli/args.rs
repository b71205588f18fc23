//! What the command line can say.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::fuzz_args::{FLAWS_EXAMPLES, FLAWS_EXIT_CODES, FUZZ_EXAMPLES, FlawsArgs, FuzzArgs, one_of};
use super::server::Typed;
use crate::subject::flawed::Flaw;
use crate::subject::process::CommandLine;
use crate::units::is_image;
use crate::world::Kind;

/// What a run's exit code means; shown by `--help`.
const EXIT_CODES: &str = "Exit codes:
  0    every run passed, apart from those skipped because their world cannot do what they ask
  1    a check failed, or one that a canary names did not
  2    wrong usage, an error in a scenario file, or reports that cannot be written
  3    a world did not start, for example because Docker does not answer
  4    a run is unknown (a check saw nothing to judge) or invalid (it went wrong by itself), or no run showed what must
       happen in some run
  130  stopped by Ctrl-C (129 and 143: by the end of the terminal, by a request to end)
Of several runs the first that applies of 1, 3 and 4 counts.";

const TOP_EXAMPLES: &str = "Examples:
  squall new outage/my-first             write a scenario file to start from
  squall check                           see whether every scenario file is valid
  squall run scenarios/resync            run all scenarios of a folder
  squall recheck history.jsonl           judge a saved run again";

const RUN_EXAMPLES: &str = "Examples:
  squall run                                           every scenario below scenarios/
  squall run scenarios/resync/redis-killed.toml        one scenario, with a seed that is drawn and printed
  squall run --seed 42 scenarios/resync                a folder, with the seed of an earlier run
  squall run --filter breaker --filter 'reset/*'       scenarios whose name has this text, or fits this pattern
  squall run --repeat 10 scenarios/latency             each with ten seeds
  squall run --world containers                        against real Redis behind real Toxiproxy, in Docker
  squall run --world containers --image valkey/valkey:8.1.1   against another server
  squall run --prove-deterministic --repeat 200        the same seed gives the same bytes: each run twice, compared
  squall run --world local                             without Docker, on a redis-server of this machine
  squall run --world local --redis-url redis://h:6379  on a server of your own
  squall run --world local --subject subjects/redis-py/run   another client: a process in any language
  squall run --flaw resync-off scenarios/resync        against a client with a planted flaw: checks must fail";

const LIST_EXAMPLES: &str = "Examples:
  squall list                    every scenario below scenarios/
  squall list scenarios/ttl      those of a folder
  squall list --json             the same for a program to read";

const CHECK_EXAMPLES: &str = "Examples:
  squall check                                   every scenario below scenarios/
  squall check scenarios/outage/my-first.toml    one file";

const COVERAGE_EXAMPLES: &str = "Examples:
  squall coverage                                what the runs in reports/ have met, and what none has
  squall coverage --world sim                    only those in the sim world
  squall coverage shard-1/reports shard-2        those of several machines together
  squall coverage --at-least 95                  exit code 1 where less than so many per cent are covered
  squall coverage --csv                          a row a situation, for a spreadsheet";

const NEW_EXAMPLES: &str = "Examples:
  squall new outage/my-first     writes scenarios/outage/my-first.toml";

const HISTORIES_EXAMPLES: &str = "Examples:
  squall histories scenarios/ttl/kept-on-update.toml --seed 7";

const RECHECK_EXAMPLES: &str = "Examples:
  squall recheck reports/resync/redis-killed/containers-7/history.jsonl
  squall recheck history.jsonl --json";

const SUBJECT_EXAMPLES: &str = "Examples:
  squall subject-check subjects/redis-py/run                                     with a redis-server from the PATH
  squall subject-check 'python3 my.py' --redis-url redis://127.0.0.1:6379/9      with this one";

/// What the exit code of `subject-check` means; shown by its `--help`.
const SUBJECT_EXIT_CODES: &str = "Exit codes:
  0    it conforms
  1    it breaks a rule
  2    wrong usage
  3    there is no Redis to try it with";

/// Finds out what a Redis-backed session client really does when the network resets, stalls or goes away.
#[derive(Debug, Parser)]
#[command(name = "squall", version, after_help = TOP_EXAMPLES, after_long_help = format!("{TOP_EXAMPLES}\n\n{EXIT_CODES}"))]
#[command(arg_required_else_help = true, subcommand_required = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run scenarios and judge what happened.
    #[command(after_help = RUN_EXAMPLES, after_long_help = format!("{RUN_EXAMPLES}\n\n{EXIT_CODES}"))]
    Run(RunArgs),
    /// Run schedules that chance draws, and make the smallest scenario file of one that fails.
    #[command(after_help = FUZZ_EXAMPLES, after_long_help = format!("{FUZZ_EXAMPLES}\n\n{EXIT_CODES}"))]
    Fuzz(FuzzArgs),
    /// Plant one flaw after another, see how soon random schedules catch it, and make the smallest scenario file that does.
    #[command(after_help = FLAWS_EXAMPLES, after_long_help = format!("{FLAWS_EXAMPLES}\n\n{FLAWS_EXIT_CODES}"))]
    Flaws(FlawsArgs),
    /// List scenarios with what they prove.
    #[command(after_help = LIST_EXAMPLES)]
    List(ListArgs),
    /// Validate scenario files, and print every error.
    #[command(after_help = CHECK_EXAMPLES)]
    Check(CheckArgs),
    /// Write a scenario file to start from.
    #[command(after_help = NEW_EXAMPLES)]
    New(NewArgs),
    /// Write the histories of runs in the sim world to standard output, each after its length.
    #[command(hide = true, after_help = HISTORIES_EXAMPLES)]
    Histories(HistoriesArgs),
    /// Judge a saved history again, without a run.
    #[command(after_help = RECHECK_EXAMPLES)]
    Recheck(RecheckArgs),
    /// Add up in which situations (fault, breaker, mode, operation) runs have been, and show which are empty.
    #[command(after_help = COVERAGE_EXAMPLES)]
    Coverage(CoverageArgs),
    /// Try whether a process speaks the protocol of docs/protocol.md, without faults.
    #[command(after_help = SUBJECT_EXAMPLES, after_long_help = format!("{SUBJECT_EXAMPLES}\n\n{SUBJECT_EXIT_CODES}"))]
    SubjectCheck(SubjectCheckArgs),
}

/// `squall run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Scenario files, or folders of them.
    #[arg(value_name = "FILE|FOLDER", default_value = "scenarios")]
    pub files: Vec<PathBuf>,
    /// Where to run them.
    #[arg(long, value_enum, default_value_t = Kind::Sim)]
    pub world: Kind,
    /// The seed that every choice comes from. Drawn and printed when absent.
    #[arg(
        long,
        value_name = "N",
        env = "SQUALL_SEED",
        hide_env_values = true,
        allow_negative_numbers = true
    )]
    pub seed: Option<u64>,
    /// Run each scenario so many times, with seeds that count up from the first.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub repeat: u32,
    /// How many runs at once [default: one a core in sim; elsewhere, where runs mostly wait on the clock, 16, or two a core
    /// with --subject].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub jobs: Option<u16>,
    /// The folder that reports go to.
    #[arg(long, value_name = "DIR", default_value = "reports")]
    pub report: PathBuf,
    /// Only scenarios whose name has this text; with * or ?, whose whole name fits. May be given several times: any fits.
    #[arg(long, value_name = "TEXT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub filter: Vec<String>,
    /// The image of the server, such as redis:8.0.2 or valkey/valkey:8.1.1, whatever the scenario asks for.
    #[arg(long, value_name = "IMAGE", value_parser = image)]
    pub image: Option<String>,
    /// The command that starts the client under test, split into words but run without a shell [default: the reference
    /// client]. It speaks the protocol of docs/protocol.md.
    #[arg(long, value_name = "COMMAND")]
    pub subject: Option<CommandLine>,
    /// The program of the local world's server, by name or path [env: SQUALL_REDIS_SERVER] [default: redis-server, else
    /// valkey-server].
    #[arg(long, value_name = "PROGRAM", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub server: Option<String>,
    /// A server of your own for the local world, such as redis://user:password@host:6379/0 [env: SQUALL_REDIS_URL, which
    /// unlike this flag shows a password to nobody]. Only the run's own keys are touched, and removed at the end.
    #[arg(long, value_name = "URL", value_parser = Typed::take, conflicts_with = "server")]
    pub redis_url: Option<Typed>,
    /// Let faults strike a server of your own that all its users would notice. None kills, pauses or restarts it.
    #[arg(long)]
    pub allow_destructive: bool,
    /// Plant a flaw in the reference client, to see the checks catch it. docs/flaws.md lists them.
    #[arg(long, value_name = "NAME", value_parser = one_of(Flaw::every()), hide_possible_values = true, conflicts_with = "subject")]
    pub flaw: Option<Flaw>,
    /// Make each run twice, once in another process, and compare the histories byte for byte (sim only; nothing is judged).
    #[arg(long)]
    pub prove_deterministic: bool,
    /// Show in which situations (fault, breaker, mode, operation) the runs have been, and which are empty.
    #[arg(long)]
    pub coverage: bool,
    /// Show no progress, and no runs that pass.
    #[arg(long, short)]
    pub quiet: bool,
}

/// `squall histories`, by which `--prove-deterministic` has another process make the same runs.
#[derive(Debug, Args)]
pub struct HistoriesArgs {
    /// The scenario file.
    pub file: PathBuf,
    /// The first seed.
    #[arg(long, value_name = "N")]
    pub seed: u64,
    /// How many seeds, counting up.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub repeat: u32,
    /// Plant a flaw in the reference client.
    #[arg(long, value_name = "NAME", value_parser = one_of(Flaw::every()), hide_possible_values = true)]
    pub flaw: Option<Flaw>,
}

/// `squall list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Scenario files, or folders of them.
    #[arg(value_name = "FILE|FOLDER", default_value = "scenarios")]
    pub files: Vec<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `squall check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Scenario files, or folders of them.
    #[arg(value_name = "FILE|FOLDER", default_value = "scenarios")]
    pub files: Vec<PathBuf>,
}

/// `squall new`.
#[derive(Debug, Args)]
pub struct NewArgs {
    /// The scenario's name: THEME/BEHAVIOUR in small letters, digits and hyphens.
    pub name: String,
}

/// `squall recheck`.
#[derive(Debug, Args)]
pub struct RecheckArgs {
    /// The history of an earlier run.
    #[arg(value_name = "HISTORY")]
    pub history: PathBuf,
    /// Print the whole result as JSON.
    #[arg(long)]
    pub json: bool,
}

/// `squall coverage`.
#[derive(Debug, Args)]
pub struct CoverageArgs {
    /// Folders of reports, or single files result.json.
    #[arg(value_name = "REPORTS", default_value = "reports")]
    pub reports: Vec<PathBuf>,
    /// Only runs in this world.
    #[arg(long, value_enum)]
    pub world: Option<Kind>,
    /// Print a row a situation, as CSV.
    #[arg(long)]
    pub csv: bool,
    /// End with exit code 1 where less than so many per cent of what can be reached is covered.
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub at_least: Option<u8>,
}

/// `squall subject-check`.
#[derive(Debug, Args)]
pub struct SubjectCheckArgs {
    /// The command that starts the subject, split into words but run without a shell.
    #[arg(value_name = "COMMAND")]
    pub command: CommandLine,
    /// A Redis to use instead of a redis-server from the PATH. Sessions s4000000000 and above are written and removed.
    #[arg(long, value_name = "URL", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub redis_url: Option<String>,
}

/// The name of an image, as Docker allows them.
fn image(text: &str) -> Result<String, String> {
    if is_image(text) {
        Ok(text.to_owned())
    } else {
        Err("not the name of an image, such as redis:8.0.2".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_subcommand_has_examples() {
        for command in Cli::command().get_subcommands() {
            let help = command.clone().render_long_help().to_string();
            assert!(help.contains("Examples:"), "{}", command.get_name());
        }
    }

    #[test]
    fn every_example_can_be_parsed() {
        let all = [
            TOP_EXAMPLES,
            RUN_EXAMPLES,
            FUZZ_EXAMPLES,
            FLAWS_EXAMPLES,
            LIST_EXAMPLES,
            CHECK_EXAMPLES,
            NEW_EXAMPLES,
            COVERAGE_EXAMPLES,
            RECHECK_EXAMPLES,
            SUBJECT_EXAMPLES,
            HISTORIES_EXAMPLES,
        ];
        for line in all.iter().flat_map(|text| text.lines().skip(1)) {
            let words = line.trim().split("  ").next().unwrap_or_default();
            let words = shlex::split(words).unwrap();
            assert!(Cli::try_parse_from(words).is_ok(), "{line}");
        }
    }

    #[test]
    fn flaws_are_listed_and_misspelt_ones_refused() {
        let error = Cli::try_parse_from(["squall", "run", "--flaw", "resync-of"]).unwrap_err().to_string();
        assert!(error.contains("resync-off") && error.contains("ttl-reset-on-update"), "{error}");
    }
}

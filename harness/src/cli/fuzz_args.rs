//! What the command line can say of schedules that chance draws.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};

use crate::subject::flawed::Flaw;
use crate::subject::process::CommandLine;
use crate::units::parse_duration;
use crate::world::Kind;

pub(super) const FUZZ_EXAMPLES: &str = "Examples:
  squall fuzz                                    a thousand schedules, in virtual time
  squall fuzz --seeds 20000 --keep-going         every failure, not only the first
  squall fuzz --for 10m                          as many as there is time for; the next time it goes on from there
  squall fuzz --faults kill,flush,drop_reply     only with faults of these kinds
  squall fuzz --shard 2/4                        the second of four machines
  squall fuzz --flaw resync-off                  against a client with a planted flaw: it must be found
  squall fuzz --world local --subject subjects/redis-py/run --for 5m   another client, in real time";

pub(super) const FLAWS_EXAMPLES: &str = "Examples:
  squall flaws                                      every planted flaw, up to 10,000 schedules each
  squall flaws resync-off never-returns             these two
  squall flaws --again-in local,containers          and run each small schedule again on a real Redis";

/// What the exit code of `flaws` means; shown by its `--help`.
pub(super) const FLAWS_EXIT_CODES: &str = "Exit codes:
  0    each was caught by the check that is for it
  1    one was not
  2    wrong usage, or reports that cannot be written
  3    a world of --again-in does not start
  130  stopped by Ctrl-C";

/// `squall fuzz`.
#[derive(Debug, Args)]
pub struct FuzzArgs {
    /// How many schedules [default: 1000, or as many as there is time for with --for].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub seeds: Option<u64>,
    /// How long, such as 10m; a schedule that has begun is run to its end.
    #[arg(long = "for", value_name = "TIME", value_parser = parse_duration)]
    pub lasts: Option<Duration>,
    /// The first seed; each schedule has its own, counting up.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// How many runs at once [default: one a core in sim; elsewhere as `squall run`].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub jobs: Option<u16>,
    /// Run the I-th part of N of the schedules, such as 1/4. Which part a seed is in never changes.
    #[arg(long, value_name = "I/N", default_value = "1/1", value_parser = shard)]
    pub shard: (u32, u32),
    /// Draw only faults of these kinds, such as kill,flush.
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    pub faults: Vec<String>,
    /// Where to run them.
    #[arg(long, value_enum, default_value_t = Kind::Sim)]
    pub world: Kind,
    /// The client under test: a command that speaks the protocol of docs/protocol.md [default: the reference client].
    #[arg(long, value_name = "COMMAND")]
    pub subject: Option<CommandLine>,
    /// Plant a flaw in the reference client, to see it found.
    #[arg(long, value_name = "NAME", value_parser = one_of(Flaw::ALL.iter()), conflicts_with = "subject")]
    pub flaw: Option<Flaw>,
    /// The folder that notes and found scenario files go to: fuzz/ and found/ below it.
    #[arg(long, value_name = "DIR", default_value = "reports")]
    pub report: PathBuf,
    /// Go on after a failure, and make a scenario file for each check that failed.
    #[arg(long)]
    pub keep_going: bool,
    /// Forget what an earlier run of the program has done and found.
    #[arg(long)]
    pub fresh: bool,
    /// Show no progress.
    #[arg(long, short)]
    pub quiet: bool,
}

/// `squall flaws`.
#[derive(Debug, Args)]
pub struct FlawsArgs {
    /// Only these flaws; docs/flaws.md lists them.
    #[arg(value_name = "FLAW", value_parser = one_of(Flaw::ALL.iter()), hide_possible_values = true)]
    pub flaws: Vec<Flaw>,
    /// How many schedules each has to be caught in.
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub seeds: u64,
    /// The first seed; each schedule has its own, counting up.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// How many runs at once [default: one a core].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub jobs: Option<u16>,
    /// Run each small schedule again in these worlds too.
    #[arg(long, value_name = "WORLD", value_enum, value_delimiter = ',')]
    pub again_in: Vec<Kind>,
    /// The folder that flaws.csv, flaws.md and the scenario files (below found/) go to.
    #[arg(long, value_name = "DIR", default_value = "reports")]
    pub report: PathBuf,
    /// Show no progress.
    #[arg(long, short)]
    pub quiet: bool,
}

/// Which part, from 0, and of how many.
fn shard(text: &str) -> Result<(u32, u32), String> {
    let expected = || "expected a part and the number of parts, such as 1/4".to_owned();
    let (part, of) = text.split_once('/').ok_or_else(expected)?;
    let (part, of): (u32, u32) = (part.parse().map_err(|_| expected())?, of.parse().map_err(|_| expected())?);
    if part == 0 || part > of {
        return Err(format!("there is no part {part} of {of}; parts count from 1"));
    }
    Ok((part - 1, of))
}

/// Takes the name of one of `flaws`.
pub(super) fn one_of(
    flaws: impl Iterator<Item = &'static Flaw>,
) -> impl clap::builder::TypedValueParser<Value = Flaw> {
    PossibleValuesParser::new(flaws.map(|flaw| flaw.name())).try_map(|name| name.parse::<Flaw>())
}

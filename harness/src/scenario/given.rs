//! `[[operation]]`: operations that a file names, one by one, where chance shall draw none.

use std::time::Duration;

use serde::Deserialize;

use super::document::root;
use super::file::{File, Target};
use super::sense::Sense;
use crate::load::{Kind, QUIET};
use crate::units::{format_duration, length, optional_length};

/// An operation of an instance.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Given {
    /// When it starts, from the start of the first phase.
    #[serde(with = "length")]
    pub at: Duration,
    /// The instance that carries it out.
    pub on: Target,
    /// What it does.
    pub op: Kind,
    /// The number of the session that it is about, counted from 0.
    pub session: u32,
    /// The TTL that it sets (create, touch); the load's when absent.
    #[serde(default, with = "optional_length")]
    pub ttl: Option<Duration>,
}

/// Keys of `[load]` by which operations are drawn.
const DRAWN_BY: [&str; 3] = ["rate", "mix", "keys"];

/// Checks the operations that the file names.
pub(super) fn check(sense: &mut Sense<'_, '_>, file: &File) {
    if file.operation.is_empty() {
        return;
    }
    for key in DRAWN_BY {
        let path = root("load").key(key);
        if sense.is_written(&path) {
            let what = format!("{key} is for operations that chance draws, and this file names its own");
            sense.wrong(&path, what, "remove it, or every [[operation]]");
        }
    }
    let phases: Duration =
        file.phase.iter().fold(Duration::ZERO, |sum, phase| sum.saturating_add(phase.length));
    for (number, given) in file.operation.iter().enumerate() {
        let path = root("operation").index(number);
        if given.at.saturating_add(QUIET) >= phases {
            let what = format!("it starts at {}", format_duration(given.at));
            let cure = format!(
                "the phases last {} together; start {} before their end at the latest",
                format_duration(phases),
                format_duration(QUIET)
            );
            sense.wrong(&path.key("at"), what, cure);
        }
        if given.on.0 >= file.load.instances {
            let what = format!("unknown instance \"{}\"", given.on);
            let last = file.load.instances.saturating_sub(1);
            sense.wrong(&path.key("on"), what, format!("the load has instance-0 to instance-{last}"));
        }
        if given.session >= file.load.sessions {
            let what = format!("there is no session {}", given.session);
            let last = file.load.sessions.saturating_sub(1);
            sense.wrong(&path.key("session"), what, format!("the load has sessions 0 to {last}"));
        }
        ttl(sense, number, given);
    }
}

fn ttl(sense: &mut Sense<'_, '_>, number: usize, given: &Given) {
    let Some(ttl) = given.ttl else { return };
    let path = root("operation").index(number).key("ttl");
    let sets_it = matches!(given.op, Kind::Create | Kind::Touch);
    let whole = ttl.subsec_nanos().is_multiple_of(1_000_000);
    if !sets_it {
        sense.wrong(&path, format!("{} sets no TTL", given.op.name()), "remove `ttl`");
    } else if ttl.is_zero() || !whole {
        let what = format!("a TTL of {}", format_duration(ttl));
        sense.wrong(&path, what, "it must be whole milliseconds, 1ms at least");
    }
}

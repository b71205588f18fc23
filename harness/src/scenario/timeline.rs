//! Whether phases and the windows of faults fit together.

use std::time::Duration;

use super::document::{Path, root};
use super::file::{File, Phase, PhaseFault};
use super::judge::last_fault;
use super::sense::Sense;
use super::topology;
use crate::fault::{Act, ServerAct};
use crate::units::format_duration;

/// The longest run, setup aside.
const MOST: Duration = Duration::from_secs(24 * 3600);
/// Names that the run gives to stretches of its own.
const RESERVED: [&str; 2] = ["setup", "final"];

/// Checks everything about phases and faults that does not depend on the rules of judgement.
pub(super) fn check(sense: &mut Sense<'_, '_>, file: &File) {
    let phases = &file.phase;
    let at = |index| root("phase").index(index);
    if phases.is_empty() {
        let cure = "add a [[phase]] with name and for; three make a test: steady, one with faults, calm";
        sense.wrong(&root("phase"), "there is no phase", cure);
    }
    for (index, phase) in phases.iter().enumerate() {
        name(sense, &at(index), phase, &phases[..index]);
        if phase.length.is_zero() {
            sense.wrong(
                &at(index).key("for"),
                "the phase lasts no time",
                "write how long, such as for = \"5s\"",
            );
        }
        for (number, fault) in phase.faults.iter().enumerate() {
            let path = at(index).key("faults").index(number);
            window(sense, &path, fault, phase);
            targets(sense, &path, fault, file.load.instances);
            parameters(sense, &path, fault);
            topology::check_fault(sense, &path, fault, file.redis.topology);
            if matches!(fault.inject.act(), Act::Server(ServerAct::PasswordChange)) && !file.redis.password {
                let cure = "have instances log in: [redis] with password = true";
                sense.wrong(&path.key("inject"), "there is no password that could be changed", cure);
            }
            if phase.faults[..number].iter().any(|other| clash(other, fault, phase, file.load.instances)) {
                let what = format!(
                    "{} meets another fault on the same target at the same time",
                    fault.inject.name()
                );
                sense.wrong(&path, what, "let their windows or their targets differ");
            }
        }
    }
    if let Some(first) = phases.first().filter(|first| !first.faults.is_empty()) {
        let what = format!("the first phase, {:?}, has faults", first.name);
        let cure = "put a phase without faults before it: the load must be fine before anything strikes";
        sense.wrong(&at(0).key("faults"), what, cure);
    }
    if let Some(last) = phases.last().filter(|last| !last.faults.is_empty()) {
        let what = format!("the last phase, {:?}, has faults", last.name);
        let cure = "add a phase without faults after it, such as name = \"calm\", for = \"10s\": there all must come right";
        sense.wrong(&at(phases.len() - 1).key("faults"), what, cure);
    }
    let length: Duration = phases.iter().fold(Duration::ZERO, |sum, phase| sum.saturating_add(phase.length));
    if length > MOST {
        let longest = phases.iter().enumerate().max_by_key(|(_, phase)| phase.length);
        let path = at(longest.map_or(0, |(index, _)| index)).key("for");
        let what = format!("the phases last {} together", format_duration(length));
        sense.wrong(&path, what, "they must last 24h together at most");
    } else {
        sense.operations(&file.load, length);
    }
}

/// Checks that what must be right within `resync_within` of the last fault is still looked at.
pub(super) fn check_rest(sense: &mut Sense<'_, '_>, file: &File, resync_within: Duration) {
    let faults = file.phase.iter().any(|phase| !phase.faults.is_empty());
    let length: Duration = file.phase.iter().map(|phase| phase.length).sum();
    let rest = length.saturating_sub(last_fault(&file.phase));
    if faults && rest < resync_within {
        let what = format!("the run ends {} after the last fault", format_duration(rest));
        let cure =
            format!("all must be right within {}; make it longer than that", format_duration(resync_within));
        sense.wrong(&root("phase").index(file.phase.len().saturating_sub(1)).key("for"), what, cure);
    }
}

fn name(sense: &mut Sense<'_, '_>, path: &Path, phase: &Phase, before: &[Phase]) {
    let name = &phase.name;
    let path = path.key("name");
    let fine = |c: char| !c.is_control() && !"/\\".contains(c);
    if name.trim().is_empty() || name.len() > 64 || !name.chars().all(fine) || name.starts_with('.') {
        let cure = "use up to 64 letters, digits, blanks and hyphens, such as \"outage\"";
        sense.wrong(&path, format!("{:?} is no name", name.chars().take(60).collect::<String>()), cure);
    } else if RESERVED.contains(&name.as_str()) {
        sense.wrong(&path, format!("{name:?} is what the run itself calls a stretch"), "choose another name");
    } else if before.iter().any(|other| other.name == *name) {
        sense.wrong(&path, format!("there is another phase called {name:?}"), "give each phase its own name");
    }
}

fn window(sense: &mut Sense<'_, '_>, path: &Path, fault: &PhaseFault, phase: &Phase) {
    let (from, to) = fault.window(phase.length);
    let length = format_duration(phase.length);
    if from >= phase.length {
        let what = format!("the fault begins at {}, when the phase is over", format_duration(from));
        sense.wrong(&path.key("at"), what, format!("the phase lasts {length}; begin before its end"));
    } else if to > phase.length {
        let what = format!("the fault ends at {}, after the phase", format_duration(to));
        let cure =
            format!("the phase lasts {length}; shorten the fault, or leave `for` out: to the phase's end");
        sense.wrong(&path.key("for"), what, cure);
    } else if to <= from {
        let cure = "write how long, such as \"100ms\", or leave it out: to the phase's end";
        sense.wrong(&path.key("for"), "the fault lasts no time", cure);
    }
}

fn targets(sense: &mut Sense<'_, '_>, path: &Path, fault: &PhaseFault, instances: u16) {
    for (index, target) in fault.on.iter().enumerate() {
        let path = path.key("on").index(index);
        if target.0 >= instances {
            let last = instances.saturating_sub(1);
            let what = format!("unknown instance \"{target}\"");
            sense.wrong(&path, what, format!("the load has instance-0 to instance-{last}"));
        } else if fault.on[..index].contains(target) {
            sense.wrong(&path, format!("{target} is named twice"), "name it once");
        }
    }
}

fn parameters(sense: &mut Sense<'_, '_>, path: &Path, fault: &PhaseFault) {
    let name = fault.inject.name();
    for problem in fault.inject.problems() {
        let path = path.key("inject").key(name).key(problem.key);
        sense.wrong(&path, problem.what, problem.cure);
    }
    if let Some(probability) = fault.probability.filter(|share| !(*share > 0.0 && *share <= 1.0)) {
        let what = format!("a probability of {probability:?}");
        sense.wrong(&path.key("probability"), what, "it must be above 0 and at most 1, such as 0.5");
    }
    let act = fault.inject.act();
    if matches!(act, Act::Server(_)) && !fault.on.is_empty() {
        let what = format!("{name} strikes the server, so it strikes every instance");
        sense.wrong(&path.key("on"), what, "remove `on`");
    }
    if !matches!(act, Act::Bend(_)) && fault.direction.is_some() {
        sense.wrong(&path.key("direction"), format!("{name} has no direction"), "remove `direction`");
    }
    if !matches!(act, Act::Bend(_) | Act::Answer(_)) && fault.probability.is_some() {
        let what = format!("{name} strikes every connection");
        sense.wrong(&path.key("probability"), what, "remove `probability`");
    }
    if let Some(matching) = &fault.matching {
        if !matches!(act, Act::Answer(_)) {
            let what = format!("{name} strikes connections, not commands");
            sense.wrong(&path.key("match"), what, "remove `match`");
        } else if matching.nth == Some(0) {
            let path = path.key("match").key("nth");
            sense.wrong(&path, "there is no command 0", "count from 1; leave `nth` out to strike every one");
        }
    }
}

/// Whether two faults of a phase would undo each other: two of the server that leave it unable to do both, two that decide about
/// connections, two of one kind.
fn clash(one: &PhaseFault, other: &PhaseFault, phase: &Phase, instances: u16) -> bool {
    let (one_from, one_to) = one.window(phase.length);
    let (from, to) = other.window(phase.length);
    if one_to <= from || to <= one_from {
        return false;
    }
    let shared =
        one.instances(instances).iter().any(|instance| other.instances(instances).contains(instance));
    match (one.inject.act(), other.inject.act()) {
        (Act::Server(one), Act::Server(other)) => one.is_like(other) || one.deafens() || other.deafens(),
        (Act::Unreachable, Act::Server(act)) | (Act::Server(act), Act::Unreachable) => act.ends_it(),
        (
            Act::Refuse | Act::Reset { .. } | Act::Unreachable,
            Act::Refuse | Act::Reset { .. } | Act::Unreachable,
        ) => shared,
        (Act::Bend(_), Act::Bend(_)) => {
            let (way, other_way) = (one.direction.unwrap_or_default(), other.direction.unwrap_or_default());
            shared && one.inject.name() == other.inject.name() && way.meets(other_way)
        }
        (Act::Answer(_), Act::Answer(_)) => {
            shared && one.inject.name() == other.inject.name() && one.matching == other.matching
        }
        (Act::SlowAccept { .. }, Act::SlowAccept { .. })
        | (Act::HalfOpen, Act::HalfOpen)
        | (Act::Crash { .. }, Act::Crash { .. }) => shared,
        (_, _) => false,
    }
}

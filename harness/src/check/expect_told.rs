//! `[[expect.told]]`: what instances tell when they are asked for their metrics, log, health, settings and more.

use serde::{Deserialize, Serialize};

use super::expect_breaker::span;
use super::index::Index;
use super::tally::{Tally, Words, not_judged};
use super::{Finding, OnInstances, Verdict, nearest};
use crate::history::{Event, Telling, Topic};
use crate::pattern;

/// `[[expect.told]]`: a line that must be told, or must not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToldExpectation {
    /// What instances are asked for.
    pub of: Topic,
    /// A pattern for a whole line: `*` stands for anything, `?` for one character.
    pub line: String,
    /// The phase at whose end they are asked; without one it is the end of the run, and of a log the whole run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub during: Option<String>,
    /// Who must tell it.
    #[serde(default)]
    pub on: OnInstances,
    /// Whether no line may fit.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub never: bool,
}

/// What an instance told, compared with what was expected.
enum Outcome {
    Held,
    /// In words, and the entries that show it.
    Broken(String, Vec<usize>),
    /// Why it cannot be said, and what would make it known.
    Unseen(String),
}

/// An answer, with its place in the history.
struct Told<'a> {
    entry: usize,
    answer: &'a Telling,
}

/// Judges one expectation; `name` is such as `expect.told[0]`.
pub(super) fn judge(index: &Index<'_>, name: &str, expected: &ToldExpectation) -> Finding {
    let of = expected.of;
    let title = title(expected);
    if !index.can(of.capability()) {
        let says = format!("the subject cannot be asked for its {of} (capability `{of}`)");
        return not_judged(name, &title, Verdict::Skipped, says);
    }
    if let Err(says) = span(index, expected.during.as_deref()) {
        return not_judged(name, &title, Verdict::Unknown, says);
    }
    let instances: Vec<u16> = match expected.on {
        OnInstances::Every | OnInstances::Any => (0..index.head.instances).collect(),
        OnInstances::One(number) => vec![number],
    };
    let (mut tally, mut held, mut unseen, mut broken) = (Tally::default(), 0, None, Vec::new());
    for instance in instances {
        match one(index, instance, expected) {
            Outcome::Held => {
                held += 1;
                tally.judged();
            }
            Outcome::Broken(says, entries) => broken.push((says, entries)),
            Outcome::Unseen(why) => unseen = Some(why),
        }
    }
    let enough = expected.on == OnInstances::Any && held > 0;
    let undecided = !enough && (broken.is_empty() || expected.on == OnInstances::Any);
    if let Some(why) = unseen.filter(|_| undecided) {
        return not_judged(name, &title, Verdict::Unknown, why);
    }
    for (says, entries) in broken.into_iter().filter(|_| !enough) {
        tally.broken(entries.last().copied().unwrap_or(0), || (says, entries));
    }
    let what = if expected.never { "told no such line" } else { "told such a line" };
    let instances = if held == 1 { "instance" } else { "instances" };
    let unseen = "there is no such instance".to_owned();
    tally.named(name, &title, index, Words { held: format!("{held} {instances} {what}"), unseen })
}

fn title(expected: &ToldExpectation) -> String {
    let ToldExpectation { of, line, .. } = expected;
    let verb = if expected.never { "never tells" } else { "tells" };
    let during = expected.during.as_ref().map(|phase| format!(" during {phase}")).unwrap_or_default();
    format!("{of} {verb} `{line}`{during}")
}

/// What `instance` told, as far as the expectation is about it.
fn scope<'a>(index: &'a Index<'_>, instance: u16, expected: &ToldExpectation) -> Vec<Told<'a>> {
    let last = index.head.phases.last().map(|phase| phase.name.as_str());
    let meant = |phase: &str| match (&expected.during, expected.of) {
        (Some(during), _) => during == phase,
        (None, Topic::Log) => true,
        (
            None,
            Topic::Metrics
            | Topic::Health
            | Topic::Settings
            | Topic::Sessions
            | Topic::Backup
            | Topic::Restore
            | Topic::Refusals,
        ) => last == Some(phase),
    };
    let told = index.told().filter_map(|(entry, line)| match &line.e {
        Event::Told { instance: who, of, phase, answer, .. }
            if *who == instance && *of == expected.of && meant(phase) =>
        {
            Some(Told { entry, answer })
        }
        _ => None,
    });
    told.collect()
}

fn one(index: &Index<'_>, instance: u16, expected: &ToldExpectation) -> Outcome {
    let of = expected.of;
    if instance >= index.head.instances {
        let count = index.head.instances;
        return Outcome::Unseen(format!("there is no instance-{instance}; the run has {count}"));
    }
    let told = scope(index, instance, expected);
    if told.is_empty() {
        return Outcome::Unseen(format!(
            "nobody asked instance-{instance} for its {of} then; a run of a scenario with this expectation would make it known"
        ));
    }
    let entries = || told.iter().map(|told| told.entry).collect::<Vec<_>>();
    let (mut lines, mut cut) = (Vec::new(), false);
    for Told { entry, answer } in &told {
        match answer {
            Telling::Ok { text, cut: more } => {
                lines.extend(text.lines().map(|line| (*entry, line)));
                cut |= more;
            }
            Telling::Error { code, text } => {
                let says = format!("asked for its {of}, instance-{instance} told nothing: {code}: {text}");
                return Outcome::Broken(says, vec![*entry]);
            }
        }
    }
    let fitting = lines.iter().find(|(_, line)| pattern::fits(line, &expected.line));
    match (fitting, expected.never) {
        (Some(_), false) => Outcome::Held,
        (Some((entry, line)), true) => {
            let says = format!("instance-{instance} told {}, which must not be", nearest::quoted(line));
            Outcome::Broken(says, vec![*entry])
        }
        (None, _) if cut => Outcome::Unseen(format!(
            "the {of} of instance-{instance} is too long to be kept whole, and no line of what was kept fits; a shorter one would make it known"
        )),
        (None, true) if lines.is_empty() => Outcome::Unseen(format!(
            "the {of} of instance-{instance} is empty; a fault or a load that it tells of would make it known"
        )),
        (None, true) => Outcome::Held,
        (None, false) => {
            let lines: Vec<&str> = lines.iter().map(|(_, line)| *line).collect();
            let says = nearest::missing(&lines, &expected.line);
            Outcome::Broken(format!("asked for its {of}, instance-{instance} told {says}"), entries())
        }
    }
}

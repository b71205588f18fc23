//! `[[expect.breaker]]`: the states that breakers go through, first to last.

use super::breaker_safe::{Change, named};
use super::index::Index;
use super::tally::{Tally, Words, not_judged};
use super::{BreakerExpectation, Finding, OnInstances, Verdict};
use crate::history::{BreakerState, Capability, PhaseSpan};

/// What an instance's breaker did, compared with what was expected.
enum Outcome {
    Held,
    /// The sequence seen, and the entries of its changes.
    Broken(Vec<BreakerState>, Vec<usize>),
    /// Why nothing could be seen.
    Unseen(String),
}

/// Judges one expectation; `name` is such as `expect.breaker[0]`.
pub(super) fn judge(index: &Index<'_>, name: &str, expected: &BreakerExpectation) -> Finding {
    let title = format!("breaker of {} goes {}", expected.on, sequence(&expected.sequence));
    if !index.can(Capability::Breaker) {
        let says = "the subject has no breaker, or tells nothing of it (capability `breaker`)".to_owned();
        return not_judged(name, &title, Verdict::Skipped, says);
    }
    let span = match span(index, expected.during.as_deref()) {
        Ok(span) => span,
        Err(says) => return not_judged(name, &title, Verdict::Unknown, says),
    };
    let instances: Vec<u16> = match expected.on {
        OnInstances::Every | OnInstances::Any => (0..index.head.instances).collect(),
        OnInstances::One(number) => vec![number],
    };
    let mut tally = Tally::default();
    let (mut held, mut unseen) = (0, None);
    let mut broken = Vec::new();
    for instance in instances {
        match one(index, instance, expected, span.as_ref()) {
            Outcome::Held => {
                held += 1;
                tally.judged();
            }
            Outcome::Broken(seen, entries) => broken.push((instance, seen, entries)),
            Outcome::Unseen(why) => unseen = Some(why),
        }
    }
    let enough = expected.on == OnInstances::Any && held > 0;
    let undecided = !enough && (broken.is_empty() || expected.on == OnInstances::Any);
    if let Some(why) = unseen.filter(|_| undecided) {
        return not_judged(name, &title, Verdict::Unknown, why);
    }
    for (instance, seen, entries) in broken.into_iter().filter(|_| !enough) {
        tally.broken(entries.last().copied().unwrap_or(0), || {
            let during = expected.during.as_ref().map(|phase| format!(" during {phase}")).unwrap_or_default();
            let says = format!(
                "the breaker of instance-{instance} went {}{during}; expected was {}",
                sequence(&seen),
                sequence(&expected.sequence)
            );
            (says, entries)
        });
    }
    let words = Words {
        held: format!("{held} breakers went as expected"),
        unseen: "there is no such instance".to_owned(),
    };
    tally.named(name, &title, index, words)
}

fn one(index: &Index<'_>, instance: u16, expected: &BreakerExpectation, span: Option<&PhaseSpan>) -> Outcome {
    if instance >= index.head.instances {
        return Outcome::Unseen(format!(
            "there is no instance-{instance}; the run has {}",
            index.head.instances
        ));
    }
    let (from, to) = span.map_or((0, u64::MAX), |span| (span.from, span.to));
    let all: Vec<Change> = index.lives.of(instance).flat_map(|life| index.changes(life)).copied().collect();
    let before = all.iter().rev().find(|change| change.t < from);
    let within: Vec<&Change> = all.iter().filter(|change| (from..to).contains(&change.t)).collect();
    let first = before.map_or(BreakerState::Closed, |change| change.to);
    let mut seen: Vec<BreakerState> =
        std::iter::once(first).chain(within.iter().map(|change| change.to)).collect();
    seen.dedup();
    if seen == expected.sequence {
        let asked = index
            .lives
            .of(instance)
            .flat_map(|life| index.operations_within(life, from, to))
            .any(|(_, operation)| (from..to).contains(&operation.invoke.t));
        return if asked || !within.is_empty() {
            Outcome::Held
        } else {
            Outcome::Unseen(format!(
                "instance-{instance} had no operation then, so nothing could have opened its breaker; a load would make it known"
            ))
        };
    }
    if within.is_empty() && first == BreakerState::Closed {
        return Outcome::Unseen(format!(
            "the breaker of instance-{instance} never opened, so the sequence could not be seen; a fault that fails its calls, for longer, \
             would make it known"
        ));
    }
    let differs = seen.iter().zip(&expected.sequence).take_while(|(seen, expected)| seen == expected).count();
    // The change that led to the first state that differs is the last that matters.
    let mut entries: Vec<usize> = within.iter().map(|change| change.entry).take(differs.max(1)).collect();
    let keep_from = entries.len().saturating_sub(5);
    entries.drain(..keep_from);
    Outcome::Broken(seen, entries)
}

fn sequence(states: &[BreakerState]) -> String {
    states.iter().map(|state| named(*state)).collect::<Vec<_>>().join(", ")
}

/// The phase of this name.
pub(super) fn span(index: &Index<'_>, during: Option<&str>) -> Result<Option<PhaseSpan>, String> {
    let Some(name) = during else { return Ok(None) };
    let phases = &index.head.phases;
    let found = phases.iter().find(|phase| phase.name == name).cloned();
    found.map(Some).ok_or_else(|| {
        let names: Vec<&str> = phases.iter().map(|phase| phase.name.as_str()).collect();
        crate::suggest::unknown("phase", name, &names)
    })
}

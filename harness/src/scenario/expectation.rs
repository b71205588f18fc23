//! Whether the `[[expect.*]]` tables can hold at all.

use super::document::{Path, root};
use super::sense::Sense;
use crate::check::{Comparison, Expect, Metric, OnInstances, Seen, SometimesExpectation};
use crate::history::BreakerState;
use crate::suggest;

/// Checks every expectation against the names of the phases and the number of instances.
pub(super) fn check(sense: &mut Sense<'_, '_>, expect: &Expect, phases: &[&str], instances: u16) {
    for (index, breaker) in expect.breaker.iter().enumerate() {
        let path = root("expect").key("breaker").index(index);
        during(sense, &path, breaker.during.as_deref(), phases);
        on(sense, &path, breaker.on, instances);
        sequence(sense, &path.key("sequence"), &breaker.sequence, breaker.during.is_none());
    }
    for (index, metric) in expect.metric.iter().enumerate() {
        let path = root("expect").key("metric").index(index);
        during(sense, &path, metric.during.as_deref(), phases);
        on(sense, &path, metric.on, instances);
        bound(sense, &path.key("is"), metric.of, &metric.is);
    }
    for (index, sometimes) in expect.sometimes.iter().enumerate() {
        let path = root("expect").key("sometimes").index(index);
        during(sense, &path, sometimes.during.as_deref(), phases);
        on(sense, &path, sometimes.on, instances);
        some_run(sense, &path, sometimes);
    }
    for (index, told) in expect.told.iter().enumerate() {
        let path = root("expect").key("told").index(index);
        during(sense, &path, told.during.as_deref(), phases);
        on(sense, &path, told.on, instances);
        line(sense, &path.key("line"), &told.line);
    }
}

/// One that names a situation, or a figure with its bound, and not both.
fn some_run(sense: &mut Sense<'_, '_>, path: &Path, sometimes: &SometimesExpectation) {
    let either = "write either seen = { breaker = \"half-open\", operation = \"get\" }, or of = \"resync.duration\" and is = \"> 1s\"";
    match (sometimes.seen, sometimes.of, &sometimes.is) {
        (Some(seen), None, None) if seen == Seen::default() => {
            let cure = "name at least one of fault, breaker, mode and operation";
            sense.wrong(&path.key("seen"), "it names nothing", cure);
        }
        (Some(_), None, None) => {}
        (None, Some(of), Some(is)) => bound(sense, &path.key("is"), of, is),
        (Some(_), ..) => sense.wrong(&path.key("seen"), "it stands beside a figure", either),
        (None, None, None) => sense.wrong(path, "it asks for nothing", either),
        (None, Some(_), None) => sense.wrong(&path.key("is"), "the key is missing", either),
        (None, None, Some(_)) => sense.wrong(&path.key("of"), "the key is missing", either),
    }
}

fn bound(sense: &mut Sense<'_, '_>, path: &Path, of: Metric, bound: &Comparison) {
    if of.is_duration() && !bound.is_duration {
        let what = format!("{of} is a duration, and {:?} is not", bound.to_string());
        sense.wrong(path, what, "write the bound with a unit, such as \"<= 5s\"");
    } else if !of.is_duration() && bound.is_duration {
        let what = format!("{of} is a share, not a duration");
        sense.wrong(path, what, "write a bound from 0 to 1, such as \">= 0.99\"");
    } else if !bound.is_duration && !(0.0..=1.0).contains(&bound.bound) {
        let what = format!("{of} is a share, and {:?} is none", bound.bound);
        sense.wrong(path, what, "write a bound from 0 to 1, such as \">= 0.99\"");
    }
}

/// A pattern that some line can fit and some cannot.
fn line(sense: &mut Sense<'_, '_>, path: &Path, pattern: &str) {
    let cure = "write a part of the line between asterisks, such as \"*circuit_open_total*\"";
    sense.words(path, pattern, cure);
    if !pattern.is_empty() && pattern.chars().all(|c| c == '*') {
        sense.wrong(path, "every line fits it", cure);
    }
}

fn during(sense: &mut Sense<'_, '_>, path: &Path, name: Option<&str>, phases: &[&str]) {
    let Some(name) = name.filter(|name| !phases.contains(name)) else { return };
    let told = suggest::unknown("phase", name, phases);
    let (what, cure) = told.rsplit_once("; ").unwrap_or((&told, "name one of the phases"));
    sense.wrong(&path.key("during"), what, cure);
}

fn on(sense: &mut Sense<'_, '_>, path: &Path, on: OnInstances, instances: u16) {
    match on {
        OnInstances::Every | OnInstances::Any => {}
        OnInstances::One(instance) if instance < instances => {}
        OnInstances::One(instance) => {
            let cure = format!("the load has instance-0 to instance-{}", instances.saturating_sub(1));
            sense.wrong(&path.key("on"), format!("unknown instance \"instance-{instance}\""), cure);
        }
    }
}

fn sequence(sense: &mut Sense<'_, '_>, path: &Path, states: &[BreakerState], whole_run: bool) {
    use BreakerState::{Closed, HalfOpen, Open};
    match states.first() {
        None => sense.wrong(path, "there is no state", "write [\"closed\"] for a breaker that never opens"),
        Some(Closed) => {}
        Some(Open | HalfOpen) if whole_run => {
            sense.wrong(
                path,
                "a breaker starts closed",
                "begin with \"closed\", or name a phase with `during`",
            );
        }
        Some(Open | HalfOpen) => {}
    }
    for pair in states.windows(2) {
        let [from, to] = pair else { continue };
        let legal = matches!((from, to), (Closed, Open) | (Open, HalfOpen) | (HalfOpen, Open | Closed));
        if !legal {
            let name = |state: &BreakerState| match state {
                Closed => "closed",
                Open => "open",
                HalfOpen => "half-open",
            };
            let what = format!("no breaker goes from {} to {}", name(from), name(to));
            sense.wrong(path, what, "closed goes to open, open to half-open, half-open to open or closed");
            return;
        }
    }
}

//! `[[expect.sometimes]]`: what must happen in at least one run of the suite. A run that does not show it is not worse for it:
//! its finding says unknown and decides nothing. `report::sometimes` puts those of all runs together.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::expect_breaker::span;
use super::index::Index;
use super::met::each;
use super::tally::not_judged;
use super::{Comparison, Finding, Metric, MetricExpectation, OnInstances, Verdict, expect_metric};
use crate::coverage::{FaultKind, Met, mode_name, state_name};
use crate::history::{BreakerState, Capability, Mode};
use crate::load::Kind;

/// How the findings of these expectations begin.
const PREFIX: &str = "expect.sometimes[";

/// `[[expect.sometimes]]`: either `seen`, or `of` and `is`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SometimesExpectation {
    /// A situation in which an operation must begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Seen>,
    /// A figure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<Metric>,
    /// The figure's bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is: Option<Comparison>,
    /// Only what begins during this phase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub during: Option<String>,
    /// Only these instances; with `seen`, any of them will do unless one is named.
    #[serde(default)]
    pub on: OnInstances,
}

/// A situation in which an operation begins. What is not named may be anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Seen {
    /// The kind of fault that strikes the instance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<FaultKind>,
    /// The state of its breaker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub breaker: Option<BreakerState>,
    /// Who serves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// The kind of operation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<Kind>,
}

impl Finding {
    /// Whether it is about all runs of the suite together, so that a single one is not worse for it.
    pub fn is_of_suite(&self) -> bool {
        self.check.starts_with(PREFIX)
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let begins = self.operation.map_or("an operation", Kind::name);
        let parts: Vec<String> = self.conditions().into_iter().map(|condition| condition.words).collect();
        write!(f, "{begins} begins")?;
        if parts.is_empty() { Ok(()) } else { write!(f, " while {}", parts.join(" and ")) }
    }
}

/// A part of a situation, the kind of operation aside.
struct Condition {
    words: String,
    holds: Box<dyn Fn(&Met<'_>) -> bool>,
    /// What would bring it about.
    cure: &'static str,
}

impl Seen {
    fn conditions(self) -> Vec<Condition> {
        let fault = self.fault.map(|fault| Condition {
            words: format!("{fault} strikes"),
            holds: Box::new(move |met| met.faults.contains(&fault)),
            cure: "that fault while the load goes on",
        });
        let breaker = self.breaker.map(|state| Condition {
            words: format!("the breaker is {}", state_name(state)),
            holds: Box::new(move |met| met.breaker == state),
            cure: "a fault that lasts longer, another cool-down, or more seeds (--repeat)",
        });
        let mode = self.mode.map(|mode| Condition {
            words: format!("the mode is {}", mode_name(mode)),
            holds: Box::new(move |met| met.mode == mode),
            cure: "a fault that lets calls fail for longer, or more seeds (--repeat)",
        });
        [fault, breaker, mode].into_iter().flatten().collect()
    }

    fn missing_capability(self, index: &Index<'_>) -> Option<&'static str> {
        if self.breaker.is_some() && !index.can(Capability::Breaker) {
            Some("the subject has no breaker, or tells nothing of it (capability `breaker`)")
        } else if self.mode.is_some() && !index.can(Capability::Fallback) {
            Some("the subject serves nothing locally (capability `fallback`)")
        } else {
            None
        }
    }
}

/// Judges what one run shows; `name` is such as `expect.sometimes[0]`.
pub(super) fn judge(index: &Index<'_>, place: usize, expected: &SometimesExpectation) -> Finding {
    let name = format!("{PREFIX}{place}]");
    match (expected.seen, expected.of, expected.is) {
        (Some(seen), _, _) => situation(index, &name, expected, seen),
        (None, Some(of), Some(is)) => figure(index, &name, expected, of, is),
        (None, _, _) => {
            let says = "it names no situation and no figure with its bound".to_owned();
            not_judged(&name, "something happens in some run", Verdict::Unknown, says)
        }
    }
}

fn figure(
    index: &Index<'_>,
    name: &str,
    expected: &SometimesExpectation,
    of: Metric,
    is: Comparison,
) -> Finding {
    let metric = MetricExpectation { of, is, during: expected.during.clone(), on: expected.on };
    let found = expect_metric::judge(index, name, &metric);
    let title = format!("in some run {}", found.title);
    match found.verdict {
        Verdict::Fail => {
            let says = format!("{}; more seeds (--repeat) may show it", found.says);
            not_judged(name, &title, Verdict::Unknown, says)
        }
        Verdict::Pass | Verdict::Unknown | Verdict::Skipped | Verdict::Invalid => Finding { title, ..found },
    }
}

fn situation(index: &Index<'_>, name: &str, expected: &SometimesExpectation, seen: Seen) -> Finding {
    let during = expected.during.as_ref().map(|phase| format!(" during {phase}")).unwrap_or_default();
    let title = format!("in some run {seen}{during}");
    if let Some(says) = seen.missing_capability(index) {
        return not_judged(name, &title, Verdict::Skipped, says.to_owned());
    }
    let (from, to) = match span(index, expected.during.as_deref()) {
        Ok(span) => span.map_or((0, u64::MAX), |span| (span.from, span.to)),
        Err(says) => return not_judged(name, &title, Verdict::Unknown, says),
    };
    let meant = |instance: u16| match expected.on {
        OnInstances::Every | OnInstances::Any => true,
        OnInstances::One(number) => number == instance,
    };
    let conditions = seen.conditions();
    // How many operations began in scope, how many of these while the first condition held, how many while the second did too.
    let mut counts = vec![0_u64; conditions.len() + 1];
    let mut shown = 0_u64;
    each(index, |met| {
        if !meant(met.instance) || !(from..to).contains(&met.t) {
            return;
        }
        let held = conditions.iter().take_while(|condition| (condition.holds)(&met)).count();
        counts.iter_mut().take(held + 1).for_each(|count| *count += 1);
        let is_kind = seen.operation.is_none_or(|kind| kind == met.operation);
        shown += u64::from(held == conditions.len() && is_kind);
    });
    if shown > 0 {
        let mut finding = not_judged(name, &title, Verdict::Pass, format!("{shown} operations began so"));
        finding.judged = shown;
        return finding;
    }
    not_judged(name, &title, Verdict::Unknown, lacking(&counts, &conditions, seen.operation))
}

/// What was missing, and what would bring it about.
fn lacking(counts: &[u64], conditions: &[Condition], operation: Option<Kind>) -> String {
    let empty = counts.iter().position(|count| *count == 0);
    let held: Vec<&str> = conditions.iter().map(|condition| condition.words.as_str()).collect();
    let of = |place: usize| {
        let so = if place == 0 { String::new() } else { format!(" while {}", held[..place].join(" and ")) };
        let operations = if counts[place] == 1 { "operation" } else { "operations" };
        format!("{} {operations} began{so}, none of them", counts[place])
    };
    match (empty, operation) {
        (Some(0), _) => "no operation began then; a load with some would make it known".to_owned(),
        (Some(place), _) => {
            let Condition { words, cure, .. } = &conditions[place - 1];
            format!("{} while {words}; {cure} would make it known", of(place - 1))
        }
        (None, kind) => {
            let kind = kind.map_or("", Kind::name);
            let cure = "more of them in the mix, a higher rate, or more seeds (--repeat)";
            format!("{} a {kind}; {cure} would make it known", of(conditions.len()))
        }
    }
}

//! I17: connections, memory and queue stay within their bounds, and nothing is left when the load is over.

use super::index::{Index, nanos};
use super::tally::{Tally, Words};
use super::{Check, Finding, words};
use crate::history::{Event, Sample};

/// I17.
pub(super) struct BoundedResources;

impl Check for BoundedResources {
    fn name(&self) -> &'static str {
        "I17"
    }

    fn title(&self) -> &'static str {
        "bounded resources"
    }

    fn judge(&self, index: &Index<'_>) -> Finding {
        let mut tally = Tally::default();
        let mut last: Vec<Option<(usize, u64, Sample)>> = vec![None; index.instances()];
        let mut above: Vec<Option<(u64, usize)>> = vec![None; index.instances()];
        for (entry, line) in index.told() {
            let Event::Sample { instance, what } = line.e else { continue };
            if let Some(last) = last.get_mut(usize::from(instance)) {
                *last = Some((entry, line.t, what));
                within(index, instance, (entry, line.t, what), &mut tally);
            }
            if let Some(above) = above.get_mut(usize::from(instance)) {
                connections(index, instance, (entry, line.t, what), above, &mut tally);
            }
        }
        for (instance, last) in (0..).zip(last) {
            left_over(index, instance, last, &mut tally);
        }
        let held =
            format!("{} measurements were within their bounds, and nothing was left over", tally.count());
        let unseen = "nothing was measured; samples of the instances would make it known".to_owned();
        tally.finding(self, index, Words { held, unseen })
    }
}

/// A sample against the bounds.
fn within(index: &Index<'_>, instance: u16, (entry, t, sample): (usize, u64, Sample), tally: &mut Tally) {
    let rules = index.rules();
    let (of_load, of_copy) = (u64::from(index.head.sessions), of_copy(index).unwrap_or(u64::MAX));
    let sessions = if of_load <= of_copy {
        ("sessions in its local copy, and the load has no more than the bound,", of_load)
    } else {
        ("sessions in its local copy", of_copy)
    };
    let measured = [
        ("operations in flight", sample.in_flight, rules.in_flight),
        ("bytes in its local copy", sample.local_bytes, rules.local_bytes),
        (sessions.0, sample.local_sessions, sessions.1),
    ];
    for (what, figure, bound) in measured {
        match figure {
            None => {}
            Some(figure) if figure <= bound => tally.judged(),
            Some(figure) => tally.broken(entry, || {
                let who = index.who(instance);
                let says =
                    format!("{who} had {figure} {what} at {}; the bound is {bound}", words::seconds(t));
                (says, vec![entry])
            }),
        }
    }
}

/// How many sessions a local copy may hold; `None` where that is not told, or for a subject that says that it has a rule of its own.
fn of_copy(index: &Index<'_>) -> Option<u64> {
    let own = |key: &String| key == "local" || key == "local.sessions";
    index.rules().local_sessions.filter(|_| !index.head.ignored.iter().any(own))
}

/// Connections against their bound. A connection that was given up ends when the calls on it have, and another stands in for it
/// meanwhile: so there may be twice as many for as long as a call may take. `above` says since when there are too many.
fn connections(
    index: &Index<'_>,
    instance: u16,
    (entry, t, sample): (usize, u64, Sample),
    above: &mut Option<(u64, usize)>,
    tally: &mut Tally,
) {
    let (Some(figure), bound) = (sample.connections, index.rules().connections) else { return };
    let figure = figure.saturating_sub(of_those_before(index, instance, t));
    if figure <= bound {
        *above = None;
        return tally.judged();
    }
    let (since, first) = *above.get_or_insert((t, entry));
    let replaced = figure <= bound.saturating_mul(2);
    if replaced && t - since <= nanos(index.rules().response_within).saturating_add(index.slack()) {
        return tally.judged();
    }
    tally.broken(entry, || {
        let who = index.who(instance);
        let says = format!(
            "{who} had {figure} connections at {}, and too many since {}; the bound is {bound}",
            words::seconds(t),
            words::seconds(since),
        );
        (says, vec![first, entry])
    });
}

/// The link is the same for all that had the number. A fault may hold the end of a connection whose instance is gone.
fn of_those_before(index: &Index<'_>, instance: u16, t: u64) -> u64 {
    let Some(life) = index.lives.get(instance) else { return 0 };
    let before = index.lives.of(life.instance).take_while(|before| *before < instance);
    let open = before.filter_map(|before| index.wire().get(usize::from(before))).map(|wire| {
        let ended_later = wire.lives.iter().filter(|(opened, closed)| *opened <= t && t <= *closed).count();
        (ended_later + wire.open.len()) as u64
    });
    open.sum()
}

/// When the load is over nothing may be in flight, and no connection beyond the bound may be open.
fn left_over(index: &Index<'_>, instance: u16, last: Option<(usize, u64, Sample)>, tally: &mut Tally) {
    let over = index.operations_of(instance).filter_map(|(_, operation)| operation.end).max();
    if let (Some((entry, t, Sample { in_flight: Some(left), .. })), Some(over)) = (last, over) {
        // Counters are read a moment after the return was recorded.
        if t > over.t.saturating_add(index.slack()) && left > 0 {
            tally.broken(entry, || {
                let who = index.who(instance);
                let says = format!(
                    "{who} still had {left} operations in flight at {}, though its last had ended at {}",
                    words::seconds(t),
                    words::seconds(over.t),
                );
                (says, vec![over.entry, entry])
            });
        }
    }
    let Some(wire) = index.wire().get(usize::from(instance)).filter(|wire| wire.seen) else { return };
    let (open, bound) = (wire.open.len() as u64, index.rules().connections);
    if open <= bound {
        return tally.judged();
    }
    let newest = wire.open.values().max().copied().unwrap_or(0);
    tally.broken(newest, || {
        let who = index.who(instance);
        let says =
            format!("{who} had {open} connections open at the end, by the wire log; the bound is {bound}");
        (says, wire.open.values().rev().take(4).copied().collect())
    });
}

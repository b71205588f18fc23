//! `[[expect.metric]]`: a figure and its bound.

use hdrhistogram::Histogram;

use super::expect_breaker::span;
use super::index::{Index, Operation};
use super::tally::{Tally, Words, not_judged};
use super::{Finding, Metric, MetricExpectation, OnInstances, Verdict, words};
use crate::history::{BreakerState, Capability, Event, PhaseSpan, Resync, ServedBy};
use crate::load::Kind;

/// A figure: a share, or seconds. Infinite when what it measures never came.
struct Figure {
    value: f64,
    /// Out of how many things it was computed.
    of: u64,
    /// Entries that show it.
    entries: Vec<usize>,
}

/// What the figures are computed from.
struct Scope<'a> {
    expected: &'a MetricExpectation,
    span: Option<PhaseSpan>,
}

/// Judges one expectation; `name` is such as `expect.metric[0]`.
pub(super) fn judge(index: &Index<'_>, name: &str, expected: &MetricExpectation) -> Finding {
    let during = expected.during.as_ref().map(|phase| format!(" during {phase}")).unwrap_or_default();
    let title = format!("{} {}{during}", expected.of, expected.is);
    if let Some(says) = missing_capability(index, expected.of) {
        return not_judged(name, &title, Verdict::Skipped, says);
    }
    let span = match span(index, expected.during.as_deref()) {
        Ok(span) => span,
        Err(says) => return not_judged(name, &title, Verdict::Unknown, says),
    };
    let scope = Scope { expected, span };
    let (mut figures, unseen) = figures(index, &scope);
    let holds = |figure: &Figure| expected.is.holds(figure.value);
    if expected.on == OnInstances::Any && figures.iter().any(|(_, figure)| holds(figure)) {
        figures.retain(|(_, figure)| holds(figure));
    }
    if let (Some(says), true) = (unseen, figures.iter().all(|(_, figure)| holds(figure))) {
        let any_is_enough = expected.on == OnInstances::Any && !figures.is_empty();
        if !any_is_enough {
            return not_judged(name, &title, Verdict::Unknown, says);
        }
    }
    let shown: Vec<String> = figures.iter().map(|(whose, figure)| show(expected, whose, figure)).collect();
    let mut tally = Tally::default();
    for (whose, figure) in figures {
        if holds(&figure) {
            tally.judged();
        } else {
            tally.broken(figure.entries.last().copied().unwrap_or(0), || {
                (format!("{}; expected was {}", show(expected, &whose, &figure), expected.is), figure.entries)
            });
        }
    }
    let unseen = "there is no such instance".to_owned();
    tally.named(name, &title, index, Words { held: shown.join("; "), unseen })
}

fn missing_capability(index: &Index<'_>, metric: Metric) -> Option<String> {
    let (needs, says) = match metric {
        Metric::OkRate(_) | Metric::ReplicatedRate(_) | Metric::Latency(..) => return None,
        Metric::LocalRate(_) => {
            (Capability::Fallback, "the subject serves nothing locally (capability `fallback`)")
        }
        Metric::ResyncDuration => (Capability::Resync, "the subject has no resync (capability `resync`)"),
        Metric::BreakerOpenedAfter | Metric::BreakerClosedAfter => {
            (Capability::Breaker, "the subject has no breaker, or tells nothing of it (capability `breaker`)")
        }
    };
    (!index.can(needs)).then(|| says.to_owned())
}

fn show(expected: &MetricExpectation, whose: &str, figure: &Figure) -> String {
    let value = match (figure.value.is_finite(), expected.of.is_duration()) {
        (false, _) => "never came".to_owned(),
        (true, true) => {
            format!(
                "was {}",
                words::seconds(super::index::nanos(std::time::Duration::from_secs_f64(figure.value)))
            )
        }
        (true, false) => format!("was {:.5} of {}", figure.value, figure.of),
    };
    format!("{} of {whose} {value}", expected.of)
}

/// The figures, with whose they are; and why one could not be computed.
fn figures(index: &Index<'_>, scope: &Scope<'_>) -> (Vec<(String, Figure)>, Option<String>) {
    let numbers: Vec<u16> = match scope.expected.on {
        OnInstances::Every | OnInstances::Any => (0..index.head.instances).collect(),
        OnInstances::One(number) => {
            vec![number].into_iter().filter(|number| *number < index.head.instances).collect()
        }
    };
    let per_breaker = matches!(scope.expected.of, Metric::BreakerOpenedAfter | Metric::BreakerClosedAfter);
    let groups: Vec<(String, Vec<u16>)> = if per_breaker || scope.expected.on != OnInstances::Every {
        let struck = |number: &u16| {
            let hit = || index.lives.of(*number).any(|life| index.faults.end_for(life).is_some());
            !per_breaker || scope.expected.on != OnInstances::Every || hit()
        };
        numbers
            .into_iter()
            .filter(struck)
            .map(|number| (format!("instance-{number}"), vec![number]))
            .collect()
    } else {
        vec![("all instances".to_owned(), numbers)]
    };
    let (mut found, mut unseen) = (Vec::new(), None);
    if groups.is_empty() {
        unseen = Some("no fault struck an instance; one would make it known".to_owned());
    }
    for (whose, numbers) in groups {
        let lives: Vec<u16> = numbers.iter().flat_map(|number| index.lives.of(*number)).collect();
        match figure(index, scope, &lives) {
            Ok(figure) => found.push((whose, figure)),
            Err(why) => unseen = Some(format!("{whose}: {why}")),
        }
    }
    (found, unseen)
}

fn figure(index: &Index<'_>, scope: &Scope<'_>, instances: &[u16]) -> Result<Figure, String> {
    match scope.expected.of {
        Metric::OkRate(kind) => {
            let (operations, of) = scope.operations(index, kind, instances)?;
            share(operations.iter().filter(|(_, operation)| operation.answered()).count(), of, || {
                first_entries(operations.iter().filter(|(_, operation)| !operation.answered()))
            })
        }
        Metric::LocalRate(kind) => {
            let (operations, _) = scope.operations(index, kind, instances)?;
            let acknowledged: Vec<_> =
                operations.into_iter().filter(|(_, operation)| operation.acknowledged()).collect();
            let local =
                |(_, operation): &&(usize, &Operation)| operation.served_by() == Some(ServedBy::Local);
            let count = acknowledged.iter().filter(local).count();
            share(count, acknowledged.len(), || {
                first_entries(acknowledged.iter().filter(|each| !local(each)))
            })
        }
        Metric::ReplicatedRate(kind) => {
            let (operations, _) = scope.operations(index, kind, instances)?;
            let written: Vec<_> = operations
                .into_iter()
                .filter(|(_, operation)| operation.acknowledged())
                .filter(|(_, operation)| !matches!(operation.kind, Kind::Get | Kind::Ttl))
                .collect();
            let replicated = |(_, operation): &&(usize, &Operation)| operation.replicated();
            let count = written.iter().filter(replicated).count();
            share(count, written.len(), || first_entries(written.iter().filter(|each| !replicated(each))))
        }
        Metric::Latency(kind, thousandths) => {
            let (operations, of) = scope.operations(index, kind, instances)?;
            latency(index, &operations, of, thousandths)
        }
        Metric::ResyncDuration => resync_duration(index, scope, instances),
        Metric::BreakerOpenedAfter => {
            each(instances.first(), |instance| opened_after(index, scope, instance))
        }
        Metric::BreakerClosedAfter => each(instances.last(), |instance| closed_after(index, scope, instance)),
    }
}

type Operations<'a> = Vec<(usize, &'a Operation)>;

impl Scope<'_> {
    fn covers(&self, t: u64) -> bool {
        self.span.as_ref().is_none_or(|span| (span.from..span.to).contains(&t))
    }

    /// The operations that the figure is about, and how many they are.
    fn operations<'a>(
        &self,
        index: &'a Index<'_>,
        kind: Option<Kind>,
        instances: &[u16],
    ) -> Result<(Operations<'a>, usize), String> {
        let is_meant = |operation: &Operation| {
            instances.contains(&operation.instance)
                && kind.is_none_or(|kind| kind == operation.kind)
                && self.covers(operation.due)
        };
        let all: Operations<'a> =
            index.operations.iter().enumerate().filter(|(_, operation)| is_meant(operation)).collect();
        if all.is_empty() {
            let what = kind.map_or("operation", Kind::name);
            return Err(format!("no {what} was due then; a load with some would make it known"));
        }
        let count = all.len();
        Ok((all, count))
    }
}

fn each(instance: Option<&u16>, figure: impl Fn(u16) -> Result<Figure, String>) -> Result<Figure, String> {
    let instance = instance.ok_or_else(|| "there is no such instance".to_owned())?;
    figure(*instance)
}

fn first_entries<'a>(mut operations: impl Iterator<Item = &'a (usize, &'a Operation)>) -> Vec<usize> {
    operations.next().map(|(_, operation)| operation.entries().collect()).unwrap_or_default()
}

#[expect(clippy::cast_precision_loss, reason = "a count of operations fits in 52 bits")]
fn share(part: usize, whole: usize, entries: impl FnOnce() -> Vec<usize>) -> Result<Figure, String> {
    if whole == 0 {
        return Err("no operation was acknowledged".to_owned());
    }
    Ok(Figure { value: part as f64 / whole as f64, of: whole as u64, entries: entries() })
}

/// From when the load meant an operation to start until its return; one that never returned lasts to the end of the run.
fn latency(
    index: &Index<'_>,
    operations: &Operations<'_>,
    of: usize,
    thousandths: u16,
) -> Result<Figure, String> {
    let over = index.over;
    let took = |operation: &Operation| operation.end.map_or(over, |end| end.t).saturating_sub(operation.due);
    let mut histogram = Histogram::<u64>::new(4).map_err(|error| error.to_string())?;
    for (_, operation) in operations {
        histogram.record(took(operation)).map_err(|error| error.to_string())?;
    }
    let longest = operations.iter().max_by_key(|(_, operation)| took(operation));
    let nanos = match thousandths {
        1000.. => longest.map_or(0, |(_, operation)| took(operation)),
        _ => histogram.value_at_quantile(f64::from(thousandths) / 1000.0),
    };
    let entries = longest.map(|(_, operation)| operation.entries().collect()).unwrap_or_default();
    Ok(Figure { value: seconds(nanos), of: of as u64, entries })
}

/// The longest resync. One that was interrupted and left something goes on with the next, and never ends if none follows.
fn resync_duration(index: &Index<'_>, scope: &Scope<'_>, instances: &[u16]) -> Result<Figure, String> {
    let mut longest: Option<(u64, Vec<usize>)> = None;
    let mut count = 0;
    let mut running = std::collections::BTreeMap::new();
    let mut interrupted = std::collections::BTreeSet::new();
    for (entry, line) in index.told() {
        let Event::Resync { instance, what } = line.e else { continue };
        if !instances.contains(&instance) {
            continue;
        }
        match what {
            Resync::Started { .. } => {
                if !interrupted.remove(&instance) && scope.covers(line.t) {
                    running.insert(instance, (line.t, entry));
                }
            }
            Resync::Interrupted { sessions: 0 } => _ = running.remove(&instance),
            Resync::Interrupted { .. } if running.contains_key(&instance) => {
                interrupted.insert(instance);
            }
            Resync::Interrupted { .. } => {}
            Resync::Finished { .. } => {
                interrupted.remove(&instance);
                let Some((started, start)) = running.remove(&instance) else { continue };
                count += 1;
                let took = line.t - started;
                if longest.as_ref().is_none_or(|(before, _)| took > *before) {
                    longest = Some((took, vec![start, entry]));
                }
            }
        }
    }
    // One that is gone has left it to the next.
    running.retain(|instance, _| index.gone(*instance).is_none());
    if let Some((_, entry)) = running.values().next() {
        return Ok(Figure { value: f64::INFINITY, of: count, entries: vec![*entry] });
    }
    let (took, entries) = longest.ok_or_else(|| {
        "no resync started and finished; a fault during which writes are accepted locally would make it known".to_owned()
    })?;
    Ok(Figure { value: seconds(took), of: count, entries })
}

/// From the start of the first fault on the instance to its breaker's first opening.
fn opened_after(index: &Index<'_>, scope: &Scope<'_>, instance: u16) -> Result<Figure, String> {
    let mut faults =
        index.faults.all.iter().filter(|fault| fault.strikes(instance) && scope.covers(fault.on.0));
    let fault = faults.next().ok_or_else(|| "no fault struck it; one would make it known".to_owned())?;
    let changes = index.changes(instance);
    let opening = changes.iter().find(|change| change.to == BreakerState::Open && change.t >= fault.asked);
    let Some(opening) = opening else {
        let mut asked = index
            .operations_within(instance, fault.on.0, fault.over())
            .filter(|(_, operation)| operation.invoke.t < fault.over());
        let (_, asked) = asked.next().ok_or_else(|| {
            "no operation of its began during the fault, so nothing could have opened its breaker; a load would make it known".to_owned()
        })?;
        return Ok(Figure { value: f64::INFINITY, of: 1, entries: vec![fault.on.1, asked.invoke.entry] });
    };
    let value = seconds(opening.t.saturating_sub(fault.on.0));
    Ok(Figure { value, of: 1, entries: vec![fault.on.1, opening.entry] })
}

/// From the end of the last fault on the instance to its breaker's last closing.
fn closed_after(index: &Index<'_>, scope: &Scope<'_>, instance: u16) -> Result<Figure, String> {
    let faults = index.faults.all.iter().filter(|fault| fault.strikes(instance) && scope.covers(fault.on.0));
    let fault = faults.max_by_key(|fault| fault.over());
    let fault = fault.ok_or_else(|| "no fault struck it; one would make it known".to_owned())?;
    let changes = index.changes(instance);
    let last = changes.last().ok_or_else(|| {
        "its breaker never opened; a longer fault, or one that fails its calls, would make it known"
            .to_owned()
    })?;
    let mut entries: Vec<usize> = fault.off.map(|(_, entry)| entry).into_iter().collect();
    entries.push(last.entry);
    let value = match last.to {
        BreakerState::Closed => seconds(last.t.saturating_sub(fault.over())),
        BreakerState::Open | BreakerState::HalfOpen => f64::INFINITY,
    };
    Ok(Figure { value, of: 1, entries })
}

#[expect(clippy::cast_precision_loss, reason = "nanoseconds of a run fit in 52 bits")]
fn seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}

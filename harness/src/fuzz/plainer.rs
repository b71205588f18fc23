//! Ways to make a schedule plainer without leaving out a whole fault or operation.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use super::case::{Case, Line};
use crate::fault::Fault;
use crate::units::{format_duration, parse_duration};

/// Milliseconds that people like.
const ROUND: [u64; 4] = [1000, 500, 100, 10];

/// How many milliseconds a fault may take to strike or to end, in real time.
const EDGE_MS: u64 = 100;

/// Every plainer schedule that is one step away. None is the same as `case`, and none leaves it more to chance in real time what a
/// fault strikes.
pub(super) fn all(case: &Case) -> Vec<Case> {
    let mut found = Vec::new();
    fewer_instances(case, &mut found);
    fewer_sessions(case, &mut found);
    lengths(case, &mut found);
    for number in 0..case.faults.len() {
        let with = |line: Line| {
            let mut plainer = case.clone();
            plainer.faults[number] = line;
            plainer
        };
        found.extend(lines(&case.faults[number]).into_iter().map(with));
    }
    for number in 0..case.operations.len() {
        let at_ms = case.operations[number].at_ms;
        found.extend(rounder(at_ms).into_iter().map(|at_ms| {
            let mut plainer = case.clone();
            plainer.operations[number].at_ms = at_ms;
            plainer.operations.sort_by_key(|operation| operation.at_ms);
            plainer
        }));
    }
    let most = close_to_edges(case);
    found.retain(|plainer| plainer != case && close_to_edges(plainer) <= most);
    found
}

/// How many milliseconds, in all, operations start too close to where a fault strikes or ends. In virtual time it is certain which
/// is first, in real time it is not, and what fails may then pass.
fn close_to_edges(case: &Case) -> u64 {
    let edges = || {
        case.faults.iter().flat_map(|line| {
            let begins = case.steady_ms + line.at_ms;
            [begins, begins + line.for_ms]
        })
    };
    let close = |at_ms: u64| edges().map(|edge| EDGE_MS.saturating_sub(edge.abs_diff(at_ms))).sum::<u64>();
    case.operations.iter().map(|operation| close(operation.at_ms)).sum()
}

/// The last instance's part is played by the first, or by nobody.
fn fewer_instances(case: &Case, found: &mut Vec<Case>) {
    let Some(last) = case.instances.checked_sub(1).filter(|last| *last > 0) else { return };
    let mut fewer = Case { instances: last, ..case.clone() };
    fewer.faults.retain(|line| !line.on.contains(&last));
    fewer.operations.retain(|operation| operation.instance != last);
    found.push(fewer);
    let mut merged = Case { instances: last, ..case.clone() };
    merged.faults.iter_mut().flat_map(|line| &mut line.on).filter(|on| **on == last).for_each(|on| *on = 0);
    merged.operations.iter_mut().filter(|one| one.instance == last).for_each(|one| one.instance = 0);
    found.push(merged);
}

/// Only sessions that an operation is about, or one for all.
fn fewer_sessions(case: &Case, found: &mut Vec<Case>) {
    let used: BTreeSet<u32> = case.operations.iter().map(|operation| operation.session).collect();
    let count = u32::try_from(used.len()).unwrap_or(u32::MAX).max(1);
    if count < case.sessions {
        let mut fewer = Case { sessions: count, ..case.clone() };
        for operation in &mut fewer.operations {
            let place = used.iter().position(|session| *session == operation.session).unwrap_or(0);
            operation.session = u32::try_from(place).unwrap_or(0);
        }
        found.push(fewer);
    }
    // Otherwise the one above is the same.
    if case.sessions > 1 && count > 1 {
        let mut one = Case { sessions: 1, ..case.clone() };
        one.operations.iter_mut().for_each(|operation| operation.session = 0);
        found.push(one);
    }
}

/// A storm that ends with its faults, a TTL that does not matter.
fn lengths(case: &Case, found: &mut Vec<Case>) {
    let needed = case.faults.iter().map(|line| line.at_ms + line.for_ms).max().unwrap_or(0).max(1);
    let last = case.operations.iter().map(|one| one.at_ms).max().unwrap_or(0);
    if needed < case.storm_ms {
        // Operations near the end move with it.
        let mut shorter = Case { storm_ms: needed, ..case.clone() };
        let latest = shorter.length_ms().saturating_sub(600);
        shorter.operations.iter_mut().for_each(|one| one.at_ms = one.at_ms.min(latest));
        found.push(shorter);
    }
    if case.storm_ms > 1000 && last < case.length_ms() / 2 {
        found.extend(
            rounder(case.storm_ms)
                .into_iter()
                .filter(|storm| *storm >= needed)
                .map(|storm_ms| Case { storm_ms, ..case.clone() }),
        );
    }
    if case.ttl_ms != 600_000 {
        found.push(Case { ttl_ms: 600_000, ..case.clone() });
        found.extend(rounder(case.ttl_ms).into_iter().map(|ttl_ms| Case { ttl_ms, ..case.clone() }));
    }
}

fn lines(line: &Line) -> Vec<Line> {
    let mut found = Vec::new();
    if !line.on.is_empty() {
        found.push(Line { on: Vec::new(), ..line.clone() });
    }
    if line.direction.is_some() {
        found.push(Line { direction: None, ..line.clone() });
    }
    if line.probability.is_some() {
        found.push(Line { probability: None, ..line.clone() });
    }
    if line.matching.is_some() {
        found.push(Line { matching: None, ..line.clone() });
    }
    found.extend(parameters(&line.fault).into_iter().map(|fault| Line { fault, ..line.clone() }));
    found.extend(rounder(line.at_ms).into_iter().map(|at_ms| Line { at_ms, ..line.clone() }));
    found.extend(
        rounder(line.for_ms)
            .into_iter()
            .filter(|for_ms| *for_ms > 0)
            .map(|for_ms| Line { for_ms, ..line.clone() }),
    );
    found
}

/// The fault with one of its durations rounder.
fn parameters(fault: &Fault) -> Vec<Fault> {
    let parameters = fault.parameters();
    let mut found = Vec::new();
    for (key, value) in parameters.as_object().into_iter().flatten() {
        let Some(length) = value.as_str().and_then(|text| parse_duration(text).ok()) else { continue };
        let Ok(ms) = u64::try_from(length.as_millis()) else { continue };
        for ms in rounder(ms).into_iter().filter(|ms| *ms > 0) {
            let mut plainer = parameters.clone();
            plainer[key] = Value::String(format_duration(Duration::from_millis(ms)));
            let named = serde_json::json!({ fault.name(): plainer });
            let fault = serde_json::from_value::<Fault>(named).ok();
            found.extend(fault.filter(|fault| fault.problems().is_empty()));
        }
    }
    found
}

/// Smaller numbers that are rounder, the roundest first.
fn rounder(ms: u64) -> Vec<u64> {
    let mut found: Vec<u64> =
        ROUND.iter().map(|round| ms - ms % round).filter(|rounder| *rounder < ms).collect();
    found.dedup();
    // Halving is no use where it is not round.
    if ms >= 2000 && ms.is_multiple_of(1000) {
        found.push(ms / 2000 * 1000);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::case::tests::case;
    use super::*;

    #[test]
    fn numbers_become_rounder_and_never_larger() {
        assert_eq!(rounder(1234), [1000, 1200, 1230]);
        assert_eq!(rounder(700), [0, 500]);
        assert_eq!(rounder(7), [0]);
        assert_eq!(rounder(4000), [2000]);
        assert_eq!(rounder(0), [0; 0]);
    }

    #[test]
    fn no_operation_comes_nearer_to_where_a_fault_strikes_or_ends() {
        let mut case = case();
        (case.instances, case.operations[0].instance) = (1, 0);
        case.faults.truncate(1);
        (case.faults[0].at_ms, case.faults[0].for_ms) = (2000, 1500);
        case.operations.truncate(1);
        for (at_ms, close) in
            [(2900, 0), (2901, 1), (3000, 100), (3099, 1), (3100, 0), (4400, 0), (4470, 70), (4600, 0)]
        {
            case.operations[0].at_ms = at_ms;
            assert_eq!(close_to_edges(&case), close, "{at_ms}");
        }
        case.operations[0].at_ms = 3678;
        let starts = |case: &Case| {
            let moved = all(case).into_iter().map(|step| step.operations[0].at_ms);
            moved.filter(|at_ms| *at_ms != case.operations[0].at_ms).collect::<Vec<_>>()
        };
        assert_eq!(starts(&case), [3500, 3600, 3670], "3000 is where it strikes");
        case.operations[0].at_ms = 3056;
        assert_eq!(starts(&case), [0; 0], "nearer still");
        case.operations[0].at_ms = 2956;
        assert_eq!(starts(&case), [2000, 2500, 2900, 2950], "further away");
    }

    #[test]
    fn every_step_is_a_schedule_of_its_own_that_is_plainer() {
        let mut case = case();
        case.operations[1].at_ms = 2234;
        let steps = all(&case);
        assert!(steps.len() > 5);
        for (number, step) in steps.iter().enumerate() {
            assert_ne!(*step, case);
            assert!(!steps[..number].contains(step), "{step:?}");
            assert!(step.instances <= case.instances && step.sessions <= case.sessions);
            assert!(step.storm_ms <= case.storm_ms);
        }
        assert!(steps.iter().any(|step| step.instances == 1 && step.operations.len() == 2));
        assert!(steps.iter().any(|step| step.faults[0].on.is_empty()));
    }
}

//! The coverage as a table for people: which situations were met, which were not, and which cannot be.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::coverage::{Cell, Coverage, FaultKind, MODES, STATES, mode_name, state_name, unreachable};
use crate::history::{BreakerState, Mode};
use crate::load::Kind;

/// The table, then what is empty, then what cannot be reached and why.
pub fn coverage_text(coverage: &Coverage) -> String {
    let mut out = String::new();
    let (covered, reachable) = (coverage.covered(), Coverage::reachable());
    // Writing to a string cannot fail.
    let _ = writeln!(
        out,
        "{} of situations covered: {covered} of {reachable} that can be reached",
        percent(coverage.thousandths())
    );
    table(&mut out, coverage);
    listed(&mut out, "empty", &coverage.empty());
    why_not(&mut out);
    listed(&mut out, "met though it cannot be, says the rule above", &coverage.unexpected());
    out
}

/// `95.1 %`.
pub fn percent(thousandths: usize) -> String {
    format!("{}.{} %", thousandths / 10, thousandths % 10)
}

/// A row a kind of fault, a column a state of the client; in each place how many of the kinds of operation began so.
fn table(out: &mut String, coverage: &Coverage) {
    let columns = columns();
    let width = FaultKind::all().iter().map(|fault| fault.name().len()).max().unwrap_or(0);
    let heads: Vec<String> = columns.iter().map(|column| head(*column)).collect();
    let _ = writeln!(out, "\n{:width$}  {}", "", heads.join("  "));
    for fault in FaultKind::all() {
        let place = |(head, (breaker, mode)): (&String, &(BreakerState, Mode))| {
            let cells = Kind::ALL.map(|operation| Cell { fault, breaker: *breaker, mode: *mode, operation });
            let met = cells.iter().filter(|cell| coverage.count(**cell) > 0).count();
            format!("{:>1$}", format!("{met}/{}", cells.len()), head.len())
        };
        let places: Vec<String> = heads.iter().zip(&columns).map(place).collect();
        let _ = writeln!(out, "{:width$}  {}", fault.name(), places.join("  "));
    }
}

/// The states of a client in which some operation can begin.
fn columns() -> Vec<(BreakerState, Mode)> {
    let all = STATES.into_iter().flat_map(|breaker| MODES.map(|mode| (breaker, mode)));
    let reachable = |column: &(BreakerState, Mode)| {
        Cell::all()
            .into_iter()
            .any(|cell| (cell.breaker, cell.mode) == *column && unreachable(cell).is_none())
    };
    all.filter(reachable).collect()
}

fn head((breaker, mode): (BreakerState, Mode)) -> String {
    format!("{} {}", state_name(breaker), mode_name(mode))
}

/// The cells, the operations of one fault and state together.
fn listed(out: &mut String, what: &str, cells: &[Cell]) {
    if cells.is_empty() {
        return;
    }
    let mut rows: BTreeMap<(FaultKind, BreakerState, Mode), Vec<&str>> = BTreeMap::new();
    for cell in cells {
        let key = (cell.fault, cell.breaker, cell.mode);
        rows.entry(key).or_default().push(cell.operation.name());
    }
    let _ = writeln!(out, "\n{what}:");
    for ((fault, breaker, mode), operations) in rows {
        let _ = writeln!(out, "  {fault}, {}: {}", head((breaker, mode)), operations.join(", "));
    }
}

/// What cannot be reached, by its reason.
fn why_not(out: &mut String) {
    let mut reasons: BTreeMap<&str, (Vec<String>, usize)> = BTreeMap::new();
    for cell in Cell::all() {
        let Some(why) = unreachable(cell) else { continue };
        let (states, count) = reasons.entry(why).or_default();
        *count += 1;
        let state = head((cell.breaker, cell.mode));
        if !states.contains(&state) {
            states.push(state);
        }
    }
    for (why, (states, count)) in reasons {
        let _ = writeln!(out, "\n{count} cannot be reached ({}): {why}", states.join(", "));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn the_table_has_a_row_a_fault_and_says_what_is_empty() {
        let text = coverage_text(&Coverage::of(&samples::history()));
        let shown: Vec<&str> = text.lines().take(4).collect();
        insta::assert_snapshot!(shown.join("\n"), @"
        0.2 % of situations covered: 2 of 672 that can be reached

                         closed redis  closed local  open local  half-open local
        bandwidth                 0/6           0/6         0/6              0/6
        ");
        let row =
            |name: &str| text.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
        assert_eq!(row("kill "), "kill                      1/6           0/6         1/6              0/6");
        let empty = text.lines().find(|line| line.starts_with("  kill, open local")).unwrap();
        assert_eq!(empty, "  kill, open local: create, update, touch, destroy, ttl");
        assert!(text.contains("336 cannot be reached (open redis, half-open redis): a client"), "{text}");
        assert!(!text.contains("met though"), "{text}");
    }

    #[test]
    fn what_was_met_against_the_rule_is_shown() {
        let mut history = samples::history();
        // As if it had not told that it goes on from memory.
        history.entries.retain(|entry| !matches!(entry.e, crate::history::Event::Mode { .. }));
        let text = coverage_text(&Coverage::of(&history));
        assert!(
            text.ends_with("met though it cannot be, says the rule above:\n  kill, open redis: get\n"),
            "{text}"
        );
    }
}

//! `flaws.csv` and `flaws.md`: how soon random schedules caught each planted flaw, and how small the schedule can be that does.

use std::fmt::Write as _;

use serde::Serialize;
use thiserror::Error;

/// Why the rows could not be made.
#[derive(Debug, Error)]
#[error("failed to write the flaws as CSV: {0}")]
pub struct FlawsError(String);

/// What became of a flaw; in `flaws.csv` the columns are these fields, in this order.
#[derive(Clone, Debug, Serialize)]
pub struct FlawRow {
    /// The flaw.
    pub flaw: &'static str,
    /// The check that must catch it.
    pub check: &'static str,
    /// How many schedules were run, up to the one that it was caught by.
    pub runs: u64,
    /// How many schedules it took until that check failed; none if it never did.
    pub schedules: Option<u64>,
    /// How many it took until any check failed.
    pub schedules_any: Option<u64>,
    /// Which that was; empty if none did.
    pub first_check: String,
    /// Faults of the schedule, as drawn.
    pub faults_drawn: Option<usize>,
    /// Operations of the schedule, as drawn.
    pub operations_drawn: Option<usize>,
    /// Faults that are left of them.
    pub faults: Option<usize>,
    /// Operations that are left of them.
    pub operations: Option<usize>,
    /// Runs that making it smaller took.
    pub shrink_runs: Option<usize>,
    /// Whether nothing of it can be left out.
    pub minimal: Option<bool>,
    /// What the small schedule came to in each world that it was run in, such as `sim caught, containers cannot`.
    pub again: String,
    /// Its scenario file; empty if there is none.
    pub file: String,
}

/// Every flaw as CSV, with a line of headings.
///
/// # Errors
///
/// None that could be foreseen: it writes to memory.
pub fn flaws_csv(rows: &[FlawRow]) -> Result<String, FlawsError> {
    let failed = |cause: String| FlawsError(cause);
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.serialize(row).map_err(|cause| failed(cause.to_string()))?;
    }
    let bytes = writer.into_inner().map_err(|cause| failed(cause.to_string()))?;
    String::from_utf8(bytes).map_err(|cause| failed(cause.to_string()))
}

/// The same as a table of Markdown, with the sum of it above.
pub fn flaws_table(rows: &[FlawRow]) -> String {
    let mut text = format!("{}\n\n", flaws_sum(rows));
    text.push_str("| flaw | check | schedules | first failed | drawn | left | again |\n");
    text.push_str("| --- | --- | --- | --- | --- | --- | --- |\n");
    let size = |faults: Option<usize>, operations: Option<usize>| match (faults, operations) {
        (Some(faults), Some(operations)) => format!("{faults} + {operations}"),
        _ => String::new(),
    };
    for row in rows {
        let schedules =
            row.schedules.map_or_else(|| format!("never in {}", row.runs), |count| count.to_string());
        let first = row.schedules_any.map_or_else(String::new, |at| format!("{} at {at}", row.first_check));
        let (drawn, left) = (size(row.faults_drawn, row.operations_drawn), size(row.faults, row.operations));
        let FlawRow { flaw, check, again, .. } = row;
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| `{flaw}` | {check} | {schedules} | {first} | {drawn} | {left} | {again} |");
    }
    text
}

/// How many were caught, and the medians, in a line.
pub fn flaws_sum(rows: &[FlawRow]) -> String {
    let caught = rows.iter().filter(|row| row.schedules.is_some()).count();
    let of = |what: fn(&FlawRow) -> Option<u64>| median(rows.iter().filter_map(what).collect());
    let count = |number: Option<usize>| number.and_then(|number| u64::try_from(number).ok());
    let mut text = format!("{caught} of {} caught", rows.len());
    let medians = [
        ("schedules", of(|row| row.schedules)),
        ("faults", median(rows.iter().filter_map(|row| count(row.faults)).collect())),
        ("operations", median(rows.iter().filter_map(|row| count(row.operations)).collect())),
    ];
    for (what, median) in medians {
        if let Some(median) = median {
            let _ = write!(text, "; median of {what} {median}");
        }
    }
    text
}

/// The middle one, or the upper of the two in the middle.
fn median(mut numbers: Vec<u64>) -> Option<u64> {
    numbers.sort_unstable();
    numbers.get(numbers.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<FlawRow> {
        let caught = FlawRow {
            flaw: "resync-off",
            check: "I1",
            runs: 17,
            schedules: Some(17),
            schedules_any: Some(12),
            first_check: "I10".to_owned(),
            faults_drawn: Some(4),
            operations_drawn: Some(211),
            faults: Some(1),
            operations: Some(2),
            shrink_runs: Some(80),
            minimal: Some(true),
            again: "sim caught, containers cannot".to_owned(),
            file: "found/resync-off.toml".to_owned(),
        };
        let never = FlawRow {
            flaw: "never-returns",
            check: "I15",
            runs: 10_000,
            schedules: None,
            schedules_any: None,
            first_check: String::new(),
            faults_drawn: None,
            operations_drawn: None,
            faults: None,
            operations: None,
            shrink_runs: None,
            minimal: None,
            again: String::new(),
            file: String::new(),
        };
        vec![caught, never]
    }

    #[test]
    fn a_flaw_is_a_row_and_one_that_was_never_caught_has_empty_cells() {
        insta::assert_snapshot!(flaws_csv(&rows()).unwrap(), @r#"
        flaw,check,runs,schedules,schedules_any,first_check,faults_drawn,operations_drawn,faults,operations,shrink_runs,minimal,again,file
        resync-off,I1,17,17,12,I10,4,211,1,2,80,true,"sim caught, containers cannot",found/resync-off.toml
        never-returns,I15,10000,,,,,,,,,,,
        "#);
    }

    #[test]
    fn the_table_says_how_many_were_caught() {
        insta::assert_snapshot!(flaws_table(&rows()), @r"
        1 of 2 caught; median of schedules 17; median of faults 1; median of operations 2

        | flaw | check | schedules | first failed | drawn | left | again |
        | --- | --- | --- | --- | --- | --- | --- |
        | `resync-off` | I1 | 17 | I10 at 12 | 4 + 211 | 1 + 2 | sim caught, containers cannot |
        | `never-returns` | I15 | never in 10000 |  |  |  |  |
        ");
    }

    #[test]
    fn a_median_is_one_of_the_numbers() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![9, 1, 2]), Some(2));
        assert_eq!(median(vec![4, 1, 2, 9]), Some(4));
    }
}

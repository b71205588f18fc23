//! `coverage.csv`: one row a situation.

use serde::Serialize;
use thiserror::Error;

use crate::coverage::{Cell, Coverage, FaultKind, mode_name, state_name, unreachable};

/// Why the table could not be made.
#[derive(Debug, Error)]
#[error("failed to write the coverage as CSV: {0}")]
pub struct CoverageError(String);

/// A row; the columns are its fields, in this order.
#[derive(Serialize)]
struct Row {
    fault: FaultKind,
    breaker: &'static str,
    mode: &'static str,
    operation: &'static str,
    /// How many operations began so.
    count: u64,
    state: &'static str,
    /// Why it cannot be reached, if so.
    because: &'static str,
}

/// Every situation as CSV, with a line of headings.
pub fn coverage_csv(coverage: &Coverage) -> Result<String, CoverageError> {
    let failed = |cause: String| CoverageError(cause);
    let mut writer = csv::Writer::from_writer(Vec::new());
    for cell in Cell::all() {
        writer.serialize(row(coverage, cell)).map_err(|cause| failed(cause.to_string()))?;
    }
    let bytes = writer.into_inner().map_err(|cause| failed(cause.to_string()))?;
    String::from_utf8(bytes).map_err(|cause| failed(cause.to_string()))
}

fn row(coverage: &Coverage, cell: Cell) -> Row {
    let (count, because) = (coverage.count(cell), unreachable(cell));
    let state = match (because, count) {
        (None, 0) => "empty",
        (None, _) => "covered",
        (Some(_), 0) => "impossible",
        (Some(_), _) => "unexpected",
    };
    Row {
        fault: cell.fault,
        breaker: state_name(cell.breaker),
        mode: mode_name(cell.mode),
        operation: cell.operation.name(),
        count,
        state,
        because: because.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn every_situation_is_a_row() {
        let text = coverage_csv(&Coverage::of(&samples::history())).unwrap();
        assert_eq!(text.lines().count(), Cell::all().len() + 1);
        assert!(text.starts_with("fault,breaker,mode,operation,count,state,because\n"), "{text}");
        for row in [
            "kill,closed,redis,update,1,covered,",
            "kill,open,local,get,2,covered,",
            "kill,half-open,local,get,0,empty,",
            "kill,open,redis,get,0,impossible,a client",
        ] {
            assert!(text.lines().any(|line| line.starts_with(row)), "{row}");
        }
    }
}

//! Shrinks a schedule that fails, run by run, to the smallest that fails in the same way.

use proptest::strategy::ValueTree as _;

use super::case::Case;
use super::hunt::{Examined, Hunter};
use super::tree::CaseTree;
use crate::check::Finding;

/// Runs that it may take where nobody says otherwise.
pub const MOST_RUNS: usize = 5000;

/// The smallest schedule that was found.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The schedule.
    pub case: Case,
    /// What its run failed by.
    pub finding: Finding,
    /// How many runs it took.
    pub runs: usize,
    /// Whether no step makes it smaller any more; else it was interrupted.
    pub minimal: bool,
}

/// Makes `case` smaller as long as its run fails by the same check as `finding` tells of. Ends early when the hunter's stop is
/// requested, or after `most` runs; `progress` hears of every step that stays.
pub async fn shrink(
    hunter: &Hunter,
    case: Case,
    finding: Finding,
    most: usize,
    mut progress: impl FnMut(&Case, usize),
) -> Shrunk {
    let mut shrunk = Shrunk { case: case.clone(), finding, runs: 0, minimal: false };
    let mut tree = CaseTree::new(case);
    let mut more = tree.simplify();
    while more && shrunk.runs < most && !hunter.stop.is_requested() {
        let smaller = tree.current();
        shrunk.runs += 1;
        more = match hunter.examine(&smaller).await {
            Some(Examined::Failed(findings)) => {
                match findings.into_iter().find(|finding| finding.check == shrunk.finding.check) {
                    Some(finding) => {
                        (shrunk.case, shrunk.finding) = (smaller, finding);
                        progress(&shrunk.case, shrunk.runs);
                        tree.simplify()
                    }
                    None => tree.complicate(),
                }
            }
            // It makes no sense, passes, or says nothing.
            _ => tree.complicate(),
        };
    }
    shrunk.minimal = !more;
    shrunk
}

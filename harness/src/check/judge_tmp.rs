//! tmp
use super::{Judgement, Verdict};
/// tmp
pub fn judge(_h: &crate::history::History) -> Judgement {
    Judgement { findings: vec![], verdict: Verdict::Pass }
}

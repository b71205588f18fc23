//! Makes a schedule smaller, step by step: a proptest value tree.
//!
//! Lists lose large parts first, then smaller ones (Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input",
//! 2002); then what is left becomes plainer. All begins again until nothing helps any more, so that what is left is minimal: no
//! single step makes it smaller and keeps the failure.

use proptest::strategy::ValueTree;

use super::case::Case;
use super::plainer;

/// What is made smaller, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Operations are left out.
    Operations,
    /// Faults are left out.
    Faults,
    /// Settings are left out.
    Settings,
    /// Numbers become rounder, parts of faults vanish.
    Plainer,
}

/// A schedule that becomes smaller.
#[derive(Debug)]
pub struct CaseTree {
    case: Case,
    /// What it was before the last step, while nobody has said whether the step may stay.
    before: Option<Case>,
    stage: Stage,
    /// How many entries of a list a step leaves out.
    chunk: usize,
    /// Where in the list, or among the ways to be plainer, the next step is.
    at: usize,
    /// Whether any step has stayed since all began anew.
    shrunk: bool,
}

impl CaseTree {
    /// Begins with `case`.
    pub fn new(case: Case) -> Self {
        let chunk = case.operations.len().max(1);
        Self { case, before: None, stage: Stage::Operations, chunk, at: 0, shrunk: false }
    }

    /// Takes the next step that makes it smaller. False when there is none.
    fn step(&mut self) -> bool {
        loop {
            if let Some(smaller) = self.next() {
                self.before = Some(std::mem::replace(&mut self.case, smaller));
                return true;
            }
            if !self.go_on() {
                return false;
            }
        }
    }

    /// The next smaller one of this stage and chunk.
    fn next(&mut self) -> Option<Case> {
        let mut smaller = self.case.clone();
        let fits = match self.stage {
            // Without any the load would draw its own.
            Stage::Operations => {
                cut(&mut smaller.operations, self.at, self.chunk) && !smaller.operations.is_empty()
            }
            Stage::Faults => cut(&mut smaller.faults, self.at, self.chunk),
            Stage::Settings => cut(&mut smaller.settings, self.at, self.chunk),
            Stage::Plainer => return plainer::all(&self.case).into_iter().nth(self.at),
        };
        fits.then_some(smaller)
    }

    /// Goes on with smaller chunks, with the next stage, or from the beginning. False when nothing has helped since then.
    fn go_on(&mut self) -> bool {
        self.at = 0;
        if self.stage != Stage::Plainer && self.chunk > 1 {
            self.chunk = self.chunk.div_ceil(2);
            return true;
        }
        self.stage = match self.stage {
            Stage::Operations => Stage::Faults,
            Stage::Faults => Stage::Settings,
            Stage::Settings => Stage::Plainer,
            Stage::Plainer if self.shrunk => {
                self.shrunk = false;
                Stage::Operations
            }
            Stage::Plainer => return false,
        };
        self.chunk = match self.stage {
            Stage::Operations => self.case.operations.len(),
            Stage::Faults => self.case.faults.len(),
            Stage::Settings => self.case.settings.len(),
            Stage::Plainer => 1,
        };
        self.chunk = self.chunk.max(1);
        true
    }
}

impl ValueTree for CaseTree {
    type Value = Case;

    fn current(&self) -> Case {
        self.case.clone()
    }

    /// The step before may stay: what is there now fails as well.
    fn simplify(&mut self) -> bool {
        if self.before.take().is_some() {
            self.shrunk = true;
        }
        self.step()
    }

    /// The step before must not stay: what was before it comes back, and is made smaller otherwise.
    fn complicate(&mut self) -> bool {
        let Some(before) = self.before.take() else { return false };
        self.case = before;
        self.at += if self.stage == Stage::Plainer { 1 } else { self.chunk };
        self.step()
    }
}

/// Leaves out `count` entries from `at`; says whether there were any.
fn cut<T>(list: &mut Vec<T>, at: usize, count: usize) -> bool {
    if at >= list.len() {
        return false;
    }
    list.drain(at..at.saturating_add(count).min(list.len()));
    true
}

#[cfg(test)]
mod tests {
    use super::super::Cases;
    use super::*;
    use crate::load::Kind;

    /// What is left of `case` when everything stays of which `fails` says so, and how many were tried.
    fn shrunk(case: Case, fails: impl Fn(&Case) -> bool) -> (Case, usize) {
        let (mut tree, mut tried) = (CaseTree::new(case), 0);
        let mut more = tree.simplify();
        while more {
            tried += 1;
            more = if fails(&tree.current()) { tree.simplify() } else { tree.complicate() };
            assert!(tried < 10_000, "it does not end");
        }
        (tree.current(), tried)
    }

    #[test]
    fn what_matters_not_is_left_out() {
        let needed = |case: &Case| {
            let destroys = case.operations.iter().filter(|one| one.kind == Kind::Destroy).count();
            destroys >= 2 && case.faults.iter().any(|line| line.fault.name() == "kill")
        };
        let cases = Cases::default();
        let drawn: Vec<Case> = (0..400).map(|seed| cases.of_seed(seed)).filter(|case| needed(case)).collect();
        assert!(drawn.len() > 5, "{} of 400 would do", drawn.len());
        for case in drawn {
            let (small, tried) = shrunk(case, needed);
            assert_eq!((small.operations.len(), small.faults.len(), small.settings.len()), (2, 1, 0));
            assert_eq!((small.instances, small.sessions), (1, 1));
            assert!(small.scenario("x", "x").is_ok());
            assert!(tried < 1000, "{tried}");
        }
    }

    #[test]
    fn what_cannot_be_smaller_stays_as_it_is() {
        let (small, _) = shrunk(Cases::default().of_seed(3), |_| true);
        assert_eq!((small.operations.len(), small.faults.len()), (1, 0));
        let (same, _) = shrunk(small.clone(), |_| true);
        assert_eq!(same, small);
        let full = Cases::default().of_seed(3);
        assert_eq!(shrunk(full.clone(), |_| false).0, full);
    }
}

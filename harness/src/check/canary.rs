//! Canaries: scenarios that must fail, and by a named check. One that does not shows that the check would miss the flaw in a
//! client as well.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::tally::not_judged;
use super::{Finding, Verdict};

/// How the finding on a canary is called.
const NAME: &str = "canary";

/// `canary = { flaw = "resync-off", fails = "I1" }`: the run must fail by that check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Canary {
    /// The flaw to plant in the reference client; without one the scenario itself expects what cannot be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flaw: Option<String>,
    /// The check that must fail, such as `I1` or `expect.metric[0]`.
    pub fails: String,
}

impl Canary {
    /// `I1 failed with resync-off planted`.
    pub fn failed(&self) -> String {
        format!("{} failed{}", self.fails, self.with())
    }

    fn with(&self) -> String {
        self.flaw.as_ref().map_or_else(String::new, |flaw| format!(" with {flaw} planted"))
    }
}

impl Finding {
    /// Whether it says if a canary failed as it must.
    pub fn is_of_canary(&self) -> bool {
        self.check == NAME
    }
}

/// `I1 must fail with resync-off planted`.
impl fmt::Display for Canary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} must fail{}", self.fails, self.with())
    }
}

/// Whether the run failed as it must, given what was found and what that comes to. `None` where the run itself went wrong.
pub(super) fn judge(canary: &Canary, findings: &[Finding], verdict: Verdict) -> Option<Finding> {
    if verdict == Verdict::Invalid {
        return None;
    }
    let title = canary.to_string();
    let named = findings.iter().find(|finding| finding.check == canary.fails);
    let (verdict, says) = match named.map(|finding| (finding.verdict, finding)) {
        Some((Verdict::Fail, finding)) => (Verdict::Pass, format!("it did: {}", finding.says)),
        Some((Verdict::Skipped, finding)) => {
            (Verdict::Unknown, format!("{} was not judged: {}", canary.fails, finding.says))
        }
        Some((was @ (Verdict::Pass | Verdict::Unknown | Verdict::Invalid), finding)) => {
            (Verdict::Fail, missed(canary, findings, &format!("was {}: {}", word(was), finding.says)))
        }
        None => (Verdict::Fail, missed(canary, findings, "is no check of this run")),
    };
    let broken = u64::from(verdict == Verdict::Fail);
    Some(Finding { judged: 1, broken, ..not_judged(NAME, &title, verdict, says) })
}

/// That the check did not fail, and which others did.
fn missed(canary: &Canary, findings: &[Finding], instead: &str) -> String {
    let others = findings.iter().filter(|finding| finding.verdict == Verdict::Fail);
    let others: Vec<&str> = others.map(|finding| finding.check.as_str()).collect();
    let others = match others.as_slice() {
        [] => "nothing else failed either".to_owned(),
        others => format!("what failed is {}", others.join(", ")),
    };
    format!("{} must fail here, or it proves nothing elsewhere; it {instead}; {others}", canary.fails)
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "passed",
        Verdict::Unknown => "unknown",
        Verdict::Skipped => "skipped",
        Verdict::Invalid => "invalid",
        Verdict::Fail => "failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(check: &str, verdict: Verdict) -> Finding {
        not_judged(check, "a check", verdict, "it saw something".to_owned())
    }

    fn judged(findings: &[Finding], verdict: Verdict) -> Option<(Verdict, String)> {
        let canary = Canary { flaw: Some("resync-off".to_owned()), fails: "I1".to_owned() };
        judge(&canary, findings, verdict).map(|finding| (finding.verdict, finding.says))
    }

    #[test]
    fn it_passes_only_when_the_named_check_fails() {
        let caught = [found("I1", Verdict::Fail), found("I3", Verdict::Fail)];
        assert_eq!(judged(&caught, Verdict::Fail).unwrap().0, Verdict::Pass);
        let (verdict, says) = judged(&[found("I1", Verdict::Pass)], Verdict::Pass).unwrap();
        assert_eq!(verdict, Verdict::Fail);
        assert!(says.contains("was passed: it saw something; nothing else failed"), "{says}");
        assert_eq!(judged(&[found("I1", Verdict::Unknown)], Verdict::Unknown).unwrap().0, Verdict::Fail);
        assert_eq!(judged(&[], Verdict::Pass).unwrap().0, Verdict::Fail);
    }

    #[test]
    fn another_check_that_fails_does_not_make_up_for_it_and_is_named() {
        let (verdict, says) =
            judged(&[found("I1", Verdict::Pass), found("I8", Verdict::Fail)], Verdict::Fail).unwrap();
        assert_eq!(verdict, Verdict::Fail);
        assert!(says.ends_with("what failed is I8"), "{says}");
    }

    #[test]
    fn a_run_that_went_wrong_and_a_check_that_cannot_judge_say_nothing() {
        assert_eq!(judged(&[found("I1", Verdict::Fail)], Verdict::Invalid), None);
        assert_eq!(judged(&[found("I1", Verdict::Skipped)], Verdict::Pass).unwrap().0, Verdict::Unknown);
    }

    #[test]
    fn its_title_says_what_must_fail() {
        let mut canary = Canary { flaw: Some("resync-off".to_owned()), fails: "I1".to_owned() };
        assert_eq!(canary.to_string(), "I1 must fail with resync-off planted");
        canary.flaw = None;
        assert_eq!(canary.to_string(), "I1 must fail");
    }
}

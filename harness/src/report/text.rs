//! What a person reads on the terminal.

use std::fmt::Write as _;

use super::entry;
use super::escape::{one_line, visible};
use super::result::{RunResult, Trouble};
use crate::check::{Finding, Verdict};

/// Whether verdicts are coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// They are.
    On,
    /// Plain text.
    Off,
}

/// One line for each run, the columns aligned.
pub fn lines(results: &[RunResult], colour: Colour) -> String {
    let width = results.iter().map(|result| name(result).chars().count()).max().unwrap_or(0);
    results.iter().map(|result| line(result, width, colour) + "\n").collect()
}

/// One line for a run: `FAIL     resync/redis-killed  containers  seed 7  16.2 s  5 operations, 40.0 % ok`. The name is
/// filled up to `width` characters.
pub fn line(result: &RunResult, width: usize, colour: Colour) -> String {
    let head = head(result, width, colour);
    match &result.trouble {
        Some(trouble) => format!("{head}  {}", first_line(&trouble.to_string())),
        None => format!(
            "{head}  {}.{} s  {} operations, {}{}",
            result.took_ms / 1000,
            result.took_ms / 100 % 10,
            result.invoked(),
            ok_share(result),
            canary(result)
        ),
    }
}

/// Everything that is to be said of a run that did not pass, and of what a scenario waived; empty for a plain pass.
pub fn details(result: &RunResult, colour: Colour) -> String {
    let mut out = String::new();
    if result.decisive().next().is_none() && result.waived().next().is_none() && result.trouble.is_none() {
        return out;
    }
    match &result.trouble {
        Some(_) => out.push_str(&head(result, 0, colour)),
        None => out.push_str(&line(result, 0, colour)),
    }
    out.push('\n');
    field(&mut out, "proves", &result.proves);
    if !result.notes.is_empty() {
        field(&mut out, "world", &result.notes.join(", "));
    }
    if !result.subject.is_empty() {
        field(&mut out, "subject", &result.subject);
    }
    if let Some(trouble) = &result.trouble {
        indented(&mut out, 2, &trouble.to_string());
    }
    for finding in result.decisive() {
        describe(&mut out, finding, colour);
    }
    for finding in result.waived() {
        describe(&mut out, finding, colour);
    }
    match result.trouble {
        None | Some(Trouble::Run(_) | Trouble::Stopped) => field(&mut out, "replay", &result.replay),
        Some(Trouble::World(_) | Trouble::Skipped(_)) => {}
    }
    out
}

/// The last line: how many runs there were, and how they ended.
pub fn total(results: &[RunResult], colour: Colour) -> String {
    let all = [Verdict::Pass, Verdict::Fail, Verdict::Invalid, Verdict::Unknown, Verdict::Skipped];
    let mut parts = Vec::new();
    let stopped = |result: &RunResult| result.trouble == Some(Trouble::Stopped);
    for kind in all {
        let count = results.iter().filter(|result| result.verdict == kind && !stopped(result)).count();
        if count > 0 {
            parts.push(paint(&format!("{count} {}", word(kind)), kind, colour));
        }
    }
    let stopped = results.iter().filter(|result| stopped(result)).count();
    if stopped > 0 {
        parts.push(format!("{stopped} stopped"));
    }
    let waived = results.iter().filter(|result| result.waived().next().is_some()).count();
    if waived > 0 {
        parts.push(format!("{waived} with a waiver"));
    }
    let runs = if results.len() == 1 { "run" } else { "runs" };
    format!("{} {runs}: {}", results.len(), parts.join(", "))
}

fn head(result: &RunResult, width: usize, colour: Colour) -> String {
    let verdict = paint(&format!("{:<7}", word(result.verdict)), result.verdict, colour);
    format!("{verdict}  {:<width$}  {}  seed {}", name(result), one_line(&result.world), result.seed)
}

fn describe(out: &mut String, finding: &Finding, colour: Colour) {
    let Finding { check, title, says, judged, broken, witness, waived, .. } = finding;
    let counted = match finding.verdict {
        Verdict::Fail => format!(" ({broken} of {judged} broke it)"),
        Verdict::Pass | Verdict::Unknown | Verdict::Invalid | Verdict::Skipped => String::new(),
    };
    let mark = if waived.is_some() { "waived " } else { "" };
    let kind = paint(word(finding.verdict), finding.verdict, colour);
    let _ = writeln!(out, "  {mark}{kind}  {}: {}{counted}", one_line(check), one_line(title));
    if let Some(because) = waived {
        indented(out, 6, &format!("waived because {because}"));
    }
    indented(out, 6, says);
    for line in entry::lines(witness) {
        let _ = writeln!(out, "        {line}");
    }
}

fn field(out: &mut String, what: &str, text: &str) {
    let _ = writeln!(out, "  {what:<8} {}", one_line(text));
}

fn indented(out: &mut String, depth: usize, text: &str) {
    for line in visible(text).lines() {
        let _ = writeln!(out, "{:depth$}{line}", "");
    }
}

fn name(result: &RunResult) -> String {
    one_line(&result.scenario)
}

fn first_line(text: &str) -> String {
    one_line(text.lines().next().unwrap_or_default())
}

/// That it is a canary, whose pass means that a check failed.
fn canary(result: &RunResult) -> String {
    match (&result.canary, result.verdict) {
        (None, _) => String::new(),
        (Some(canary), Verdict::Pass) => format!("  canary: {}, as it must", one_line(&canary.failed())),
        (Some(_), _) => "  canary".to_owned(),
    }
}

fn ok_share(result: &RunResult) -> String {
    match result.invoked() {
        0 => "none ok".to_owned(),
        invoked => {
            // Rounded down, so that 100.0 % means every one.
            let thousandths = u128::from(result.answered()) * 1000 / u128::from(invoked);
            format!("{}.{} % ok", thousandths / 10, thousandths % 10)
        }
    }
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Fail => "FAIL",
        Verdict::Unknown => "unknown",
        Verdict::Invalid => "invalid",
        Verdict::Skipped => "skipped",
    }
}

fn paint(text: &str, verdict: Verdict, colour: Colour) -> String {
    let code = match verdict {
        Verdict::Pass => 32,
        Verdict::Fail => 31,
        Verdict::Unknown | Verdict::Invalid => 33,
        Verdict::Skipped => 36,
    };
    match colour {
        Colour::On => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        Colour::Off => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn a_run_is_one_line() {
        let results = [samples::passed(), samples::failed(), samples::skipped(), samples::no_world()];
        insta::assert_snapshot!(lines(&results, Colour::Off), @r#"
        pass     breaker/opens-and-closes  containers  seed 7  16.2 s  5 operations, 40.0 % ok
        FAIL     resync/redis-killed       containers  seed 7  16.2 s  5 operations, 40.0 % ok
        skipped  ragged/cut <&\u{1b}">     containers  seed 8  skipped: Toxiproxy has no drop_reply
        invalid  ragged/cut <&\u{1b}">     containers  seed 8  the world did not start: Docker does not answer
        "#);
    }

    #[test]
    fn a_failure_shows_its_witness_and_how_to_see_it_again() {
        insta::assert_snapshot!(details(&samples::failed(), Colour::Off), @"
        FAIL     resync/redis-killed  containers  seed 7  16.2 s  5 operations, 40.0 % ok
          proves   A Redis that is killed costs no acknowledged write
          world    redis:7.0.15, by the bridge address
          subject  squall-client 0.1.0
          FAIL  I1: no lost write (3 of 812 broke it)
              The write 0-1 to s17 was acknowledged by Redis at 3.003 s. At the end Redis has no such key.
                 3.001 s  instance-0  update s17, writes 0-1
                 3.003 s  instance-0  update s17: ok (redis)
                 4.012 s  fault 0     kill begins (instance-0, instance-1)
                16.100 s  redis       at the end, s17: no such key
          waived FAIL  I8: TTL, lower (1 of 40 broke it)
              waived because the server loses everything in this scenario
              s3 was missing 2 s before its expiry.
          replay   squall run scenarios/resync/redis-killed.toml --world containers --seed 7
        ");
    }

    #[test]
    fn a_world_that_did_not_start_says_what_to_do() {
        insta::assert_snapshot!(details(&samples::no_world(), Colour::Off), @r#"
        invalid  ragged/cut <&\u{1b}">  containers  seed 8
          proves   A cut in the middle of a reply harms no other reply
          the world did not start: Docker does not answer
            start it, or run scripts/docker-up
        "#);
    }

    #[test]
    fn a_pass_has_no_details() {
        assert_eq!(details(&samples::passed(), Colour::Off), "");
    }

    #[test]
    fn the_total_counts_every_verdict() {
        let results = [samples::passed(), samples::failed(), samples::skipped(), samples::no_world()];
        insta::assert_snapshot!(total(&results, Colour::Off), @"4 runs: 1 pass, 1 FAIL, 1 invalid, 1 skipped, 1 with a waiver");
    }

    #[test]
    fn colours_stand_around_verdicts_only() {
        assert!(line(&samples::failed(), 0, Colour::On).starts_with("\u{1b}[31mFAIL   \u{1b}[0m  resync/"));
    }
}

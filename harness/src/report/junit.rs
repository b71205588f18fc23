//! `junit.xml`: what a CI server shows. One suite a theme, one case a run, and one for each thing that must happen in some run.

use std::collections::BTreeMap;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use thiserror::Error;

use super::escape::{one_line, visible};
use super::result::{RunResult, theme_of};
use super::sometimes::{Sometimes, in_none_of, sometimes};
use super::text::{Colour, details};
use crate::check::Verdict;

/// Why the XML could not be made.
#[derive(Debug, Error)]
#[error("failed to write the results as JUnit XML: {0}")]
pub struct JunitError(#[from] quick_junit::SerializeError);

/// Every run as JUnit XML.
pub fn junit_xml(results: &[RunResult]) -> Result<String, JunitError> {
    let mut themes: BTreeMap<&str, Vec<&RunResult>> = BTreeMap::new();
    for result in results {
        themes.entry(result.theme()).or_default().push(result);
    }
    let of_suite = sometimes(results);
    let mut report = Report::new("squall");
    for (theme, results) in themes {
        let mut suite = TestSuite::new(one_line(if theme.is_empty() { "scenarios" } else { theme }));
        suite.add_test_cases(results.into_iter().map(case));
        suite.add_test_cases(of_suite.iter().filter(|one| theme_of(&one.scenario) == theme).map(some_run));
        report.add_test_suite(suite);
    }
    Ok(report.to_string()?)
}

fn case(result: &RunResult) -> TestCase {
    let name = result.scenario.rsplit('/').next().unwrap_or_default();
    let name = one_line(&format!("{name} [{} seed {}]", result.world, result.seed));
    let mut case = TestCase::new(name, status(result));
    case.set_classname(one_line(result.theme()));
    case.set_time(Duration::from_millis(result.took_ms));
    case.add_property(("proves", one_line(&result.proves).as_str()));
    case.add_property(("replay", one_line(&result.replay).as_str()));
    if let Some(canary) = &result.canary {
        case.add_property(("canary", one_line(&canary.to_string()).as_str()));
    }
    case
}

/// What must happen in some run of a scenario.
fn some_run(one: &Sometimes) -> TestCase {
    let name = one.scenario.rsplit('/').next().unwrap_or_default();
    let mut status = TestCaseStatus::success();
    if !one.is_met() {
        status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status.set_type("unknown");
        status.set_message(one_line(&format!("{}: {}", one.title, in_none_of(one.runs))));
        status.set_description(visible(&one.says).into_owned());
    }
    let mut case = TestCase::new(one_line(&format!("{name} [{} {}]", one.world, one.check)), status);
    case.set_classname(one_line(theme_of(&one.scenario)));
    case.add_property(("proves", one_line(&one.title).as_str()));
    case
}

fn status(result: &RunResult) -> TestCaseStatus {
    let mut status = match result.verdict {
        Verdict::Pass => return TestCaseStatus::success(),
        Verdict::Skipped => TestCaseStatus::skipped(),
        Verdict::Fail => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Verdict::Unknown | Verdict::Invalid => TestCaseStatus::non_success(NonSuccessKind::Error),
    };
    let kind = match result.verdict {
        Verdict::Pass => "pass",
        Verdict::Skipped => "skipped",
        Verdict::Fail => "fail",
        Verdict::Unknown => "unknown",
        Verdict::Invalid => "invalid",
    };
    status.set_type(kind);
    status.set_message(message(result));
    status.set_description(visible(&details(result, Colour::Off)).into_owned());
    status
}

/// Why, in one line.
fn message(result: &RunResult) -> String {
    if let Some(trouble) = &result.trouble {
        return one_line(&trouble.to_string());
    }
    let findings = result.decisive().map(|finding| format!("{} {}", finding.check, finding.title));
    one_line(&findings.collect::<Vec<_>>().join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{Canary, Finding};
    use crate::report::samples;

    #[test]
    fn every_run_is_a_case_of_its_theme() {
        let results = [samples::passed(), samples::failed(), samples::skipped(), samples::no_world()];
        insta::assert_snapshot!(junit_xml(&results).unwrap(), @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites name="squall" tests="4" skipped="1" failures="1" errors="1">
            <testsuite name="breaker" tests="1" skipped="0" errors="0" failures="0">
                <testcase name="opens-and-closes [containers seed 7]" classname="breaker" time="16.200">
                    <properties>
                        <property name="proves" value="A Redis that is killed costs no acknowledged write"/>
                        <property name="replay" value="squall run scenarios/breaker/opens-and-closes.toml --world containers --seed 7"/>
                    </properties>
                </testcase>
            </testsuite>
            <testsuite name="ragged" tests="2" skipped="1" errors="1" failures="0">
                <testcase name="cut &lt;&amp;\u{1b}&quot;&gt; [containers seed 8]" classname="ragged" time="0.000">
                    <properties>
                        <property name="proves" value="A cut in the middle of a reply harms no other reply"/>
                        <property name="replay" value="squall run scenarios/ragged/cut &lt;&amp;\u{1b}&quot;&gt;.toml --world containers --seed 8"/>
                    </properties>
                    <skipped message="skipped: Toxiproxy has no drop_reply" type="skipped">skipped  ragged/cut &lt;&amp;\u{1b}&quot;&gt;  containers  seed 8
          proves   A cut in the middle of a reply harms no other reply
          skipped: Toxiproxy has no drop_reply
        </skipped>
                </testcase>
                <testcase name="cut &lt;&amp;\u{1b}&quot;&gt; [containers seed 8]" classname="ragged" time="0.000">
                    <properties>
                        <property name="proves" value="A cut in the middle of a reply harms no other reply"/>
                        <property name="replay" value="squall run scenarios/ragged/cut &lt;&amp;\u{1b}&quot;&gt;.toml --world containers --seed 8"/>
                    </properties>
                    <error message="the world did not start: Docker does not answer start it, or run scripts/docker-up" type="invalid">invalid  ragged/cut &lt;&amp;\u{1b}&quot;&gt;  containers  seed 8
          proves   A cut in the middle of a reply harms no other reply
          the world did not start: Docker does not answer
            start it, or run scripts/docker-up
        </error>
                </testcase>
            </testsuite>
            <testsuite name="resync" tests="1" skipped="0" errors="0" failures="1">
                <testcase name="redis-killed [containers seed 7]" classname="resync" time="16.200">
                    <properties>
                        <property name="proves" value="A Redis that is killed costs no acknowledged write"/>
                        <property name="replay" value="squall run scenarios/resync/redis-killed.toml --world containers --seed 7"/>
                    </properties>
                    <failure message="I1 no lost write" type="fail">FAIL     resync/redis-killed  containers  seed 7  16.2 s  5 operations, 40.0 % ok
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
        </failure>
                </testcase>
            </testsuite>
        </testsuites>
        "#);
    }

    #[test]
    fn what_must_happen_in_some_run_is_a_case_of_its_own_and_a_canary_says_so() {
        let mut result = samples::passed();
        let says = "of 90 operations none".to_owned();
        let (check, title) = ("expect.sometimes[0]".to_owned(), "in some run get begins".to_owned());
        let verdict = Verdict::Unknown;
        result.findings.push(Finding { check, title, says, verdict, ..result.findings[0].clone() });
        result.canary = Some(Canary { flaw: None, fails: "I1".to_owned() });
        insta::assert_snapshot!(junit_xml(&[result]).unwrap(), @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites name="squall" tests="2" skipped="0" failures="0" errors="1">
            <testsuite name="breaker" tests="2" skipped="0" errors="1" failures="0">
                <testcase name="opens-and-closes [containers seed 7]" classname="breaker" time="16.200">
                    <properties>
                        <property name="proves" value="A Redis that is killed costs no acknowledged write"/>
                        <property name="replay" value="squall run scenarios/breaker/opens-and-closes.toml --world containers --seed 7"/>
                        <property name="canary" value="I1 must fail"/>
                    </properties>
                </testcase>
                <testcase name="opens-and-closes [containers expect.sometimes[0]]" classname="breaker">
                    <properties>
                        <property name="proves" value="in some run get begins"/>
                    </properties>
                    <error message="in some run get begins: not in the one run" type="unknown">of 90 operations none</error>
                </testcase>
            </testsuite>
        </testsuites>
        "#);
    }

    #[test]
    fn no_control_character_reaches_the_file() {
        let mut result = samples::failed();
        result.findings[0].says = "\u{0}\u{1b}[31m\u{fffe}]]>".to_owned();
        let xml = junit_xml(&[result]).unwrap();
        assert!(!xml.contains(|c: char| c.is_control() && c != '\n'), "{xml}");
        assert!(xml.contains("\\u{1b}[31m\\u{fffe}]]&gt;"), "{xml}");
    }
}

//! The scenario file of a schedule that failed.

use super::case::Case;
use super::shrink::Shrunk;
use crate::check::{Finding, Verdict};
use crate::report::visible;

/// What was found, and how.
#[derive(Clone, Debug)]
pub struct Found {
    /// The smallest schedule.
    pub shrunk: Shrunk,
    /// How many faults and operations it had when it was drawn.
    pub drawn: (usize, usize),
    /// The command that runs the file again.
    pub replay: String,
}

/// The file: what failed, how it was found, the command that repeats it, and the scenario.
pub fn found_text(found: &Found) -> String {
    let Shrunk { case, finding, runs, minimal } = &found.shrunk;
    let (faults, operations) = found.drawn;
    let least = match minimal {
        true => "nothing of it can be left out",
        false => "the search was interrupted, so it may not be the smallest",
    };
    let comment = format!(
        "{check}, {title}: {says}\n\n\
         Found by `squall fuzz`, seed {seed}: {faults} and {operations}, made smaller in {runs} runs; {least}.\n\
         Again: {replay}",
        check = finding.check,
        title = finding.title,
        says = finding.says,
        seed = case.seed,
        faults = count(faults, "fault"),
        operations = count(operations, "operation"),
        replay = found.replay,
    );
    format!(
        "{}{}",
        commented(&comment),
        case.text(&proves(finding, case.faults.iter().map(|line| line.fault.name()).collect()))
    )
}

/// The file of a schedule whose run went wrong by itself: why, the command that repeats it, and the scenario as it was drawn.
pub fn wrong_text(case: &Case, why: &str, replay: &str) -> String {
    let comment = format!(
        "The run went wrong: {why}\n\nFound by `squall fuzz`, seed {}, and left as it was drawn.\nAgain: {replay}",
        case.seed
    );
    format!("{}{}", commented(&comment), case.text("A run comes to its end"))
}

fn commented(text: &str) -> String {
    let lines = text.lines().flat_map(|line| wrapped(&visible(line)));
    lines.map(|line| format!("# {line}").trim_end().to_owned() + "\n").collect()
}

fn proves(finding: &Finding, mut faults: Vec<&str>) -> String {
    debug_assert_eq!(finding.verdict, Verdict::Fail);
    faults.sort_unstable();
    faults.dedup();
    let under = if faults.is_empty() {
        "without any fault".to_owned()
    } else {
        format!("under {}", faults.join(", "))
    };
    format!("{} ({}) holds {under}", capital(&finding.title), finding.check)
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// Lines of at most a hundred characters, where blanks allow.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.last_mut().map_or(0, |line| line.chars().count());
        if last > 0 && last + word.chars().count() >= 100 {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::case::tests::case;
    use super::*;
    use crate::scenario::Scenario;

    fn found(says: &str) -> Found {
        let finding = Finding {
            check: "I1".to_owned(),
            title: "no lost write".to_owned(),
            verdict: Verdict::Fail,
            says: says.to_owned(),
            judged: 9,
            broken: 1,
            witness: Vec::new(),
            waived: None,
        };
        let shrunk = Shrunk { case: case(), finding, runs: 12, minimal: true };
        Found { shrunk, drawn: (6, 311), replay: "squall run found/i1-7.toml --seed 7".to_owned() }
    }

    #[test]
    fn the_file_says_what_failed_and_is_a_scenario() {
        let text = found_text(&found("s2 lost 0-17, and more"));
        Scenario::parse("x", Path::new("x.toml"), text.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
        insta::assert_snapshot!(text);
    }

    #[test]
    fn what_a_subject_says_cannot_become_a_line_of_the_file() {
        let says = format!("a\n[load]\r\u{1b}[31m {}", "long ".repeat(100));
        let text = found_text(&found(&says));
        assert!(
            text.lines().take_while(|line| !line.starts_with("proves")).all(|line| line.starts_with('#'))
        );
        assert!(text.lines().take(3).all(|line| line.chars().count() < 120), "{text}");
        assert!(Scenario::parse("x", Path::new("x.toml"), text.as_bytes()).is_ok());
    }
}

//! Whether a process speaks the protocol of `docs/protocol.md`: each rule is tried by itself, message by message, against a
//! Redis that is well. What a client does under faults is for scenarios to find out.

mod rules;
mod server;
mod talk;

use squall_client::Settings;

use crate::history::Capability;
use crate::report::visible;
use crate::subject::BoxFuture;
use crate::subject::process::CommandLine;

pub use server::{NoRedis, Server, reach};

/// What every rule is tried with.
pub struct Stage {
    /// What starts the subject.
    pub command: CommandLine,
    /// Where Redis is.
    pub redis: String,
    settings: serde_json::Value,
}

/// What became of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is kept; with something worth knowing, if there is.
    Kept(String),
    /// It is broken.
    Broken(Failure),
    /// The subject does not say that it can do what the rule is about.
    NotAsked(&'static str),
}

/// How a rule is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The last message to the subject.
    pub sent: String,
    /// What came of it.
    pub came: String,
    /// What should have come.
    pub expected: String,
}

/// What trying a rule gives: something worth knowing, which may be empty.
type Tried = Result<String, Failure>;

/// The rule that every line is tried by while the others are.
const ONLY_MESSAGES: &str = "nothing is on stdout but messages";

/// A rule of the protocol.
struct Rule {
    name: &'static str,
    /// What a subject must be able to do for the rule to be about it.
    needs: Option<Capability>,
    try_it: for<'a> fn(&'a Stage) -> BoxFuture<'a, Tried>,
}

impl Stage {
    /// Tries `command` against the Redis at `redis`.
    pub fn new(command: CommandLine, redis: String) -> Self {
        let settings = serde_json::to_value(Settings::default()).unwrap_or_default();
        Self { command, redis, settings }
    }
}

/// Tries every rule, tells `heard` of each as it is known, and returns how many are broken. When the subject does not even
/// start, the other rules are not tried.
pub async fn check(stage: &Stage, heard: &mut dyn FnMut(&str, &Verdict)) -> usize {
    let (mut broken, mut chatter) = (0, None);
    let mut can = Vec::new();
    for (number, rule) in rules::ALL.iter().enumerate() {
        let verdict = match rule.needs {
            Some(needed) if !can.contains(&needed) => Verdict::NotAsked(name(needed)),
            _ => match (rule.try_it)(stage).await {
                Ok(note) => Verdict::Kept(note),
                Err(failure) => Verdict::Broken(failure),
            },
        };
        if let Verdict::Broken(failure) = &verdict
            && failure.expected.starts_with(ONLY_MESSAGES)
        {
            chatter.get_or_insert_with(|| failure.clone());
        }
        heard(rule.name, &verdict);
        broken += usize::from(matches!(verdict, Verdict::Broken(_)));
        if number == 0 {
            match talk::capabilities(stage).await {
                Some(told) if broken == 0 => can = told,
                _ => return broken,
            }
        }
    }
    let verdict = chatter.map_or_else(|| Verdict::Kept(String::new()), Verdict::Broken);
    heard(ONLY_MESSAGES, &verdict);
    broken + usize::from(matches!(verdict, Verdict::Broken(_)))
}

/// A verdict as lines for people.
pub fn line(rule: &str, verdict: &Verdict) -> String {
    let text = match verdict {
        Verdict::Kept(note) if note.is_empty() => format!("ok    {rule}\n"),
        Verdict::Kept(note) => format!("ok    {rule}: {note}\n"),
        Verdict::NotAsked(needed) => format!("-     {rule}: not asked of a subject without {needed:?}\n"),
        Verdict::Broken(Failure { sent, came, expected }) => {
            format!(
                "FAIL  {rule}\n        sent      {sent}\n        came      {came}\n        expected  {expected}\n"
            )
        }
    };
    visible(&text).into_owned()
}

fn name(capability: Capability) -> &'static str {
    use crate::subject::process::message::CAPABILITIES;

    CAPABILITIES.iter().find(|(_, known)| *known == capability).map_or("", |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_a_line_and_a_failure_says_all() {
        assert_eq!(line("init", &Verdict::Kept(String::new())), "ok    init\n");
        assert_eq!(line("init", &Verdict::Kept("x 1".to_owned())), "ok    init: x 1\n");
        let told = "-     touch: not asked of a subject without \"ttl\"\n";
        assert_eq!(line("touch", &Verdict::NotAsked("ttl")), told);
        let text = |text: &str| text.to_owned();
        let failure = Failure { sent: text("a"), came: text("\u{1b}b"), expected: text("c") };
        assert_eq!(
            line("touch", &Verdict::Broken(failure)),
            "FAIL  touch\n        sent      a\n        came      \\u{1b}b\n        expected  c\n"
        );
    }

    #[test]
    fn rules_have_names_of_their_own() {
        let names: std::collections::BTreeSet<_> = rules::ALL.iter().map(|rule| rule.name).collect();
        assert_eq!(names.len(), rules::ALL.len());
    }
}

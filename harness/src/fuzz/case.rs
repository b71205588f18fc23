//! A schedule in full, and the scenario file that says the same.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use toml::Value;

use crate::fault::{Direction, Fault, Matching};
use crate::load::Kind;
use crate::scenario::{Scenario, ScenarioError};
use crate::units::format_duration;

/// R of every case, in milliseconds: the longest cool-down that [`ranges`](super::ranges) allow, a probe that hangs, and a drain.
const RESYNC_WITHIN_MS: u64 = 10_000;

/// How long the calm lasts, in milliseconds: R, and time to see what is then.
pub(super) const CALM_MS: u64 = RESYNC_WITHIN_MS + 3000;

/// A schedule in full. Times are in milliseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// The seed of the run.
    pub seed: u64,
    /// How many instances share the load.
    pub instances: u16,
    /// How many sessions the pool has.
    pub sessions: u32,
    /// The TTL that `create` and `touch` set.
    pub ttl_ms: u64,
    /// How long the first phase lasts, in which nothing strikes.
    pub steady_ms: u64,
    /// How long the phase lasts in which the faults strike.
    pub storm_ms: u64,
    /// Settings of the client beside those that every case has, by key.
    pub settings: Vec<(String, Value)>,
    /// What strikes.
    pub faults: Vec<Line>,
    /// Every operation, in order of time.
    pub operations: Vec<Op>,
}

/// A fault with its window and its targets.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// The fault.
    pub fault: Fault,
    /// When it begins, from the start of the storm.
    pub at_ms: u64,
    /// How long it lasts.
    pub for_ms: u64,
    /// The instances that it strikes; all when none is named.
    pub on: Vec<u16>,
    /// Which way it bends the link.
    pub direction: Option<Direction>,
    /// The share that it strikes.
    pub probability: Option<f64>,
    /// The commands that it strikes.
    pub matching: Option<Matching>,
}

/// An operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Op {
    /// When it starts, from the start of the first phase.
    pub at_ms: u64,
    /// Who carries it out.
    pub instance: u16,
    /// What it does.
    pub kind: Kind,
    /// The session that it is about.
    pub session: u32,
}

impl Case {
    /// The scenario that it is.
    ///
    /// # Errors
    ///
    /// What makes no sense about it, such as two faults that would undo each other.
    pub fn scenario(&self, name: &str, proves: &str) -> Result<Scenario, ScenarioError> {
        Scenario::parse(name, Path::new("fuzz.toml"), self.text(proves).as_bytes())
    }

    /// The scenario file that says the same.
    pub fn text(&self, proves: &str) -> String {
        let mut text = format!("proves = {}\n\n", string(proves));
        text.push_str("# A breaker that is back within seconds, and what was drawn beside it.\n");
        text.push_str("[client]\nprofile = \"chatbot\"\n");
        for (key, value) in super::ranges::always().into_iter().chain(self.settings.iter().cloned()) {
            line(&mut text, &key, &value.to_string());
        }
        if self.faults.iter().any(|line| matches!(line.fault, Fault::PasswordChange(_))) {
            text.push_str("\n[redis]\npassword = true\n");
        }
        text.push_str("\n[load]\n");
        line(&mut text, "instances", &self.instances.to_string());
        line(&mut text, "sessions", &self.sessions.to_string());
        line(&mut text, "ttl", &length(self.ttl_ms));
        line(&mut text, "value", "\"64-200 bytes\"");
        text.push_str("\n[judge]\n");
        line(&mut text, "resync_within", &length(RESYNC_WITHIN_MS));
        phase(&mut text, "steady", self.steady_ms);
        phase(&mut text, "storm", self.storm_ms);
        self.faults.iter().for_each(|fault| fault.write(&mut text));
        phase(&mut text, "calm", CALM_MS);
        if !self.operations.is_empty() {
            text.push_str("\n# Every operation after the setup, which creates each session once. Times count from the first phase.\n");
        }
        self.operations.iter().for_each(|operation| operation.write(&mut text));
        text
    }

    /// How long its phases last together, in milliseconds.
    pub fn length_ms(&self) -> u64 {
        self.steady_ms + self.storm_ms + CALM_MS
    }

    /// Leaves out faults until it makes sense.
    ///
    /// # Errors
    ///
    /// What makes no sense about it beside its faults.
    pub(super) fn made_sound(mut self) -> Result<Self, ScenarioError> {
        loop {
            let Err(error) = self.scenario("fuzz", "x") else { return Ok(self) };
            let number = error.problems.iter().find_map(|problem| fault_of(&problem.key));
            match number.filter(|number| *number < self.faults.len()) {
                Some(number) => drop(self.faults.remove(number)),
                None => return Err(error),
            }
        }
    }
}

/// The number of the fault that a problem's key is about.
fn fault_of(key: &str) -> Option<usize> {
    let rest = key.strip_prefix("phase[1].faults[")?;
    rest.split(']').next()?.parse().ok()
}

impl Line {
    fn write(&self, text: &mut String) {
        text.push_str("\n[[phase.faults]]\n");
        let parameters = Value::try_from(self.fault.parameters()).ok();
        match parameters.filter(|value| value.as_table().is_some_and(|table| !table.is_empty())) {
            Some(parameters) => line(text, &format!("inject.{}", self.fault.name()), &parameters.to_string()),
            None => line(text, "inject", &string(self.fault.name())),
        }
        line(text, "at", &length(self.at_ms));
        line(text, "for", &length(self.for_ms));
        if !self.on.is_empty() {
            let on: Vec<String> = self.on.iter().map(|number| format!("\"instance-{number}\"")).collect();
            line(text, "on", &format!("[{}]", on.join(", ")));
        }
        let optional = [
            ("direction", self.direction.and_then(|way| Value::try_from(way).ok())),
            ("probability", self.probability.map(Value::Float)),
            ("match", self.matching.as_ref().and_then(|matching| Value::try_from(matching).ok())),
        ];
        for (key, value) in optional {
            if let Some(value) = value {
                line(text, key, &value.to_string());
            }
        }
    }
}

impl Op {
    fn write(&self, text: &mut String) {
        text.push_str("\n[[operation]]\n");
        line(text, "at", &length(self.at_ms));
        line(text, "on", &format!("\"instance-{}\"", self.instance));
        line(text, "op", &string(self.kind.name()));
        line(text, "session", &self.session.to_string());
    }
}

fn phase(text: &mut String, name: &str, length_ms: u64) {
    text.push_str("\n[[phase]]\n");
    line(text, "name", &string(name));
    line(text, "for", &length(length_ms));
}

fn line(text: &mut String, key: &str, value: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{key} = {value}");
}

fn string(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}

fn length(ms: u64) -> String {
    string(&format_duration(Duration::from_millis(ms)))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::fault::{Commands, Kill, Latency};

    pub(in crate::fuzz) fn case() -> Case {
        let line = |fault, at_ms, on: &[u16]| Line {
            fault,
            at_ms,
            for_ms: 500,
            on: on.to_vec(),
            direction: None,
            probability: None,
            matching: None,
        };
        let latency = Latency { delay: Duration::from_millis(200), jitter: Duration::ZERO };
        let op = |at_ms, kind| Op { at_ms, instance: 1, kind, session: 2 };
        Case {
            seed: 7,
            instances: 2,
            sessions: 3,
            ttl_ms: 600_000,
            steady_ms: 1000,
            storm_ms: 3000,
            settings: vec![("breaker.failures".to_owned(), Value::Integer(2))],
            faults: vec![
                line(Fault::Latency(latency), 0, &[1]),
                line(Fault::Kill(Kill::default()), 1500, &[]),
            ],
            operations: vec![op(1200, Kind::Update), op(2000, Kind::Get)],
        }
    }

    #[test]
    fn the_file_says_what_the_case_is() {
        let case = case();
        let scenario = case.scenario("fuzz", "It holds").unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((scenario.load.instances, scenario.load.sessions), (2, 3));
        assert_eq!(scenario.settings.breaker.failures, 2);
        let [steady, storm, calm] = scenario.phases.as_slice() else { panic!("{:?}", scenario.phases) };
        assert!(steady.faults.is_empty() && calm.faults.is_empty());
        let faults: Vec<_> =
            storm.faults.iter().map(|fault| (fault.inject.clone(), fault.window(storm.length))).collect();
        let ms = Duration::from_millis;
        let expected = [
            (case.faults[0].fault.clone(), (ms(0), ms(500))),
            (case.faults[1].fault.clone(), (ms(1500), ms(2000))),
        ];
        assert_eq!(faults, expected);
        assert_eq!(storm.faults[0].on.iter().map(|target| target.0).collect::<Vec<_>>(), [1]);
        let operations: Vec<_> =
            scenario.operations.iter().map(|one| (one.at, one.on.0, one.op, one.session)).collect();
        assert_eq!(operations, [(ms(1200), 1, Kind::Update, 2), (ms(2000), 1, Kind::Get, 2)]);
    }

    #[test]
    fn what_a_fault_strikes_is_in_the_file() {
        let mut case = case();
        let matching = Matching { command: Some(Commands(vec!["GET".to_owned()])), key: None, nth: Some(2) };
        case.faults = vec![Line {
            fault: Fault::DropReply(crate::fault::DropReply {}),
            at_ms: 0,
            for_ms: 100,
            on: Vec::new(),
            direction: None,
            probability: Some(0.5),
            matching: Some(matching.clone()),
        }];
        let scenario = case.scenario("fuzz", "It holds").unwrap_or_else(|error| panic!("{error}"));
        let fault = &scenario.phases[1].faults[0];
        assert_eq!((fault.probability, fault.matching.as_ref()), (Some(0.5), Some(&matching)));
    }

    #[test]
    fn faults_that_undo_each_other_are_left_out() {
        let mut case = case();
        let again = case.faults[1].clone();
        case.faults.push(again);
        assert!(case.scenario("fuzz", "x").is_err());
        let sound = case.clone().made_sound().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(sound.faults.len(), 2);
        case.sessions = 0;
        assert!(case.made_sound().is_err());
    }
}

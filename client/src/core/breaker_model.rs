//! The breaker against a model that remembers everything and counts anew at every step.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

const MS: Duration = Duration::from_millis(1);

fn settings() -> BreakerSettings {
    BreakerSettings {
        failures: 3,
        failure_rate: 0.5,
        window: 1000 * MS,
        min_calls: 6,
        slow_rate: 0.75,
        cool_down: 300 * MS,
        cool_down_max: 1000 * MS,
        jitter: 0.0,
        probes: 2,
        probe_lease: 100 * MS,
        ..BreakerSettings::default()
    }
}

/// What was done and when, in milliseconds.
struct Model {
    settings: BreakerSettings,
    /// Every state that it was in, and since when. The last one is the present.
    states: Vec<(State, u64)>,
    /// Calls that counted since it was last closed: when they ended, and how.
    calls: Vec<(u64, Outcome)>,
    /// Probes since it became half-open: when they began, and how they ended.
    probes: Vec<(u64, Option<Outcome>)>,
    /// How long each cool-down was.
    cool_downs: Vec<u64>,
}

impl Model {
    fn new(settings: BreakerSettings) -> Self {
        let states = vec![(State::Closed, 0)];
        Self { settings, states, calls: Vec::new(), probes: Vec::new(), cool_downs: Vec::new() }
    }

    fn state(&self) -> State {
        self.states.last().expect("there is one").0
    }

    fn since(&self) -> u64 {
        self.states.last().expect("there is one").1
    }

    /// Which of its states a permit belongs to.
    fn number(&self) -> usize {
        self.states.len()
    }

    fn enter(&mut self, state: State, now: u64) {
        if state == State::Open {
            // Closed for a whole cool-down: all is forgotten.
            let long_closed =
                self.state() == State::Closed && now - self.since() >= millis(self.settings.cool_down);
            if long_closed {
                self.cool_downs.clear();
            }
            let last = self.cool_downs.last().map_or(millis(self.settings.cool_down), |last| last * 2);
            self.cool_downs.push(last.min(millis(self.settings.cool_down_max)));
        }
        self.states.push((state, now));
        (self.calls, self.probes) = (Vec::new(), Vec::new());
    }

    fn record_call(&mut self, now: u64, permit: usize, outcome: Outcome) {
        if permit != self.number() || outcome == Outcome::Neutral {
            return;
        }
        self.calls.push((now, outcome));
        let failed = |how: Outcome| how == Outcome::Failure;
        let in_a_row = self.calls.iter().rev().take_while(|(_, how)| failed(*how)).count();
        // The window moves in tenths.
        let tenth = |at: u64| at / (millis(self.settings.window) / 10);
        let lately: Vec<Outcome> = self
            .calls
            .iter()
            .filter_map(|(at, how)| (tenth(*at) + 10 > tenth(now)).then_some(*how))
            .collect();
        let reached = |rate: f64, counts: &dyn Fn(Outcome) -> bool| {
            let many = lately.iter().filter(|how| counts(**how)).count();
            lately.len() >= self.settings.min_calls as usize && many as f64 >= rate * lately.len() as f64
        };
        let opens = match outcome {
            Outcome::Success | Outcome::Neutral => false,
            Outcome::Slow => reached(self.settings.slow_rate, &|how| how != Outcome::Success),
            Outcome::Failure => {
                in_a_row >= self.settings.failures as usize
                    || reached(self.settings.failure_rate, &failed)
                    || reached(self.settings.slow_rate, &|how| how != Outcome::Success)
            }
        };
        if opens {
            self.enter(State::Open, now);
        }
    }

    /// Whether a probe may go, and as which of its state's probes.
    fn ask_probe(&mut self, now: u64) -> Option<(usize, usize)> {
        if self.state() == State::Open {
            let cool_down = *self.cool_downs.last().expect("it has opened");
            if now < self.since() + cool_down {
                return None;
            }
            self.enter(State::HalfOpen, now);
        }
        if self.state() != State::HalfOpen {
            return None;
        }
        if let Some((began, None)) = self.probes.last() {
            if now >= began + millis(self.settings.probe_lease) {
                self.enter(State::Open, now);
            }
            return None;
        }
        self.probes.push((now, None));
        Some((self.number(), self.probes.len() - 1))
    }

    fn record_probe(&mut self, now: u64, (state, probe): (usize, usize), outcome: Outcome) {
        if state != self.number() {
            return;
        }
        self.probes[probe].1 = Some(outcome);
        let good = [Some(Outcome::Success), Some(Outcome::Slow)];
        let succeeded = self.probes.iter().filter(|(_, outcome)| good.contains(outcome)).count();
        match outcome {
            Outcome::Failure => self.enter(State::Open, now),
            Outcome::Success | Outcome::Slow if succeeded >= self.settings.probes as usize => {
                self.enter(State::Closed, now);
            }
            Outcome::Success | Outcome::Slow | Outcome::Neutral => {}
        }
    }
}

fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).expect("it is short")
}

#[derive(Clone, Debug)]
enum Step {
    Wait(u64),
    Ask,
    /// One of the calls that are out ends so.
    Ends(prop::sample::Index, Outcome),
    AskProbe,
    /// One of the probes that are out ends so; those before it may have lost their lease.
    ProbeEnds(prop::sample::Index, Outcome),
}

fn step() -> impl Strategy<Value = Step> {
    let outcome = || {
        prop_oneof![
            3 => Just(Outcome::Failure),
            3 => Just(Outcome::Success),
            3 => Just(Outcome::Slow),
            1 => Just(Outcome::Neutral),
        ]
    };
    prop_oneof![
        3 => (1u64..400).prop_map(Step::Wait),
        6 => Just(Step::Ask),
        6 => (any::<prop::sample::Index>(), outcome()).prop_map(|(which, outcome)| Step::Ends(which, outcome)),
        3 => Just(Step::AskProbe),
        3 => (any::<prop::sample::Index>(), outcome()).prop_map(|(which, outcome)| Step::ProbeEnds(which, outcome)),
    ]
}

proptest! {
    #[test]
    fn it_does_what_a_model_does_that_remembers_everything(steps in prop::collection::vec(step(), 0..400)) {
        let (mut breaker, mut model) = (Breaker::new(settings()), Model::new(settings()));
        let (mut now, mut calls, mut probes) = (0, Vec::new(), Vec::new());
        for step in steps {
            let at = Time::from_nanos(now * 1_000_000);
            match step {
                Step::Wait(ms) => now += ms,
                Step::Ask => {
                    let asked = breaker.ask(at);
                    prop_assert_eq!(asked.is_ok(), model.state() == State::Closed);
                    calls.extend(asked.ok().map(|permit| (permit, model.number())));
                }
                Step::Ends(which, outcome) if !calls.is_empty() => {
                    let (permit, number) = calls.swap_remove(which.index(calls.len()));
                    breaker.record(at, permit, outcome, 0.5);
                    model.record_call(now, number, outcome);
                }
                Step::AskProbe => {
                    let (asked, expected) = (breaker.ask_probe(at, 0.5), model.ask_probe(now));
                    prop_assert_eq!(asked.is_some(), expected.is_some());
                    probes.extend(asked.zip(expected));
                }
                Step::ProbeEnds(which, outcome) if !probes.is_empty() => {
                    let (permit, probe) = probes.swap_remove(which.index(probes.len()));
                    breaker.record(at, permit, outcome, 0.5);
                    model.record_probe(now, probe, outcome);
                }
                Step::Ends(..) | Step::ProbeEnds(..) => {}
            }
            prop_assert_eq!(breaker.state(), model.state());
        }
        let told: Vec<State> = std::iter::from_fn(|| breaker.poll()).map(|change| change.to).collect();
        let states: Vec<State> = model.states[1..].iter().map(|(state, _)| *state).collect();
        prop_assert_eq!(told, states);
    }
}

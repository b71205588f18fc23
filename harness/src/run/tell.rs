//! Asks instances to tell of themselves, as operators would: only what the scenario expects something of, at the end of phases.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::nanos;
use super::player::Player;
use crate::check::Expect;
use crate::history::{Capability, Event, PhaseSpan, Telling, Topic};
use crate::plan::Plan;
use crate::recorder::Recorder;

/// How long before the end of a phase most is asked: its faults still strike.
const BEFORE_THE_END: Duration = Duration::from_millis(1);

/// What stands in what is told instead of the password of Redis.
const PASSWORD: &str = "<the password of redis>";

/// Something to ask every instance for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Question {
    /// When, in nanoseconds since the start of the run.
    at: u64,
    of: Topic,
    phase: String,
}

/// Starts a task for each question and instance. Each ends when there is an answer, or was time for one.
pub(super) fn start(
    plan: &Plan,
    players: &[Arc<Player>],
    can: &BTreeSet<Capability>,
    recorder: &Recorder,
) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    let within = plan.rules.response_within;
    for question in questions(&plan.expect, &plan.phases, within) {
        if !can.contains(&question.of.capability()) {
            continue;
        }
        for player in players {
            tasks.spawn(ask(question.clone(), Arc::clone(player), recorder.clone(), within));
        }
    }
    tasks
}

/// What is asked when, in order. A log is asked for at the end of every phase, so that each has its own lines.
fn questions(expect: &Expect, phases: &[PhaseSpan], within: Duration) -> BTreeSet<Question> {
    let mut questions = BTreeSet::new();
    for expected in &expect.told {
        let meant = |(place, phase): &(usize, &PhaseSpan)| match (&expected.during, expected.of) {
            (_, Topic::Log) => true,
            (Some(during), _) => *during == phase.name,
            (None, _) => place + 1 == phases.len(),
        };
        questions.extend(phases.iter().enumerate().filter(meant).map(|(_, phase)| Question {
            at: moment(expected.of, phase, within),
            of: expected.of,
            phase: phase.name.clone(),
        }));
    }
    questions
}

/// Health takes as long as an operation, and so may what all sessions are asked for; it must be over before the phase is.
fn moment(of: Topic, phase: &PhaseSpan, within: Duration) -> u64 {
    let before = match of {
        Topic::Health | Topic::Sessions | Topic::Backup | Topic::Restore => within,
        Topic::Metrics | Topic::Log | Topic::Settings | Topic::Refusals => BEFORE_THE_END,
    };
    let half = phase.to.saturating_sub(phase.from) / 2;
    phase.to - nanos(before).min(half)
}

async fn ask(question: Question, player: Arc<Player>, recorder: Recorder, within: Duration) {
    let Question { at, of, phase } = question;
    recorder.until(at).await;
    // While nobody has the number there is nobody to ask.
    let Some(life) = player.now() else { return };
    let asked = recorder.now();
    let answer = tokio::select! {
        biased;
        () = life.cut() => return,
        answer = life.instance.tell(of) => match answer {
            Ok(text) => Telling::of(without(&player.secrets, text)),
            Err(error) => Telling::Error { code: error.code, text: without(&player.secrets, error.text) },
        },
        () = recorder.until(asked + nanos(within)) => {
            let text = format!("no answer within {}", humantime::format_duration(within));
            Telling::Error { code: "timeout".to_owned(), text }
        }
    };
    recorder.record(Event::Told { instance: player.number, of, phase, asked, answer });
}

/// A client that tells the password must not bring it into a history.
fn without(secrets: &[String], text: String) -> String {
    secrets.iter().fold(text, |text, secret| text.replace(secret, PASSWORD))
}

#[cfg(test)]
mod tests {
    use squall_client::Clock;

    use super::*;
    use crate::check::{OnInstances, ToldExpectation};
    use crate::history::{Entry, Sample};
    use crate::run::player::Life;
    use crate::subject::{BoxFuture, Done, Instance, OperationError, Request};

    fn asked(of: Topic, during: Option<&str>) -> Vec<(u64, String)> {
        let told = ToldExpectation {
            of,
            line: "*x*".to_owned(),
            during: during.map(str::to_owned),
            on: OnInstances::Every,
            never: false,
        };
        let expect = Expect { told: vec![told.clone(), told], ..Expect::default() };
        let phase = |name: &str, from: u64, to: u64| PhaseSpan {
            name: name.to_owned(),
            from: from * 1_000_000,
            to: to * 1_000_000,
        };
        let phases = [phase("setup", 0, 1000), phase("outage", 1000, 9000), phase("calm", 9000, 10_000)];
        let questions = questions(&expect, &phases, Duration::from_secs(2));
        questions.into_iter().map(|question| (question.at / 1_000_000, question.phase)).collect()
    }

    #[test]
    fn each_phase_that_is_named_is_asked_about_once_and_a_log_in_every_phase() {
        let named = |at: u64, phase: &str| (at, phase.to_owned());
        assert_eq!(asked(Topic::Metrics, Some("outage")), [named(8999, "outage")]);
        assert_eq!(asked(Topic::Settings, None), [named(9999, "calm")]);
        let every = [named(999, "setup"), named(8999, "outage"), named(9999, "calm")];
        assert_eq!(asked(Topic::Log, Some("outage")), every);
    }

    #[test]
    fn health_is_asked_for_so_early_that_it_is_told_before_the_phase_is_over() {
        assert_eq!(asked(Topic::Health, Some("outage")), [(7000, "outage".to_owned())]);
        assert_eq!(asked(Topic::Health, Some("calm")), [(9500, "calm".to_owned())]);
    }

    /// A client that is asked and never answers.
    struct Hangs;

    impl Instance for Hangs {
        fn call(&self, _request: Request) -> BoxFuture<'_, Result<Done, OperationError>> {
            Box::pin(std::future::pending())
        }

        fn sample(&self) -> Sample {
            Sample::default()
        }

        fn tell(&self, _of: Topic) -> BoxFuture<'_, Result<String, OperationError>> {
            Box::pin(std::future::pending())
        }

        fn shutdown(&self) -> BoxFuture<'_, ()> {
            Box::pin(std::future::ready(()))
        }
    }

    fn hanging() -> Player {
        let life = Life::new(Box::new(Hangs), Arc::new(true.into()));
        Player::new(0, Vec::new(), life)
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_gone_is_not_asked_and_who_goes_when_asked_tells_nothing() {
        let recorder = Recorder::new(Clock::new(0));
        let player = Arc::new(hanging());
        let question = Question { at: 1_000, of: Topic::Health, phase: "outage".to_owned() };
        let within = Duration::from_secs(2);
        let asks = ask(question.clone(), Arc::clone(&player), recorder.clone(), within);
        let goes = async {
            recorder.until(1_000_000).await;
            player.vacate().unwrap().drop_now().await;
        };
        tokio::join!(asks, goes);
        assert!(recorder.now() < 2_000_000_000);
        ask(question, player, recorder.clone(), within).await;
        assert_eq!(recorder.take(), []);
    }

    #[tokio::test(start_paused = true)]
    async fn who_hangs_when_asked_is_not_waited_for_longer_than_for_an_operation() {
        let recorder = Recorder::new(Clock::new(0));
        let player = hanging();
        let question = Question { at: 1_000, of: Topic::Health, phase: "outage".to_owned() };
        ask(question, Arc::new(player), recorder.clone(), Duration::from_secs(2)).await;
        let entries = recorder.take();
        let [Entry { t, e: Event::Told { asked, answer, .. } }] = &entries[..] else {
            panic!("{entries:?}");
        };
        assert!(*asked >= 1_000 && (2_000_000_000..2_010_000_000).contains(t), "{asked} {t}");
        let text = "no answer within 2s".to_owned();
        assert_eq!(answer, &Telling::Error { code: "timeout".to_owned(), text });
    }

    #[test]
    fn the_password_is_taken_out() {
        let secrets = ["p@ss".to_owned(), "p%40ss".to_owned()];
        let told = without(&secrets, "redis://:p%40ss@h p@ss".to_owned());
        assert_eq!(told, "redis://:<the password of redis>@h <the password of redis>");
    }
}

//! Instances that crash, or end in order, and those that take their places.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::player::Player;
use super::starter::{Starter, name_of};
use super::{RunError, broken, nanos, patience};

/// How long the connections of an instance that is gone may take to end. Where a fault holds them they take longer.
const CONNECTIONS_END_WITHIN: u32 = 20;

/// Ends the instances that have these numbers, all at once; returns when they are gone.
pub(super) async fn end(players: &[Arc<Player>], orderly: bool, starter: &Starter) -> Result<(), RunError> {
    each(players, |player, starter| end_one(player, orderly, starter), starter).await
}

/// Starts others in their places, all at once; returns when they have started.
pub(super) async fn start_again(players: &[Arc<Player>], starter: &Starter) -> Result<(), RunError> {
    each(players, start_one, starter).await
}

async fn each<F>(
    players: &[Arc<Player>],
    task: impl Fn(Arc<Player>, Starter) -> F,
    starter: &Starter,
) -> Result<(), RunError>
where
    F: Future<Output = Result<(), RunError>> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    for player in players {
        tasks.spawn(task(Arc::clone(player), starter.clone()));
    }
    while let Some(ended) = tasks.join_next().await {
        ended.map_err(|cause| RunError::Broken(cause.to_string()))??;
    }
    Ok(())
}

async fn end_one(player: Arc<Player>, orderly: bool, starter: Starter) -> Result<(), RunError> {
    let Some(life) = player.vacate() else { return Ok(()) };
    if orderly {
        let (name, patience) = (name_of(player.number), patience(&starter.plan));
        life.idle(patience).await;
        broken::end(life.instance.as_ref(), &name, patience).await?;
    } else {
        life.instance.kill().await;
    }
    life.drop_now().await;
    for _ in 0..CONNECTIONS_END_WITHIN {
        if starter.world.connections(player.number) == 0 {
            break;
        }
        starter.recorder.until(starter.recorder.now() + nanos(Duration::from_millis(1))).await;
    }
    Ok(())
}

async fn start_one(player: Arc<Player>, starter: Starter) -> Result<(), RunError> {
    let (life, _) = starter.start(player.number, &name_of(player.number)).await?;
    player.follow(life);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::history::{Event, History, Outcome, Wire};
    use crate::perform::{Setting, perform};
    use crate::plan::Plan;
    use crate::scenario::Scenario;
    use crate::stop::Stop;
    use crate::world::Kind;

    /// A second in which instance-0 is gone, under load.
    async fn run(orderly: bool) -> History {
        let text = format!(
            "proves = \"x\"\nclient.profile = \"chatbot\"\njudge.resync_within = \"1s\"\n\
             load = {{ instances = 2, sessions = 8, rate = \"200/s\" }}\n\
             [[phase]]\nname = \"steady\"\nfor = \"1s\"\n[[phase]]\nname = \"gone\"\nfor = \"2s\"\n\
             faults = [{{ inject.latency = {{ delay = \"20ms\" }} }}, \
             {{ inject.crash = {{ orderly = {orderly} }}, on = [\"instance-0\"], at = \"500ms\", for = \"1s\" }}]\n\
             [[phase]]\nname = \"calm\"\nfor = \"2s\"\n"
        );
        let scenario = Scenario::parse("x", Path::new("x.toml"), text.as_bytes()).unwrap();
        let (plan, setting) = (Plan::new(&scenario, 1).into(), Setting::of(Kind::Sim));
        perform(plan, setting, std::sync::Arc::new(|_| {}), Stop::new()).await.unwrap()
    }

    /// The places of the entries between which instance-0 is gone.
    fn gone(history: &History) -> (usize, usize) {
        let is = |event: &Event, begins| matches!(event, Event::Fault { fault: 1, on, .. } if *on == begins);
        let place = |begins| history.entries.iter().position(|entry| is(&entry.e, begins)).unwrap();
        (place(true), place(false))
    }

    fn crashed(history: &History) -> usize {
        let is = |event: &Event| matches!(event, Event::Return { outcome: Outcome::Unknown { code, .. }, .. } if code == "crashed");
        history.entries.iter().filter(|entry| is(&entry.e)).count()
    }

    #[tokio::test]
    async fn nobody_asks_an_instance_that_is_gone_and_it_says_and_sends_nothing() {
        for orderly in [false, true] {
            let history = run(orderly).await;
            let (from, to) = gone(&history);
            // The next one opens its connections before it is said that it has started.
            for entry in &history.entries[from..to] {
                let wrong = match &entry.e {
                    Event::Invoke { instance, .. }
                    | Event::Breaker { instance, .. }
                    | Event::Mode { instance, .. }
                    | Event::Resync { instance, .. } => *instance == 0,
                    Event::Wire { instance, what: Wire::Command { name, .. }, .. } => {
                        *instance == 0 && name.starts_with("EVAL")
                    }
                    _ => false,
                };
                assert!(!wrong, "{entry:?}");
            }
            let asked = |entries: &[crate::history::Entry]| {
                entries.iter().filter(|entry| matches!(entry.e, Event::Invoke { instance: 0, .. })).count()
            };
            assert!(asked(&history.entries[..from]) > 10 && asked(&history.entries[to..]) > 10);
        }
    }

    #[tokio::test]
    async fn what_was_in_flight_ends_as_unknown_unless_there_was_time_for_it() {
        assert!(crashed(&run(false).await) > 0);
        assert_eq!(crashed(&run(true).await), 0);
    }

    #[tokio::test]
    async fn every_connection_of_an_instance_that_is_gone_ends() {
        let history = run(false).await;
        let (from, to) = gone(&history);
        let mut open = std::collections::BTreeSet::new();
        for entry in &history.entries[..to] {
            match &entry.e {
                Event::Wire { instance: 0, connection, what: Wire::Opened } => _ = open.insert(*connection),
                Event::Wire { instance: 0, connection, what: Wire::Closed { .. } } => {
                    open.remove(connection);
                }
                _ => {}
            }
        }
        assert_eq!(open.len(), 0, "{from} to {to}: {open:?}");
    }
}

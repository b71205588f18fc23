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

//! Instances that broke: a run that has one says nothing about the client under test, so it ends.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use super::RunError;
use super::player::Player;
use super::starter::name_of;
use crate::subject::Instance;

/// Waits until any instance broke. Instances are asked in their order, so that the same one is named each time.
pub(super) async fn any(players: &[Arc<Player>]) -> RunError {
    let mut waits: Vec<_> = players.iter().map(|player| (player.number, Box::pin(player.broken()))).collect();
    let (number, why) = std::future::poll_fn(|context| {
        for (number, wait) in &mut waits {
            if let Poll::Ready(why) = wait.as_mut().poll(context) {
                return Poll::Ready((*number, why));
            }
        }
        Poll::Pending
    })
    .await;
    RunError::Instance { instance: name_of(number), why }
}

/// Ends an instance in order; the error says that it did not end as it should.
pub(super) async fn end(instance: &dyn Instance, name: &str, within: Duration) -> Result<(), RunError> {
    if tokio::time::timeout(within, instance.shutdown()).await.is_err() {
        return Err(RunError::Broken(format!("{name} did not end within {} s", within.as_secs())));
    }
    match now(instance).await {
        Some(why) => Err(RunError::Instance { instance: name.to_owned(), why }),
        None => Ok(()),
    }
}

/// Why `instance` broke, if it did until now.
async fn now(instance: &dyn Instance) -> Option<String> {
    tokio::select! {
        biased;
        why = instance.broken() => Some(why),
        () = std::future::ready(()) => None,
    }
}

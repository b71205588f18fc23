//! Instances that broke: a run that has one says nothing about the client under test, so it ends.

use std::sync::Arc;
use std::task::Poll;

use super::{Player, RunError};
use crate::subject::Instance;

/// Waits until any instance broke. Instances are asked in their order, so that the same one is named each time.
pub(super) async fn any(players: &[Arc<Player>]) -> RunError {
    let mut waits: Vec<_> = players.iter().map(|player| (player.number, player.instance.broken())).collect();
    let (number, why) = std::future::poll_fn(|context| {
        for (number, wait) in &mut waits {
            if let Poll::Ready(why) = wait.as_mut().poll(context) {
                return Poll::Ready((*number, why));
            }
        }
        Poll::Pending
    })
    .await;
    RunError::Instance { instance: format!("instance-{number}"), why }
}

/// Why `instance` broke, if it did until now.
pub(super) async fn now(instance: &dyn Instance) -> Option<String> {
    tokio::select! {
        biased;
        why = instance.broken() => Some(why),
        () = std::future::ready(()) => None,
    }
}

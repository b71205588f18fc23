//! What a subject tells of itself.

use serde_json::json;

use super::super::{Stage, Tried};
use super::started;
use crate::history::Topic;
use crate::subject::process::message::TellReply;

/// Asks for everything that the subject says it can tell.
pub(super) async fn all(stage: &Stage) -> Tried {
    let (mut talk, hello) = started(stage).await?;
    let can = hello.capabilities().unwrap_or_default();
    let topics: Vec<Topic> = Topic::ALL.into_iter().filter(|of| can.contains(&of.capability())).collect();
    for of in &topics {
        let _: TellReply = talk.ok(json!({"op": "tell", "of": of})).await?;
    }
    if topics.is_empty() {
        return Ok("it says of none that it can".to_owned());
    }
    Ok(topics.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
}

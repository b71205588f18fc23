//! How a subject ends.

use serde_json::json;

use super::super::{Stage, Tried};
use super::started;

pub(super) async fn shutdown(stage: &Stage) -> Tried {
    let (mut talk, _) = started(stage).await?;
    talk.send(json!({"op": "shutdown"})).await?;
    talk.ends().await?;
    Ok(String::new())
}

pub(super) async fn end_of_stdin(stage: &Stage) -> Tried {
    let (mut talk, _) = started(stage).await?;
    talk.close_stdin();
    talk.ends().await?;
    Ok(String::new())
}

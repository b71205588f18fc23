//! TTLs.

use serde_json::json;

use super::super::{Stage, Tried};
use super::{SLACK_MS, TTL_MS, create, lives_for, op, reads, session, started, tidied, value_of};
use crate::subject::process::message::{TtlReply, WriteReply};

/// What the touch of the checks sets.
const TOUCHED_MS: u64 = 3 * TTL_MS;

pub(super) async fn update(stage: &Stage) -> Tried {
    let (mut talk, hello) = started(stage).await?;
    let (one, second) = (session(11), value_of(12, session(11), 120));
    let _: WriteReply = talk.ok(create(one, &value_of(11, one, 100))).await?;
    let _: WriteReply = talk.ok(json!({"op": "update", "session": one, "value": second})).await?;
    lives_for(stage, &talk, &hello, one, TTL_MS).await?;
    reads(&mut talk, one, &second).await?;
    lives_for(stage, &talk, &hello, one, TTL_MS).await?;
    tidied(talk, [one]).await
}

pub(super) async fn touch(stage: &Stage) -> Tried {
    let (mut talk, hello) = started(stage).await?;
    let (one, value) = (session(12), value_of(13, session(12), 100));
    let _: WriteReply = talk.ok(create(one, &value)).await?;
    let _: WriteReply = talk.ok(json!({"op": "touch", "session": one, "ttl_ms": TOUCHED_MS})).await?;
    lives_for(stage, &talk, &hello, one, TOUCHED_MS).await?;
    reads(&mut talk, one, &value).await?;
    tidied(talk, [one]).await
}

pub(super) async fn ttl(stage: &Stage) -> Tried {
    let (mut talk, _) = started(stage).await?;
    let one = session(13);
    let _: WriteReply = talk.ok(create(one, &value_of(14, one, 100))).await?;
    let told: TtlReply = talk.ok(op("ttl", one)).await?;
    let close = told.ttl_ms.is_some_and(|left| left <= TTL_MS && left + SLACK_MS >= TTL_MS);
    if !close {
        return Err(talk.fails(&format!("a ttl_ms of about {TTL_MS}, in milliseconds")));
    }
    tidied(talk, [one]).await
}

pub(super) async fn none(stage: &Stage) -> Tried {
    let (mut talk, _) = started(stage).await?;
    let none = session(14);
    let told: TtlReply = talk.ok(op("ttl", none)).await?;
    if told.ttl_ms.is_some() {
        return Err(talk.fails("the ttl_ms null: there is no such session"));
    }
    let refusal = talk.refused(json!({"op": "touch", "session": none, "ttl_ms": TTL_MS})).await?;
    if refusal.code != "no-session" || !refusal.definite {
        return Err(talk.fails("the error no-session with definite true"));
    }
    Ok(String::new())
}

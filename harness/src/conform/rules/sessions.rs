//! Sessions and their values.

use serde_json::{Value, json};

use super::super::{Failure, Stage, Tried};
use super::{TTL_MS, create as creation, is_gone, lives_for, op, reads, session, started, tidied, value_of};
use crate::subject::process::message::{ValueReply, WriteReply};

pub(super) async fn create(stage: &Stage) -> Tried {
    let (mut talk, hello) = started(stage).await?;
    let (one, value) = (session(1), value_of(1, session(1), 100));
    let told: Value = talk.ok(creation(one, &value)).await?;
    let falls_back = hello.can.iter().any(|can| can == "fallback");
    if falls_back && told.get("served_by").is_none() {
        return Err(
            talk.fails("served_by: a subject that can \"fallback\" says with each answer who served it")
        );
    }
    reads(&mut talk, one, &value).await?;
    tidied(talk, [one]).await
}

pub(super) async fn key(stage: &Stage) -> Tried {
    let (mut talk, hello) = started(stage).await?;
    let one = session(2);
    let _: WriteReply = talk.ok(creation(one, &value_of(2, one, 100))).await?;
    lives_for(stage, &talk, &hello, one, TTL_MS).await?;
    tidied(talk, [one]).await
}

pub(super) async fn replace(stage: &Stage) -> Tried {
    let (mut talk, hello) = started(stage).await?;
    let (one, second) = (session(3), value_of(4, session(3), 120));
    let _: WriteReply = talk.ok(creation(one, &value_of(3, one, 100))).await?;
    let again = json!({"op": "create", "session": one, "value": second, "ttl_ms": 2 * TTL_MS});
    let _: WriteReply = talk.ok(again).await?;
    lives_for(stage, &talk, &hello, one, 2 * TTL_MS).await?;
    reads(&mut talk, one, &second).await?;
    tidied(talk, [one]).await
}

pub(super) async fn large(stage: &Stage) -> Tried {
    let (mut talk, _) = started(stage).await?;
    let (one, value) = (session(4), value_of(5, session(4), 1024 * 1024));
    let _: WriteReply = talk.ok(creation(one, &value)).await?;
    reads(&mut talk, one, &value).await?;
    tidied(talk, [one]).await
}

pub(super) async fn destroy(stage: &Stage) -> Tried {
    let (mut talk, hello) = started(stage).await?;
    let one = session(5);
    let _: WriteReply = talk.ok(creation(one, &value_of(6, one, 100))).await?;
    let _: WriteReply = talk.ok(op("destroy", one)).await?;
    is_gone(stage, &talk, &hello, one).await?;
    reads_nothing(&mut talk, one).await?;
    Ok(String::new())
}

pub(super) async fn none(stage: &Stage) -> Tried {
    let (mut talk, _) = started(stage).await?;
    reads_nothing(&mut talk, session(6)).await?;
    let _: WriteReply = talk.ok(op("destroy", session(6))).await?;
    Ok(String::new())
}

pub(super) async fn update_none(stage: &Stage) -> Tried {
    let (mut talk, hello) = started(stage).await?;
    let one = session(7);
    let update = json!({"op": "update", "session": one, "value": value_of(7, one, 100)});
    let refusal = talk.refused(update).await?;
    if refusal.code != "no-session" || !refusal.definite {
        return Err(talk.fails("the error no-session with definite true"));
    }
    is_gone(stage, &talk, &hello, one).await?;
    Ok(String::new())
}

async fn reads_nothing(
    talk: &mut super::super::talk::Talk,
    session: crate::history::SessionId,
) -> Result<(), Failure> {
    let got: ValueReply = talk.ok(op("get", session)).await?;
    if got.value.get() == "null" {
        Ok(())
    } else {
        Err(talk.fails("the value null: there is no such session"))
    }
}

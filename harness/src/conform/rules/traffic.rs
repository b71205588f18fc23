//! Many messages, and those that nobody knows.

use serde_json::{Value, json};

use super::super::{Stage, Tried};
use super::{create, op, reads, session, started, tidied, value_of};
use crate::subject::process::message::{ValueReply, WriteReply, object};

/// Sessions of the concurrent requests.
const MANY: u32 = 50;

/// Requests for each session.
const ROUNDS: u32 = 4;

pub(super) async fn unknown(stage: &Stage) -> Tried {
    let (mut talk, _) = started(stage).await?;
    let refusal = talk.refused(json!({"op": "levitate", "session": session(21)})).await?;
    if refusal.code != "invalid" || !refusal.definite {
        return Err(talk.fails("the error invalid with definite true"));
    }
    // It must go on after that, and take keys that it does not know.
    let one = session(21);
    let mut further = create(one, &value_of(21, one, 100));
    further["further"] = json!("keys may come with later versions");
    let _: WriteReply = talk.ok(further).await?;
    tidied(talk, [one]).await
}

pub(super) async fn concurrent(stage: &Stage) -> Tried {
    let (mut talk, _) = started(stage).await?;
    let all = || (0..MANY).map(|number| session(100 + number));
    for one in all() {
        let _: WriteReply = talk.ok(create(one, &value_of(u64::from(one.0), one, 100))).await?;
    }
    let mut asked = Vec::new();
    for one in (0..ROUNDS).flat_map(|_| all()) {
        asked.push((talk.send(op("get", one)).await?, one));
    }
    for (id, one) in asked {
        let got = match talk.answer(id).await? {
            Ok(reply) => object::<ValueReply>(&reply.0).ok(),
            Err(_) => None,
        };
        let value = got.and_then(|got| serde_json::from_str::<Value>(got.value.get()).ok());
        if value != Some(value_of(u64::from(one.0), one, 100)) {
            return Err(talk.fails(&format!("to request {id}, a get of {one}, the value of {one}")));
        }
    }
    tidied(talk, all()).await
}

pub(super) async fn two(stage: &Stage) -> Tried {
    let (mut first, _) = started(stage).await?;
    let (mut second, _) = started(stage).await?;
    let (one, value) = (session(22), value_of(22, session(22), 100));
    let _: WriteReply = first.ok(create(one, &value)).await?;
    reads(&mut second, one, &value).await?;
    let updated = value_of(23, one, 100);
    let _: WriteReply = second.ok(json!({"op": "update", "session": one, "value": updated})).await?;
    reads(&mut first, one, &updated).await?;
    tidied(first, [one]).await
}

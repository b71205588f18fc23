//! Many messages, and those that nobody knows.

use serde_json::{Value, json};

use super::super::talk::Talk;
use super::super::{Failure, Stage, Tried};
use super::{create, op, reads, session, started, tidied, value_of};
use crate::history::SessionId;
use crate::subject::process::message::{ValueReply, WriteReply};
use crate::subject::process::reading::object;

/// Requests at once: not so many that a pool would be at its bounds, which is no matter of the protocol.
const AT_ONCE: u32 = 16;

/// How often so many are sent.
const ROUNDS: usize = 10;

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
    let all = || (0..AT_ONCE).map(|number| session(100 + number));
    for one in all() {
        let _: WriteReply = talk.ok(create(one, &value_of(u64::from(one.0), one, 100))).await?;
    }
    for _ in 0..ROUNDS {
        answers(&mut talk, all()).await?;
    }
    tidied(talk, all()).await
}

/// Asks for all sessions at once; each answer must be that of its session.
async fn answers(talk: &mut Talk, sessions: impl Iterator<Item = SessionId>) -> Result<(), Failure> {
    let mut asked = Vec::new();
    for one in sessions {
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
    Ok(())
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

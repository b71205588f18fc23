//! One request on several sessions: in the history an operation for each of them, with the same beginning and end.

use super::drive::{crashed, outcome_of};
use super::player::Player;
use crate::history::{Event, Outcome};
use crate::load::{Many, Several};
use crate::plan::Plan;
use crate::recorder::Recorder;

/// Hands a request to the instance, and records how it ends for each of its sessions, under these ids. While nobody has the number it
/// is not made at all.
pub(super) async fn perform(
    plan: &Plan,
    player: &Player,
    several: &Several,
    due: u64,
    ids: &[u64],
    recorder: &Recorder,
) {
    let Some(handed) = player.hand() else { return };
    let begun = recorder.now();
    for (id, session) in ids.iter().zip(&several.sessions) {
        let (op, instance) = (several.what.kind(), player.number);
        let (id, session) = (*id, *session);
        recorder.record(Event::Invoke { id, instance, op, session, write: None, ttl_ms: None, due });
    }
    let outcomes: Vec<Outcome> = tokio::select! {
        biased;
        () = handed.cut() => vec![crashed(); ids.len()],
        replies = handed.to().call_several(several.clone()) => replies.into_iter().map(outcome_of).collect(),
    };
    let sure = several.what != Many::Clear || plan.is_settled(begun, recorder.now());
    for (id, outcome) in ids.iter().zip(outcomes) {
        let outcome = if sure { outcome } else { unsettled(outcome) };
        recorder.record(Event::Return { id: *id, outcome });
    }
}

/// Nobody can end what they cannot know of: a session that others accepted and have not brought to Redis yet may outlive that
/// all sessions were ended.
fn unsettled(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Ok { .. } => Outcome::Unknown {
            code: "unsettled".to_owned(),
            text: "what redis had not been brought yet may outlive it".to_owned(),
        },
        Outcome::Failed { .. } | Outcome::Unknown { .. } => outcome,
    }
}

//! I16: calls are tried again within bounds, and not at all after an error that does not pass.

use std::ops::Range;

use super::index::{Ending, Index, Operation, OperationId, nanos};
use super::resyncs::{self, Bringing};
use super::tally::{Tally, Words, not_judged};
use super::wire::{Command, WireLog};
use super::{Check, Finding, Verdict, amplification, permanent_errors, refused_logins, retry_runs};
use crate::history::{ServedBy, SessionId};

/// I16.
pub(super) struct RetryDiscipline;

/// One instance: its operations, and what it sent for the load's sessions while no resync was under way.
pub(super) struct Lane<'a> {
    pub(super) instance: u16,
    /// In the order in which they were invoked.
    pub(super) operations: Vec<OperationId>,
    /// In the order in which they were sent.
    pub(super) commands: Vec<&'a Command>,
    /// The same, session by session.
    by_session: BySession<'a>,
}

/// What an instance did, session by session, of the sessions for which anything was sent.
#[derive(Default)]
struct BySession<'a> {
    operations: Vec<OperationId>,
    commands: Vec<&'a Command>,
    /// Where those of each session are.
    parts: Vec<(Range<usize>, Range<usize>)>,
}

impl Check for RetryDiscipline {
    fn name(&self) -> &'static str {
        "I16"
    }

    fn title(&self) -> &'static str {
        "retry discipline"
    }

    fn judge(&self, index: &Index<'_>) -> Finding {
        let head = &index.head;
        if head.key.is_empty() || head.rules.retry.is_none() {
            let says = "the history does not tell where sessions lie, or how often a call may be tried again";
            return not_judged(self.name(), self.title(), Verdict::Skipped, says.to_owned());
        }
        let mut tally = Tally::default();
        for ((instance, wire), resyncs) in (0..).zip(index.wire()).zip(resyncs::all(index)) {
            let lane = Lane::new(index, instance, wire, &resyncs);
            permanent_errors::judge(index, &lane, wire, &mut tally);
            refused_logins::judge(index, &lane, wire, &mut tally);
            if let Some(attempts) = attempts(index) {
                retry_runs::judge(index, &lane, attempts, &mut tally);
                amplification::judge(index, &lane, attempts, &mut tally);
            }
        }
        let held =
            format!("{} calls that failed were tried again within bounds, or not at all", tally.count());
        let unseen = if index.rules().shards > 1 {
            "nothing was refused for good; how often other calls are tried again was not judged, for what several shards bring to Redis \
             nobody tells"
        } else if index.wire().iter().any(|wire| wire.seen) {
            "no call for a session failed; an outage under load, or an error in answer to some calls, would make it known"
        } else {
            "there is no wire log; a world with a recording tap would make it known"
        };
        tally.finding(self, index, Words { held, unseen: unseen.to_owned() })
    }
}

/// How often a call may be made, the first time included; `None` for a subject that says that it has a rule of its own.
fn attempts(index: &Index<'_>) -> Option<u64> {
    let own = |key: &String| key == "retry" || key.starts_with("retry.");
    let rule = index.rules().retry.as_ref().filter(|_| !index.head.ignored.iter().any(own))?;
    Some(u64::from(rule.retries).saturating_add(1))
}

impl<'a> Lane<'a> {
    fn new(index: &Index<'_>, instance: u16, wire: &'a WireLog, resyncs: &[Bringing]) -> Self {
        let operations: Vec<OperationId> = index.operations_of(instance).map(|(id, _)| id).collect();
        // What reads the sessions in the end is no operation.
        let until = index.load_over();
        let slack = index.slack();
        let mut place = 0;
        let by_operations = |command: &&Command| {
            let (from, to) = (command.t.saturating_sub(slack), command.t.saturating_add(slack));
            while resyncs.get(place).is_some_and(|resync| resync.is_over(from)) {
                place += 1;
            }
            let in_resync = resyncs.get(place).is_some_and(|resync| resync.meets(from, to));
            command.session.is_some() && command.t < until && !in_resync
        };
        let commands: Vec<&Command> = wire.commands.iter().filter(by_operations).collect();
        let by_session = BySession::new(index, &operations, &commands);
        Self { instance, operations, commands, by_session }
    }
}

impl<'a> Lane<'a> {
    /// By session: its operations and its commands, of the sessions for which anything was sent.
    pub(super) fn sessions(&self) -> impl Iterator<Item = (&[OperationId], &[&'a Command])> {
        let BySession { operations, commands, parts } = &self.by_session;
        parts.iter().map(|(of_it, sent)| (&operations[of_it.clone()], &commands[sent.clone()]))
    }
}

impl<'a> BySession<'a> {
    fn new(index: &Index<'_>, operations: &[OperationId], commands: &[&'a Command]) -> Self {
        let of_sessions = commands.iter().enumerate();
        let mut sent: Vec<(SessionId, usize)> =
            of_sessions.filter_map(|(place, command)| Some((command.session?, place))).collect();
        sent.sort_unstable();
        let mut begun: Vec<(SessionId, OperationId)> =
            operations.iter().map(|id| (index.operation(*id).session, *id)).collect();
        begun.sort_unstable();
        let mut found = Self::default();
        let mut begun = &begun[..];
        for sent in sent.chunk_by(|one, other| one.0 == other.0) {
            let session = sent[0].0;
            if !index.sessions.contains_key(&session) {
                continue;
            }
            begun = &begun[begun.partition_point(|(other, _)| *other < session)..];
            let (of_it, later) = begun.split_at(begun.partition_point(|(other, _)| *other == session));
            begun = later;
            let (first, first_sent) = (found.operations.len(), found.commands.len());
            found.operations.extend(of_it.iter().map(|(_, id)| *id));
            found.commands.extend(sent.iter().map(|(_, place)| commands[*place]));
            found.parts.push((first..found.operations.len(), first_sent..found.commands.len()));
        }
        found
    }
}

/// Until when an operation may send commands: who gave up waiting for Redis may have left behind a call that goes on.
pub(super) fn may_send_until(index: &Index<'_>, operation: &Operation) -> u64 {
    let Some(end) = operation.end else { return u64::MAX };
    let lingers = nanos(index.rules().response_within);
    match operation.ending {
        Ending::Acknowledged { by: ServedBy::Redis, .. } | Ending::NoSession => end.t,
        Ending::Acknowledged { by: ServedBy::Local, .. }
        | Ending::Failed
        | Ending::Unknown
        | Ending::Missing => end.t.saturating_add(lingers),
    }
}

//! I16: calls are tried again within bounds, and not at all after an error that does not pass.

use std::collections::BTreeMap;

use super::index::{Ending, Index, Operation, OperationId, nanos};
use super::resyncs::{self, Bringing};
use super::tally::{Tally, Words, not_judged};
use super::wire::{Command, WireLog};
use super::{Check, Finding, Verdict, amplification, permanent_errors, retry_runs};
use crate::history::{Capability, ServedBy, SessionId};

/// I16.
pub(super) struct RetryDiscipline;

/// One instance: its operations, and what it sent for the load's sessions while no resync was under way.
pub(super) struct Lane<'a> {
    pub(super) instance: u16,
    /// In the order in which they were invoked.
    pub(super) operations: Vec<OperationId>,
    /// In the order in which they were sent.
    pub(super) commands: Vec<&'a Command>,
}

impl Check for RetryDiscipline {
    fn name(&self) -> &'static str {
        "I16"
    }

    fn title(&self) -> &'static str {
        "retry discipline"
    }

    fn needs(&self) -> &'static [Capability] {
        &[]
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
            if let Some(attempts) = attempts(index) {
                retry_runs::judge(index, &lane, attempts, &mut tally);
                amplification::judge(index, &lane, attempts, &mut tally);
            }
        }
        let held =
            format!("{} calls that failed were tried again within bounds, or not at all", tally.count());
        let unseen = if index.wire().iter().any(|wire| wire.seen) {
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
        let ids = index.operations.iter().enumerate();
        let operations = ids.filter(|(_, operation)| operation.instance == instance).map(|(id, _)| id);
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
        Self {
            instance,
            operations: operations.collect(),
            commands: wire.commands.iter().filter(by_operations).collect(),
        }
    }
}

impl<'a> Lane<'a> {
    /// By session: its operations and its commands, of the sessions for which anything was sent.
    pub(super) fn sessions(&self, index: &Index<'_>) -> Vec<(Vec<OperationId>, Vec<&'a Command>)> {
        let mut sent: BTreeMap<SessionId, Vec<&'a Command>> = BTreeMap::new();
        for command in &self.commands {
            if let Some(session) = command.session {
                sent.entry(session).or_default().push(command);
            }
        }
        let of_it = |id: &OperationId| index.operation(*id).instance == self.instance;
        let with_operations = sent.into_iter().filter_map(|(session, commands)| {
            let log = index.sessions.get(&session)?;
            Some((log.operations.iter().copied().filter(of_it).collect(), commands))
        });
        with_operations.collect()
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

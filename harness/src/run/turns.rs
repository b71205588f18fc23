//! Whose turn it is: the operations of an instance on one session come one after the other. One on several sessions waits until it
//! is its turn on each of them.

use std::collections::{BTreeMap, VecDeque};

use crate::history::SessionId;
use crate::load::Operation;

/// Names an operation that waits or runs.
pub(super) type Ticket = u64;

/// The operations that wait or run.
#[derive(Default)]
pub(super) struct Turns {
    last: Ticket,
    /// The operations on each session, in the order in which they came; the first one may run.
    queues: BTreeMap<SessionId, VecDeque<Ticket>>,
    /// Those that do not run yet.
    waiting: BTreeMap<Ticket, Operation>,
    /// The sessions of those that run.
    running: BTreeMap<Ticket, Vec<SessionId>>,
}

impl Turns {
    /// An operation comes; given back, with its ticket, if it may run.
    pub(super) fn take(&mut self, operation: Operation) -> Option<(Ticket, Operation)> {
        self.last += 1;
        let ticket = self.last;
        for session in operation.sessions() {
            self.queues.entry(*session).or_default().push_back(ticket);
        }
        self.waiting.insert(ticket, operation);
        self.may_run(ticket)
    }

    /// An operation has ended: those that may run now.
    pub(super) fn ended(&mut self, ticket: Ticket) -> Vec<(Ticket, Operation)> {
        let mut next = Vec::new();
        for session in self.running.remove(&ticket).unwrap_or_default() {
            let Some(queue) = self.queues.get_mut(&session) else { continue };
            queue.pop_front();
            match queue.front() {
                Some(first) => next.push(*first),
                None => drop(self.queues.remove(&session)),
            }
        }
        next.into_iter().filter_map(|ticket| self.may_run(ticket)).collect()
    }

    fn may_run(&mut self, ticket: Ticket) -> Option<(Ticket, Operation)> {
        let sessions = self.waiting.get(&ticket)?.sessions();
        let first = |session: &SessionId| self.queues.get(session)?.front().copied();
        if sessions.iter().any(|session| first(session) != Some(ticket)) {
            return None;
        }
        let sessions = sessions.to_vec();
        let operation = self.waiting.remove(&ticket)?;
        self.running.insert(ticket, sessions);
        Some((ticket, operation))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::{Kind, Many, Several};

    fn on(sessions: &[u32]) -> Operation {
        let sessions: Vec<SessionId> = sessions.iter().copied().map(SessionId).collect();
        Operation {
            due: 0,
            kind: Kind::Get,
            session: sessions[0],
            value: None,
            ttl_ms: None,
            several: (sessions.len() > 1).then_some(Several { what: Many::Read, sessions }),
        }
    }

    fn tickets(started: Vec<(Ticket, Operation)>) -> Vec<Ticket> {
        started.into_iter().map(|(ticket, _)| ticket).collect()
    }

    #[test]
    fn operations_on_one_session_come_one_after_the_other_and_others_at_once() {
        let mut turns = Turns::default();
        assert!(turns.take(on(&[1])).is_some() && turns.take(on(&[2])).is_some());
        assert!(turns.take(on(&[1])).is_none() && turns.take(on(&[1])).is_none());
        assert_eq!(tickets(turns.ended(1)), [3]);
        assert!(turns.ended(2).is_empty());
        assert_eq!(tickets(turns.ended(3)), [4]);
        assert!(turns.ended(4).is_empty());
        assert!(turns.queues.is_empty() && turns.waiting.is_empty() && turns.running.is_empty());
    }

    #[test]
    fn one_on_several_waits_for_each_of_them_and_holds_up_who_comes_after_it() {
        let mut turns = Turns::default();
        assert!(turns.take(on(&[1])).is_some() && turns.take(on(&[2])).is_some());
        assert!(turns.take(on(&[1, 2, 3])).is_none());
        assert!(turns.take(on(&[3])).is_none(), "it came later");
        assert!(turns.ended(2).is_empty());
        assert_eq!(tickets(turns.ended(1)), [3]);
        assert!(turns.take(on(&[2, 3])).is_none());
        assert_eq!(tickets(turns.ended(3)), [4]);
        assert_eq!(tickets(turns.ended(4)), [5]);
    }
}

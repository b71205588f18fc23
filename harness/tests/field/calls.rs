//! Calls of users, one after the other, and what came of them.

use std::time::Duration;

use bytes::Bytes;
use squall_client::{Clock, Lookup, ServedBy, SessionClient, SessionError, Time};

use crate::stage::SLACK;
use crate::table::Row;

/// A TTL that no case outlives.
pub(crate) const MINUTES: Duration = Duration::from_secs(300);

/// What one call brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Redis,
    Local,
    Failed,
    /// An answer, but of something else.
    Wrong,
}

/// What calls brought.
#[derive(Clone, Debug, Default)]
pub(crate) struct Calls {
    pub(crate) made: u64,
    pub(crate) failed: u64,
    pub(crate) local: u64,
    pub(crate) wrong: u64,
    pub(crate) late: u64,
    pub(crate) longest: Duration,
    /// When Redis answered first.
    pub(crate) first: Option<Time>,
}

impl Calls {
    /// Makes one.
    pub(crate) async fn make(
        &mut self,
        clock: &Clock,
        deadline: Duration,
        call: impl Future<Output = Answer>,
    ) -> Answer {
        let asked = clock.now();
        let answer = call.await;
        let now = clock.now();
        let took = now.since(asked);
        self.made += 1;
        self.late += u64::from(took > deadline + SLACK);
        self.longest = self.longest.max(took);
        match answer {
            Answer::Redis => {
                self.first.get_or_insert(now);
            }
            Answer::Local => self.local += 1,
            Answer::Failed => self.failed += 1,
            Answer::Wrong => self.wrong += 1,
        }
        answer
    }

    /// The same and those of another caller.
    pub(crate) fn and(&self, other: &Self) -> Self {
        Self {
            made: self.made + other.made,
            failed: self.failed + other.failed,
            local: self.local + other.local,
            wrong: self.wrong + other.wrong,
            late: self.late + other.late,
            longest: self.longest.max(other.longest),
            first: self.first.into_iter().chain(other.first).min(),
        }
    }

    /// A row about them.
    pub(crate) fn row(&self, fault: &'static str, client: &str, since: Time) -> Row {
        let Self { made, failed, local, wrong, late, first, .. } = *self;
        let recovery = first.map(|first| first.since(since)).into_iter().collect();
        let client = client.to_owned();
        Row { fault, client, recovery, calls: made, failed, local, late, wrong, ..Row::default() }
    }
}

/// Makes a session whose value is its id.
pub(crate) async fn create(client: &SessionClient, id: &str) {
    let ack = client.create(id, Bytes::copy_from_slice(id.as_bytes()), MINUTES).await.unwrap();
    assert_eq!(ack.served_by, ServedBy::Redis);
}

/// Reads a session whose value is its id.
pub(crate) async fn get(client: &SessionClient, id: &str) -> Answer {
    match client.get(id).await {
        Ok(Lookup::Found { session, .. }) if session.value != id.as_bytes() => Answer::Wrong,
        Ok(Lookup::Found { served_by: ServedBy::Redis, .. }) => Answer::Redis,
        Ok(Lookup::Found { served_by: ServedBy::Local, .. }) => Answer::Local,
        Ok(Lookup::Absent { .. }) => Answer::Wrong,
        Ok(Lookup::Unknown { .. }) | Err(_) => Answer::Failed,
    }
}

/// Writes the value again that a session has.
pub(crate) async fn update(client: &SessionClient, id: &str) -> Answer {
    match client.update(id, Bytes::copy_from_slice(id.as_bytes())).await {
        Ok(ack) if ack.served_by == ServedBy::Redis => Answer::Redis,
        Ok(_) => Answer::Local,
        Err(SessionError::NoSession) => Answer::Wrong,
        Err(_) => Answer::Failed,
    }
}

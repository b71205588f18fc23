//! Whether Redis is still the one that was told everything, or has forgotten: restarted empty, flushed, replaced.
//!
//! A key without a TTL holds a number that whoever found it missing drew. Another number, or none, means that the data is lost. One
//! that is the same but for a few digits was damaged on its way: two drawn ones hardly ever have more than four in common.
//! The process's own name (`run_id`), which every new connection learns, tells a restart or a failover, after which the newest
//! writes may be missing even though the key is there.

use std::sync::{Mutex, MutexGuard, PoisonError};

use redis::{Cmd, Value};

use crate::connection::Greeting;
use crate::core::time::Time;
use crate::error::CallError;
use crate::store::Store;

/// Which Redis this is, as far as is known.
#[derive(Debug, Default)]
pub(crate) struct Generation {
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    run_id: Option<String>,
    number: Option<Vec<u8>>,
    /// Another process answers; whether it has the data is not known yet.
    doubtful: bool,
    /// When the process began that answers now, as far as it says so.
    began: Option<Time>,
    /// How often it was found to be another process, or to have lost its data.
    changes: u64,
    /// This user may not read the key.
    forbidden: bool,
}

impl Seen {
    fn pointless(&self) -> bool {
        self.forbidden && !self.doubtful
    }
}

impl Generation {
    /// A connection has opened to this process of Redis. Says whether it is another one than before.
    pub(crate) fn greeted(&self, greeting: &Greeting) -> bool {
        let run_id = &greeting.run_id;
        let mut seen = self.lock();
        let other = seen.run_id.replace(run_id.clone()).is_some_and(|before| before != *run_id);
        seen.doubtful |= other;
        seen.changes += u64::from(other);
        seen.began = greeting.up.map(|up| Time::after_start(greeting.answered.since(Time::after_start(up))));
        other
    }

    /// Whether any connection has ever opened.
    pub(crate) fn is_known(&self) -> bool {
        self.lock().run_id.is_some()
    }

    /// Whether another process answers, of which it is not known yet whether it has the data.
    pub(crate) fn doubtful(&self) -> bool {
        self.lock().doubtful
    }

    /// How often Redis was found to be another one, or to have forgotten, since the start.
    pub(crate) fn changes(&self) -> u64 {
        self.lock().changes
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// Asks whether Redis has lost its data, and if so, marks everything to be brought again.
    pub(crate) async fn check_generation(&self, deadline: Time) -> Result<(), CallError> {
        let generation = &self.memory.generation;
        let pointless = generation.lock().pointless();
        if pointless && self.memory.lock().synchronised() {
            return Ok(());
        }
        let number = match self.read_or_draw(deadline).await {
            Ok(number) => number,
            // The key is out of bounds for this user; without it every restart counts as a loss.
            Err(CallError::Refused(_)) => None,
            Err(CallError::Auth(code)) if code == "NOPERM" => None,
            Err(error) => return Err(error),
        };
        self.serving.redis();
        let (lost, marked, began) = {
            let mut seen = generation.lock();
            seen.forbidden = number.is_none();
            let marked = std::mem::take(&mut seen.doubtful);
            let lost = match (&seen.number, &number) {
                (Some(before), Some(now)) => !alike(before, now),
                (None, Some(_)) => false,
                (_, None) => marked,
            };
            seen.changes += u64::from(lost);
            if lost || seen.number.is_none() || number.is_none() {
                seen.number = number;
            }
            (lost, marked, seen.began)
        };
        if lost {
            let now = self.clock.now();
            // A restart may be found out late, by an instance that had nothing to do; the others have had time since then.
            let since = began.filter(|_| marked).unwrap_or(now);
            let until = since + self.doubt();
            let mut sessions = self.memory.lock();
            sessions.data_lost(until);
            if !marked {
                sessions.bring_all(now);
            }
            drop(sessions);
            self.memory.waiting.notify_one();
        }
        Ok(())
    }

    async fn read_or_draw(&self, deadline: Time) -> Result<Option<Vec<u8>>, CallError> {
        let key = format!("{KEY}:{}", self.settings.now().key_prefix);
        if let Some(number) = self.ask(redis::cmd("GET").arg(&key), deadline).await? {
            return Ok(Some(number));
        }
        let random = || (self.script.gateway.random() * f64::from(u32::MAX)) as u32;
        let drawn = format!("{:08x}{:08x}", random(), random());
        self.ask(redis::cmd("SET").arg(&key).arg(drawn).arg("NX"), deadline).await?;
        self.ask(redis::cmd("GET").arg(&key), deadline).await
    }

    async fn ask(&self, command: &Cmd, deadline: Time) -> Result<Option<Vec<u8>>, CallError> {
        match self.script.gateway.call(command, true, deadline).await? {
            Value::BulkString(bytes) => Ok(Some(bytes)),
            Value::Nil | Value::Okay => Ok(None),
            _ => Err(self.script.gateway.unexpected("GET")),
        }
    }
}

/// Whether two numbers are one, of which some digits may be damaged.
fn alike(before: &[u8], now: &[u8]) -> bool {
    let same = before.iter().zip(now).filter(|(before, now)| before == now).count();
    before.len() == now.len() && same * 4 >= before.len() * 3
}

/// What stands before the prefix of the sessions whose key it is.
const KEY: &str = "squall:generation";

#[cfg(test)]
mod tests {
    use super::alike;

    #[test]
    fn a_number_with_a_damaged_digit_is_no_other_number() {
        let drawn = b"0123456789abcdef";
        assert!(alike(drawn, drawn));
        for at in 0..drawn.len() {
            let mut damaged = *drawn;
            damaged[at] ^= 1;
            assert!(alike(drawn, &damaged), "digit {at}");
        }
        // Nothing in common, four digits, and what is no number that was drawn.
        for other in [&b"fedcba9876543210"[..], b"0123fedcba987654", b"0123456789abcde", b""] {
            assert!(!alike(drawn, other), "{other:?}");
        }
    }
}

//! The probes of the breakers: a task of its own sends them, one at a time; a user's call never is one.

use std::sync::Arc;
use std::time::Duration;

use redis::Cmd;

use super::{Gateway, Shared};
use crate::core::breaker::{Force, Outcome};
use crate::core::circuits::Circuit;
use crate::core::class::Class;
use crate::core::time::Time;
use crate::error::{Blame, CallError};
use crate::keys;
use crate::pool::Urgency;

impl Gateway {
    /// Asks Redis once more, by `deadline`, before the client ends, and lets everything through if it does what writes need: what
    /// waits for the breaker to cool down would be lost. Where somebody has forced it open it stays so.
    pub(crate) async fn ask_once_more(&self, deadline: Time) {
        let shared = &*self.shared;
        if self.lets_through(Class::Writes) || shared.breakers.forced() == Force::Open {
            return;
        }
        self.probing.0.abort();
        if shared.probe(Circuit::Class(Class::Writes), deadline).await == Outcome::Success {
            shared.breakers.force(Force::Closed);
        }
    }
}

impl Shared {
    /// Whether Redis does what the breaker is about, by `deadline`.
    async fn probe(&self, circuit: Circuit, deadline: Time) -> Outcome {
        let probe = async {
            let opened = self.pool.connection(deadline, Urgency::AtOnce).await;
            let connection = opened.map_err(|none| none.error)?;
            let command = probe_of(circuit, &self.settings.now().key_prefix);
            let reply = self.send_on(&connection, &command, deadline).await;
            if reply == Err(CallError::Timeout) {
                // The next probe goes by another one.
                connection.give_up();
            }
            reply
        };
        match tokio::time::timeout_at(self.clock.instant(deadline), probe).await {
            Ok(Ok(_)) => Outcome::Success,
            // Redis answered; this user may not ask it, that is all.
            Ok(Err(error @ (CallError::Refused(_) | CallError::Auth(_) | CallError::NotNow(_))))
                if error.blame() == Blame::Nobody =>
            {
                Outcome::Success
            }
            Ok(Err(error)) => {
                self.blame(&error);
                Outcome::Failure
            }
            Err(_) => {
                self.blame(&CallError::Timeout);
                Outcome::Failure
            }
        }
    }
}

/// What shows that Redis does again what a breaker is about.
fn probe_of(circuit: Circuit, key_prefix: &str) -> Cmd {
    let mut probe = redis::cmd("PING");
    match circuit {
        Circuit::Endpoint | Circuit::Class(Class::Upkeep) => {}
        Circuit::Class(Class::Reads) => {
            probe = redis::cmd("GET");
            probe.arg(keys::probe(key_prefix));
        }
        Circuit::Class(Class::Writes) => {
            probe = redis::cmd("SET");
            probe.arg(keys::probe(key_prefix)).arg("").arg("PX").arg(1000);
        }
    }
    probe
}

/// Sends a probe whenever the breaker has cooled down.
pub(super) async fn whenever_due(shared: Arc<Shared>) {
    loop {
        let changed = shared.breakers.changed();
        let Some(due) = shared.breakers.next_deadline() else {
            changed.await;
            continue;
        };
        tokio::select! {
            biased;
            () = tokio::time::sleep_until(shared.clock.instant(due)) => {}
            () = changed => continue,
        }
        match shared.breakers.ask_probe() {
            Some(probe) => {
                let lease = shared.clock.now() + shared.settings.now().breaker.probe_lease;
                let outcome = shared.probe(probe.circuit(), lease).await;
                shared.breakers.record_probe(probe, outcome);
            }
            // Timers are exact to a millisecond only.
            None => tokio::time::sleep(Duration::from_millis(1)).await,
        }
    }
}

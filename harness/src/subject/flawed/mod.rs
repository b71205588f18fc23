//! The reference client with a flaw planted in it, to see that the checks catch it. `docs/flaws.md` lists the flaws.
//!
//! The client itself is as it is: a flaw patches its settings, stands between it and the load, changes what it says, or does
//! harm over a connection of its own. What can be done is in `wrong.rs`, what a flaw finds around it in `host.rs`.

mod answers;
mod breaker;
mod caches;
mod document;
mod host;
mod lateness;
mod life;
mod naive;
mod offline;
mod raw;
mod reads;
mod resources;
mod resync_said;
mod retries;
mod running;
mod settings;
mod state;
mod telemetry;
#[cfg(test)]
mod tests;
mod ttl;
mod writes;
mod wrong;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

pub use document::document;
use host::Host;
use running::Running;
use wrong::Wrong;

use super::{BoxFuture, Start, Started, Subject};
use crate::world;

/// A planted flaw: what is wrong, which check must catch it, and how it is planted.
#[derive(Clone, Copy)]
pub struct Flaw {
    name: &'static str,
    check: &'static str,
    wrong: &'static str,
    known_from: &'static str,
    needs: &'static str,
    shown_in: &'static str,
    plant: fn(&mut Start) -> Box<dyn Wrong>,
}

impl Flaw {
    /// Every flaw.
    pub const ALL: &'static [Self] = &[
        writes::DROPS_EVERY_FIFTH_UPDATE,
        writes::WRITE_BEHIND,
        settings::RESYNC_OFF,
        offline::RESYNC_LOSES_EVERY_OTHER,
        offline::RESYNC_REDIS_WINS,
        naive::RESYNC_OLDER_WINS,
        writes::VALUE_TRUNCATED,
        writes::WRITES_TO_THE_WRONG_SESSION,
        reads::REPLY_SHIFTED_AFTER_TIMEOUT,
        caches::OWN_WRITE_NOT_IN_OWN_CACHE,
        reads::FIRST_READ_AFTER_WRITE_IS_OLD,
        reads::READS_FROM_TWO_REPLICAS,
        reads::FALLBACK_COPY_NOT_REFRESHED,
        writes::OLD_WRITE_SENT_AGAIN,
        naive::OFFLINE_QUEUE_LAST_FIRST,
        life::UPDATE_REVIVES,
        life::DESTROYER_STILL_READS,
        life::NO_SESSION_ANSWERED_OK,
        naive::RESYNC_REVIVES_DESTROYED,
        offline::RESYNC_FORGETS_DESTROYS,
        ttl::TTL_TOO_LONG,
        ttl::FALLBACK_IGNORES_EXPIRY,
        ttl::TTL_TOO_SHORT,
        life::ABSENT_WHILE_REDIS_IS_AWAY,
        life::CLEANUP_DELETES_THE_WRONG_SESSION,
        ttl::TTL_RESET_ON_UPDATE,
        ttl::KEY_WITHOUT_TTL,
        naive::TTL_RESET_BY_RESYNC,
        naive::TTL_HALVED_BY_RESYNC,
        caches::CACHED_FOR_EVER,
        offline::OWN_COPY_AFTER_OUTAGE,
        lateness::NEVER_COMES_BACK,
        naive::RESYNC_LOCAL_WINS,
        naive::CLOCK_AHEAD,
        resync_said::RESYNC_TWICE,
        resync_said::RESYNC_NEVER_ENDS,
        resync_said::RESYNC_COUNTS_TOO_MUCH,
        settings::COOL_DOWN_CUT_SHORT,
        breaker::SENDS_WHILE_OPEN,
        breaker::HALF_OPEN_STAMPEDE,
        breaker::SKIPS_HALF_OPEN,
        breaker::OPENS_FOR_NOTHING,
        settings::BREAKER_NEVER_OPENS,
        settings::BREAKER_OPENS_TOO_LATE,
        settings::BREAKER_STUCK_OPEN,
        breaker::BREAKER_SAYS_NOTHING,
        lateness::NEVER_RETURNS,
        settings::NO_TIMEOUTS,
        lateness::RETRIES_PAST_ITS_DEADLINE,
        lateness::QUEUES_UNTIL_REDIS_IS_BACK,
        retries::ASKS_THIRTY_TIMES,
        retries::RETRIES_WHAT_IS_REFUSED_FOR_GOOD,
        resources::LEAKS_CONNECTIONS,
        resources::GIVES_UP_WITHOUT_CLOSING,
        resources::KEEPS_EVERY_VERSION,
        telemetry::SAYS_LOCAL_FOR_EVER,
        telemetry::SAYS_REDIS_SERVED_IT,
        telemetry::SAYS_THAT_MUCH_WAITS,
    ];

    /// The name that the program takes.
    pub fn name(self) -> &'static str {
        self.name
    }

    /// The check that must catch it. Others may, too.
    pub fn check(self) -> &'static str {
        self.check
    }

    /// What is wrong, in one sentence.
    pub fn wrong(self) -> &'static str {
        self.wrong
    }

    /// Whose real bug it is; empty if it is of nobody known.
    pub fn known_from(self) -> &'static str {
        self.known_from
    }

    /// What a schedule must have for it to show; empty if any will do.
    pub fn needs(self) -> &'static str {
        self.needs
    }

    /// A scenario that comes with Squall and shows it.
    pub fn shown_in(self) -> &'static str {
        self.shown_in
    }
}

impl PartialEq for Flaw {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Flaw {}

impl fmt::Debug for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Flaw").field(&self.name).finish()
    }
}

impl FromStr for Flaw {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.iter().find(|flaw| flaw.name == name);
        found.copied().ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|flaw| flaw.name).collect();
            crate::suggest::unknown("flaw", name, &names)
        })
    }
}

/// A subject with a flaw.
pub struct Flawed {
    sound: Arc<dyn Subject>,
    flaw: Flaw,
}

impl Flawed {
    /// Plants `flaw` in `sound`.
    pub fn new(sound: Arc<dyn Subject>, flaw: Flaw) -> Self {
        Self { sound, flaw }
    }
}

impl Subject for Flawed {
    fn start(&self, mut start: Start) -> BoxFuture<'_, Started> {
        let wrong = (self.flaw.plant)(&mut start);
        let running = Running::before(Host::new(&start), wrong);
        start.observer = running.observer();
        Box::pin(async move {
            let (sound, mut hello) = self.sound.start(start).await?;
            hello.name = format!("{} with {}", hello.name, self.flaw.name);
            Ok((running.with(sound, &hello), hello))
        })
    }

    fn unsupported(&self, world: world::Kind) -> Option<String> {
        self.sound.unsupported(world)
    }
}

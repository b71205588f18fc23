//! The reference client with a flaw planted in it, to see that the checks catch it. `docs/flaws.md` lists the flaws.
//!
//! The client itself is as it is: a flaw patches its settings, stands between it and the load, changes what it says, or does
//! harm over a connection of its own. What can be done is in `wrong.rs`, what a flaw finds around it in `host.rs`.

mod answers;
mod breaker;
mod caches;
mod disk;
mod document;
mod host;
mod lateness;
mod life;
mod many;
mod naive;
mod offline;
mod raw;
mod reads;
mod replicas;
mod resources;
mod resync_said;
mod retries;
mod running;
mod settings;
mod state;
mod telemetry;
mod tellings;
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
use crate::scenario::Topology;
use crate::world;

/// A planted flaw.
#[derive(Clone, Copy)]
pub struct Flaw(&'static Described);

/// What is wrong, which check must catch it, and how it is planted.
struct Described {
    name: &'static str,
    check: &'static str,
    wrong: &'static str,
    known_from: &'static str,
    needs: &'static str,
    shown_in: &'static str,
    plant: fn(&mut Start) -> Box<dyn Wrong>,
}

impl Flaw {
    /// Every flaw that an invariant catches.
    pub const ALL: &'static [Self] = &[
        Self(&writes::DROPS_EVERY_FIFTH_UPDATE),
        Self(&writes::WRITE_BEHIND),
        Self(&settings::RESYNC_OFF),
        Self(&offline::RESYNC_LOSES_EVERY_OTHER),
        Self(&offline::RESYNC_REDIS_WINS),
        Self(&naive::RESYNC_OLDER_WINS),
        Self(&writes::VALUE_TRUNCATED),
        Self(&writes::WRITES_TO_THE_WRONG_SESSION),
        Self(&reads::REPLY_SHIFTED_AFTER_TIMEOUT),
        Self(&caches::OWN_WRITE_NOT_IN_OWN_CACHE),
        Self(&reads::FIRST_READ_AFTER_WRITE_IS_OLD),
        Self(&reads::READS_FROM_TWO_REPLICAS),
        Self(&reads::FALLBACK_COPY_NOT_REFRESHED),
        Self(&writes::OLD_WRITE_SENT_AGAIN),
        Self(&naive::OFFLINE_QUEUE_LAST_FIRST),
        Self(&life::UPDATE_REVIVES),
        Self(&life::DESTROYER_STILL_READS),
        Self(&life::NO_SESSION_ANSWERED_OK),
        Self(&naive::RESYNC_REVIVES_DESTROYED),
        Self(&offline::RESYNC_FORGETS_DESTROYS),
        Self(&ttl::TTL_TOO_LONG),
        Self(&ttl::FALLBACK_IGNORES_EXPIRY),
        Self(&ttl::TTL_TOO_SHORT),
        Self(&life::ABSENT_WHILE_REDIS_IS_AWAY),
        Self(&life::CLEANUP_DELETES_THE_WRONG_SESSION),
        Self(&ttl::TTL_RESET_ON_UPDATE),
        Self(&ttl::KEY_WITHOUT_TTL),
        Self(&naive::TTL_RESET_BY_RESYNC),
        Self(&naive::TTL_HALVED_BY_RESYNC),
        Self(&caches::CACHED_FOR_EVER),
        Self(&offline::OWN_COPY_AFTER_OUTAGE),
        Self(&lateness::NEVER_COMES_BACK),
        Self(&naive::RESYNC_LOCAL_WINS),
        Self(&naive::CLOCK_AHEAD),
        Self(&resync_said::RESYNC_TWICE),
        Self(&resync_said::RESYNC_NEVER_ENDS),
        Self(&resync_said::RESYNC_COUNTS_TOO_MUCH),
        Self(&settings::COOL_DOWN_CUT_SHORT),
        Self(&breaker::SENDS_WHILE_OPEN),
        Self(&breaker::HALF_OPEN_STAMPEDE),
        Self(&breaker::SKIPS_HALF_OPEN),
        Self(&breaker::OPENS_FOR_NOTHING),
        Self(&settings::BREAKER_NEVER_OPENS),
        Self(&settings::BREAKER_OPENS_TOO_LATE),
        Self(&settings::BREAKER_STUCK_OPEN),
        Self(&breaker::BREAKER_SAYS_NOTHING),
        Self(&lateness::NEVER_RETURNS),
        Self(&settings::NO_TIMEOUTS),
        Self(&lateness::RETRIES_PAST_ITS_DEADLINE),
        Self(&lateness::QUEUES_UNTIL_REDIS_IS_BACK),
        Self(&retries::ASKS_FORTY_TIMES),
        Self(&retries::RETRIES_WHAT_IS_REFUSED_FOR_GOOD),
        Self(&retries::LOGS_IN_FOR_EVER),
        Self(&resources::LEAKS_CONNECTIONS),
        Self(&resources::GIVES_UP_WITHOUT_CLOSING),
        Self(&resources::KEEPS_EVERY_VERSION),
        Self(&telemetry::SAYS_LOCAL_FOR_EVER),
        Self(&telemetry::SAYS_REDIS_SERVED_IT),
        Self(&telemetry::SAYS_THAT_NOTHING_WAITS),
    ];

    /// Those that show only where a scenario asks: for instances that crash, for what is told, for values that are encrypted, for
    /// requests on several sessions.
    pub const WHEN_ASKED: &'static [Self] = &[
        Self(&disk::NEVER_ON_DISK),
        Self(&tellings::METRICS_SAY_NOTHING_OPENED),
        Self(&tellings::HEALTH_IS_ALWAYS_WELL),
        Self(&tellings::USERS_WITHOUT_SESSIONS),
        Self(&tellings::SETTINGS_SHOW_THE_PASSWORD),
        Self(&tellings::LOG_SHOWS_THE_PASSWORD),
        Self(&settings::STORES_IN_PLAIN),
        Self(&many::ANSWERS_OF_MANY_IN_ANOTHER_ORDER),
        Self(&many::CLEARS_ONE_PAGE),
    ];

    /// Those that show only where there are several servers: in real time.
    pub const OF_SEVERAL_SERVERS: &'static [Self] = &[Self(&replicas::REPLICAS_SAID_TO_HAVE_IT)];

    /// Every flaw that there is.
    pub fn every() -> impl Iterator<Item = &'static Self> {
        Self::ALL.iter().chain(Self::WHEN_ASKED).chain(Self::OF_SEVERAL_SERVERS)
    }

    /// The name that the program takes.
    pub fn name(self) -> &'static str {
        self.0.name
    }

    /// The check that must catch it. Others may, too.
    pub fn check(self) -> &'static str {
        self.0.check
    }

    /// What is wrong, in one sentence.
    pub fn wrong(self) -> &'static str {
        self.0.wrong
    }

    /// Whose real bug it is; empty if it is of nobody known.
    pub fn known_from(self) -> &'static str {
        self.0.known_from
    }

    /// What a schedule must have for it to show; empty if any will do.
    pub fn needs(self) -> &'static str {
        self.0.needs
    }

    /// A scenario that comes with Squall and shows it.
    pub fn shown_in(self) -> &'static str {
        self.0.shown_in
    }
}

impl PartialEq for Flaw {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Flaw {}

impl fmt::Debug for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Flaw").field(&self.name()).finish()
    }
}

impl FromStr for Flaw {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::every().find(|flaw| flaw.name() == name);
        found.copied().ok_or_else(|| {
            let names: Vec<&str> = Self::every().map(|flaw| flaw.name()).collect();
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
        let wrong = (self.flaw.0.plant)(&mut start);
        let running = Running::before(Host::new(&start), wrong);
        start.observer = running.observer();
        Box::pin(async move {
            let (sound, mut hello) = self.sound.start(start).await?;
            hello.name = format!("{} with {}", hello.name, self.flaw.name());
            Ok((running.with(sound, &mut hello), hello))
        })
    }

    fn unsupported(&self, world: world::Kind) -> Option<String> {
        self.sound.unsupported(world)
    }

    fn unsupported_topology(&self, topology: Topology) -> Option<String> {
        self.sound.unsupported_topology(topology)
    }
}

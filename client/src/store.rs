//! What the tasks of one client share: the sessions, the way to Redis, and how a session gets there.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::connection::Greeting;
use crate::core::evictions::Evictions;
use crate::core::foreground::Foreground;
use crate::core::push::{Push, Settled};
use crate::core::sessions::Sessions;
use crate::core::time::Time;
use crate::disk::Journal;
use crate::error::CallError;
use crate::event::{Event, Observer};
use crate::generation::Generation;
use crate::mode::Serving;
use crate::replicas::Replicas;
use crate::script::{Merged, Script};
use crate::settings::{Live, Settings};

/// Everything that a client's tasks share.
pub(crate) struct Store {
    /// Where its tasks run, wherever what they are for is made.
    pub(crate) runtime: Handle,
    pub(crate) settings: Arc<Live>,
    pub(crate) writer: u32,
    pub(crate) clock: Clock,
    pub(crate) observer: Observer,
    pub(crate) script: Script,
    pub(crate) memory: Arc<Memory>,
    pub(crate) serving: Arc<Serving>,
    pub(crate) replicas: Replicas,
    /// The durable fallback.
    pub(crate) journal: Option<Journal>,
    /// What the callers of users feel, and whether a resync is under way.
    pub(crate) foreground: Mutex<Foreground>,
    pub(crate) resyncing: AtomicBool,
    pub(crate) damaged: AtomicU64,
    pub(crate) disk_failures: AtomicU64,
}

/// The part that the gateway's greetings reach too.
pub(crate) struct Memory {
    clock: Clock,
    sessions: Mutex<Sessions>,
    pub(crate) generation: Generation,
    evictions: Mutex<Evictions>,
    /// Told whenever something may wait to be brought to Redis.
    pub(crate) waiting: Notify,
}

/// What became of a session that was brought to Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Brought {
    /// Redis has considered all that was brought.
    Stored {
        /// By the process of Redis of this name; empty if it is not known.
        by: Arc<str>,
    },
    /// The session is gone, and the write with it.
    Gone {
        /// It may have been written before.
        perhaps_written: bool,
    },
}

/// A push in the making: however it ends, a caller that goes away included, the session is released.
pub(crate) struct Bringing<'a> {
    memory: &'a Memory,
    push: Push,
    refused: bool,
}

impl Memory {
    pub(crate) fn new(settings: &Settings, writer: u32, clock: Clock) -> Self {
        let sessions = Sessions::new(settings, writer, clock.now(), clock.unix_ms());
        Self {
            clock,
            sessions: Mutex::new(sessions),
            generation: Generation::default(),
            evictions: Mutex::default(),
            waiting: Notify::new(),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn evictions(&self) -> MutexGuard<'_, Evictions> {
        self.evictions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection has opened: learns Redis's time, and whether it is another process, which may have forgotten. No call uses
    /// the connection before.
    pub(crate) fn greeted(&self, greeting: &Greeting) {
        let other = self.generation.greeted(greeting);
        let mut sessions = self.lock();
        sessions.synchronise(greeting.asked, greeting.answered, greeting.server_us);
        if other {
            sessions.bring_all(self.clock.now());
            drop(sessions);
            self.waiting.notify_one();
        }
    }
}

impl Store {
    /// Makes sure that Redis's clock is known: nothing is written for Redis by another clock.
    pub(crate) async fn synchronise(&self, deadline: Time) -> Result<(), CallError> {
        if self.memory.lock().synchronised() {
            return Ok(());
        }
        self.check_generation(deadline).await
    }

    /// When an operation that begins now must be over.
    pub(crate) fn deadline(&self) -> Time {
        self.clock.now() + self.settings.now().deadline
    }

    /// Whether the next operation of a user goes to Redis, which may just be back.
    pub(crate) fn admits(&self) -> bool {
        self.serving.admits(self.settings.now().breaker.ramp)
    }

    /// What users' calls feel.
    pub(crate) fn foreground(&self) -> MutexGuard<'_, Foreground> {
        self.foreground.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long another instance with the same settings may need until it has brought to a Redis that is back, and empty, what it
    /// knows: its breaker cools down, its probe may hang, and the resync takes its time.
    pub(crate) fn doubt(&self) -> Duration {
        let settings = self.settings.now();
        let breaker = &settings.breaker;
        let cool_down = breaker.cool_down_max.mul_f64(1.0 + breaker.jitter);
        let until_back = cool_down + breaker.probe_lease + settings.connect_timeout;
        (until_back + settings.resync.start_delay_max + BRINGS_WITHIN).min(LONGEST_DOUBT)
    }

    /// What time it is at Redis, as far as is known, in milliseconds since 1970.
    pub(crate) fn unix_ms(&self) -> u64 {
        self.memory.lock().unix_ms(self.clock.now())
    }

    /// Takes care that what `push` took is released.
    pub(crate) fn bringing(&self, push: Push) -> Bringing<'_> {
        Bringing { memory: &self.memory, push, refused: false }
    }

    /// Brings a session to Redis and learns what Redis knew of it.
    pub(crate) async fn bring(
        &self,
        bringing: &mut Bringing<'_>,
        deadline: Time,
    ) -> Result<Brought, CallError> {
        let (mut settled_before, mut round) = (false, 0);
        loop {
            round += 1;
            let merged = match self.script.merge(&bringing.push, deadline).await {
                Ok(merged) => merged,
                // Part of the write may stand already.
                Err(error) if settled_before && error.definite() => {
                    return Err(CallError::Broken(error.to_string()));
                }
                Err(error) => return Err(error),
            };
            self.serving.redis();
            let last = round == ROUNDS;
            match merged {
                Merged::Damaged(found) => {
                    self.tell_damaged();
                    if last {
                        return Err(CallError::Broken(
                            "what redis holds is damaged again and again".to_owned(),
                        ));
                    }
                    settled_before = true;
                    bringing.push.damaged = found;
                }
                Merged::Answer { answer, by, found_damage } => {
                    if found_damage {
                        self.tell_damaged();
                    }
                    settled_before = true;
                    let settled = self.memory.lock().settle(&bringing.push, &answer);
                    match settled {
                        Settled::Again(push) if !last => bringing.push = *push,
                        // It stood for a moment, and others wrote over it.
                        Settled::Again(_) | Settled::Stored => return Ok(Brought::Stored { by }),
                        Settled::Gone { perhaps_written } => return Ok(Brought::Gone { perhaps_written }),
                    }
                }
            }
        }
    }

    /// Counts and tells that Redis holds something that is not a session of ours, or not whole.
    pub(crate) fn tell_damaged(&self) {
        self.damaged.fetch_add(1, Ordering::Relaxed);
        (self.observer)(&Event::Corrupt { at: self.clock.now() });
    }
}

impl Bringing<'_> {
    /// Redis refuses it for good: the write is taken back.
    pub(crate) fn undo(&mut self) {
        self.memory.lock().undo(&self.push);
    }

    /// Redis refuses it for good: others come first from now on.
    pub(crate) fn refused(&mut self) {
        self.refused = true;
    }
}

impl Drop for Bringing<'_> {
    fn drop(&mut self) {
        let mut sessions = self.memory.lock();
        sessions.release(&self.push.id, self.refused);
        if sessions.waiting(self.refused) > 0 {
            drop(sessions);
            self.memory.waiting.notify_one();
        }
    }
}

/// How long a resync of an instance may take whose sessions are the only copies.
const BRINGS_WITHIN: Duration = Duration::from_secs(2);

/// After this long what Redis does not know is taken for gone, whatever an instance with other settings may still hold.
const LONGEST_DOUBT: Duration = Duration::from_secs(30);

/// How often one write is brought again because others, whose clocks are ahead, wrote before it, or because of damage.
const ROUNDS: u32 = 5;

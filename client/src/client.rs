//! The session client: what a user holds.
//!
//! A write goes into the local copy first, under a new version and dirty, then to Redis. If Redis does not take it, the local
//! copy has accepted it and the resync brings it later. A read asks Redis and merges the answer with the local copy, so what an
//! instance has seen never goes back; when Redis does not answer, the local copy does.

use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Handle;

use crate::answer::{Ack, Found, Level, Lookup, ServedBy, SessionError};
use crate::core::breaker::Force;
use crate::core::encoding::Damage;
use crate::core::local::LocalCopy;
use crate::core::push::{Fate, Push};
use crate::core::sessions::{Look, Refusal, Write};
use crate::core::time::Time;
use crate::durable::{self, Loaded};
use crate::endpoint::Endpoint;
use crate::environment::{Environment, StartError};
use crate::error::CallError;
use crate::event::{Operation, harmless};
use crate::gateway::Gateway;
use crate::mode::Serving;
use crate::replicas::Replicas;
use crate::script::{Merged, Script, Stored};
use crate::settings::{Fallback, Live, Settings};
use crate::store::{Brought, Memory, Store};
use crate::sync;
use crate::task::AbortOnDrop;

/// A session client. Clones share everything; the last one to go ends the client's tasks.
#[derive(Clone)]
pub struct SessionClient {
    store: Arc<Store>,
    resyncing: Option<Arc<AbortOnDrop>>,
}

/// Why a session could not be looked up at Redis.
enum Unanswered {
    Call(CallError),
    Damaged(Damage),
}

impl SessionClient {
    /// Starts a client. It does not wait for Redis: one that is down is what the client is for. With a durable fallback it reads
    /// the file, which blocks.
    ///
    /// # Errors
    ///
    /// When a setting is out of its range, there is no tokio runtime, or the file of the durable fallback cannot be used.
    pub fn start(
        settings: Settings,
        endpoint: Endpoint,
        environment: Environment,
    ) -> Result<Self, StartError> {
        settings.validate()?;
        endpoint.fits(&settings)?;
        let runtime = Handle::try_current().map_err(|_| StartError::NoRuntime)?;
        let Environment { clock, seed, writer, observer, disk, seal } = environment;
        let memory = Arc::new(Memory::new(&settings, writer, clock.clone()));
        let serving = Arc::new(Serving::new(clock.clone(), settings.fallback, harmless(observer)));
        let observer = serving.following();
        let greeted = Arc::clone(&memory);
        let settings = Arc::new(Live::new(settings));
        let gateway = Gateway::start(
            Arc::clone(&settings),
            endpoint,
            clock.clone(),
            seed,
            Arc::clone(&observer),
            move |greeting| greeted.greeted(greeting),
        );
        let Settings { key_prefix, resync, .. } = &*settings.now();
        let key_prefix = key_prefix.clone();
        let tombstone_ttl_ms = u64::try_from(resync.tombstone_ttl.as_millis()).unwrap_or(u64::MAX);
        let script = Script { gateway, clock: clock.clone(), key_prefix, tombstone_ttl_ms };
        let replicas = Replicas::start(Arc::clone(&settings), clock.clone(), script.gateway.clone());
        let (journal, damaged) = match &disk {
            Some(path) => {
                let Loaded { journal, damaged } = durable::load(path, &memory, &clock, &observer)?;
                (Some(journal), damaged)
            }
            None => (None, 0),
        };
        let (damaged, disk_failures) = (AtomicU64::new(damaged), AtomicU64::new(0));
        let store = Arc::new(Store {
            runtime,
            settings,
            writer,
            clock,
            observer,
            script,
            memory,
            serving,
            replicas,
            journal,
            seal,
            foreground: Mutex::default(),
            resyncing: AtomicBool::new(false),
            damaged,
            disk_failures,
        });
        let resyncing = store.settings.now().resync.enabled.then(|| {
            let task = tokio::spawn(sync::resync_whenever_due(Arc::clone(&store)));
            Arc::new(AbortOnDrop(task.abort_handle()))
        });
        Ok(Self { store, resyncing })
    }

    /// Makes a session that lives for `ttl`; one that exists is replaced. Its end is a moment of Redis's clock, which is known
    /// here to half a round trip and what clocks drift since: it may come sooner by twice that, and does not come later. Of a
    /// `ttl` that is as short as that, half is left.
    pub async fn create(&self, id: &str, value: Bytes, ttl: Duration) -> Result<Ack, SessionError> {
        self.create_by(id, value, ttl, self.deadline()).await
    }

    /// Writes a session's value and keeps its TTL.
    pub async fn update(&self, id: &str, value: Bytes) -> Result<Ack, SessionError> {
        self.update_by(id, value, self.deadline()).await
    }

    /// Lets a session live for `ttl` from now on, as exactly as [`create`](Self::create).
    pub async fn touch(&self, id: &str, ttl: Duration) -> Result<Ack, SessionError> {
        self.touch_by(id, ttl, self.deadline()).await
    }

    /// Ends a session. It is fine if there is none.
    pub async fn destroy(&self, id: &str) -> Result<Ack, SessionError> {
        self.store.told(Operation::Destroy, self.write(id, Write::Destroy, self.deadline())).await
    }

    /// Reads a session with what is left of its TTL, and changes neither.
    pub async fn get(&self, id: &str) -> Result<Lookup, SessionError> {
        self.get_by(id, self.deadline()).await
    }

    pub(crate) async fn read(&self, id: &str, end: Time) -> Result<Lookup, SessionError> {
        let lookup = self.look_up(id, end).await?;
        self.store.opened(id, lookup)
    }

    async fn look_up(&self, id: &str, end: Time) -> Result<Lookup, SessionError> {
        self.check_id(id)?;
        if !self.store.admits() {
            let spared = self.serve_locally(id, SPARED);
            if !matches!(spared, Lookup::Unknown { .. }) {
                return Ok(spared);
            }
        }
        match self.ask(id, end).await {
            Ok(look) => Ok(lookup(look, ServedBy::Redis)),
            Err(Unanswered::Damaged(damage)) => Err(SessionError::Corrupt(damage.cure())),
            Err(Unanswered::Call(error)) => Ok(self.serve_locally(id, error)),
        }
    }

    /// What is left of a session's TTL.
    pub async fn ttl(&self, id: &str) -> Result<Lookup<Duration>, SessionError> {
        Ok(self.get(id).await?.map(|found| found.ttl))
    }

    /// Decides over the breaker's head, or lets it decide again ([`Force::Auto`]): forced open, Redis is left alone and the
    /// local copy serves; forced closed, every call goes to Redis, whatever fails.
    pub fn force_breaker(&self, force: Force) {
        self.store.script.gateway.force(force);
    }

    /// Brings to Redis what it does not know yet, as far as that is possible within one deadline, and ends. A breaker that is open is
    /// asked once more whether it need be, unless somebody has [forced](Self::force_breaker) it open.
    pub async fn shutdown(&self) {
        if let Some(resyncing) = &self.resyncing {
            resyncing.0.abort();
            sync::bring_the_rest(&self.store, self.deadline()).await;
        }
        self.store.replicas.close();
        self.store.script.gateway.close();
        Arc::clone(&self.store).close_disk().await;
    }

    pub(crate) async fn write(&self, id: &str, write: Write, end: Time) -> Result<Ack, SessionError> {
        self.check_id(id)?;
        self.check_write(id, &write)?;
        let write = self.store.sealed(id, write)?;
        // Encrypted it is a little larger.
        self.check_write(id, &write)?;
        let store = &*self.store;
        let deadline = store.redis_by(end);
        let synchronised = if store.admits() { store.synchronise(deadline).await } else { Err(SPARED) };
        let begun = store.memory.lock().write(store.clock.now(), id, &write);
        let begun = match begun {
            Err(Refusal::Missing) => {
                let (takes, kept) = self.find(id, deadline).await?;
                let begun = store.memory.lock().write(store.clock.now(), id, &write);
                begun.map_err(|refusal| self.unwritable(&refusal, takes, kept))
            }
            Err(Refusal::Full) => Err(SessionError::Full),
            Ok(push) => Ok(push),
        };
        let push = begun?;
        let mut bringing = store.bringing(push);
        let brought = match synchronised {
            Ok(()) => store.bring(&mut bringing, deadline).await,
            // Nothing of this was sent.
            Err(error) if store.settings.now().fallback == Fallback::None => {
                return Err(SessionError::Unavailable(error));
            }
            Err(error) => Err(error),
        };
        match brought {
            Ok(Brought::Stored { by }) => {
                let level = if store.replicas.have(by, end).await { Level::Replicas } else { Level::Redis };
                Ok(Ack { served_by: ServedBy::Redis, level })
            }
            Ok(Brought::Gone { perhaps_written: false }) => Err(SessionError::NoSession),
            Ok(Brought::Gone { perhaps_written: true }) => {
                Err(SessionError::Call(CallError::Broken("the session has ended since".to_owned())))
            }
            Err(error @ (CallError::Refused(_) | CallError::Closed)) => {
                bringing.undo();
                Err(SessionError::Call(error))
            }
            Err(error) if store.settings.now().fallback == Fallback::None => Err(SessionError::Call(error)),
            Err(_) => {
                store.serving.local();
                Ok(Ack { served_by: ServedBy::Local, level: store.keep(id, end).await })
            }
        }
    }

    /// Makes sure that the session is there, for a write that needs it, and says how many bytes it takes, and whether it is now
    /// kept here.
    async fn find(&self, id: &str, deadline: Time) -> Result<(u64, bool), SessionError> {
        match self.ask(id, deadline).await {
            Ok(Look::Alive { payload, .. }) => {
                let kept = self.store.memory.lock().local().entry(id).is_some();
                Ok((LocalCopy::takes(id, payload.len()), kept))
            }
            Ok(Look::Destroyed | Look::Expired | Look::Unknown) => Err(SessionError::NoSession),
            Err(Unanswered::Damaged(damage)) => Err(SessionError::Corrupt(damage.cure())),
            Err(Unanswered::Call(error)) => {
                let store = &*self.store;
                let known = store.memory.lock().look(store.clock.now(), id);
                let gone = known == Look::Destroyed && store.settings.now().fallback == Fallback::Memory;
                Err(if gone { SessionError::NoSession } else { SessionError::Unavailable(error) })
            }
        }
    }

    /// Asks Redis, and merges its answer with what is known here. What Redis holds nothing of, or nothing whole, but is known
    /// to live here, is brought to it: it was evicted or forgotten, or it was destroyed, which the merge tells.
    async fn ask(&self, id: &str, deadline: Time) -> Result<Look, Unanswered> {
        let store = &*self.store;
        store.synchronise(deadline).await?;
        let sent = store.clock.now();
        let stored = store.script.read(id, deadline).await?;
        store.serving.redis();
        let damaged = match stored {
            Stored::Record(record) => {
                return Ok(store.memory.lock().learn(store.clock.now(), sent, id, &record));
            }
            Stored::Nothing => None,
            Stored::Damaged(found, damage) => {
                store.tell_damaged();
                Some((found, damage))
            }
        };
        let known = store.memory.lock().look(store.clock.now(), id);
        match known {
            Look::Alive { .. } => self.bring_back(id, damaged, deadline).await,
            // What was damaged may be a session that somebody created again.
            Look::Destroyed if damaged.is_some() => self.bring_back(id, damaged, deadline).await,
            Look::Destroyed => Ok(known),
            Look::Expired | Look::Unknown => match damaged {
                Some((_, damage)) => Err(Unanswered::Damaged(damage)),
                None => self.ask_for_the_tombstone(id, known, deadline).await,
            },
        }
    }

    async fn bring_back(
        &self,
        id: &str,
        damaged: Option<(Bytes, Damage)>,
        deadline: Time,
    ) -> Result<Look, Unanswered> {
        let store = &*self.store;
        let mut push = store.memory.lock().push(id);
        push.damaged = damaged.map(|(found, _)| found).unwrap_or_default();
        let mut bringing = store.bringing(push);
        store.bring(&mut bringing, deadline).await?;
        Ok(store.memory.lock().look(store.clock.now(), id))
    }

    /// Redis holds nothing and nothing alive is known here. That means "no such session", unless Redis has just lost its data:
    /// then another instance may be about to bring it back, and only a tombstone is proof.
    async fn ask_for_the_tombstone(&self, id: &str, known: Look, deadline: Time) -> Result<Look, Unanswered> {
        let store = &*self.store;
        if store.memory.generation.doubtful() {
            store.check_generation(deadline).await?;
        }
        if !store.memory.lock().data_lost_lately(store.clock.now()) {
            return Ok(known);
        }
        let merged = store.script.merge(&Push::question(id), deadline).await?;
        let Merged::Answer { answer, found_damage, .. } = merged else {
            store.tell_damaged();
            return Err(Unanswered::Damaged(Damage::Foreign));
        };
        if found_damage {
            store.tell_damaged();
        }
        match answer.fate {
            Fate::Alive => {
                let now = store.clock.now();
                Ok(store.memory.lock().learn(now, answer.sent, id, &answer.known))
            }
            Fate::Destroyed | Fate::Expired => Ok(known),
            Fate::Absent => Err(CallError::NotNow("it has just lost its data".to_owned()).into()),
            Fate::Damaged => {
                store.tell_damaged();
                Err(Unanswered::Damaged(Damage::Foreign))
            }
        }
    }

    fn serve_locally(&self, id: &str, because: CallError) -> Lookup {
        let store = &*self.store;
        if store.settings.now().fallback == Fallback::None {
            return Lookup::Unknown { because };
        }
        let look = store.memory.lock().use_and_look(store.clock.now(), id);
        match look {
            Look::Alive { .. } | Look::Destroyed => {
                store.serving.local();
                lookup(look, ServedBy::Local)
            }
            // Expired as far as is known here; another instance may have extended it.
            Look::Expired | Look::Unknown => Lookup::Unknown { because },
        }
    }

    /// What time it is at Redis, as far as this instance knows, in milliseconds since 1970; before it was ever asked, here.
    pub fn unix_ms(&self) -> u64 {
        self.store.unix_ms()
    }

    /// Whether a session lives, as far as is known here.
    pub(crate) fn knows_alive(&self, id: &str) -> bool {
        matches!(self.store.memory.lock().look(self.store.clock.now(), id), Look::Alive { .. })
    }

    /// The TTL that a session was given, when it was created or extended last, if this instance knows the session; to a tenth of
    /// a second, for by the error of the clock it was given less than was asked.
    pub fn given_ttl(&self, id: &str) -> Option<Duration> {
        let sessions = self.store.memory.lock();
        let expiry = sessions.local().entry(id)?.record.expiry;
        let given = expiry.unix_ms.checked_sub(expiry.version.unix_ms()).filter(|given| *given > 0);
        given.map(|given| Duration::from_millis(given.div_ceil(TENTH_MS).saturating_mul(TENTH_MS)))
    }

    /// What its tasks share.
    pub(crate) fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// The ids of all sessions in the local copy.
    pub(crate) fn local_ids(&self) -> Vec<String> {
        self.store.memory.lock().local().ids().iter().map(ToString::to_string).collect()
    }

    fn deadline(&self) -> Time {
        self.store.deadline()
    }
}

/// A tenth of a second in milliseconds.
const TENTH_MS: u64 = 100;

/// Why the local copy serves what Redis could, when Redis is just back.
const SPARED: CallError = CallError::Rejected { retry_after: Duration::ZERO };

impl From<CallError> for Unanswered {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

fn lookup(look: Look, served_by: ServedBy) -> Lookup {
    match look {
        Look::Alive { payload, left } => {
            Lookup::Found { session: Found { value: payload, ttl: left }, served_by }
        }
        Look::Destroyed | Look::Expired | Look::Unknown => Lookup::Absent { served_by },
    }
}

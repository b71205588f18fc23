//! The fault link: one instance's way to Redis. It joins the subject's connections with Redis', records what crosses, and bends
//! them as the strikes of the plan say. One implementation for every stream: in memory and virtual time, or TCP.
//!
//! Without strikes it passes bytes on unchanged and at once, and mirrors what it meets, so that the subject sees what it would
//! see without it: a reset stays a reset, an end an end. It is the only honest witness of what left the subject.
//!
//! A black hole either holds bytes and delivers them, or drops them and then ends the connection: bytes are never missing on a
//! connection that lives, since no network does that.

mod answers;
mod connection;
mod conversation;
mod frames;
mod keys;
mod memory;
mod pipe;
mod port;
mod rules;
mod stream;
mod tcp;
mod tls;
mod way;
mod wire;

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use tokio::sync::Notify;
use tokio::task::{AbortHandle, JoinSet};
use tokio_rustls::rustls::ServerConfig;

use crate::fault::{Act, Bend, Direction};
use crate::history::{Event, Wire};
use crate::plan::Strike;
use crate::recorder::Recorder;
use answers::Answering;
use connection::Connection;
use rules::{Bending, Chance, Resetting, Rules};
use tls::Tls;

pub use memory::{Memory, pair};
pub use stream::{Stream, Tcp};
pub use tcp::Proxy;

/// One instance's way to Redis. Dropping it resets its connections.
#[derive(Debug)]
pub struct Link {
    shared: Arc<Shared>,
    live: Arc<Mutex<Live>>,
}

/// What connections share with their link.
#[derive(Debug)]
struct Shared {
    recorder: Recorder,
    chance: Chance,
    /// What the subject is shown, where it is to speak TLS.
    tls: Option<Arc<ServerConfig>>,
    rules: Mutex<Rules>,
    /// The version of the rules, to be read without the lock.
    version: AtomicU64,
    /// Woken when the rules change, by the number of the connection.
    wakers: Mutex<BTreeMap<u32, Waker>>,
    open: AtomicU64,
    opened: AtomicU32,
    /// Told when a strike that cut the network is over. No `watch`: it wakes those who wait in an order of chance.
    mended: Notify,
}

/// The tasks of live connections. Not part of what they share: dropping the last owner must end them.
#[derive(Debug, Default)]
struct Live {
    tasks: JoinSet<()>,
    handles: BTreeMap<u32, AbortHandle>,
}

impl Link {
    /// The way of that instance. `seed` is the run's.
    pub fn new(instance: u16, seed: u64, recorder: Recorder) -> Self {
        Self::over(None, instance, seed, recorder)
    }

    /// The same, where the subject is to speak TLS; `None` is as without it.
    pub fn over(tls: Option<Arc<ServerConfig>>, instance: u16, seed: u64, recorder: Recorder) -> Self {
        let shared = Shared {
            recorder,
            chance: Chance { seed, instance },
            tls,
            rules: Mutex::default(),
            version: AtomicU64::new(0),
            wakers: Mutex::default(),
            open: AtomicU64::new(0),
            opened: AtomicU32::new(0),
            mended: Notify::new(),
        };
        Self { shared: Arc::new(shared), live: Arc::default() }
    }

    /// Joins a connection of the subject with the one to Redis that `upstream` opens, in a task of its own.
    pub fn carry<C: Stream, U: Stream>(
        &self,
        client: C,
        upstream: impl Future<Output = io::Result<U>> + Send + 'static,
    ) {
        self.carry_as(client, upstream, true);
    }

    /// The same; only what counts is among the [`connections`](Self::connections).
    fn carry_as<C: Stream, U: Stream>(
        &self,
        client: C,
        upstream: impl Future<Output = io::Result<U>> + Send + 'static,
        counts: bool,
    ) {
        // One that cannot be had ends the connection, and is never as if TLS were not wanted.
        let Ok(tls) = self.shared.tls.as_ref().map(Tls::new).transpose() else { return };
        let connection = Connection::open(client, tls, Arc::clone(&self.shared), counts);
        let number = connection.number();
        locked(&self.live).spawn(number, connection.run(upstream));
    }

    /// How many connections the instance has open now: those that it has not ended yet, whatever Redis does.
    pub fn connections(&self) -> u64 {
        self.shared.open.load(Ordering::SeqCst)
    }

    /// Whether some strike refuses connections just now.
    pub fn refuses(&self) -> bool {
        self.shared.rules().refusals > 0
    }

    /// Begins to refuse: new connections are to be turned away by whoever takes them, live ones go on.
    pub fn deafen(&self) {
        self.change(|rules| rules.refusals += 1);
    }

    /// Takes one [`deafen`](Self::deafen) back.
    pub fn hear(&self) {
        self.change(|rules| rules.refusals = rules.refusals.saturating_sub(1));
    }

    /// Whether some strike cuts the network just now: who opens a connection is to wait.
    pub fn is_cut(&self) -> bool {
        self.shared.rules().cuts > 0
    }

    /// Returns when no strike cuts the network.
    pub async fn reached(&self) {
        loop {
            // Before looking, so that no change is missed.
            let mended = self.shared.mended.notified();
            if !self.is_cut() {
                return;
            }
            mended.await;
        }
    }

    /// Begins a strike that bends the link or resets its connections; others are none of its business.
    pub async fn begin(&self, number: u32, strike: &Strike) {
        let opened = self.shared.opened.load(Ordering::SeqCst);
        if let Some(bending) = bending(strike, opened) {
            return self.change(|rules| {
                rules.cuts += u32::from(strike.act == Act::Unreachable);
                rules.bends.insert(number, bending);
            });
        }
        match &strike.act {
            Act::Reset { live, new } => {
                if *new {
                    let resetting = Resetting { share: strike.probability, since: opened };
                    self.change(|rules| {
                        rules.resets.insert(number, resetting);
                    });
                }
                if *live {
                    self.reset_chosen(number, strike.probability).await;
                }
            }
            Act::SlowAccept { delay } => self.change(|rules| {
                rules.slow_accepts.insert(number, (*delay, opened));
            }),
            Act::Answer(answer) => {
                let (answer, matching) = (answer.clone(), strike.matching.clone());
                let answering = Answering { answer, matching, share: strike.probability, met: 0 };
                self.change(|rules| {
                    rules.answers.insert(number, answering);
                });
            }
            Act::Bend(_)
            | Act::HalfOpen
            | Act::Unreachable
            | Act::Refuse
            | Act::Server(_)
            | Act::Crash { .. } => {}
        }
    }

    /// Ends a strike that bends the link or resets its connections.
    pub async fn end(&self, number: u32, strike: &Strike) {
        let bending = self.shared.rules().bends.get(&number).copied();
        if let Some(Bending { bend, share, before, .. }) = bending {
            // While the black hole still is one, so that none of them ever goes on with bytes missing.
            if bend == Bend::Drop {
                let chance = self.shared.chance;
                self.reset_those(|connection| {
                    connection < before && chance.chooses(share, number, connection)
                })
                .await;
            }
            self.change(|rules| {
                rules.cuts -= u32::from(strike.act == Act::Unreachable);
                rules.bends.remove(&number);
            });
            return self.shared.mended.notify_waiters();
        }
        match &strike.act {
            Act::Reset { .. } => self.change(|rules| {
                rules.resets.remove(&number);
            }),
            Act::SlowAccept { .. } => self.change(|rules| {
                rules.slow_accepts.remove(&number);
            }),
            Act::Answer(_) => self.change(|rules| {
                rules.answers.remove(&number);
            }),
            Act::Bend(_)
            | Act::HalfOpen
            | Act::Unreachable
            | Act::Refuse
            | Act::Server(_)
            | Act::Crash { .. } => {}
        }
    }

    /// Resets every live connection, idle or not.
    pub async fn reset(&self) {
        let mut live = std::mem::take(&mut *locked(&self.live));
        live.tasks.shutdown().await;
    }

    /// Resets the live connections that a strike hits, which is such a share of them.
    pub async fn reset_chosen(&self, strike: u32, share: f64) {
        self.reset_those(|connection| self.shared.chance.chooses(share, strike, connection)).await;
    }

    async fn reset_those(&self, hit: impl Fn(u32) -> bool) {
        let chosen: Vec<AbortHandle> = {
            let mut live = locked(&self.live);
            live.handles.retain(|_, handle| !handle.is_finished());
            live.handles
                .iter()
                .filter(|(number, _)| hit(**number))
                .map(|(_, handle)| handle.clone())
                .collect()
        };
        chosen.iter().for_each(AbortHandle::abort);
        while !chosen.iter().all(AbortHandle::is_finished) {
            tokio::task::yield_now().await;
        }
    }

    fn change(&self, change: impl FnOnce(&mut Rules)) {
        {
            let mut rules = self.shared.rules();
            change(&mut rules);
            rules.version += 1;
            self.shared.version.store(rules.version, Ordering::SeqCst);
        }
        let wakers: Vec<Waker> = locked(&self.shared.wakers).values().cloned().collect();
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// How a strike bends the link, if it does; `opened` connections there were when it began.
fn bending(strike: &Strike, opened: u32) -> Option<Bending> {
    let (bend, direction, before) = match &strike.act {
        Act::Bend(bend) => (*bend, strike.direction, u32::MAX),
        Act::HalfOpen => (Bend::Drop, Direction::Both, opened),
        Act::Unreachable => (Bend::Hold, Direction::Both, u32::MAX),
        _ => return None,
    };
    Some(Bending { bend, direction, share: strike.probability, before })
}

impl Shared {
    fn rules(&self) -> MutexGuard<'_, Rules> {
        locked(&self.rules)
    }

    fn record(&self, connection: u32, what: Wire) {
        self.recorder.record(Event::Wire { instance: self.chance.instance, connection, what });
    }

    fn wake_on_change(&self, connection: u32, waker: &Waker) {
        let mut wakers = locked(&self.wakers);
        match wakers.get_mut(&connection) {
            Some(known) => known.clone_from(waker),
            None => drop(wakers.insert(connection, waker.clone())),
        }
    }

    fn forget(&self, connection: u32) {
        locked(&self.wakers).remove(&connection);
    }
}

impl Live {
    fn spawn(&mut self, number: u32, connection: impl Future<Output = ()> + Send + 'static) {
        while self.tasks.try_join_next().is_some() {}
        // Now and then is enough to keep the list no longer than twice what is live.
        if self.handles.len() > 2 * self.tasks.len() {
            self.handles.retain(|_, handle| !handle.is_finished());
        }
        self.handles.insert(number, self.tasks.spawn(connection));
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod begun_tests;
#[cfg(test)]
mod tests;

//! One instance's way to the server, and the strikes that are on it just now.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tokio::sync::Mutex;

use super::resets::Resets;
use crate::fault::Act;
use crate::plan::Strike;
use crate::recorder::Recorder;
use crate::world::tap::Tap;
use crate::world::{WorldError, failed};

pub(super) struct Link {
    number: u16,
    server: SocketAddr,
    tap: Tap,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// How many strikes refuse just now.
    refusals: u32,
    /// The share of new connections that each strike resets just now.
    shares: BTreeMap<u32, f64>,
    resets: Option<Resets>,
}

impl Link {
    pub(super) async fn start(
        number: u16,
        server: SocketAddr,
        recorder: Recorder,
    ) -> Result<Self, WorldError> {
        let tap = Tap::listen(number, server, recorder).await.map_err(failed("open a fault proxy"))?;
        Ok(Self { number, server, tap, state: Mutex::default() })
    }

    pub(super) fn port(&self) -> u16 {
        self.tap.address().port()
    }

    pub(super) fn connections(&self) -> u64 {
        self.tap.connections()
    }

    /// Ends its service.
    pub(super) async fn close(&self) {
        self.tap.refuse().await;
    }

    /// A strike on this link begins.
    pub(super) async fn begin(&self, number: u32, strike: &Strike) -> Result<(), WorldError> {
        match &strike.act {
            Act::Bend(_) => Err(failed("bend a link")("it comes with the fault link")),
            Act::Refuse => {
                self.deafen().await;
                self.reset().await;
                Ok(())
            }
            Act::Reset { live, new } => {
                let state = &mut *self.state.lock().await;
                if *new {
                    state.shares.insert(number, strike.probability);
                    self.set_resets(state).await?;
                }
                if *live {
                    self.reset_live(number, strike.probability).await;
                }
                Ok(())
            }
            Act::Server(_) => Ok(()),
        }
    }

    /// A strike on this link ends.
    pub(super) async fn end(&self, number: u32, strike: &Strike) -> Result<(), WorldError> {
        match &strike.act {
            Act::Refuse => self.accept().await,
            Act::Reset { new: true, .. } => {
                let state = &mut *self.state.lock().await;
                state.shares.remove(&number);
                self.set_resets(state).await
            }
            Act::Reset { .. } | Act::Bend(_) | Act::Server(_) => Ok(()),
        }
    }

    /// Refuses new connections; live ones go on.
    pub(super) async fn deafen(&self) {
        self.state.lock().await.refusals += 1;
        self.tap.deafen().await;
    }

    /// Resets live connections.
    pub(super) async fn reset(&self) {
        self.tap.reset().await;
    }

    /// Takes one [`deafen`](Self::deafen) back.
    pub(super) async fn accept(&self) -> Result<(), WorldError> {
        let state = &mut *self.state.lock().await;
        state.refusals = state.refusals.saturating_sub(1);
        if state.refusals > 0 {
            return Ok(());
        }
        self.tap.accept().await.map_err(failed("open the fault proxy again"))
    }

    async fn reset_live(&self, strike: u32, share: f64) {
        if share >= 1.0 {
            return self.tap.reset().await;
        }
        let mut chance = ChaCha8Rng::seed_from_u64(u64::from(strike) << 16 | u64::from(self.number));
        self.tap.reset_some(|| chance.random_bool(share.max(0.0))).await;
    }

    /// Sends new connections where they are reset while a strike asks for that.
    async fn set_resets(&self, state: &mut State) -> Result<(), WorldError> {
        if state.resets.is_none() {
            let resets = Resets::listen(self.server, u64::from(self.number)).await;
            state.resets = Some(resets.map_err(failed("listen for connections to reset"))?);
        }
        let share = state.shares.values().copied().reduce(f64::max);
        let through = state.resets.as_ref().filter(|_| share.is_some());
        if let Some(resets) = through {
            resets.set_share(share.unwrap_or_default());
        }
        self.tap.forward_to(through.map_or(self.server, Resets::address));
        Ok(())
    }
}

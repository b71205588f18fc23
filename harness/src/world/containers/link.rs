//! One instance's way to Redis: its tap, its proxy, and the faults that bend it just now.

use std::net::SocketAddr;

use tokio::sync::Mutex;

use super::SharedApi;
use super::toxics::{Meant, RESET_STREAMS, meant_by, reset_name, reset_toxic};
use crate::fault::Act;
use crate::plan::Strike;
use crate::recorder::Recorder;
use crate::world::tap::Tap;
use crate::world::{WorldError, failed};

pub(super) struct Link {
    api: SharedApi,
    proxy: String,
    tap: Tap,
    state: Mutex<State>,
}

/// What the proxy should be like.
struct State {
    toxics: Vec<Meant>,
    /// How many strikes refuse just now.
    refusals: u32,
    /// The strikes that reset new connections just now, each with its probability.
    resets: Vec<(u32, f64)>,
}

impl Link {
    /// Creates the proxy on `listen` (inside the container), and the tap in front of `address` (the same port, from here).
    pub(super) async fn start(
        api: &SharedApi,
        number: u16,
        listen: u16,
        address: SocketAddr,
        upstream: String,
        recorder: Recorder,
    ) -> Result<Self, WorldError> {
        let proxy = format!("instance-{number}");
        api.create_proxy(&proxy, listen, &upstream).await?;
        // With these in place from the start, of no effect yet, every connection ends with RST when the proxy ends it. That
        // is how live and idle connections can be reset truly.
        let toxics: Vec<Meant> = RESET_STREAMS.iter().map(|stream| reset_toxic(stream, 0.0)).collect();
        for toxic in &toxics {
            api.add(&proxy, toxic).await?;
        }
        let tap = Tap::start(number, address, recorder).map_err(failed("open a tap"))?;
        let state = Mutex::new(State { toxics, refusals: 0, resets: Vec::new() });
        let link = Self { api: SharedApi::clone(api), proxy, tap, state };
        link.verify(&*link.state.lock().await).await?;
        Ok(link)
    }

    pub(super) fn port(&self) -> u16 {
        self.tap.port()
    }

    pub(super) fn connections(&self) -> u64 {
        self.tap.open()
    }

    /// Ends the tap's service; the proxy goes with its container.
    pub(super) fn close(&self) {
        self.tap.refuse();
    }

    /// A strike on this link begins.
    pub(super) async fn begin(&self, number: u32, strike: &Strike) -> Result<(), WorldError> {
        match &strike.act {
            Act::Bend(toxics) => {
                let mut state = self.state.lock().await;
                for toxic in meant_by(number, toxics, strike.direction, strike.probability) {
                    self.api.add(&self.proxy, &toxic).await?;
                    state.toxics.push(toxic);
                }
                self.verify(&state).await
            }
            Act::Refuse => self.refuse().await,
            Act::Reset { live, new } => {
                let mut state = self.state.lock().await;
                if *new {
                    state.resets.push((number, strike.probability));
                    self.set_resets(&mut state).await?;
                }
                if *live && state.refusals == 0 {
                    self.api.set_enabled(&self.proxy, false).await?;
                    self.api.set_enabled(&self.proxy, true).await?;
                }
                self.verify(&state).await
            }
            Act::Server(_) => Ok(()),
        }
    }

    /// A strike on this link ends.
    pub(super) async fn end(&self, number: u32, strike: &Strike) -> Result<(), WorldError> {
        match &strike.act {
            Act::Bend(toxics) => {
                let mut state = self.state.lock().await;
                for toxic in meant_by(number, toxics, strike.direction, strike.probability) {
                    self.api.remove(&self.proxy, &toxic.name).await?;
                    state.toxics.retain(|meant| meant.name != toxic.name);
                }
                self.verify(&state).await
            }
            Act::Refuse => self.accept().await,
            Act::Reset { new, .. } => {
                let mut state = self.state.lock().await;
                if *new {
                    state.resets.retain(|(other, _)| *other != number);
                    self.set_resets(&mut state).await?;
                }
                self.verify(&state).await
            }
            Act::Server(_) => Ok(()),
        }
    }

    /// Closes the port: live connections are reset, new ones refused.
    pub(super) async fn refuse(&self) -> Result<(), WorldError> {
        let mut state = self.state.lock().await;
        state.refusals += 1;
        self.tap.refuse();
        if state.refusals == 1 {
            self.api.set_enabled(&self.proxy, false).await?;
        }
        self.verify(&state).await
    }

    /// Takes one [`refuse`](Self::refuse) back.
    pub(super) async fn accept(&self) -> Result<(), WorldError> {
        let mut state = self.state.lock().await;
        state.refusals = state.refusals.saturating_sub(1);
        if state.refusals == 0 {
            self.api.set_enabled(&self.proxy, true).await?;
        }
        self.verify(&state).await?;
        self.tap.accept().map_err(failed("open the tap again"))
    }

    async fn set_resets(&self, state: &mut State) -> Result<(), WorldError> {
        let toxicity = state.resets.iter().map(|(_, probability)| *probability).fold(0.0, f64::max);
        for stream in RESET_STREAMS {
            let name = reset_name(stream);
            self.api.set_toxicity(&self.proxy, &name, toxicity).await?;
            state
                .toxics
                .iter_mut()
                .filter(|toxic| toxic.name == name)
                .for_each(|toxic| toxic.toxicity = toxicity);
        }
        Ok(())
    }

    /// Reads the proxy back and compares: Toxiproxy takes misspelt attributes in silence.
    async fn verify(&self, state: &State) -> Result<(), WorldError> {
        let found = self.api.read(&self.proxy).await?;
        let difference = found.difference(state.refusals == 0, &state.toxics);
        difference.map_or(Ok(()), |difference| {
            Err(WorldError::Differs { instance: self.proxy.clone(), difference })
        })
    }
}

//! One instance's way to Redis: its tap, its proxies, and the faults that bend it just now.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use tokio::sync::Mutex;

use super::SharedApi;
use super::toxics::{Meant, RESET_STREAMS, meant_by, reset_name, reset_toxic};
use crate::fault::Act;
use crate::link::Proxy as Tap;
use crate::plan::Strike;
use crate::world::{WorldError, failed};

/// Ports for one link's proxies, as Toxiproxy's container knows them and as they are reached from here.
pub(super) type Ports = [(u16, SocketAddr); 2];

pub(super) struct Link {
    api: SharedApi,
    number: u16,
    upstream: String,
    ports: Ports,
    tap: Tap,
    state: Mutex<State>,
}

/// What the proxies should be like.
struct State {
    /// The one that connections go through; and, once a strike has reset new connections only, one for those that are opened
    /// while such a strike lasts, so that none that was open before is struck.
    proxies: Vec<Proxy>,
    bends: BTreeMap<u32, Vec<Meant>>,
    /// How many strikes refuse just now.
    refusals: u32,
    /// Whether Toxiproxy lets connections through; a moment after the first refusal it does not.
    enabled: bool,
    /// The share of new connections that each strike resets just now.
    resets: BTreeMap<u32, f64>,
}

struct Proxy {
    name: String,
    toxics: Vec<Placed>,
}

/// A toxic on a proxy.
struct Placed {
    /// The name that it was meant to have, which tells strikes apart.
    wanted: String,
    /// What it is; the crate gives toxics names of its own.
    meant: Meant,
}

impl Link {
    /// Makes the proxy, and the tap in front of it.
    pub(super) async fn start(
        api: &SharedApi,
        number: u16,
        ports: Ports,
        upstream: String,
        tap: crate::link::Link,
    ) -> Result<Self, WorldError> {
        let tap = Tap::of(tap, ports[0].1).await.map_err(failed("open a tap"))?;
        let (bends, resets) = (BTreeMap::new(), BTreeMap::new());
        let state = State { proxies: Vec::new(), bends, refusals: 0, enabled: true, resets };
        let link =
            Self { api: SharedApi::clone(api), number, upstream, ports, tap, state: Mutex::new(state) };
        link.add_proxy(&mut *link.state.lock().await, format!("instance-{number}")).await?;
        Ok(link)
    }

    pub(super) fn port(&self) -> u16 {
        self.tap.address().port()
    }

    pub(super) fn connections(&self) -> u64 {
        self.tap.connections()
    }

    /// Ends the tap's service; the proxies go with their container.
    pub(super) async fn close(&self) {
        self.tap.refuse().await;
    }

    /// A strike on this link begins.
    pub(super) async fn begin(&self, number: u32, strike: &Strike) -> Result<(), WorldError> {
        match &strike.act {
            Act::Bend(bend) => {
                let state = &mut *self.state.lock().await;
                let bends = meant_by(number, *bend, strike.direction, strike.probability);
                for proxy in &mut state.proxies {
                    for toxic in &bends {
                        self.place(proxy, toxic.clone()).await?;
                    }
                }
                state.bends.insert(number, bends);
                self.verify(state).await
            }
            Act::Refuse => {
                self.deafen().await;
                self.shut().await
            }
            Act::Reset { live, new } => {
                let state = &mut *self.state.lock().await;
                if *new {
                    state.resets.insert(number, strike.probability);
                    self.set_resets(state).await?;
                }
                if *live && state.enabled {
                    self.reset_live(state, number, strike.probability).await?;
                }
                self.verify(state).await
            }
            Act::Answer(_)
            | Act::SlowAccept { .. }
            | Act::HalfOpen
            | Act::Unreachable
            | Act::Server(_)
            | Act::Crash { .. } => Ok(()),
        }
    }

    /// A strike on this link ends.
    pub(super) async fn end(&self, number: u32, strike: &Strike) -> Result<(), WorldError> {
        match &strike.act {
            Act::Bend(_) => {
                let state = &mut *self.state.lock().await;
                let bends = state.bends.remove(&number).unwrap_or_default();
                for proxy in &mut state.proxies {
                    let of_strike = |placed: &Placed| bends.iter().any(|toxic| toxic.name == placed.wanted);
                    for placed in proxy.toxics.iter().filter(|placed| of_strike(placed)) {
                        self.api.remove(&proxy.name, &placed.meant.name).await?;
                    }
                    proxy.toxics.retain(|placed| !of_strike(placed));
                }
                self.verify(state).await
            }
            Act::Refuse => self.accept().await,
            Act::Reset { new, .. } => {
                let state = &mut *self.state.lock().await;
                if *new {
                    state.resets.remove(&number);
                    self.set_resets(state).await?;
                }
                self.verify(state).await
            }
            Act::Answer(_)
            | Act::SlowAccept { .. }
            | Act::HalfOpen
            | Act::Unreachable
            | Act::Server(_)
            | Act::Crash { .. } => Ok(()),
        }
    }

    /// Refuses new connections; live ones go on. To be followed by [`shut`](Self::shut).
    pub(super) async fn deafen(&self) {
        self.state.lock().await.refusals += 1;
        self.tap.deafen().await;
    }

    /// Has Toxiproxy refuse as well, which resets live connections.
    pub(super) async fn shut(&self) -> Result<(), WorldError> {
        let state = &mut *self.state.lock().await;
        self.set_enabled(state, false).await?;
        self.tap.reset().await;
        self.verify(state).await
    }

    /// Takes one [`deafen`](Self::deafen) and [`shut`](Self::shut) back.
    pub(super) async fn accept(&self) -> Result<(), WorldError> {
        let state = &mut *self.state.lock().await;
        state.refusals = state.refusals.saturating_sub(1);
        if state.refusals > 0 {
            return Ok(());
        }
        self.set_enabled(state, true).await?;
        self.verify(state).await?;
        self.tap.accept().await.map_err(failed("open the tap again"))
    }

    async fn set_enabled(&self, state: &mut State, enabled: bool) -> Result<(), WorldError> {
        if state.enabled != enabled {
            for proxy in &state.proxies {
                self.api.set_enabled(&proxy.name, enabled).await?;
            }
            state.enabled = enabled;
        }
        Ok(())
    }

    /// Toxiproxy resets all at once; a share of them only the tap can reset. Toxiproxy can do it only by refusing new ones for
    /// a moment: those wait at the tap meanwhile, as the strike is none of theirs.
    async fn reset_live(&self, state: &mut State, strike: u32, share: f64) -> Result<(), WorldError> {
        if share < 1.0 {
            self.tap.reset_chosen(strike, share).await;
            return Ok(());
        }
        self.tap.pause().await;
        let mut reset = self.set_enabled(state, false).await;
        if reset.is_ok() {
            reset = self.set_enabled(state, true).await;
        }
        self.tap.resume().await.map_err(failed("open the tap again"))?;
        reset
    }

    /// Sends new connections through the second proxy while a strike resets them. Only the subject's first byte counts, since
    /// it speaks first.
    async fn set_resets(&self, state: &mut State) -> Result<(), WorldError> {
        if state.proxies.len() == 1 {
            self.add_proxy(state, format!("instance-{}-new", self.number)).await?;
        }
        let share = state.resets.values().copied().fold(0.0, f64::max);
        let name = reset_name(RESET_STREAMS[0]);
        if let Some(proxy) = state.proxies.get_mut(1) {
            self.api.set_toxicity(&proxy.name, &name, share).await?;
            let of_reset = |placed: &&mut Placed| placed.wanted == name;
            proxy.toxics.iter_mut().filter(of_reset).for_each(|placed| placed.meant.toxicity = share);
        }
        let through = if state.resets.is_empty() { 0 } else { 1 };
        self.tap.forward_to(self.ports[through].1);
        Ok(())
    }

    /// Makes one more proxy, bent as the others are.
    async fn add_proxy(&self, state: &mut State, name: String) -> Result<(), WorldError> {
        let Some((listen, _)) = self.ports.get(state.proxies.len()) else {
            return Err(failed("make a proxy")("there is no port for it"));
        };
        self.api.create_proxy(&name, *listen, &self.upstream).await?;
        let mut proxy = Proxy { name, toxics: Vec::new() };
        // With these in place from the start, of no effect yet, every connection ends with RST when the proxy ends it. That
        // is how live and idle connections can be reset truly.
        for meant in RESET_STREAMS.map(|stream| reset_toxic(stream, 0.0)) {
            self.api.add(&proxy.name, &meant).await?;
            proxy.toxics.push(Placed { wanted: meant.name.clone(), meant });
        }
        for toxic in state.bends.values().flatten() {
            self.place(&mut proxy, toxic.clone()).await?;
        }
        if !state.enabled {
            self.api.set_enabled(&proxy.name, false).await?;
        }
        state.proxies.push(proxy);
        self.verify(state).await
    }

    /// Puts a toxic on a proxy: by the crate, unless it lacks the kind or the name that it would give is taken.
    async fn place(&self, proxy: &mut Proxy, toxic: Meant) -> Result<(), WorldError> {
        let by_crate = Meant { name: format!("{}_{}", toxic.kind, toxic.stream), ..toxic.clone() };
        let taken = proxy.toxics.iter().any(|placed| placed.meant.name == by_crate.name);
        let meant = if !taken && self.api.add_as_crate(&proxy.name, &by_crate).await? {
            by_crate
        } else {
            self.api.add(&proxy.name, &toxic).await?;
            toxic.clone()
        };
        proxy.toxics.push(Placed { wanted: toxic.name, meant });
        Ok(())
    }

    /// Reads the proxies back and compares: Toxiproxy takes misspelt attributes in silence.
    async fn verify(&self, state: &State) -> Result<(), WorldError> {
        for proxy in &state.proxies {
            let found = self.api.read(&proxy.name).await?;
            let meant: Vec<Meant> = proxy.toxics.iter().map(|placed| placed.meant.clone()).collect();
            if let Some(difference) = found.difference(state.enabled, &meant) {
                return Err(WorldError::Differs { instance: proxy.name.clone(), difference });
            }
        }
        Ok(())
    }
}

//! Toxiproxy's API. The toxiproxy_rust crate does what it does well: create proxies, find them, enable and disable them, and add
//! the toxics that it knows. What it lacks, reset_peer, names, toxicity, and noticing an HTTP error, is asked here by the HTTP
//! client that it brings.
//!
//! Both block and the crate panics on a failed call, so everything runs on a blocking thread, and a panic is an error.

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use reqwest::blocking::{Client as Http, RequestBuilder};
use serde_json::json;
use toxiproxy_rust::client::Client as Toxiproxy;
use toxiproxy_rust::proxy::{Proxy, ProxyPack};

use super::toxics::{Found, Meant};
use crate::world::{WorldError, failed};

const ANSWERS_WITHIN: Duration = Duration::from_secs(10);

/// Toxiproxy's API.
pub(super) struct Api {
    clients: Arc<Clients>,
}

struct Clients {
    /// Made anew after each panic, which leaves it unusable.
    toxiproxy: RwLock<Toxiproxy>,
    http: Http,
    address: SocketAddr,
}

impl Api {
    /// Connects to the API at `address`, waiting until it answers.
    pub(super) async fn start(address: SocketAddr) -> Result<Arc<Self>, WorldError> {
        let made = blocking("connect to Toxiproxy", move || {
            // What leads out of this machine must not stand between us and a container.
            let http = Http::builder().timeout(ANSWERS_WITHIN).no_proxy().build();
            let toxiproxy = RwLock::new(Toxiproxy::new(address));
            Ok(Clients { toxiproxy, http: http.map_err(|error| error.to_string())?, address })
        });
        let api = Arc::new(Self { clients: Arc::new(made.await?) });
        let answering = async {
            while api.version().await.is_err() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(ANSWERS_WITHIN, answering)
            .await
            .map_err(failed("wait for Toxiproxy to answer"))?;
        Ok(api)
    }

    pub(super) async fn version(&self) -> Result<String, WorldError> {
        let version = self.toxiproxy("ask Toxiproxy's version", |toxiproxy| toxiproxy.version()).await?;
        let parsed = serde_json::from_str::<serde_json::Value>(&version).unwrap_or_default();
        Ok(parsed["version"].as_str().unwrap_or(version.trim()).to_owned())
    }

    /// Creates a proxy that listens on all addresses of its container.
    pub(super) async fn create_proxy(
        &self,
        name: &str,
        listen: u16,
        upstream: &str,
    ) -> Result<(), WorldError> {
        let pack = ProxyPack::new(name.to_owned(), format!("0.0.0.0:{listen}"), upstream.to_owned());
        let created =
            self.toxiproxy("create a proxy", move |toxiproxy| toxiproxy.populate(vec![pack])).await?;
        if created.is_empty() { Err(failed("create a proxy")("Toxiproxy made none")) } else { Ok(()) }
    }

    /// Opens or closes a proxy. Closing it ends every connection through it.
    pub(super) async fn set_enabled(&self, proxy: &str, enabled: bool) -> Result<(), WorldError> {
        let proxy = proxy.to_owned();
        self.toxiproxy("enable or disable a proxy", move |toxiproxy| {
            let proxy = toxiproxy.find_proxy(&proxy)?;
            if enabled { proxy.enable() } else { proxy.disable() }
        })
        .await
    }

    /// Adds a toxic of a kind that the crate knows, by the crate, which names it `KIND_STREAM`; any other is not added. Tells
    /// whether it was.
    pub(super) async fn add_as_crate(&self, proxy: &str, toxic: &Meant) -> Result<bool, WorldError> {
        let Some(values) = crate_values(toxic) else { return Ok(false) };
        let (proxy, toxic) = (proxy.to_owned(), toxic.clone());
        self.toxiproxy("add a toxic", move |toxiproxy| {
            Ok(add_by_crate(&toxiproxy.find_proxy(&proxy)?, toxic, &values))
        })
        .await
    }

    pub(super) async fn add(&self, proxy: &str, toxic: &Meant) -> Result<(), WorldError> {
        let (path, toxic) = (format!("proxies/{proxy}/toxics"), toxic.clone());
        self.http("add a toxic", move |http, base| http.post(format!("{base}/{path}")).json(&toxic))
            .await
            .map(drop)
    }

    pub(super) async fn set_toxicity(
        &self,
        proxy: &str,
        toxic: &str,
        toxicity: f64,
    ) -> Result<(), WorldError> {
        let path = format!("proxies/{proxy}/toxics/{toxic}");
        let body = json!({ "toxicity": toxicity });
        self.http("change a toxic", move |http, base| http.post(format!("{base}/{path}")).json(&body))
            .await
            .map(drop)
    }

    pub(super) async fn remove(&self, proxy: &str, toxic: &str) -> Result<(), WorldError> {
        let path = format!("proxies/{proxy}/toxics/{toxic}");
        self.http("remove a toxic", move |http, base| http.delete(format!("{base}/{path}"))).await.map(drop)
    }

    pub(super) async fn read(&self, proxy: &str) -> Result<Found, WorldError> {
        let path = format!("proxies/{proxy}");
        let body =
            self.http("read a proxy back", move |http, base| http.get(format!("{base}/{path}"))).await?;
        serde_json::from_str(&body).map_err(failed("read a proxy back"))
    }

    async fn toxiproxy<T: Send + 'static>(
        &self,
        doing: &'static str,
        call: impl FnOnce(&Toxiproxy) -> Result<T, String> + Send + 'static,
    ) -> Result<T, WorldError> {
        let clients = Arc::clone(&self.clients);
        blocking(doing, move || clients.by_crate(call)).await
    }

    async fn http(
        &self,
        doing: &'static str,
        request: impl FnOnce(&Http, &str) -> RequestBuilder + Send + 'static,
    ) -> Result<String, WorldError> {
        let clients = Arc::clone(&self.clients);
        blocking(doing, move || {
            let base = format!("http://{}", clients.address);
            let response = request(&clients.http, &base).send().map_err(|error| error.to_string())?;
            let status = response.status();
            let body = response.text().map_err(|error| error.to_string())?;
            if status.is_success() { Ok(body) } else { Err(format!("{status}: {}", body.trim())) }
        })
        .await
    }
}

impl Clients {
    /// The crate panics when a call fails, and its lock is poisoned then.
    fn by_crate<T>(&self, call: impl FnOnce(&Toxiproxy) -> Result<T, String>) -> Result<T, String> {
        let toxiproxy = self.toxiproxy.read().unwrap_or_else(PoisonError::into_inner).clone();
        catch_unwind(AssertUnwindSafe(|| call(&toxiproxy))).unwrap_or_else(|panic| {
            *self.toxiproxy.write().unwrap_or_else(PoisonError::into_inner) = Toxiproxy::new(self.address);
            let words = panic.downcast_ref::<String>().map(String::as_str);
            let words = words.or_else(|| panic.downcast_ref::<&str>().copied());
            Err(words.unwrap_or("toxiproxy_rust panicked").to_owned())
        })
    }
}

/// The attributes that the crate gives a toxic of this kind, in the order in which it asks for them.
fn crate_attributes(kind: &str) -> Option<&'static [&'static str]> {
    Some(match kind {
        "latency" => &["latency", "jitter"],
        "bandwidth" => &["rate"],
        "slow_close" => &["delay"],
        "timeout" => &["timeout"],
        "slicer" => &["average_size", "size_variation", "delay"],
        "limit_data" => &["bytes"],
        _ => return None,
    })
}

/// A toxic's values as the crate asks for them, if it has the kind with just these attributes.
fn crate_values(toxic: &Meant) -> Option<Vec<u32>> {
    let names = crate_attributes(&toxic.kind)?;
    let known = toxic.attributes.keys().all(|name| names.contains(&name.as_str()));
    let value = |name: &&str| u32::try_from(*toxic.attributes.get(*name)?).ok();
    if known { names.iter().map(value).collect() } else { None }
}

/// Has the crate add a toxic; whether it can.
fn add_by_crate(proxy: &Proxy, toxic: Meant, values: &[u32]) -> bool {
    let stream = toxic.stream;
    #[expect(clippy::cast_possible_truncation, reason = "Toxiproxy keeps toxicity in single precision")]
    let share = toxic.toxicity as f32;
    match (toxic.kind.as_str(), values) {
        ("latency", &[latency, jitter]) => proxy.with_latency(stream, latency, jitter, share),
        ("bandwidth", &[rate]) => proxy.with_bandwidth(stream, rate, share),
        ("slow_close", &[delay]) => proxy.with_slow_close(stream, delay, share),
        ("timeout", &[timeout]) => proxy.with_timeout(stream, timeout, share),
        ("slicer", &[size, variation, delay]) => proxy.with_slicer(stream, size, variation, delay, share),
        ("limit_data", &[bytes]) => proxy.with_limit_data(stream, bytes, share),
        _ => return false,
    };
    true
}

impl Drop for Api {
    fn drop(&mut self) {
        // The blocking HTTP clients own runtimes, which must not be dropped within another one.
        let clients = Arc::clone(&self.clients);
        std::thread::spawn(move || drop(clients));
    }
}

async fn blocking<T: Send + 'static>(
    doing: &'static str,
    call: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, WorldError> {
    match tokio::task::spawn_blocking(call).await {
        Ok(outcome) => outcome.map_err(failed(doing)),
        Err(panic) => Err(failed(doing)(panic)),
    }
}

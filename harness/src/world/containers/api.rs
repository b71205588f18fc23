//! Toxiproxy's API. The toxiproxy_rust crate does what it does well: create proxies, find them, enable and disable them. What
//! it lacks, reset_peer, names, toxicity, and noticing an HTTP error, is asked here by the HTTP client that it brings.
//!
//! Both block and the crate panics on a failed call, so everything runs on a blocking thread, and a panic is an error.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::blocking::{Client as Http, RequestBuilder};
use serde_json::json;
use toxiproxy_rust::client::Client as Toxiproxy;
use toxiproxy_rust::proxy::ProxyPack;

use super::toxics::{Found, Meant};
use crate::world::{WorldError, failed};

const ANSWERS_WITHIN: Duration = Duration::from_secs(10);

/// Toxiproxy's API.
pub(super) struct Api {
    clients: Arc<Clients>,
}

struct Clients {
    toxiproxy: Toxiproxy,
    http: Http,
    address: SocketAddr,
}

impl Api {
    /// Connects to the API at `address`, waiting until it answers.
    pub(super) async fn start(address: SocketAddr) -> Result<Arc<Self>, WorldError> {
        let made = blocking("connect to Toxiproxy", move || {
            let http = Http::builder().timeout(ANSWERS_WITHIN).build().map_err(|error| error.to_string())?;
            Ok(Clients { toxiproxy: Toxiproxy::new(address), http, address })
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
        blocking(doing, move || call(&clients.toxiproxy)).await
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

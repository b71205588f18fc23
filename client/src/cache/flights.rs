//! One load at a time for each key, whoever asks and whoever goes away.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use thiserror::Error;
use tokio::sync::watch;

use crate::answer::SessionError;
use crate::lock::{Mutex, MutexGuard, lock};

/// Why a value was not loaded.
#[derive(Clone, Debug, Error)]
pub enum LoadError {
    /// The cache could not be asked.
    #[error(transparent)]
    Cache(#[from] SessionError),
    /// What loads said so.
    #[error("the value was not loaded: {0}")]
    Load(Arc<dyn std::error::Error + Send + Sync>),
    /// What loads panicked, or its runtime ended.
    #[error("the value was not loaded: what loads it has ended without a word")]
    Gone,
}

/// The loads that are on their way.
#[derive(Debug, Default)]
pub(super) struct Flights(Mutex<HashMap<String, watch::Receiver<Landed>>>);

/// What a load brought, once it has.
type Landed = Option<Result<Bytes, LoadError>>;

/// A load on its way. However it ends, a panic included, nobody waits for it after that.
struct Flight {
    flights: Arc<Flights>,
    key: String,
}

impl Flights {
    /// What a load of `key` brings: the one that is on its way, or else `flight`, which then goes on in a task of its own.
    pub(super) async fn board(
        self: &Arc<Self>,
        key: &str,
        flight: impl Future<Output = Result<Bytes, LoadError>> + Send + 'static,
    ) -> Result<Bytes, LoadError> {
        let mut landing = {
            let mut flights = self.lock();
            match flights.get(key) {
                Some(landing) => landing.clone(),
                None => {
                    let (tell, landing) = watch::channel(None);
                    flights.insert(key.to_owned(), landing.clone());
                    let guard = Flight { flights: Arc::clone(self), key: key.to_owned() };
                    tokio::spawn(async move {
                        let landed = flight.await;
                        // Who asks from now on finds it in the cache, or loads again.
                        drop(guard);
                        tell.send_replace(Some(landed));
                    });
                    landing
                }
            }
        };
        let landed = landing.wait_for(Option::is_some).await.map_err(|_| LoadError::Gone)?;
        landed.clone().unwrap_or(Err(LoadError::Gone))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, watch::Receiver<Landed>>> {
        lock(&self.0)
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.flights.lock().remove(&self.key);
    }
}

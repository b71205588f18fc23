//! Routes over HTTP for a service to mount: the status of Redis, sessions to look at, extend and end, health, and metrics.
//!
//! ```no_run
//! # async fn example(store: squall_client::SessionStore<String>) -> Result<(), squall_client::http::TokenError> {
//! use squall_client::http::{self, Access, Route, Token};
//!
//! let token = Token::new("0f1e2d3c4b5a69788796a5b4c3d2e1f0")?;
//! let routes = http::router(store, Access::bearer([token])).public([Route::Health]).build();
//! let service: axum::Router = axum::Router::new().merge(routes);
//! # Ok(())
//! # }
//! ```
//!
//! A status code tells the truth: 404 with the kind `no-session` only when there surely is no such session, 503 when nobody can say, 202 for
//! a write that Redis does not have yet.

mod access;
mod answers;
mod description;
mod problem;
mod reply;
mod request;
mod route;
mod server;
mod sessions;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::header::{CACHE_CONTROL, HeaderValue};
use axum::middleware;
use axum::response::Response;
use axum::routing::{MethodRouter, delete, get, post};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::observe::Metrics;
use crate::typed::SessionStore;
use problem::Problem;

pub use access::{Access, Permission, Token, TokenError};
pub use route::Route;

/// What a session may hold that is reached over HTTP: any `T` that serde can write and read.
pub trait Data: Serialize + DeserializeOwned + Send + Sync + 'static {}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Data for T {}

/// Routes in the making.
pub struct Routes<T> {
    store: SessionStore<T>,
    access: Access,
    public: Vec<Route>,
    session_ttl: Duration,
    metrics: Option<Arc<Metrics>>,
    shows_data: bool,
    clears: bool,
}

/// What the handlers share.
struct Shared<T> {
    store: SessionStore<T>,
    session_ttl: Duration,
    metrics: Option<Arc<Metrics>>,
    shows_data: bool,
    description: String,
}

/// Routes over these sessions, for those whom `access` lets pass.
pub fn router<T: Data>(store: SessionStore<T>, access: Access) -> Routes<T> {
    Routes {
        store,
        access,
        public: Vec::new(),
        session_ttl: Duration::from_secs(3600),
        metrics: None,
        shows_data: false,
        clears: false,
    }
}

impl<T: Data> Routes<T> {
    /// These routes everybody may use: [`Route::Health`] for a load balancer, [`Route::Metrics`] for Prometheus. None is unless
    /// this is called.
    #[must_use]
    pub fn public(mut self, routes: impl IntoIterator<Item = Route>) -> Self {
        self.public.extend(routes);
        self
    }

    /// How long a session lives from an extension that does not say; an hour unless this is called.
    #[must_use]
    pub fn session_ttl(mut self, ttl: Duration) -> Self {
        self.session_ttl = ttl;
        self
    }

    /// Serves these metrics; without them there is no such route.
    #[must_use]
    pub fn metrics(mut self, metrics: Arc<Metrics>) -> Self {
        self.metrics = Some(metrics);
        self
    }

    /// Shows what the service keeps in a session to those who ask with `?data=true`.
    #[must_use]
    pub fn show_data(mut self) -> Self {
        self.shows_data = true;
        self
    }

    /// Lets all sessions that match a pattern be ended; without this there is no such route.
    #[must_use]
    pub fn allow_clear(mut self) -> Self {
        self.clears = true;
        self
    }

    /// The routes that the router will have.
    pub fn routes(&self) -> Vec<Route> {
        let there = |route: &Route| match route {
            Route::Clear => self.clears,
            Route::Metrics => self.metrics.is_some(),
            _ => true,
        };
        Route::ALL.into_iter().filter(there).collect()
    }

    /// The router, to be merged into that of a service, or nested under a path of it. What it has no route for is the service's.
    pub fn build(self) -> Router {
        let routes = self.routes();
        let description = description::of(&routes, &self.access, &self.public);
        let Self { store, access, public, session_ttl, metrics, shows_data, .. } = self;
        let shared = Arc::new(Shared { store, session_ttl, metrics, shows_data, description });
        let mut router = Router::new();
        for route in routes {
            for path in route.paths() {
                let mut handler = handler::<T>(route);
                if !public.contains(&route) {
                    handler = handler.layer(middleware::from_fn_with_state(access.clone(), access::guard));
                }
                router = router.route(path, handler);
            }
        }
        router
            .method_not_allowed_fallback(|| async { Problem::method() })
            .layer(DefaultBodyLimit::max(request::BODY_MOST))
            .layer(middleware::map_response(keep_nothing))
            .with_state(shared)
    }
}

fn handler<T: Data>(route: Route) -> MethodRouter<Arc<Shared<T>>> {
    match route {
        Route::Status => get(server::status::<T>),
        Route::Configuration => get(server::configuration::<T>),
        Route::Session => get(sessions::session::<T>),
        Route::Extend => post(sessions::extend::<T>),
        Route::Delete => delete(sessions::delete::<T>),
        Route::Count => get(sessions::count::<T>),
        Route::Clear => delete(sessions::clear::<T>),
        Route::Health => get(server::health::<T>),
        Route::Metrics => get(server::metrics::<T>),
        Route::Description => get(server::description::<T>),
    }
}

/// No cache may answer in our place: what was true is not.
async fn keep_nothing(mut response: Response) -> Response {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

//! The routes: what each is called, and where it lies. The router and its description are both made from this table.

use axum::http::Method;

/// A route of the [router](super::router).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// How Redis is.
    Status,
    /// The settings of the client.
    Configuration,
    /// What is known about a session.
    Session,
    /// Lets a session live on.
    Extend,
    /// Ends a session.
    Delete,
    /// How many sessions there are.
    Count,
    /// Ends all sessions that match a pattern.
    Clear,
    /// How the client and its Redis are doing.
    Health,
    /// Figures for Prometheus.
    Metrics,
    /// The description of all routes, for programs.
    Description,
}

impl Route {
    /// Every route.
    pub const ALL: [Self; 10] = [
        Self::Status,
        Self::Configuration,
        Self::Session,
        Self::Extend,
        Self::Delete,
        Self::Count,
        Self::Clear,
        Self::Health,
        Self::Metrics,
        Self::Description,
    ];

    /// Its path. One that ends in a slash works without it too.
    pub fn path(self) -> &'static str {
        match self {
            Self::Status => "/api/redis/status/",
            Self::Configuration => "/api/redis/configuration/",
            Self::Session => "/api/sessions/{id}/",
            Self::Extend => "/api/sessions/{id}/extend/",
            Self::Delete => "/api/sessions/{id}/delete/",
            Self::Count | Self::Clear => "/api/sessions/",
            Self::Health => "/health",
            Self::Metrics => "/metrics",
            Self::Description => "/openapi.json",
        }
    }

    /// Its method.
    pub fn method(self) -> Method {
        match self {
            Self::Extend => Method::POST,
            Self::Delete | Self::Clear => Method::DELETE,
            Self::Status | Self::Configuration | Self::Session | Self::Count => Method::GET,
            Self::Health | Self::Metrics | Self::Description => Method::GET,
        }
    }

    /// The paths under which it answers.
    pub(super) fn paths(self) -> impl Iterator<Item = &'static str> {
        let path = self.path();
        [Some(path), path.strip_suffix('/')].into_iter().flatten()
    }
}

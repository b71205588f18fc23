//! Where a server of the user's own is, and as whom to speak to it.

use std::fmt;

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _};
use thiserror::Error;

use super::super::side;
use crate::subject::Credentials;

/// The address of a server that somebody else runs, such as `redis://user:password@10.0.0.7:6379/2`. It shows no password.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUrl {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// As whom.
    pub credentials: Credentials,
}

/// Text that is no address of a server. It does not show the text, which may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum UrlError {
    /// It asks for encryption.
    #[error(
        "it asks for TLS, which the fault proxy cannot look into; give the server's plain port: redis://host:port"
    )]
    Tls,
    /// It is no URL of a server by TCP.
    #[error(
        "it should be redis://[user[:password]@]host:port[/database]; in user and password %, /, #, ?, : and @ are written as \
         %25, %2F, %23, %3F, %3A and %40"
    )]
    Form,
    /// It has options, which nothing would heed.
    #[error(
        "it has options behind ? or #, which Squall does not know; the clients under test choose the protocol"
    )]
    Options,
    /// Its database is none.
    #[error("its database should be a whole number from 0, as in redis://host:port/2")]
    Database,
}

impl RedisUrl {
    /// Reads an address.
    ///
    /// # Errors
    ///
    /// What is wrong with it, without the text itself.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        match text.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase()).as_deref() {
            Some("rediss" | "valkeys") => return Err(UrlError::Tls),
            Some("redis" | "valkey") => {}
            Some(_) | None => return Err(UrlError::Form),
        }
        let url = redis::parse_redis_url(text).ok_or(UrlError::Form)?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err(UrlError::Options);
        }
        let path = url.path().trim_matches('/').to_owned();
        if !path.is_empty() && path.parse::<u32>().is_err() {
            return Err(UrlError::Database);
        }
        let info = text.into_connection_info().map_err(|_| UrlError::Form)?;
        let ConnectionAddr::Tcp(host, port) = info.addr().clone() else { return Err(UrlError::Form) };
        let redis = info.redis_settings();
        let credentials = Credentials {
            username: redis.username().map(str::to_owned),
            password: redis.password().map(str::to_owned),
            database: redis.db(),
        };
        Ok(Self { host, port, credentials })
    }

    /// How to connect.
    pub(super) fn info(&self) -> Result<ConnectionInfo, redis::RedisError> {
        side::info(self.host.clone(), self.port, &self.credentials)
    }

    /// `text` with the password made unreadable, should somebody quote it.
    pub(super) fn without_password(&self, text: &str) -> String {
        match self.credentials.password.as_deref() {
            Some(password) if !password.is_empty() => text.replace(password, "***"),
            Some(_) | None => text.to_owned(),
        }
    }
}

/// Host and port alone.
impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, .. } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_read() {
        let url = RedisUrl::parse("redis://me:p%40ss@example.org:7000/3").unwrap();
        let credentials =
            Credentials { username: Some("me".to_owned()), password: Some("p@ss".to_owned()), database: 3 };
        assert_eq!(url, RedisUrl { host: "example.org".to_owned(), port: 7000, credentials });
        assert_eq!(RedisUrl::parse("redis://[::1]").unwrap().to_string(), "[::1]:6379");
        assert_eq!(RedisUrl::parse("valkey://:x@h").unwrap().credentials.username, None);
    }

    #[test]
    fn what_is_no_address_is_refused_without_being_shown() {
        for (text, expected) in [
            ("rediss://:secret@h:1", UrlError::Tls),
            ("unix:///secret", UrlError::Form),
            ("localhost:6379", UrlError::Form),
            ("redis://", UrlError::Form),
            ("redis://h:secret", UrlError::Form),
            ("redis://h/secret", UrlError::Database),
            ("redis://h/-1", UrlError::Database),
            ("redis://:secret@h/0?protocol=resp3", UrlError::Options),
            ("redis://:pw#secret@h/0", UrlError::Form),
            ("redis://h/0#secret", UrlError::Options),
        ] {
            let error = RedisUrl::parse(text).unwrap_err();
            assert_eq!(error, expected, "{text}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }

    #[test]
    fn a_password_is_shown_nowhere() {
        let url = RedisUrl::parse("redis://me:secret@h:1/2").unwrap();
        assert_eq!((format!("{url:?}"), url.to_string()), ("RedisUrl(h:1)".to_owned(), "h:1".to_owned()));
        assert_eq!(url.without_password("bad secret"), "bad ***");
    }
}

//! Which Redis to speak to, and as whom.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use redis::{Cmd, ProtocolVersion, RedisConnectionInfo};
use thiserror::Error;

use crate::address::{Address, Service};
use crate::cluster::Cluster;
use crate::connect::{Connect, Tcp};
use crate::connect_to;
use crate::keys;
use crate::sentinel::Sentinel;
use crate::settings::{KeepaliveSettings, Protocol, Settings, SettingsError};
use crate::tls::{Tls, TlsError, TlsOptions};

/// A Redis and the credentials for it.
#[derive(Clone)]
pub struct Endpoint {
    /// Opens streams to it.
    pub connect: Arc<dyn Connect>,
    /// As whom to speak to it.
    pub credentials: Credentials,
    /// The database, 0 to 15.
    pub database: i64,
}

/// As whom to speak to Redis. Clones share it, so it can be replaced while clients run: connections that are opened from then on
/// log in with the new ones, and those that are open stay as they are, which is how Redis itself treats a changed password.
#[derive(Clone, Default)]
pub struct Credentials(Arc<RwLock<Login>>);

#[derive(Clone, Default, PartialEq, Eq)]
struct Login {
    username: Option<String>,
    password: Option<String>,
}

/// Text that is no address of a Redis. It does not show the text, which may hold a password.
#[derive(Debug, Error)]
pub enum EndpointError {
    /// It is no URL of a Redis.
    #[error(
        "the address of Redis should be redis://[user[:password]@]host[:port][/database], or by its sentinels \
         redis-sentinel://[user[:password]@]host[:port][,host[:port]...]/name[/database], or by nodes of its cluster \
         redis-cluster://[user[:password]@]host[:port][,host[:port]...], and rediss instead of redis for TLS; in user and password %, /, #, ?, : and @ are written as %25, %2F, %23, %3F, %3A and %40"
    )]
    Form,
    /// The host of this number, from 1 on, is none.
    #[error(
        "host {0} in the address of Redis is none; it should be host[:port], with a comma before the next, and in user and \
         password %, /, #, ?, : and @ are written as %25, %2F, %23, %3F, %3A and %40"
    )]
    Host(usize),
    /// It has several hosts, where only one can be.
    #[error("the address of Redis has several hosts; behind redis:// and rediss:// there is one")]
    Hosts,
    /// It does not say by which name the sentinels know Redis.
    #[error(
        "the address of Redis lacks the name that its sentinels know, as in redis-sentinel://host:port/name; it is made of \
         letters, digits, ., - and _"
    )]
    Name,
    /// It asks a cluster for a database.
    #[error(
        "the address of Redis has a database, and a cluster has only database 0: nothing comes behind its nodes"
    )]
    ClusterDatabase,
    /// Its port is none.
    #[error("the port in the address of Redis is {0}; it must be from 1 to 65535")]
    Port(u32),
    /// Its database is none.
    #[error(
        "the database in the address of Redis is {0}; it must be a whole number from 0 to 15, as in redis://host:port/2"
    )]
    Database(String),
    /// It has options, which nothing would heed.
    #[error("the address of Redis has options behind ? or #; there are none")]
    Options,
    /// TLS cannot be spoken.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl Endpoint {
    /// Database 0 without credentials.
    pub fn new(connect: Arc<dyn Connect>) -> Self {
        Self { connect, credentials: Credentials::default(), database: 0 }
    }

    /// The Redis at a URL such as `redis://user:password@10.0.0.7:6379/2`, or the one that the sentinels of
    /// `redis-sentinel://user:password@10.0.0.7,10.0.0.8:26379/name/2` name; `redis-cluster://user:password@10.0.0.7,10.0.0.8:7000` is the cluster of these nodes ([`Cluster`]). `rediss` instead of
    /// `redis` speaks TLS, as `tls` says.
    /// User and password are those of Redis; for sentinels with a login of their own see [`Sentinel::with_credentials`].
    ///
    /// # Errors
    ///
    /// What is wrong with the URL, without its text, or with the files that TLS needs.
    pub fn parse(text: &str, keepalive: &KeepaliveSettings, tls: &TlsOptions) -> Result<Self, EndpointError> {
        let Address { service, secure, credentials, database } = Address::parse(text)?;
        let connect_to = |secure| match secure {
            true => connect_to::tls(keepalive, tls),
            false => Ok(connect_to::tcp(keepalive)),
        };
        let connect: Arc<dyn Connect> = match service {
            Service::Single((host, port)) => {
                let tcp = Tcp { host, port, keepalive: keepalive.clone() };
                if secure { Arc::new(Tls::new(tcp, tls.clone())?) } else { Arc::new(tcp) }
            }
            Service::Sentinel { hosts, name } => Arc::new(Sentinel::new(hosts, name, connect_to(secure)?)),
            Service::Cluster { hosts } => {
                Arc::new(Cluster::new(hosts, credentials.clone(), connect_to(secure)?))
            }
        };
        Ok(Self { connect, credentials, database })
    }

    /// Whether a client with these settings can use it: in a cluster the hash tag of the prefix puts all keys into one slot.
    pub(crate) fn fits(&self, settings: &Settings) -> Result<(), SettingsError> {
        let prefix = &settings.key_prefix;
        if !self.connect.is_cluster() || keys::has_hash_tag(prefix) {
            return Ok(());
        }
        let cure = "in a cluster it must have a hash tag, as session:{a}: has; Sharded gives one to each of its shards";
        Err(SettingsError {
            key: "key_prefix".to_owned(),
            value: format!("{prefix:?}"),
            cure: cure.to_owned(),
        })
    }

    pub(crate) fn info(&self, protocol: Protocol) -> RedisConnectionInfo {
        let info = RedisConnectionInfo::default().set_skip_set_lib_name();
        match protocol {
            // The login is sent with the greeting: so its error says what Redis says.
            Protocol::Resp2 => info.set_protocol(ProtocolVersion::RESP2),
            Protocol::Resp3 => {
                let Login { username, password } = self.credentials.login();
                let info = info.set_protocol(ProtocolVersion::RESP3).set_db(self.database);
                let info = username.into_iter().fold(info, RedisConnectionInfo::set_username);
                password.into_iter().fold(info, RedisConnectionInfo::set_password)
            }
        }
    }

    /// What is to be sent before anything else.
    pub(crate) fn login(&self, protocol: Protocol) -> Vec<Cmd> {
        let mut commands = Vec::new();
        if protocol == Protocol::Resp3 {
            return commands;
        }
        commands.extend(self.credentials.auth());
        if self.database != 0 {
            let mut select = redis::cmd("SELECT");
            select.arg(self.database);
            commands.push(select);
        }
        commands
    }
}

impl Credentials {
    /// An ACL user and a password, where they are needed.
    pub fn new(username: Option<String>, password: Option<String>) -> Self {
        Self(Arc::new(RwLock::new(Login { username, password })))
    }

    /// Replaces them, for every client that shares them.
    pub fn replace(&self, username: Option<String>, password: Option<String>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Login { username, password };
    }

    /// The command that logs in, if there is a password.
    pub(crate) fn auth(&self) -> Option<Cmd> {
        let Login { username, password } = self.login();
        password.map(|password| {
            let mut auth = redis::cmd("AUTH");
            auth.arg(username).arg(password);
            auth
        })
    }

    fn login(&self) -> Login {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Without the password.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Login { username, password } = self.login();
        let password = password.map(|_| "***");
        f.debug_struct("Credentials").field("username", &username).field("password", &password).finish()
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("credentials", &self.credentials)
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Endpoint, EndpointError> {
        Endpoint::parse(text, &KeepaliveSettings::default(), &TlsOptions::default())
    }

    #[test]
    fn every_part_of_an_address_is_read() {
        let endpoint = parse("redis://me:p%40ss@example.org:7000/3").unwrap();
        let login = endpoint.credentials.login();
        assert_eq!((login.username.as_deref(), login.password.as_deref()), (Some("me"), Some("p@ss")));
        assert_eq!(endpoint.database, 3);
        assert!(parse("valkey://[::1]").unwrap().credentials.login() == Login::default());
    }

    #[test]
    fn what_is_no_address_is_told_without_its_text() {
        for text in [
            "localhost:6379",
            "http://:secret@h",
            "redis://",
            "redis://:secret@h:70000",
            "redis://:secret@h:0",
            "redis://:secret@h/16",
            "redis://:secret@h/-1",
            "redis://pass/secret@h:1",
            "redis://:secret@h/?protocol=resp3",
            "redis://:pw#secret@h",
            "redis://:sec\nret@h",
            "redis://:secret@h\tx",
            "redis://:secret@a b",
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains("address of Redis") && !error.contains("secret"), "{text}: {error}");
        }
        assert!(parse("redis://h/99").unwrap_err().to_string().contains("is 99;"));
    }

    #[test]
    fn a_password_is_shown_nowhere() {
        let endpoint = parse("redis://me:secret@h:1/2").unwrap();
        let before = format!("{endpoint:?}");
        endpoint.credentials.replace(Some("me".to_owned()), Some("hidden".to_owned()));
        let after = format!("{endpoint:?} {:?}", endpoint.credentials.clone());
        assert!(before.contains("me") && !before.contains("secret"), "{before}");
        assert!(!after.contains("hidden"), "{after}");
    }
}

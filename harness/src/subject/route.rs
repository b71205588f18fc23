//! How an instance reaches Redis, and as whom.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use squall_client::settings::KeepaliveSettings;
use squall_client::{Cluster, Connect, ConnectTo, Sentinel, Tcp, Tls, TlsOptions};

use super::SubjectError;

/// How an instance reaches Redis.
#[derive(Clone)]
pub enum Route {
    /// By TCP.
    Tcp {
        /// Host name or address.
        host: String,
        /// Port.
        port: u16,
        /// As whom.
        credentials: Credentials,
        /// Where TLS is to be spoken: the file (PEM) of the authority to trust.
        ca: Option<PathBuf>,
    },
    /// By streams that never leave this process, in virtual time.
    Streams {
        /// Opens them.
        connect: Arc<dyn Connect>,
        /// As whom.
        credentials: Credentials,
    },
    /// By sentinels, which know who the primary is. They and the servers name each other by addresses of their own; whoever connects
    /// to one of these goes by the instance's own way to it.
    Sentinel {
        /// Hosts and ports of the sentinels.
        sentinels: Vec<(String, u16)>,
        /// The name that they know the primary by.
        name: String,
        /// Opens streams to a sentinel or a server of this address.
        connect_to: Arc<ConnectTo>,
        /// As whom to speak to the primary.
        credentials: Credentials,
    },
    /// By some nodes of a cluster, which know who holds which keys. What they name is reached by the instance's own way to it.
    Cluster {
        /// Hosts and ports of these nodes.
        seeds: Vec<(String, u16)>,
        /// Opens streams to a node of this address.
        connect_to: Arc<ConnectTo>,
        /// As whom to speak to every node.
        credentials: Credentials,
    },
}

/// As whom to speak to Redis, and to which database of it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    /// The ACL user, if one is needed.
    pub username: Option<String>,
    /// The password, if one is needed. It is shown nowhere.
    pub password: Option<String>,
    /// The database.
    pub database: i64,
}

impl Credentials {
    /// As the reference client has them.
    pub(super) fn of_the_client(&self) -> squall_client::Credentials {
        squall_client::Credentials::new(self.username.clone(), self.password.clone())
    }
}

impl Route {
    /// As whom.
    pub fn credentials(&self) -> &Credentials {
        match self {
            Self::Tcp { credentials, .. }
            | Self::Streams { credentials, .. }
            | Self::Sentinel { credentials, .. }
            | Self::Cluster { credentials, .. } => credentials,
        }
    }

    /// Where TLS is to be spoken: the file (PEM) of the authority to trust.
    pub fn ca(&self) -> Option<&Path> {
        match self {
            Self::Tcp { ca, .. } => ca.as_deref(),
            Self::Streams { .. } | Self::Sentinel { .. } | Self::Cluster { .. } => None,
        }
    }

    /// What opens connections, with TLS where it is to be spoken.
    ///
    /// # Errors
    ///
    /// When the authority's file is of no use.
    pub fn connect(&self, keepalive: &KeepaliveSettings) -> Result<Arc<dyn Connect>, SubjectError> {
        let (host, port, ca) = match self {
            Self::Streams { connect, .. } => return Ok(Arc::clone(connect)),
            Self::Sentinel { sentinels, name, connect_to, .. } => {
                return Ok(Arc::new(Sentinel::new(sentinels.clone(), name.clone(), Arc::clone(connect_to))));
            }
            Self::Cluster { seeds, connect_to, credentials } => {
                let (seeds, connect_to) = (seeds.clone(), Arc::clone(connect_to));
                return Ok(Arc::new(Cluster::new(seeds, credentials.of_the_client(), connect_to)));
            }
            Self::Tcp { host, port, ca, .. } => (host.clone(), *port, ca.clone()),
        };
        let tcp = Tcp { host, port, keepalive: keepalive.clone() };
        let Some(ca) = ca else { return Ok(Arc::new(tcp)) };
        let tls = Tls::new(tcp, TlsOptions { ca_file: Some(ca), ..TlsOptions::default() });
        Ok(Arc::new(tls.map_err(|error| SubjectError::Start(error.to_string()))?))
    }

    /// The URL of a route by TCP, password included: for the client under test alone, never to be shown.
    pub fn url(&self) -> Option<String> {
        let Self::Tcp { host, port, credentials, ca } = self else { return None };
        let scheme = if ca.is_some() { "rediss" } else { "redis" };
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        let username = credentials.username.as_deref().map(escaped).unwrap_or_default();
        let user = match &credentials.password {
            Some(password) => format!("{username}:{}@", escaped(password)),
            None if username.is_empty() => String::new(),
            None => format!("{username}@"),
        };
        Some(format!("{scheme}://{user}{host}:{port}/{}", credentials.database))
    }

    /// What must be shown nowhere: the password, as it is and as the URL has it.
    pub(crate) fn secrets(&self) -> Vec<String> {
        let Self::Tcp { credentials, .. } = self else { return Vec::new() };
        let password = credentials.password.as_deref().filter(|password| !password.is_empty());
        password.map(|password| vec![password.to_owned(), escaped(password)]).unwrap_or_default()
    }
}

/// With everything in hexadecimal that could mean something in a URL.
fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let password = self.password.as_ref().map(|_| "***");
        f.debug_struct("Credentials")
            .field("username", &self.username)
            .field("password", &password)
            .field("database", &self.database)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(host: &str, username: Option<&str>, password: Option<&str>) -> Route {
        let (username, password) = (username.map(str::to_owned), password.map(str::to_owned));
        let credentials = Credentials { username, password, database: 3 };
        Route::Tcp { host: host.to_owned(), port: 6379, credentials, ca: None }
    }

    fn url(host: &str, username: Option<&str>, password: Option<&str>) -> Option<String> {
        route(host, username, password).url()
    }

    #[test]
    fn tls_shows_in_the_url_and_needs_an_authority_that_is_there() {
        let mut route = route("h", None, Some("x"));
        let Route::Tcp { ca, .. } = &mut route else { panic!("it is by TCP") };
        *ca = Some("/none/ca.pem".into());
        assert_eq!(route.url().as_deref(), Some("rediss://:x@h:6379/3"));
        let error = route.connect(&KeepaliveSettings::default()).err().unwrap().to_string();
        assert!(error.contains("/none/ca.pem"), "{error}");
    }

    #[test]
    fn a_url_has_what_is_needed_and_no_more() {
        assert_eq!(url("127.0.0.1", None, None).as_deref(), Some("redis://127.0.0.1:6379/3"));
        assert_eq!(url("::1", None, Some("p@ss:/")).as_deref(), Some("redis://:p%40ss%3A%2F@[::1]:6379/3"));
        assert_eq!(url("h", Some("me"), Some("x")).as_deref(), Some("redis://me:x@h:6379/3"));
        assert_eq!(url("h", Some("me"), None).as_deref(), Some("redis://me@h:6379/3"));
    }

    #[test]
    fn a_password_is_not_shown() {
        let credentials = Credentials { password: Some("secret".to_owned()), ..Credentials::default() };
        assert!(!format!("{credentials:?}").contains("secret"));
    }
}

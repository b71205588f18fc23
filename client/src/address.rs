//! The address of Redis, taken apart: what is there, at which hosts, and as whom to speak to it.
//!
//! Everything but the list of hosts is read as the library below reads URLs, so an address means here what it means to others.

use redis::{ConnectionAddr, IntoConnectionInfo as _};

use crate::endpoint::{Credentials, EndpointError};

/// The highest database that a Redis has unless it is configured otherwise.
const DATABASE_MAX: i64 = 15;

/// The port of Redis unless the URL says otherwise.
const REDIS_PORT: u16 = 6379;

/// The port of a sentinel unless the URL says otherwise.
const SENTINEL_PORT: u16 = 26379;

/// Host and port.
pub(crate) type Host = (String, u16);

/// What a URL says.
#[derive(Debug)]
pub(crate) struct Address {
    /// What is where.
    pub(crate) service: Service,
    /// Whether TLS is spoken.
    pub(crate) secure: bool,
    /// As whom to speak to Redis.
    pub(crate) credentials: Credentials,
    /// The database, 0 to 15.
    pub(crate) database: i64,
}

/// What is where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    /// Redis itself.
    Single(Host),
    /// Sentinels, which know where Redis is.
    Sentinel {
        /// Theirs.
        hosts: Vec<Host>,
        /// By which name they know it.
        name: String,
    },
    /// Nodes of a cluster, which know the others.
    Cluster {
        /// Theirs.
        hosts: Vec<Host>,
    },
}

/// The kinds of URL there are.
#[derive(Clone, Copy)]
enum Scheme {
    Single,
    Sentinel,
    Cluster,
}

impl Address {
    /// Takes a URL apart.
    ///
    /// # Errors
    ///
    /// What is wrong with it, without its text.
    pub(crate) fn parse(text: &str) -> Result<Self, EndpointError> {
        // The end of the line of a file does no harm; within, what reads URLs would leave it out without a word.
        let text = text.trim();
        if text.contains(char::is_control) {
            return Err(EndpointError::Form);
        }
        let (scheme, rest) = text.split_once("://").ok_or(EndpointError::Form)?;
        let (scheme, secure) = scheme_of(scheme).ok_or(EndpointError::Form)?;
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (login, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        let credentials = credentials(login)?;
        let (service, number) = match scheme {
            Scheme::Single => (Service::Single(single(hosts)?), without_options(path)?.trim_matches('/')),
            Scheme::Sentinel => {
                let hosts = several(hosts, SENTINEL_PORT)?;
                let path = without_options(path)?;
                let path = path.strip_prefix('/').unwrap_or(path);
                let (name, number) = path.split_once('/').unwrap_or((path, ""));
                (Service::Sentinel { hosts, name: name_of(name)? }, number.trim_end_matches('/'))
            }
            Scheme::Cluster => (
                Service::Cluster { hosts: several(hosts, REDIS_PORT)? },
                without_options(path)?.trim_matches('/'),
            ),
        };
        let database = database(number)?;
        if matches!(service, Service::Cluster { .. }) && database != 0 {
            return Err(EndpointError::ClusterDatabase);
        }
        Ok(Self { service, secure, credentials, database })
    }
}

/// What a scheme stands for, and whether it is with TLS.
fn scheme_of(text: &str) -> Option<(Scheme, bool)> {
    let text = text.to_ascii_lowercase();
    let (base, scheme) = match text.split_once('-') {
        None => (text.as_str(), Scheme::Single),
        Some((base, "sentinel")) => (base, Scheme::Sentinel),
        Some((base, "cluster")) => (base, Scheme::Cluster),
        Some(_) => return None,
    };
    match base {
        "redis" | "valkey" => Some((scheme, false)),
        "rediss" | "valkeys" => Some((scheme, true)),
        _ => None,
    }
}

fn credentials(login: &str) -> Result<Credentials, EndpointError> {
    let url = format!("redis://{login}@host");
    let info = url.as_str().into_connection_info().map_err(|_| EndpointError::Form)?;
    let login = info.redis_settings();
    Ok(Credentials::new(login.username().map(str::to_owned), login.password().map(str::to_owned)))
}

fn single(text: &str) -> Result<Host, EndpointError> {
    if text.contains(',') {
        return Err(EndpointError::Hosts);
    }
    host(text, REDIS_PORT, EndpointError::Form)
}

/// Hosts with commas between them.
fn several(text: &str, default: u16) -> Result<Vec<Host>, EndpointError> {
    let numbered = text.split(',').zip(1..);
    numbered.map(|(text, number)| host(text, default, EndpointError::Host(number))).collect()
}

/// A host and its port, or the error for one that is none.
fn host(text: &str, default: u16, none: EndpointError) -> Result<Host, EndpointError> {
    // At the end, what reads URLs would leave it out.
    if text.is_empty() || text.contains(char::is_whitespace) {
        return Err(none);
    }
    let plain = format!("redis://{text}");
    let port = redis::parse_redis_url(&plain).map(|url| url.port().unwrap_or(default));
    if port == Some(0) {
        return Err(EndpointError::Port(0));
    }
    let address = plain.as_str().into_connection_info().map(|info| info.addr().clone());
    match (address, port) {
        (Ok(ConnectionAddr::Tcp(host, _)), Some(port)) => Ok((host, port)),
        (Ok(_) | Err(_), _) => Err(none),
    }
}

/// What stands behind the hosts, if it is a path alone.
fn without_options(path: &str) -> Result<&str, EndpointError> {
    if path.contains(['?', '#']) { Err(EndpointError::Options) } else { Ok(path) }
}

/// A name as sentinels take it.
fn name_of(text: &str) -> Result<String, EndpointError> {
    let fine = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if text.is_empty() || !text.chars().all(fine) {
        return Err(EndpointError::Name);
    }
    Ok(text.to_owned())
}

fn database(text: &str) -> Result<i64, EndpointError> {
    let number = if text.is_empty() { Ok(0) } else { text.parse::<i64>() };
    match number {
        Ok(number @ 0..=DATABASE_MAX) => Ok(number),
        Ok(number) => Err(EndpointError::Database(number.to_string())),
        // A password with a slash in it ends up here, so the text is not shown.
        Err(_) => Err(EndpointError::Database("not a number".to_owned())),
    }
}

#[cfg(test)]
mod tests;

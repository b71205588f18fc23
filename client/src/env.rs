//! Settings from environment variables, under the names that the five systems use.
//!
//! Each profile has its variables ([`Profile::variables`]); one that is not set, or empty, keeps the profile's own figure. A
//! value that is none, or out of range, is an error that names the variable, the value and the range; a secret is not shown.

use std::time::Duration;

use thiserror::Error;

use crate::endpoint::{Credentials, Endpoint, EndpointError};
use crate::environment::Environment;
use crate::profile::Profile;
use crate::seal::{KeysError, Seal, SealOptions};
use crate::settings::Settings;
use crate::tls::TlsOptions;

/// What a profile and the environment give together.
#[derive(Clone, Debug)]
pub struct Configured {
    /// The settings of a client.
    pub settings: Settings,
    /// The Redis that it speaks to.
    pub endpoint: Endpoint,
    /// How long a session lives unless its creator says otherwise.
    pub session_ttl: Duration,
    /// What values are encrypted with, if they are: for [`Environment::seal`].
    pub seal: Option<Seal>,
}

impl Configured {
    /// Surroundings as of [`Environment::new`] in which values are encrypted as the variables say.
    pub fn environment(&self, writer: u32) -> Environment {
        Environment { seal: self.seal.clone(), ..Environment::new(writer) }
    }
}

/// A variable that cannot be heeded.
#[derive(Debug, Error)]
pub enum EnvError {
    /// Its value is none of its kind, or out of range.
    #[error("{name} is {value:?}; it must be {cure}")]
    Value {
        /// The variable.
        name: &'static str,
        /// Its value.
        value: String,
        /// What it may be.
        cure: &'static str,
    },
    /// It is no text. Its value may hold a password and is not shown.
    #[error("{name} is no text in UTF-8; set it again as such")]
    NoText {
        /// The variable.
        name: &'static str,
    },
    /// A password ends or begins with what nobody types, such as the end of a line of a file. It is not shown.
    #[error("{name} has a control character, such as the end of a line; it must be without")]
    Control {
        /// The variable.
        name: &'static str,
    },
    /// It is no address of a Redis. Its value may hold a password and is not shown.
    #[error("{name}: {why}")]
    Address {
        /// The variable.
        name: &'static str,
        /// What is wrong.
        why: EndpointError,
    },
    /// They are no keys. Its value is not shown.
    #[error("{name}: {why}")]
    Keys {
        /// The variable.
        name: &'static str,
        /// What is wrong.
        why: KeysError,
    },
}

/// A variable that a profile heeds.
#[derive(Clone, Copy, Debug)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What it stands for, with its unit.
    pub meaning: &'static str,
    /// What it may be.
    pub range: &'static str,
    set: Set,
}

/// What a variable's value does.
#[derive(Clone, Copy, Debug)]
enum Set {
    Url,
    Host,
    Port,
    Password,
    Database,
    Number { least: f64, most: f64, apply: fn(&mut Configured, f64) },
    Keys,
    ReadPlain,
}

const URL: Variable = Variable {
    name: "REDIS_URL",
    meaning: "the address of Redis",
    range: "redis://[user[:password]@]host[:port][/database], \
            redis-sentinel://[user[:password]@]host[:port][,host[:port]...]/name[/database], or \
            redis-cluster://[user[:password]@]host[:port][,host[:port]...], which needs Sharded or a prefix with a hash tag, and \
            rediss://, rediss-sentinel:// and rediss-cluster:// for TLS",
    set: Set::Url,
};

const ADDRESS: [Variable; 4] = [
    Variable {
        name: "REDIS_HOST",
        meaning: "the host of Redis",
        range: "a host name or an address",
        set: Set::Host,
    },
    Variable {
        name: "REDIS_PORT",
        meaning: "the port of Redis",
        range: "a whole number from 1 to 65535",
        set: Set::Port,
    },
    Variable { name: "REDIS_PASSWORD", meaning: "the password", range: "any text", set: Set::Password },
    Variable {
        name: "REDIS_DB",
        meaning: "the database",
        range: "a whole number from 0 to 15",
        set: Set::Database,
    },
];

const CACHE: [Variable; 6] = [
    Variable {
        name: "CACHE_SOCKET_CONNECT_TIMEOUT_MS",
        meaning: "the connect timeout in milliseconds",
        range: "a number from 1 to 3600000",
        set: Set::Number {
            least: 1.0,
            most: 3_600_000.0,
            apply: |it, ms| it.settings.connect_timeout = length(ms / 1000.0),
        },
    },
    Variable {
        name: "CACHE_SOCKET_TIMEOUT_MS",
        meaning: "the operation timeout in milliseconds",
        range: "a number from 1 to 3600000",
        set: Set::Number {
            least: 1.0,
            most: 3_600_000.0,
            apply: |it, ms| {
                it.settings.operation_timeout = length(ms / 1000.0);
                it.settings.deadline = it.settings.deadline.max(it.settings.operation_timeout);
            },
        },
    },
    Variable {
        name: "CACHE_HEALTH_CHECK_INTERVAL",
        meaning: "the seconds without a reply after which a connection is asked for a sign of life before it is used again",
        range: "a number from 0.001 to 3600",
        set: Set::Number {
            least: 0.001,
            most: 3600.0,
            apply: |it, s| it.settings.ping_after_idle = length(s),
        },
    },
    Variable {
        name: "CACHE_MAX_CONNECTIONS",
        meaning: "the connections at most",
        range: "a whole number from 1 to 1000",
        set: CONNECTIONS,
    },
    Variable {
        name: "CACHE_MAX_RETRIES",
        meaning: "the attempts after the first",
        range: "a whole number from 0 to 100",
        set: Set::Number { least: 0.0, most: 100.0, apply: |it, n| it.settings.retry.retries = n as u32 },
    },
    Variable {
        name: "CACHE_RETRY_DELAY",
        meaning: "the upper bound of the first wait before a retry, in seconds",
        range: "a number from 0.001 to 3600",
        set: Set::Number {
            least: 0.001,
            most: 3600.0,
            apply: |it, s| {
                it.settings.retry.base = length(s);
                it.settings.retry.cap = it.settings.retry.cap.max(length(s));
            },
        },
    },
];

const CONNECTIONS: Set =
    Set::Number { least: 1.0, most: 1000.0, apply: |it, n| it.settings.pool.connections = n as u32 };

const TTL: Variable = Variable {
    name: "REDIS_SESSION_TTL",
    meaning: "the seconds that a session lives unless its creator says otherwise",
    range: "a number from 1 to 31536000",
    set: Set::Number { least: 1.0, most: 31_536_000.0, apply: |it, s| it.session_ttl = length(s) },
};

const SEAL: [Variable; 2] = [
    Variable {
        name: "SESSION_ENCRYPTION_KEYS",
        meaning: "the keys that values are encrypted with, the one for new values first",
        range: "NUMBER:KEY, separated by commas, each key 32 bytes in base64",
        set: Set::Keys,
    },
    Variable {
        name: "SESSION_ENCRYPTION_READ_PLAIN",
        meaning: "whether values are read too that were not encrypted",
        range: "true or false",
        set: Set::ReadPlain,
    },
];

impl Profile {
    /// The variables that it heeds.
    pub fn variables(self) -> Vec<Variable> {
        let own = match self {
            Self::Chatbot => vec![URL],
            Self::CacheV4 => [&[URL], &CACHE[..]].concat(),
            Self::Websocket => vec![Variable { name: "CHANNEL_REDIS_URL", ..URL }, TTL],
            Self::MultiWorker => ADDRESS.to_vec(),
            Self::Companion => {
                let connections = Variable { name: "REDIS_MAX_CONNECTIONS", ..CACHE[3] };
                [&ADDRESS[..], &[connections]].concat()
            }
        };
        [&own[..], &SEAL].concat()
    }

    /// Its settings, and the Redis to speak to, as the variables say that `value_of` knows: [`process_variable`] for those of
    /// this process.
    ///
    /// # Errors
    ///
    /// The first variable that cannot be heeded.
    pub fn configured(
        self,
        value_of: impl Fn(&str) -> Option<String>,
        tls: &TlsOptions,
    ) -> Result<Configured, EnvError> {
        let variables = self.variables();
        let values = variables.iter().filter_map(|variable| {
            let value = value_of(variable.name).filter(|value| !value.is_empty())?;
            Some((variable, value))
        });
        let mut parts = Parts::default();
        let mut configured = Configured {
            settings: self.settings(),
            endpoint: Endpoint::parse(LOCAL, &self.settings().keepalive, tls)
                .map_err(|why| EnvError::Address { name: URL.name, why })?,
            session_ttl: Duration::from_secs(3600),
            seal: None,
        };
        for (variable, value) in values {
            if value.contains(NO_TEXT) {
                return Err(EnvError::NoText { name: variable.name });
            }
            variable.apply(&value, &mut configured, &mut parts)?;
        }
        configured.seal = parts.seal.seal().map_err(|why| EnvError::Keys { name: SEAL[0].name, why })?;
        configured.endpoint = parts.endpoint(&configured.settings, tls)?;
        Ok(configured)
    }
}

/// The value of a variable of this process.
pub fn process_variable(name: &str) -> Option<String> {
    // What is no text must not look as if it were not set: the mark that stands for it is refused.
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

/// What stands in a text for bytes that are none.
const NO_TEXT: char = '\u{fffd}';

const LOCAL: &str = "redis://localhost:6379/0";

/// What comes in parts: the address, and the keys.
#[derive(Default)]
struct Parts {
    url: Option<(&'static str, String)>,
    host: Option<String>,
    port: Option<u16>,
    password: Option<String>,
    database: i64,
    seal: SealOptions,
}

impl Parts {
    fn endpoint(self, settings: &Settings, tls: &TlsOptions) -> Result<Endpoint, EnvError> {
        let (name, url) = self.url.unwrap_or_else(|| {
            let host = self.host.unwrap_or_else(|| "localhost".to_owned());
            let host = if host.contains(':') { format!("[{host}]") } else { host };
            let port = self.port.unwrap_or(6379);
            ("REDIS_HOST", format!("redis://{host}:{port}/{}", self.database))
        });
        let parsed = Endpoint::parse(&url, &settings.keepalive, tls);
        let mut endpoint = parsed.map_err(|why| EnvError::Address { name, why })?;
        if self.password.is_some() {
            endpoint.credentials = Credentials::new(None, self.password);
        }
        Ok(endpoint)
    }
}

impl Variable {
    /// Whether it changes a figure of the settings and no more: neither which Redis it is, nor a secret.
    pub fn is_figure(&self) -> bool {
        matches!(self.set, Set::Number { .. })
    }

    fn apply(&self, value: &str, configured: &mut Configured, parts: &mut Parts) -> Result<(), EnvError> {
        let wrong = || EnvError::Value { name: self.name, value: value.to_owned(), cure: self.range };
        match self.set {
            Set::Url => parts.url = Some((self.name, value.to_owned())),
            Set::Host => {
                let odd = |c: char| c.is_whitespace() || c.is_control() || "@/?#\\%".contains(c);
                if value.contains(odd) {
                    return Err(wrong());
                }
                parts.host = Some(value.to_owned());
            }
            Set::Port => {
                parts.port = Some(value.parse().ok().filter(|port| *port > 0).ok_or_else(wrong)?);
            }
            Set::Password if value.contains(char::is_control) => {
                return Err(EnvError::Control { name: self.name });
            }
            Set::Password => parts.password = Some(value.to_owned()),
            Set::Database => {
                parts.database =
                    value.parse().ok().filter(|number| (0..=15).contains(number)).ok_or_else(wrong)?;
            }
            Set::Number { least, most, apply } => {
                let whole = self.range.starts_with("a whole");
                let number: f64 = value.trim().parse().map_err(|_| wrong())?;
                if !(least..=most).contains(&number) || (whole && number.fract() != 0.0) {
                    return Err(wrong());
                }
                apply(configured, number);
            }
            Set::Keys => parts.seal.keys = Some(value.to_owned()),
            // What is longer may be keys under the wrong name.
            Set::ReadPlain if value.len() > 8 => {
                return Err(EnvError::Value { name: self.name, value: "...".to_owned(), cure: self.range });
            }
            Set::ReadPlain => parts.seal.read_plain = value.parse().map_err(|_| wrong())?,
        }
        Ok(())
    }
}

fn length(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

#[cfg(test)]
mod tests;

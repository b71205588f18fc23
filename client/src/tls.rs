//! TLS for `rediss://`: whom the client trusts, and as whom it shows itself.
//!
//! The files are read again for every connection that is opened, so a certificate that was replaced is used without a restart.
//! A handshake that fails is an error of its own class ([`CallError::Tls`](crate::CallError::Tls)): it is never tried again at
//! once, and heals with the next probe once both sides are right.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

use crate::connect::{BoxStream, Connect, Connecting, Tcp};

/// How TLS is spoken. Everything may be absent: then the system's certificates are trusted, and the client shows none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsOptions {
    /// A file of certificates (PEM) that are trusted instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// A file with the client's own certificate and those that it rests on (PEM).
    pub certificate_file: Option<PathBuf>,
    /// A file with the key of the client's certificate (PEM). What it holds is shown nowhere.
    pub key_file: Option<PathBuf>,
    /// The name that the server's certificate must carry, which is also sent as SNI; the host's when absent.
    pub server_name: Option<String>,
}

/// Why TLS cannot be spoken as the options say.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file cannot be read, or holds nothing of the kind.
    #[error("{file}: no {what} in it: {why}", file = file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What should be there.
        what: &'static str,
        /// What went wrong.
        why: String,
    },
    /// One of certificate and key is given without the other.
    #[error("a client's certificate needs its key, and the key its certificate: give both files or neither")]
    Half,
    /// The name is none that a certificate can carry.
    #[error("{0:?} is no name that a certificate can carry: give a host name or an address")]
    Name(String),
    /// The system has no certificates that could be trusted.
    #[error("the system has no certificates to trust: name a file of them")]
    NoRoots,
    /// The certificate and its key do not go together, or are of no use.
    #[error("the client's certificate: {0}")]
    Identity(String),
}

/// Opens TLS streams over TCP.
#[derive(Clone, Debug)]
pub struct Tls {
    tcp: Tcp,
    options: TlsOptions,
    name: ServerName<'static>,
}

impl Tls {
    /// TLS over `tcp`. The files are read once, to find out at once what is wrong with them.
    ///
    /// # Errors
    ///
    /// When a file cannot be used, or the name is none.
    pub fn new(tcp: Tcp, options: TlsOptions) -> Result<Self, TlsError> {
        let tls = Self::unread(tcp, options)?;
        tls.config()?;
        Ok(tls)
    }

    /// The same, whose files are read only when a stream is opened.
    pub(crate) fn unread(tcp: Tcp, options: TlsOptions) -> Result<Self, TlsError> {
        let name = options.server_name.clone().unwrap_or_else(|| tcp.host.clone());
        let name = ServerName::try_from(name.clone()).map_err(|_| TlsError::Name(name))?;
        Ok(Self { tcp, options, name })
    }

    fn config(&self) -> Result<ClientConfig, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::Identity(error.to_string()))?
            .with_root_certificates(self.roots()?);
        match (&self.options.certificate_file, &self.options.key_file) {
            (None, None) => Ok(builder.with_no_client_auth()),
            (Some(certificate), Some(key)) => {
                let chain = certificates(certificate)?;
                let key = PrivateKeyDer::from_pem_file(key).map_err(no("key", key))?;
                builder
                    .with_client_auth_cert(chain, key)
                    .map_err(|error| TlsError::Identity(error.to_string()))
            }
            (Some(_), None) | (None, Some(_)) => Err(TlsError::Half),
        }
    }

    fn roots(&self) -> Result<RootCertStore, TlsError> {
        let mut roots = RootCertStore::empty();
        match &self.options.ca_file {
            Some(file) => {
                for certificate in certificates(file)? {
                    roots.add(certificate).map_err(no("certificate to trust", file))?;
                }
            }
            None => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
                if roots.is_empty() {
                    return Err(TlsError::NoRoots);
                }
            }
        }
        Ok(roots)
    }

    async fn open(&self) -> io::Result<BoxStream> {
        let tls = self.clone();
        // Files are read, so not on a thread that others wait for.
        let config = tokio::task::spawn_blocking(move || tls.config()).await.map_err(io::Error::other)?;
        let config = config.map_err(io::Error::other)?;
        let stream = self.tcp.stream().await?;
        let stream = TlsConnector::from(Arc::new(config)).connect(self.name.clone(), stream).await?;
        Ok(Box::pin(stream))
    }
}

impl Connect for Tls {
    fn connect(&self) -> Connecting<'_> {
        Box::pin(self.open())
    }

    /// A Redis without TLS takes a handshake for the beginning of a command, and waits for the rest.
    fn stalled(&self) -> &'static str {
        "timed out; a port that does not speak TLS stays silent, and needs redis:// instead of rediss://"
    }
}

/// Why a stream was not opened, or broke, if TLS is the reason.
pub(crate) fn failure(error: &io::Error) -> Option<String> {
    let inner = error.get_ref()?;
    if let Some(error) = inner.downcast_ref::<rustls::Error>() {
        return Some(match error {
            rustls::Error::InvalidMessage(_) => "the server does not speak TLS at this port".to_owned(),
            error => error.to_string(),
        });
    }
    inner.downcast_ref::<TlsError>().map(ToString::to_string)
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found = CertificateDer::pem_file_iter(file).map_err(no("certificate", file))?;
    let found = found.collect::<Result<Vec<_>, _>>().map_err(no("certificate", file))?;
    if found.is_empty() { Err(no("certificate", file)("it has none")) } else { Ok(found) }
}

fn no<E: ToString>(what: &'static str, file: &Path) -> impl Fn(E) -> TlsError {
    let file = file.to_owned();
    move |error| TlsError::File { file: file.clone(), what, why: error.to_string() }
}

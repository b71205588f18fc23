//! The authority of a run whose instances speak TLS: it has issued what the fault links show. Its own certificate is a file, to be
//! trusted; the keys never leave memory.

use std::fmt::{self, Display};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::rustls::server::NoServerSessionStorage;

use super::local::Folder;
use super::{WorldError, failed};

/// What links are reached by, and so what their certificate names.
const NAMES: [&str; 2] = ["localhost", "127.0.0.1"];
const FILE: &str = "ca.pem";

/// An authority, with what it has issued. Dropped, its file goes.
pub(crate) struct Authority {
    folder: Folder,
    config: Arc<ServerConfig>,
}

impl Authority {
    /// A new one, which nobody trusts yet.
    pub(crate) fn make() -> Result<Self, WorldError> {
        const DOING: &str = "make a certificate for the run";
        let (pem, config) = issue().map_err(|error| failed(DOING)(error))?;
        let folder = Folder::make().map_err(failed(DOING))?;
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(folder.path().join(FILE));
        file.and_then(|mut file| file.write_all(pem.as_bytes())).map_err(failed(DOING))?;
        Ok(Self { folder, config: Arc::new(config) })
    }

    /// The file of its certificate (PEM).
    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join(FILE)
    }

    /// What links show.
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }
}

/// For reports.
pub(super) const NOTE: &str = "tls: the fault links end it, with a certificate of the run's own authority; they and Redis speak in the clear";

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Authority").field(&self.file()).finish()
    }
}

/// An authority's certificate (PEM), and what a server shows that it has issued.
fn issue() -> Result<(String, ServerConfig), Box<dyn Display>> {
    fn boxed<E: Display + 'static>(error: E) -> Box<dyn Display> {
        Box::new(error)
    }
    let key = KeyPair::generate().map_err(boxed)?;
    let mut parameters = CertificateParams::default();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.distinguished_name.push(DnType::CommonName, "the authority of a run of Squall");
    let pem = parameters.self_signed(&key).map_err(boxed)?.pem();
    let issuer = Issuer::new(parameters, key);

    let key = KeyPair::generate().map_err(boxed)?;
    let parameters = CertificateParams::new(NAMES.map(str::to_owned)).map_err(boxed)?;
    let certificate = parameters.signed_by(&key, &issuer).map_err(boxed)?;
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(boxed)?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.into())
        .map_err(boxed)?;
    // Every connection meets the certificate, and after its handshake only what Redis says.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok((pem, config))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn its_file_has_a_certificate_and_no_key_and_goes_with_it() {
        let authority = Authority::make().unwrap();
        let file = authority.file();
        let folder = file.parent().unwrap().to_owned();
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains("BEGIN CERTIFICATE") && !text.contains("KEY-----"), "{text}");
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        drop(authority);
        assert!(!folder.exists());
    }

    #[test]
    fn what_is_shown_of_it_has_no_key() {
        let authority = Authority::make().unwrap();
        let shown = format!("{authority:?} {:?}", authority.config()).to_lowercase();
        assert!(!shown.contains("private"), "{shown}");
    }
}

//! Certificates for tests, in a folder that goes when they end.

use std::fs;
use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use tempfile::TempDir;

/// An authority with a folder of what it has issued.
pub(crate) struct Pki {
    folder: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

/// Until when a certificate is valid.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Validity {
    Valid,
    Expired,
    NotYet,
}

impl Pki {
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        let key = KeyPair::generate().expect("a key");
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Another authority has another name.
        let name = format!("authority {:?}", folder.path().file_name());
        parameters.distinguished_name.push(DnType::CommonName, name);
        let certificate = parameters.self_signed(&key).expect("a certificate");
        fs::write(folder.path().join("ca.crt"), certificate.pem()).expect("it can be written");
        Self { folder, issuer: Issuer::new(parameters, key) }
    }

    /// Issues a certificate for this machine.
    pub(crate) fn issue(&self, name: &str, validity: Validity) {
        let key = KeyPair::generate().expect("a key");
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut parameters = CertificateParams::new(names).expect("names");
        if validity == Validity::Expired {
            parameters.not_before = date_time_ymd(2019, 1, 1);
            parameters.not_after = date_time_ymd(2020, 1, 1);
        }
        if validity == Validity::NotYet {
            parameters.not_before = date_time_ymd(2090, 1, 1);
        }
        let certificate = parameters.signed_by(&key, &self.issuer).expect("a certificate");
        fs::write(self.certificate(name), certificate.pem()).expect("it can be written");
        fs::write(self.key(name), key.serialize_pem()).expect("it can be written");
    }

    pub(crate) fn certificate(&self, name: &str) -> String {
        self.path(format!("{name}.crt"))
    }

    pub(crate) fn key(&self, name: &str) -> String {
        self.path(format!("{name}.key"))
    }

    fn path(&self, name: String) -> String {
        let path: PathBuf = self.folder.path().join(name);
        path.to_str().expect("a plain path").to_owned()
    }
}

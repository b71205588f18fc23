//! Reaching servers whose address is learned only while the client runs.

use std::io;
use std::sync::Arc;

use crate::connect::{Connect, Tcp};
use crate::settings::KeepaliveSettings;
use crate::tls::{Tls, TlsError, TlsOptions};

/// Opens streams to a server of this host and port.
pub type ConnectTo = dyn Fn(&str, u16) -> io::Result<Arc<dyn Connect>> + Send + Sync;

/// By TCP.
pub fn tcp(keepalive: &KeepaliveSettings) -> Arc<ConnectTo> {
    let keepalive = keepalive.clone();
    Arc::new(move |host, port| {
        Ok(Arc::new(Tcp { host: host.to_owned(), port, keepalive: keepalive.clone() }))
    })
}

/// By TLS. The files are read once, to find out at once what is wrong with them, and again for every stream.
///
/// # Errors
///
/// When a file cannot be used, or the name that certificates must carry is none.
pub fn tls(keepalive: &KeepaliveSettings, options: &TlsOptions) -> Result<Arc<ConnectTo>, TlsError> {
    let (keepalive, options) = (keepalive.clone(), options.clone());
    let tcp = move |host: &str, port| Tcp { host: host.to_owned(), port, keepalive: keepalive.clone() };
    Tls::new(tcp("localhost", 0), options.clone())?;
    Ok(Arc::new(move |host, port| {
        let tls = Tls::unread(tcp(host, port), options.clone()).map_err(io::Error::other)?;
        Ok(Arc::new(tls))
    }))
}

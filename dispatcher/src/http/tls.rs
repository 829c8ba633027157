//! TLS to receivers: rustls with ring, the machine's certificate authorities and any given ones.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

/// TLS that can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A certificate authority that was given can't be used.
    #[error("a certificate authority can't be used: {0}")]
    Authority(#[source] rustls::Error),
    /// What is offered and what the library can do don't meet.
    #[error("TLS can't be set up: {0}")]
    Setup(#[source] rustls::Error),
}

/// What is offered to a receiver, best first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

pub(super) fn connector(
    authorities: Vec<CertificateDer<'static>>,
) -> Result<TlsConnector, TlsError> {
    let mut roots = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    for error in &native.errors {
        tracing::warn!(error = %error, "certificate authorities could not be read");
    }
    roots.add_parsable_certificates(native.certs);
    if roots.is_empty() {
        tracing::warn!("this machine has no certificate authorities: no https receiver is trusted");
    }
    for authority in authorities {
        roots.add(authority).map_err(TlsError::Authority)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Setup)?;
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
    Ok(TlsConnector::from(Arc::new(config)))
}

//! TLS of clients: rustls with ring, and the machine's own roots.

use std::sync::Arc;

use anyhow::{Result, anyhow};
use rustls::{ClientConfig, RootCertStore};

/// How a client of ours talks TLS.
///
/// # Errors
/// When the machine has no usable root certificates.
pub(crate) fn client_config() -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        return Err(anyhow!(
            "this machine has no root certificates, so no https address can be trusted: {:?}",
            found.errors
        ));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

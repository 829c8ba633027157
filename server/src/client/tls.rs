//! TLS of clients: rustls with ring, and the machine's own roots.

use std::sync::Arc;

use anyhow::{Result, anyhow};
use rustls::{ClientConfig, RootCertStore};

/// How a client of ours talks TLS to a URL of this scheme. One that talks plain http gets a
/// configuration too, which trusts nobody: without one it would look for a provider that no process of
/// ours installs.
///
/// # Errors
/// When the scheme is https and the machine has no usable root certificates.
pub(crate) fn client_config(scheme: &str) -> Result<ClientConfig> {
    let roots = match scheme {
        "https" => machine_roots()?,
        _ => RootCertStore::empty(),
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

fn machine_roots() -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        return Err(anyhow!(
            "this machine has no root certificates, so no https address can be trusted: {:?}",
            found.errors
        ));
    }
    Ok(roots)
}

//! TLS to the nodes: rustls with ring, and no authorities but those that are named.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use projections_port::views::BoxError;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use crate::error::OpenError;

/// TLS to the nodes.
#[derive(Clone, Debug)]
pub struct Tls {
    /// A PEM file with the certificate authorities that are trusted, and no others.
    pub authorities: PathBuf,
    /// What the certificate of every node is for. `None`: each is for the address that the node is reached at, as the nodes
    /// know it of each other; they don't know names.
    pub name: Option<String>,
}

/// No certificate is in the file.
#[derive(Debug, thiserror::Error)]
#[error("there is no certificate in it")]
struct Empty;

pub(crate) fn client_config(tls: &Tls) -> Result<Arc<ClientConfig>, OpenError> {
    let file = &tls.authorities;
    let roots = roots(file).map_err(|source| OpenError::Authorities {
        file: file.clone(),
        source,
    })?;
    let setup = |error: BoxError| OpenError::Tls(error);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| setup(error.into()))?;
    let Some(name) = &tls.name else {
        let config = config.with_root_certificates(roots).with_no_client_auth();
        return Ok(Arc::new(config));
    };
    let name = ServerName::try_from(name.clone()).map_err(|error| setup(error.into()))?;
    let by_authorities =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
    let verifier = Named {
        name,
        by_authorities: by_authorities.map_err(|error| setup(error.into()))?,
    };
    let config = config
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    Ok(Arc::new(config.with_no_client_auth()))
}

fn roots(file: &Path) -> Result<RootCertStore, BoxError> {
    // Read as a whole first: a folder, or nothing, has a reason of its own.
    let text = std::fs::read(file)?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&text) {
        roots.add(certificate?)?;
    }
    if roots.is_empty() {
        return Err(Empty.into());
    }
    Ok(roots)
}

/// Verifies as usual, but for the name: the driver knows addresses only.
#[derive(Debug)]
struct Named {
    name: ServerName<'static>,
    by_authorities: Arc<WebPkiServerVerifier>,
}

impl ServerCertVerifier for Named {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _address: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let name = &self.name;
        self.by_authorities
            .verify_server_cert(end_entity, intermediates, name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.by_authorities
            .verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.by_authorities
            .verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.by_authorities.supported_verify_schemes()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed case panics")]
mod tests {
    use super::*;

    fn refused(authorities: &Path, name: Option<&str>) -> String {
        let tls = Tls {
            authorities: authorities.to_owned(),
            name: name.map(str::to_owned),
        };
        client_config(&tls).unwrap_err().to_string()
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said_with_its_name() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        for (file, why) in [
            ("tests/nowhere.pem", "No such file"),
            ("tests", "directory"),
            ("Cargo.toml", "there is no certificate in it"),
        ] {
            let file = folder.join(file);
            let said = refused(&file, None);
            assert!(said.contains(&file.display().to_string()), "{said}");
            assert!(said.contains(why), "{said}");
        }
    }

    #[test]
    fn a_name_that_is_none_is_refused() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/another-authority.pem");
        let said = refused(&file, Some("not a name"));
        assert!(said.contains("invalid dns name"), "{said}");
    }
}

//! TLS configuration of the client and the certificates that it trusts.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// Error for certificates that cannot be added to the trusted ones.
#[derive(Debug, thiserror::Error)]
pub enum RootsError {
    /// The text is not PEM.
    #[error("not certificates in PEM")]
    Pem(#[source] rustls::pki_types::pem::Error),
    /// The text contains no certificate.
    #[error("the PEM contains no certificate")]
    Empty,
    /// A certificate is not valid as a trust anchor.
    #[error("not a certificate of an authority")]
    Certificate(#[source] rustls::Error),
}

/// Certificates that browsers trust (Mozilla's list at build time).
pub(super) fn roots() -> RootCertStore {
    RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }
}

pub(super) fn add(roots: &mut RootCertStore, pem: &[u8]) -> Result<(), RootsError> {
    let mut is_any_added = false;
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(RootsError::Pem)?;
        roots.add(certificate).map_err(RootsError::Certificate)?;
        is_any_added = true;
    }
    if is_any_added { Ok(()) } else { Err(RootsError::Empty) }
}

/// Creates the configuration of TLS. The connector adds the protocols to negotiate.
pub(super) fn config(roots: RootCertStore) -> ClientConfig {
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(ring).with_protocol_versions(rustls::ALL_VERSIONS);
    // ring has cipher suites for both versions, so this cannot fail.
    let builder = builder.unwrap_or_else(|error| unreachable!("ring supports TLS 1.2 and 1.3: {error}"));
    builder.with_root_certificates(roots).with_no_client_auth()
}

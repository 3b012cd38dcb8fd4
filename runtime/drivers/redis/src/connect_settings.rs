//! Connection settings from URLs.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use redis::{ConnectionAddr, IntoConnectionInfo as _, RedisConnectionInfo};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

/// Limit of the time to open a connection.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Error in the settings of a connection. It contains no part of the URL, which may contain a password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The URL cannot be parsed.
    #[error("not a URL of Redis: it has the form redis://user:password@host:port/database or unix:///path")]
    Url,
    /// There is no URL.
    #[error("no URL of a server")]
    NoUrl,
    /// The certificates cannot be used.
    #[error("cannot use the trusted certificates: {0}")]
    Certificates(String),
}

/// Where a server is, and how to log in.
#[derive(Clone)]
pub(crate) struct Address {
    pub(crate) addr: ConnectionAddr,
    pub(crate) login: RedisConnectionInfo,
    pub(crate) uses_tls: bool,
}

impl Address {
    /// Parses a URL. TLS is taken out, because it is done here.
    pub(crate) fn parse(url: &str) -> Result<Self, SettingsError> {
        let plain = ["rediss://", "valkeys://"].iter().find_map(|scheme| url.strip_prefix(scheme));
        let without_tls = plain.map(|rest| format!("redis://{rest}"));
        let info = without_tls.as_deref().unwrap_or(url).into_connection_info();
        let info = info.map_err(|_| SettingsError::Url)?;
        // The second version of the protocol, so that recorded answers have one form.
        let login = info.redis_settings().clone().set_protocol(redis::ProtocolVersion::RESP2);
        Ok(Self { addr: info.addr().clone(), login, uses_tls: plain.is_some() })
    }
}

/// Returns the TLS settings, with the certificates of a file, or else with those that browsers trust.
pub(crate) fn tls_config(root_file: Option<&Path>) -> Result<Arc<ClientConfig>, SettingsError> {
    let certificates = |error: &dyn std::fmt::Display| SettingsError::Certificates(error.to_string());
    let roots = match root_file {
        None => RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() },
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for certificate in CertificateDer::pem_file_iter(path).map_err(|error| certificates(&error))? {
                let certificate = certificate.map_err(|error| certificates(&error))?;
                roots.add(certificate).map_err(|error| certificates(&error))?;
            }
            roots
        }
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(rustls::ALL_VERSIONS)
        .map_err(|error| certificates(&error))?;
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_an_address_and_a_login() {
        let address = Address::parse("rediss://ann:pw@cache.internal:6380/2").unwrap();
        assert!(address.uses_tls);
        assert_eq!(address.addr, ConnectionAddr::Tcp("cache.internal".to_owned(), 6380));
        assert_eq!((address.login.username(), address.login.db()), (Some("ann"), 2));
        let address = Address::parse("unix:///run/redis.sock").unwrap();
        assert_eq!(address.addr, ConnectionAddr::Unix("/run/redis.sock".into()));
        assert!(!address.uses_tls);
        let error = Address::parse("http://u:hunter2@h").err().unwrap();
        assert!(!format!("{error:?} {error}").contains("hunter2"));
        assert!(tls_config(Some(Path::new("/nowhere"))).is_err());
        tls_config(None).unwrap();
    }
}

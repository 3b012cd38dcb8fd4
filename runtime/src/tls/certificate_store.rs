//! The certificates of a service. They are replaced as a whole, and only by ones that can be used.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::client::verify_server_name;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::ServerName;
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;

use super::certificate::{Certificate, CertificateError};
use crate::StartError;
use crate::config::TlsFiles;
use crate::operator_log;
use crate::time::wall_now;

/// The certificates of a service, the files that they come from, and the configuration of TLS.
pub(crate) struct CertificateStore {
    files: Vec<(PathBuf, PathBuf)>,
    current: Arc<Current>,
    acceptor: TlsAcceptor,
    /// Last error of a reload, so that it is reported once.
    last_error: Mutex<Option<String>>,
}

/// The certificates in use.
#[derive(Debug)]
struct Current(ArcSwap<Vec<Certificate>>);

impl CertificateStore {
    /// Reads the certificates that the settings name. Returns `None` if they name none.
    pub(crate) fn open(files: &TlsFiles) -> Result<Option<Arc<Self>>, StartError> {
        let TlsFiles { cert, key } = files;
        if cert.len() != key.len() {
            return Err(StartError::TlsPairs { certs: cert.len(), keys: key.len() });
        }
        if cert.is_empty() {
            return Ok(None);
        }
        let provider = Arc::new(ring::default_provider());
        let files: Vec<_> = std::iter::zip(cert.iter().cloned(), key.iter().cloned()).collect();
        let certificates = read_all(&files, &provider).map_err(StartError::Certificate)?;
        warn_about(&certificates, wall_now());
        let current = Arc::new(Current(ArcSwap::from_pointee(certificates)));
        let acceptor = acceptor(provider, Arc::clone(&current)).map_err(StartError::Tls)?;
        Ok(Some(Arc::new(Self { files, current, acceptor, last_error: Mutex::default() })))
    }

    pub(crate) const fn acceptor(&self) -> &TlsAcceptor {
        &self.acceptor
    }

    /// Reads the files again, and uses the certificates for new connections if they have changed. If they cannot be used, the
    /// old ones stay. Returns true if they were replaced.
    pub(crate) fn reload(&self) -> bool {
        let mut last_error = self.last_error.lock().unwrap_or_else(PoisonError::into_inner);
        match read_all(&self.files, &ring::default_provider()) {
            Ok(certificates) => {
                *last_error = None;
                let old = self.current.0.load();
                let is_same =
                    std::iter::zip(old.iter(), &certificates).all(|(old, new)| old.key.cert == new.key.cert);
                if is_same {
                    return false;
                }
                warn_about(&certificates, wall_now());
                self.current.0.store(Arc::new(certificates));
                operator_log::info("the certificates have changed; new connections use the new ones");
                true
            }
            Err(error) => {
                let error = with_causes(&error);
                // While one file has been replaced and the other has not, the key is another one.
                if last_error.as_ref() != Some(&error) {
                    operator_log::warn(&format!("certificates unchanged: {error}"));
                    *last_error = Some(error);
                }
                false
            }
        }
    }
}

fn read_all(
    files: &[(PathBuf, PathBuf)],
    provider: &CryptoProvider,
) -> Result<Vec<Certificate>, CertificateError> {
    files.iter().map(|(cert, key)| Certificate::read(cert, key, provider)).collect()
}

fn warn_about(certificates: &[Certificate], now: SystemTime) {
    certificates
        .iter()
        .filter_map(|certificate| certificate.warning(now))
        .for_each(|warning| operator_log::warn(&warning));
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |&error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

fn acceptor(provider: Arc<CryptoProvider>, current: Arc<Current>) -> Result<TlsAcceptor, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(rustls::ALL_VERSIONS)?
        .with_no_client_auth()
        .with_cert_resolver(current);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.ticketer = ring::Ticketer::new()?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

impl ResolvesServerCert for Current {
    /// Returns the certificate for the name that the client asks for. If there is none, or the client names none, that is the
    /// first: a client that knows the service by another name can then say which name it has got.
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let certificates = self.0.load();
        let named = || {
            let name = ServerName::try_from(hello.server_name()?).ok()?;
            certificates.iter().find(|certificate| {
                let first = certificate.key.cert.first();
                let parsed = first.and_then(|certificate| ParsedCertificate::try_from(certificate).ok());
                parsed.is_some_and(|parsed| verify_server_name(&parsed, &name).is_ok())
            })
        };
        let found = if certificates.len() > 1 { named() } else { None };
        found.or(certificates.first()).map(|certificate| Arc::clone(&certificate.key))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::time::{Duration, UNIX_EPOCH};

    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    /// Writes a certificate and its key.
    fn write(folder: &Path, name: &str, until: i32) -> (PathBuf, PathBuf) {
        let (cert, key) = (folder.join(format!("{name}.crt")), folder.join(format!("{name}.key")));
        let mut params = CertificateParams::new(vec![format!("{name}.example")]).unwrap();
        params.not_after = date_time_ymd(until, 1, 1);
        let pair = KeyPair::generate().unwrap();
        fs::write(&cert, params.self_signed(&pair).unwrap().pem()).unwrap();
        fs::write(&key, pair.serialize_pem()).unwrap();
        (cert, key)
    }

    fn open(pairs: &[(&Path, &Path)]) -> Result<Option<Arc<CertificateStore>>, String> {
        let (cert, key) = pairs.iter().map(|(cert, key)| (cert.to_path_buf(), key.to_path_buf())).unzip();
        CertificateStore::open(&TlsFiles { cert, key }).map_err(|error| error.full_message())
    }

    #[test]
    fn errors_name_the_file_and_the_reason() {
        let folder = tempfile::tempdir().unwrap();
        let (cert, key) = write(folder.path(), "a", 4000);
        let (_, other) = write(folder.path(), "b", 4000);
        let (empty, missing) = (folder.path().join("empty"), folder.path().join("missing"));
        let broken = folder.path().join("broken");
        fs::write(&empty, "no PEM here").unwrap();
        fs::write(&broken, "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n").unwrap();
        let error = |cert: &Path, key: &Path| {
            let error = open(&[(cert, key)]).map(|_| ()).unwrap_err();
            error.replace(&folder.path().display().to_string(), "DIR")
        };
        assert_eq!(error(&missing, &key), "cannot read DIR/missing: No such file or directory (os error 2)");
        assert!(error(folder.path(), &key).starts_with("cannot read DIR: "));
        assert_eq!(error(&empty, &key), "DIR/empty contains no certificate (-----BEGIN CERTIFICATE-----)");
        assert!(error(&broken, &key).starts_with("DIR/broken is not PEM: "));
        assert_eq!(
            error(&cert, &cert),
            "DIR/a.crt contains no private key that is not encrypted (-----BEGIN PRIVATE KEY-----)"
        );
        assert_eq!(error(&cert, &other), "the key in DIR/b.key is not that of the certificate in DIR/a.crt");
        let unpaired = TlsFiles { cert: vec![cert], key: Vec::new() };
        let error = CertificateStore::open(&unpaired).map(|_| ()).unwrap_err();
        assert_eq!(
            error.full_message(),
            "tls.cert names 1 file and tls.key 0; each certificate needs its key, in the same order"
        );
        assert!(CertificateStore::open(&TlsFiles::default()).unwrap().is_none());
    }

    #[test]
    fn certificates_are_replaced_only_by_ones_that_can_be_used() {
        let folder = tempfile::tempdir().unwrap();
        let (cert, key) = write(folder.path(), "a", 4000);
        let store = open(&[(&cert, &key)]).unwrap().unwrap();
        let first = || Arc::clone(&store.current.0.load()[0].key);
        let before = first();
        assert!(!store.reload(), "nothing has changed");
        let (new_cert, new_key) = write(folder.path(), "b", 4000);
        fs::copy(&new_cert, &cert).unwrap();
        assert!(!store.reload() && first().cert == before.cert, "the key is still the old one");
        fs::copy(&new_key, &key).unwrap();
        assert!(store.reload() && first().cert != before.cert);
        fs::remove_file(&cert).unwrap();
        assert!(!store.reload());
        // Links, as Kubernetes makes them.
        std::os::unix::fs::symlink(&new_cert, &cert).unwrap();
        assert!(!store.reload(), "the same certificate as before");
    }

    #[test]
    fn the_operator_learns_of_certificates_that_clients_refuse() {
        let folder = tempfile::tempdir().unwrap();
        let (cert, key) = write(folder.path(), "a", 2030);
        let certificate = Certificate::read(&cert, &key, &ring::default_provider()).unwrap();
        // 2030-01-01.
        let end = 1_893_456_000;
        let warning = |unix_s: u64| {
            let warning = certificate.warning(UNIX_EPOCH + Duration::from_secs(unix_s))?;
            Some(warning.rsplit("a.crt ").next().unwrap_or_default().to_owned())
        };
        assert_eq!(warning(end - 8 * 86_400), None);
        assert_eq!(warning(end - 2 * 86_400 - 1).as_deref(), Some("expires in 2 days"));
        assert_eq!(warning(end - 1).as_deref(), Some("expires in less than a day"));
        let refused = |when| Some(format!("has expired {when}; clients will refuse it"));
        assert_eq!(warning(end + 1), refused("today"));
        assert_eq!(warning(end + 86_400), refused("a day ago"));
        assert_eq!(warning(end + 3 * 86_400), refused("3 days ago"));
        assert_eq!(warning(0).as_deref(), Some("is not valid yet; clients will refuse it"));
    }
}

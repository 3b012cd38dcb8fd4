//! A certificate and its key, as two files of PEM.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use zerver_recorder::regular_file;

use super::validity::validity;

/// Maximum size of a file, in bytes. A chain has a few kilobytes.
const MAX_BYTES: u64 = 1 << 20;

/// A file that cannot be used for TLS, and why.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// The file cannot be read.
    #[error("cannot read {}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Error of the system.
        #[source]
        error: io::Error,
    },
    /// The file is not PEM.
    #[error("{} is not PEM", file.display())]
    Pem {
        /// The file.
        file: PathBuf,
        /// Position and reason.
        #[source]
        error: rustls::pki_types::pem::Error,
    },
    /// The file contains no certificate.
    #[error("{} contains no certificate (-----BEGIN CERTIFICATE-----)", file.display())]
    NoCertificate {
        /// The file.
        file: PathBuf,
    },
    /// The file contains no private key.
    #[error("{} contains no private key that is not encrypted (-----BEGIN PRIVATE KEY-----)", file.display())]
    NoKey {
        /// The file.
        file: PathBuf,
    },
    /// The key is that of another certificate.
    #[error("the key in {} is not that of the certificate in {}", key.display(), cert.display())]
    OtherKey {
        /// File with the certificate.
        cert: PathBuf,
        /// File with the key.
        key: PathBuf,
    },
    /// The key, or the certificate, is of a kind that is not supported.
    #[error("cannot use {} with {}", cert.display(), key.display())]
    Unusable {
        /// File with the certificate.
        cert: PathBuf,
        /// File with the key.
        key: PathBuf,
        /// The reason.
        #[source]
        error: rustls::Error,
    },
}

/// A certificate that was read.
#[derive(Debug, Clone)]
pub(super) struct Certificate {
    pub(super) key: Arc<CertifiedKey>,
    /// First and last second, since the Unix epoch. `None` if that is unknown.
    validity: Option<(i64, i64)>,
    file: PathBuf,
}

impl Certificate {
    /// Reads a chain of certificates, the first of which is that of the service, and its key. The paths may be symbolic links,
    /// as those of Kubernetes and certbot are.
    pub(super) fn read(cert: &Path, key: &Path, provider: &CryptoProvider) -> Result<Self, CertificateError> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&read(cert)?)
            .collect::<Result<_, _>>()
            .map_err(|error| CertificateError::Pem { file: cert.to_owned(), error })?;
        let Some(first) = chain.first() else {
            return Err(CertificateError::NoCertificate { file: cert.to_owned() });
        };
        let validity = validity(first);
        let private = PrivateKeyDer::from_pem_slice(&read(key)?).map_err(|error| match error {
            rustls::pki_types::pem::Error::NoItemsFound => CertificateError::NoKey { file: key.to_owned() },
            error => CertificateError::Pem { file: key.to_owned(), error },
        })?;
        let certified = CertifiedKey::from_der(chain, private, provider).map_err(|error| {
            let (cert, key) = (cert.to_owned(), key.to_owned());
            match error {
                rustls::Error::InconsistentKeys(rustls::InconsistentKeys::KeyMismatch) => {
                    CertificateError::OtherKey { cert, key }
                }
                error => CertificateError::Unusable { cert, key, error },
            }
        })?;
        Ok(Self { key: Arc::new(certified), validity, file: cert.to_owned() })
    }

    /// Returns a warning if clients will not accept the certificate at this time.
    pub(super) fn warning(&self, now: SystemTime) -> Option<String> {
        let (from, until) = self.validity?;
        let now = now.duration_since(UNIX_EPOCH).ok().and_then(|now| i64::try_from(now.as_secs()).ok())?;
        let (file, day) = (self.file.display(), 86_400);
        if now > until {
            let days = (now - until) / day;
            return Some(format!(
                "the certificate in {file} has expired {}; clients will refuse it",
                ago(days)
            ));
        }
        if now < from {
            return Some(format!("the certificate in {file} is not valid yet; clients will refuse it"));
        }
        let days = (until - now) / day;
        (days < 7).then(|| format!("the certificate in {file} expires in {}", in_days(days)))
    }
}

fn ago(days: i64) -> String {
    match days {
        0 => "today".to_owned(),
        1 => "a day ago".to_owned(),
        days => format!("{days} days ago"),
    }
}

fn in_days(days: i64) -> String {
    match days {
        0 => "less than a day".to_owned(),
        1 => "a day".to_owned(),
        days => format!("{days} days"),
    }
}

/// Reads a file to which the path may be a link.
fn read(path: &Path) -> Result<Vec<u8>, CertificateError> {
    let bytes = std::fs::canonicalize(path).and_then(|target| regular_file::read(&target, MAX_BYTES));
    bytes.map_err(|error| CertificateError::Read { file: path.to_owned(), error })
}

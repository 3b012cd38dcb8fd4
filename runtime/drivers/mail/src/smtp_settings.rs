//! Where the server is, and how to connect to it.

use std::fmt;
use std::path::PathBuf;

use lettre::transport::smtp::authentication;
use lettre::transport::smtp::client::{Certificate, TlsParameters};

use crate::smtp::Smtp;

/// Error in the settings of a server. It contains no password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The certificates cannot be used.
    #[error("cannot use the trusted certificates of {}: {reason}", path.display())]
    Certificates {
        /// File.
        path: PathBuf,
        /// Reason.
        reason: String,
    },
    /// TLS cannot be set up.
    #[error("cannot set up TLS: {0}")]
    Tls(String),
}

/// Encryption of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encryption {
    /// Not at all.
    None,
    /// After the greeting. A server that does not offer it is not used.
    Starttls,
    /// From the start.
    Tls,
}

/// Name and password.
#[derive(Clone)]
pub struct Credentials {
    pub(crate) inner: authentication::Credentials,
}

/// Shows no setting.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(..)")
    }
}

/// Settings of a server, from [`Smtp::tls`], [`Smtp::starttls`] or [`Smtp::unencrypted`].
#[derive(Debug, Clone)]
#[must_use = "the settings do nothing until they are connected"]
pub struct SmtpSettings {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) encryption: Encryption,
    pub(crate) credentials: Option<Credentials>,
    root_file: Option<PathBuf>,
}

impl SmtpSettings {
    pub(crate) fn new(host: &str, port: u16, encryption: Encryption) -> Self {
        Self { host: host.to_owned(), port, encryption, credentials: None, root_file: None }
    }

    /// Sets the port. The default is 465 with TLS, 587 with STARTTLS, and 25 without encryption.
    pub const fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Logs in with this name and password.
    pub fn login(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        let inner = authentication::Credentials::new(user.into(), password.into());
        self.credentials = Some(Credentials { inner });
        self
    }

    /// Trusts the certificates of a PEM file, in addition to those that browsers trust.
    pub fn root_certificates(mut self, path: impl Into<PathBuf>) -> Self {
        self.root_file = Some(path.into());
        self
    }

    /// Creates the interpreter of mails. Nothing is connected until a mail is sent.
    ///
    /// # Errors
    /// If the certificates cannot be used.
    pub fn connect(self) -> Result<Smtp, SettingsError> {
        let mut tls = TlsParameters::builder(self.host.clone());
        if let Some(path) = &self.root_file {
            let failed = |reason: String| SettingsError::Certificates { path: path.clone(), reason };
            let pem = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
            let certificate = Certificate::from_pem(&pem).map_err(|error| failed(error.to_string()))?;
            tls = tls.add_root_certificate(certificate);
        }
        let tls = tls.build_rustls().map_err(|error| SettingsError::Tls(error.to_string()))?;
        Ok(Smtp::of(self, tls))
    }
}

//! A bucket at an endpoint, the key that signs requests, and the connections to its server.

use std::error::Error as _;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use rusty_s3::{Bucket, Credentials, UrlStyle};

use crate::credentials::{CredentialError, KeySource};

/// Limit of the time to open a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) type HttpClient = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// Error in the settings of a bucket.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The endpoint or the name cannot be used.
    #[error("cannot use this endpoint and bucket: {0}")]
    Bucket(String),
    /// The certificates that are trusted cannot be used.
    #[error("cannot use the certificates in {0}")]
    Certificates(String),
    /// The key cannot be used.
    #[error("{0}")]
    Credentials(String),
}

/// A request whose answer did not arrive. The reason contains no URL, which has a signature.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct SendError {
    /// The cause and its causes.
    pub reason: String,
    /// True if the request was not sent, because there was no connection.
    pub is_unsent: bool,
}

/// A bucket and the connections to its server. A clone shares the connections.
#[derive(Clone)]
pub struct S3Connection {
    bucket: Bucket,
    key: KeySource,
    /// The certificates that are trusted instead of those that browsers trust.
    roots: Option<Arc<RootCertStore>>,
    client: HttpClient,
}

impl S3Connection {
    /// Describes a bucket at an endpoint (`https://s3.eu-central-1.amazonaws.com`) in a region. Its name is a part of the
    /// path, which all servers understand.
    ///
    /// # Errors
    /// If the endpoint is not a URL.
    pub fn new(endpoint: &str, region: &str, name: &str) -> Result<Self, SettingsError> {
        let url =
            endpoint.parse().map_err(|_| SettingsError::Bucket("the endpoint is not a URL".to_owned()))?;
        let bucket = Bucket::new(url, UrlStyle::Path, name.to_owned(), region.to_owned());
        let bucket = bucket.map_err(|error| SettingsError::Bucket(error.to_string()))?;
        Ok(Self { bucket, key: KeySource::None, roots: None, client: client(None)? })
    }

    /// Returns the same bucket with connections of its own. A connection ends with the runtime on which it was opened, so
    /// runtimes must not share them.
    ///
    /// # Errors
    /// If the client cannot be set up.
    pub fn with_own_connections(&self) -> Result<Self, SettingsError> {
        let client = client(self.roots.as_ref())?;
        Ok(Self { client, ..self.clone() })
    }

    /// Trusts the certificates in a file (PEM) instead of those that browsers trust, for a server with a private authority.
    ///
    /// # Errors
    /// If the file cannot be read, or contains no certificate.
    pub fn with_certificates(self, file: &Path) -> Result<Self, SettingsError> {
        let roots = Some(Arc::new(read_roots(file)?));
        Ok(Self { client: client(roots.as_ref())?, roots, ..self })
    }

    /// Signs requests with the key that programs of Amazon find: in the environment, in the file of shared credentials, or given
    /// to the container or, for a bucket of Amazon, to the virtual machine. Without any, requests are not signed.
    ///
    /// # Errors
    /// If what the environment names cannot be used.
    pub fn with_environment(self, variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let host = self.bucket.base_url().host_str().unwrap_or_default();
        let key = KeySource::find(variable, host.ends_with(".amazonaws.com"))?;
        Ok(Self { key, ..self })
    }

    /// Signs requests with a key. Without one, only what is public can be read.
    #[must_use]
    pub fn with_credentials(self, credentials: Credentials) -> Self {
        Self { key: KeySource::fixed(credentials), ..self }
    }

    /// Returns the bucket.
    pub const fn bucket(&self) -> &Bucket {
        &self.bucket
    }

    /// Returns the key that signs requests, if there is one. One that expires is fetched now and then.
    ///
    /// # Errors
    /// If it cannot be fetched.
    pub async fn credentials(&self) -> Result<Option<Arc<Credentials>>, CredentialError> {
        self.key.get(&self.client).await
    }

    /// Returns true if requests are signed.
    pub const fn has_credentials(&self) -> bool {
        !matches!(self.key, KeySource::None)
    }

    /// Sends a request and waits for the head of the answer.
    ///
    /// # Errors
    /// If no answer arrives.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, SendError> {
        self.client
            .request(request)
            .await
            .map_err(|error| SendError { is_unsent: error.is_connect(), reason: chain(&error) })
    }
}

fn client(roots: Option<&Arc<RootCertStore>>) -> Result<HttpClient, SettingsError> {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
    connector.set_nodelay(true);
    let provider = rustls::crypto::ring::default_provider();
    let failed = |error: rustls::Error| SettingsError::Bucket(error.to_string());
    let builder = HttpsConnectorBuilder::new();
    let https = match roots {
        None => builder.with_provider_and_webpki_roots(provider).map_err(failed)?,
        Some(roots) => {
            let config = ClientConfig::builder_with_provider(Arc::new(provider));
            let config = config.with_safe_default_protocol_versions().map_err(failed)?;
            let config = config.with_root_certificates(Arc::clone(roots)).with_no_client_auth();
            builder.with_tls_config(config)
        }
    };
    let connector = https.https_or_http().enable_http1().wrap_connector(connector);
    Ok(Client::builder(TokioExecutor::new()).build(connector))
}

fn read_roots(file: &Path) -> Result<RootCertStore, SettingsError> {
    let failed = |error: String| SettingsError::Certificates(format!("{}: {error}", file.display()));
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|error| failed(error.to_string()))? {
        let certificate = certificate.map_err(|error| failed(error.to_string()))?;
        roots.add(certificate).map_err(|error| failed(error.to_string()))?;
    }
    if roots.is_empty() { Err(failed("it contains no certificate".to_owned())) } else { Ok(roots) }
}

/// Returns an error with its sources on one line.
pub(crate) fn chain(error: &hyper_util::client::legacy::Error) -> String {
    let sources = std::iter::successors(error.source(), |error| (*error).source());
    std::iter::once(error.to_string()).chain(sources.map(ToString::to_string)).collect::<Vec<_>>().join(": ")
}

/// Shows no credentials.
impl fmt::Debug for S3Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("S3Connection").field(&self.bucket.name()).finish()
    }
}

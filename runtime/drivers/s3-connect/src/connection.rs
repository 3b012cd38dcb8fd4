//! A bucket at an endpoint, the key that signs requests, and the connections to its server.

use std::error::Error as _;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rusty_s3::{Bucket, Credentials, UrlStyle};

/// Limit of the time to open a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

type HttpClient = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// Error in the settings of a bucket.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The endpoint or the name cannot be used.
    #[error("cannot use this endpoint and bucket: {0}")]
    Bucket(String),
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
    credentials: Option<Credentials>,
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
        Ok(Self { bucket, credentials: None, client: client()? })
    }

    /// Returns the same bucket with connections of its own. A connection ends with the runtime on which it was opened, so
    /// runtimes must not share them.
    ///
    /// # Errors
    /// If the client cannot be set up.
    pub fn with_own_connections(&self) -> Result<Self, SettingsError> {
        let (bucket, credentials) = (self.bucket.clone(), self.credentials.clone());
        Ok(Self { bucket, credentials, client: client()? })
    }

    /// Signs requests with a key. Without one, only what is public can be read.
    #[must_use]
    pub fn with_credentials(self, credentials: Credentials) -> Self {
        Self { credentials: Some(credentials), ..self }
    }

    /// Returns the bucket.
    pub const fn bucket(&self) -> &Bucket {
        &self.bucket
    }

    /// Returns the key that signs requests.
    pub const fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
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

fn client() -> Result<HttpClient, SettingsError> {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
    connector.set_nodelay(true);
    let https = HttpsConnectorBuilder::new()
        .with_provider_and_webpki_roots(rustls::crypto::ring::default_provider())
        .map_err(|error| SettingsError::Bucket(error.to_string()))?;
    let connector = https.https_or_http().enable_http1().wrap_connector(connector);
    Ok(Client::builder(TokioExecutor::new()).build(connector))
}

/// Returns an error with its sources on one line.
fn chain(error: &hyper_util::client::legacy::Error) -> String {
    let sources = std::iter::successors(error.source(), |error| (*error).source());
    std::iter::once(error.to_string()).chain(sources.map(ToString::to_string)).collect::<Vec<_>>().join(": ")
}

/// Shows no credentials.
impl fmt::Debug for S3Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("S3Connection").field(&self.bucket.name()).finish()
    }
}

//! A bucket: its address and credentials, and the interpreter of its operations.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use zerver::effects::{EffectContext, EffectResult, Interpreter, Started, points, report_point};
use zerver::prelude::*;
use zerver_s3_connect::rusty_s3::Credentials;
use zerver_s3_connect::rusty_s3::actions::list_objects_v2::ListObjectsContent;
use zerver_s3_connect::rusty_s3::actions::{ListObjectsV2, S3Action as _};
use zerver_s3_connect::{BodyError, S3Connection, SettingsError, read_body};

use crate::content::Content;
use crate::operation::{Answer, Info, Listed, Method, Object, Op, Reply};
use crate::s3_error::S3Error;

/// Time for which the signature of a request is valid. It is sent at once.
const SIGNED: Duration = Duration::from_secs(300);

/// Largest answer that is not an object: a list of 1,000 keys, or an error.
const MAX_DOCUMENT: u64 = 4 * 1024 * 1024;

/// Longest time for which a URL can be valid.
const MAX_VALID_S: u64 = 7 * 24 * 3600;

/// A bucket of an object store. A clone is another handle of the same connections.
#[derive(Clone)]
pub struct Bucket(Arc<S3Connection>);

impl Bucket {
    /// Describes a bucket at an endpoint (`https://s3.eu-central-1.amazonaws.com`) in a region. Its name is a part of the path,
    /// which all servers understand.
    ///
    /// # Errors
    /// If the endpoint is not a URL.
    pub fn new(endpoint: &str, region: &str, name: &str) -> Result<Self, SettingsError> {
        Ok(Self(Arc::new(S3Connection::new(endpoint, region, name)?)))
    }

    /// Signs requests with this key. Without one, only what is public can be read.
    #[must_use]
    pub fn credentials(self, key: impl Into<String>, secret: impl Into<String>) -> Self {
        Self(Arc::new(S3Connection::clone(&self.0).with_credentials(Credentials::new(key, secret))))
    }

    /// Signs requests with the key that programs of Amazon find: in the environment (`AWS_ACCESS_KEY_ID`), in the file of shared
    /// credentials, or given to the container or, for a bucket of Amazon, to the virtual machine. Keys that expire are replaced.
    /// Without any, only what is public can be read.
    ///
    /// # Errors
    /// If what the environment names cannot be used.
    pub fn credentials_from_environment(self) -> Result<Self, SettingsError> {
        let connection = S3Connection::clone(&self.0);
        Ok(Self(Arc::new(connection.with_environment(&|name| std::env::var(name).ok())?)))
    }

    /// Trusts the certificates in a file (PEM) instead of those that browsers trust.
    ///
    /// # Errors
    /// If the file cannot be read, or contains no certificate.
    pub fn certificates(self, file: impl AsRef<Path>) -> Result<Self, SettingsError> {
        Ok(Self(Arc::new(S3Connection::clone(&self.0).with_certificates(file.as_ref())?)))
    }

    async fn perform(self, op: Op) -> EffectResult<Op> {
        let bucket = self.0.bucket();
        let credentials = self.0.credentials().await;
        let credentials =
            credentials.map_err(|error| EffectError::new(EffectErrorKind::Unreachable, error.to_string()))?;
        let credentials = credentials.as_deref();
        match op {
            Op::Put { key, media_type, content } => {
                let Content::Bytes(bytes) = content else {
                    let message = "the content was too large to be recorded, so it cannot be written again";
                    return Err(EffectError::new(EffectErrorKind::Invalid, message));
                };
                let url = bucket.put_object(credentials, &key).sign(SIGNED);
                let request = Request::put(url.as_str()).header(header::CONTENT_TYPE, media_type);
                let response = self.send(request.body(Full::new(bytes)), false).await?;
                done(response).await
            }
            Op::Get { key, max_bytes } => {
                let url = bucket.get_object(credentials, &key).sign(SIGNED);
                let response = self.send(Request::get(url.as_str()).body(Full::default()), true).await?;
                let status = response.status();
                match status {
                    StatusCode::OK => {}
                    StatusCode::NOT_FOUND => return absent_or_refused(response).await,
                    _ => return refused(response).await,
                }
                let mut info = info(response.headers());
                let bytes = read(response, max_bytes).await?;
                info.size = bytes.len() as u64;
                Ok(Reply::Answer(Answer::Object(Object { info, content: Content::Bytes(bytes) })))
            }
            Op::Head { key } => {
                let url = bucket.head_object(credentials, &key).sign(SIGNED);
                let response = self.send(Request::head(url.as_str()).body(Full::default()), true).await?;
                match response.status() {
                    StatusCode::OK => Ok(Reply::Answer(Answer::Info(info(response.headers())))),
                    // The answer has no body that could tell an absent object from an absent bucket.
                    StatusCode::NOT_FOUND => Ok(Reply::Answer(Answer::Absent)),
                    _ => refused(response).await,
                }
            }
            Op::Delete { key } => {
                let url = bucket.delete_object(credentials, &key).sign(SIGNED);
                let response = self.send(Request::delete(url.as_str()).body(Full::default()), false).await?;
                done(response).await
            }
            Op::List { prefix, after, limit } => {
                let mut action = bucket.list_objects_v2(credentials);
                action.with_prefix(prefix);
                action.with_max_keys(limit.clamp(1, 1000).into());
                if let Some(after) = after {
                    action.with_start_after(after);
                }
                let url = action.sign(SIGNED);
                let response = self.send(Request::get(url.as_str()).body(Full::default()), true).await?;
                if response.status() != StatusCode::OK {
                    return refused(response).await;
                }
                listed(&read(response, MAX_DOCUMENT).await?)
            }
            Op::Presign { method, key, valid_s } => {
                let valid = Duration::from_secs(valid_s.min(MAX_VALID_S));
                let url = match method {
                    Method::Get => bucket.get_object(credentials, &key).sign(valid),
                    Method::Put => bucket.put_object(credentials, &key).sign(valid),
                };
                Ok(Reply::Answer(Answer::Url { secret: url.to_string() }))
            }
        }
    }

    /// Sends a request and waits for the head of the answer.
    async fn send(
        &self,
        request: Result<Request<Full<Bytes>>, http::Error>,
        is_safe: bool,
    ) -> Result<Response<Incoming>, EffectError> {
        let request =
            request.map_err(|error| EffectError::new(EffectErrorKind::Invalid, error.to_string()))?;
        match self.0.send(request).await {
            Ok(response) => {
                report_point(points::FIRST_BYTE);
                Ok(response)
            }
            Err(error) if error.is_unsent || is_safe => {
                Err(EffectError::new(EffectErrorKind::Unreachable, error.reason))
            }
            Err(error) => Err(EffectError::new(
                EffectErrorKind::UnknownOutcome,
                format!("the connection was lost before the answer arrived: {error}"),
            )),
        }
    }
}

/// Reads a body of at most this size.
async fn read(response: Response<Incoming>, max_bytes: u64) -> Result<Bytes, EffectError> {
    read_body(response, max_bytes).await.map_err(|error| {
        let kind = match error {
            BodyError::TooLarge(_) => EffectErrorKind::TooLarge,
            BodyError::Lost(_) => EffectErrorKind::Unreachable,
        };
        EffectError::new(kind, error.to_string())
    })
}

async fn done(response: Response<Incoming>) -> EffectResult<Op> {
    if response.status().is_success() { Ok(Reply::Answer(Answer::Done)) } else { refused(response).await }
}

/// An absent object is an answer, and an absent bucket is an error.
async fn absent_or_refused(response: Response<Incoming>) -> EffectResult<Op> {
    match refused(response).await? {
        Reply::Refused(error) if error.code == "NoSuchBucket" => Ok(Reply::Refused(error)),
        _ => Ok(Reply::Answer(Answer::Absent)),
    }
}

async fn refused(response: Response<Incoming>) -> EffectResult<Op> {
    let status = response.status().as_u16();
    let body = read(response, MAX_DOCUMENT).await?;
    Ok(Reply::Refused(S3Error::parse(status, &String::from_utf8_lossy(&body))))
}

fn listed(body: &[u8]) -> EffectResult<Op> {
    let malformed = |reason: String| EffectError::new(EffectErrorKind::Malformed, reason);
    let text = str::from_utf8(body).map_err(|error| malformed(error.to_string()))?;
    let list = ListObjectsV2::parse_response(text).map_err(|error| malformed(error.to_string()))?;
    let listed =
        |object: ListObjectsContent| Listed { key: object.key, size: object.size.unwrap_or_default() };
    Ok(Reply::Answer(Answer::Objects(list.contents.into_iter().map(listed).collect())))
}

fn info(headers: &HeaderMap) -> Info {
    let text = |name| header_text(headers, name).map(str::to_owned);
    let size = text(header::CONTENT_LENGTH.as_str()).and_then(|size| size.parse().ok());
    Info {
        size: size.unwrap_or_default(),
        etag: text(header::ETAG.as_str()),
        media_type: text(header::CONTENT_TYPE.as_str()),
    }
}

fn header_text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

impl Interpreter<Op> for Bucket {
    fn start(&self, op: &Op, _context: &EffectContext) -> Started<EffectResult<Op>> {
        Started::Pending(Box::pin(self.clone().perform(op.clone())))
    }
}

/// Shows no credentials.
impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Bucket").field(&self.0.bucket().name()).finish()
    }
}

//! The objects of a namespace, for code that is not asynchronous. Keys are those below the prefix of the namespace.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use tokio::runtime::{Builder, Runtime};
use zerver_s3_connect::rusty_s3::Credentials;
use zerver_s3_connect::rusty_s3::actions::{ListObjectsV2, S3Action as _};
use zerver_s3_connect::{BodyError, Refusal, read_body};

use crate::bucket::bucket_url::BucketUrl;
use crate::bucket::refusals::refused;
use crate::fault_point;
use crate::fleet_error::FleetError;

/// Time for which the signature of a request is valid. It is sent at once.
const SIGNED: Duration = Duration::from_secs(300);
/// Time limit of a request.
const REQUEST_LIMIT: Duration = Duration::from_secs(60);
/// Attempts of a request that failed and may succeed, and the first pause between them, which doubles.
const ATTEMPTS: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Number of requests that are sent at the same time.
const CONCURRENT: usize = 16;
/// Largest list of 1,000 keys, and error.
const MAX_DOCUMENT: u64 = 4 << 20;
/// Largest object. Packs are smaller.
const MAX_OBJECT: u64 = 512 << 20;

/// An object in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    /// Key below the prefix.
    pub(crate) key: String,
    /// Size in bytes.
    pub(crate) size: u64,
    /// Time of the last change, by the clock of the server.
    pub(crate) modified: Timestamp,
}

/// A list of objects in the order of their keys, and the time of the answer by the clock of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listing {
    pub(crate) objects: Vec<Listed>,
    pub(crate) now: Timestamp,
}

/// A part of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    /// Key below the prefix.
    pub(crate) key: String,
    /// Bytes of the object. `None` for all.
    pub(crate) range: Option<Range<u64>>,
}

/// The objects of a namespace.
pub(crate) struct ObjectStore {
    pub(crate) url: BucketUrl,
    runtime: Runtime,
}

impl ObjectStore {
    pub(crate) fn new(url: &BucketUrl) -> Result<Self, FleetError> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime =
            runtime.map_err(|error| FleetError::passing(format!("cannot use the network: {error}")))?;
        let connection = url.connection.with_own_connections();
        let connection = connection.map_err(|error| FleetError::passing(error.to_string()))?;
        let mut url = url.clone();
        url.connection = connection;
        Ok(Self { url, runtime })
    }

    /// Reads an object. Returns `None` if there is none.
    pub(crate) fn get(&self, key: &str) -> Result<Option<Bytes>, FleetError> {
        self.runtime.block_on(self.get_part(&Part { key: key.to_owned(), range: None }))
    }

    /// Reads parts of objects at the same time. A part that ends before its range does is shorter.
    pub(crate) fn get_parts(&self, parts: &[Part]) -> Vec<Result<Option<Bytes>, FleetError>> {
        self.runtime
            .block_on(stream::iter(parts).map(|part| self.get_part(part)).buffered(CONCURRENT).collect())
    }

    /// Writes an object. With `only_new`, an object that is there stays as it is, if the server knows conditions. Returns
    /// true if it was written.
    pub(crate) fn put(&self, key: &str, content: Bytes, only_new: bool) -> Result<bool, FleetError> {
        self.runtime.block_on(async {
            let (bucket, path) = (self.url.connection.bucket(), self.path(key));
            let credentials = self.credentials().await?;
            let build = || {
                let url = bucket.put_object(credentials.as_deref(), &path).sign(SIGNED);
                let mut request = Request::put(url.as_str());
                request = request.header(header::CONTENT_TYPE, "application/octet-stream");
                if only_new {
                    request = request.header(header::IF_NONE_MATCH, "*");
                }
                request.body(Full::new(content.clone()))
            };
            let (status, body) = self.exchange(&build, MAX_DOCUMENT).await?;
            match status {
                StatusCode::PRECONDITION_FAILED => Ok(false),
                status if status.is_success() => Ok(true),
                status => Err(self.refused(status, &body)),
            }
        })
    }

    /// Deletes objects. One that is not there is no error.
    pub(crate) fn delete(&self, keys: &[String]) -> Result<(), FleetError> {
        self.runtime.block_on(async {
            let mut deleted = stream::iter(keys).map(|key| self.delete_one(key)).buffer_unordered(CONCURRENT);
            while let Some(result) = deleted.next().await {
                result?;
            }
            Ok(())
        })
    }

    /// Lists the objects whose keys begin with `start` and come after `after`, however many pages they fill.
    pub(crate) fn list(&self, start: &str, after: Option<&str>) -> Result<Listing, FleetError> {
        self.runtime.block_on(async {
            let mut listing = Listing { objects: Vec::new(), now: Timestamp::UNIX_EPOCH };
            let (mut token, start) = (None, self.path(start));
            loop {
                let next = self.list_page(&mut listing, &start, after, token.as_deref()).await?;
                match next {
                    Some(next) if token.as_ref() != Some(&next) => token = Some(next),
                    // A server that repeats itself would be asked for ever.
                    Some(_) => return Err(FleetError::passing("the server lists the same page again")),
                    None => return Ok(listing),
                }
            }
        })
    }

    async fn list_page(
        &self,
        listing: &mut Listing,
        start: &str,
        after: Option<&str>,
        token: Option<&str>,
    ) -> Result<Option<String>, FleetError> {
        let credentials = self.credentials().await?;
        let mut action = self.url.connection.bucket().list_objects_v2(credentials.as_deref());
        action.with_prefix(start);
        action.with_max_keys(1000);
        if let Some(after) = after {
            action.with_start_after(self.path(after));
        }
        if let Some(token) = token {
            action.with_continuation_token(token);
        }
        let build = || Request::get(action.sign(SIGNED).as_str()).body(Full::default());
        let response = self.send(&build).await?;
        listing.now = date(&response).unwrap_or_else(Timestamp::now);
        let (status, body) = self.read(response, MAX_DOCUMENT).await?;
        if !status.is_success() {
            return Err(self.refused(status, &body));
        }
        let malformed = |reason: String| FleetError::passing(format!("the server sent no list: {reason}"));
        let text = str::from_utf8(&body).map_err(|error| malformed(error.to_string()))?;
        let page = ListObjectsV2::parse_response(text).map_err(|error| malformed(error.to_string()))?;
        for object in page.contents {
            let Some(key) = object.key.strip_prefix(&self.url.prefix) else { continue };
            let modified = object.last_modified.and_then(|time| time.parse().ok());
            listing.objects.push(Listed {
                key: key.to_owned(),
                size: object.size.unwrap_or_default(),
                modified: modified.unwrap_or(listing.now),
            });
        }
        Ok(page.next_continuation_token)
    }

    async fn get_part(&self, part: &Part) -> Result<Option<Bytes>, FleetError> {
        let (bucket, path) = (self.url.connection.bucket(), self.path(&part.key));
        if part.range.as_ref().is_some_and(Range::is_empty) {
            return Ok(Some(Bytes::new()));
        }
        let credentials = self.credentials().await?;
        let build = || {
            let url = bucket.get_object(credentials.as_deref(), &path).sign(SIGNED);
            let request = Request::get(url.as_str());
            let request = match &part.range {
                Some(range) => {
                    request.header(header::RANGE, format!("bytes={}-{}", range.start, range.end - 1))
                }
                None => request,
            };
            request.body(Full::default())
        };
        let (status, body) = self.exchange(&build, MAX_OBJECT).await?;
        match (status, &part.range) {
            (StatusCode::OK, None) | (StatusCode::PARTIAL_CONTENT, Some(_)) => Ok(Some(body)),
            // A server that ignores ranges sends the whole object.
            (StatusCode::OK, Some(range)) => {
                let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(body.len());
                Ok(Some(body.slice(place(range.start)..place(range.end))))
            }
            // The object ends before the range.
            (StatusCode::RANGE_NOT_SATISFIABLE, _) => Ok(Some(Bytes::new())),
            (StatusCode::NOT_FOUND, _)
                if Refusal::parse(&String::from_utf8_lossy(&body)).code != "NoSuchBucket" =>
            {
                Ok(None)
            }
            _ => Err(self.refused(status, &body)),
        }
    }

    async fn delete_one(&self, key: &str) -> Result<(), FleetError> {
        let (bucket, path) = (self.url.connection.bucket(), self.path(key));
        let credentials = self.credentials().await?;
        let build = || {
            let url = bucket.delete_object(credentials.as_deref(), &path).sign(SIGNED);
            Request::builder().method(Method::DELETE).uri(url.as_str()).body(Full::default())
        };
        let (status, body) = self.exchange(&build, MAX_DOCUMENT).await?;
        if status.is_success() || status == StatusCode::NOT_FOUND {
            Ok(())
        } else {
            Err(self.refused(status, &body))
        }
    }

    /// Returns the key that signs requests. One that expires is fetched when it is due.
    async fn credentials(&self) -> Result<Option<Arc<Credentials>>, FleetError> {
        self.url.connection.credentials().await.map_err(|error| FleetError::passing(error.to_string()))
    }

    fn path(&self, key: &str) -> String {
        format!("{}{key}", self.url.prefix)
    }

    async fn exchange(
        &self,
        build: &dyn Fn() -> Result<Request<Full<Bytes>>, http::Error>,
        max_bytes: u64,
    ) -> Result<(StatusCode, Bytes), FleetError> {
        let response = self.send(build).await?;
        self.read(response, max_bytes).await
    }

    /// Sends a request, which must be idempotent, and again if it failed and may succeed.
    async fn send(
        &self,
        build: &dyn Fn() -> Result<Request<Full<Bytes>>, http::Error>,
    ) -> Result<Response<Incoming>, FleetError> {
        let mut pause = FIRST_PAUSE;
        for attempt in 1.. {
            let request = build().map_err(|error| FleetError::passing(error.to_string()))?;
            fault_point::reached("a request of the bucket is ready");
            let sent = tokio::time::timeout(REQUEST_LIMIT, self.url.connection.send(request)).await;
            fault_point::reached("a request of the bucket was answered");
            let failed = match sent {
                Ok(Ok(response)) => {
                    let is_busy = response.status().is_server_error()
                        || matches!(
                            response.status(),
                            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT
                        );
                    if !is_busy || attempt >= ATTEMPTS {
                        return Ok(response);
                    }
                    None
                }
                Ok(Err(error)) if error.is_unsent || attempt >= ATTEMPTS => {
                    return Err(FleetError::passing(error.reason));
                }
                // A connection that was open may have been closed by the server just now.
                Ok(Err(_)) => None,
                Err(_) => Some(FleetError::passing("the server did not answer within 60 s")),
            };
            if let Some(error) = failed {
                return Err(error);
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        Err(FleetError::passing("the server did not answer"))
    }

    async fn read(
        &self,
        response: Response<Incoming>,
        max_bytes: u64,
    ) -> Result<(StatusCode, Bytes), FleetError> {
        let status = response.status();
        match tokio::time::timeout(REQUEST_LIMIT, read_body(response, max_bytes)).await {
            Ok(Ok(body)) => Ok((status, body)),
            Ok(Err(error @ BodyError::TooLarge(_))) => {
                Err(FleetError::lasting(error.to_string(), "zerver writes no object of this size: remove it"))
            }
            Ok(Err(error)) => Err(FleetError::passing(error.to_string())),
            Err(_) => Err(FleetError::passing("the server did not send its answer within 60 s")),
        }
    }

    fn refused(&self, status: StatusCode, body: &[u8]) -> FleetError {
        refused(&self.url, status.as_u16(), &Refusal::parse(&String::from_utf8_lossy(body)))
    }
}

/// Returns the time at which the server answered.
fn date(response: &Response<Incoming>) -> Option<Timestamp> {
    let text = response.headers().get(header::DATE)?.to_str().ok()?;
    DateTimeParser::new().relaxed_weekday(true).parse_timestamp(text).ok()
}

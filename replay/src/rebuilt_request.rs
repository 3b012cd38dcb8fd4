//! The request of a recording, to be sent again.

use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use zerver_trace::secret::Rule;

use crate::edits::edit_set::Edits;
use crate::missing_input::MissingInput;
use crate::recording::Recording;
use crate::replay_error::ReplayError;
use crate::run::input::{InputError, input};

/// A request as it was recorded, with edits.
#[derive(Debug, Clone)]
pub struct RebuiltRequest {
    /// Method.
    pub method: Method,
    /// Request target as it arrived: a path with its query, or an absolute URI.
    pub target: Uri,
    /// Headers in their order.
    pub headers: HeaderMap,
    /// Body.
    pub body: Vec<u8>,
    /// Parts that the recording lacks and no edit supplies. They are missing in the request, or incomplete.
    pub missing: Vec<MissingInput>,
}

/// Headers that belong to a connection and not to the request (RFC 9110, section 7.6.1), and those that a client derives.
const NOT_SENT: [&str; 10] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "transfer-encoding",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "content-length",
    "host",
];

impl RebuiltRequest {
    /// Rebuilds a request. Of the edits, those of headers and of the body apply.
    ///
    /// # Errors
    /// If an edit is invalid, or the recording lacks the method or the target.
    pub fn new(recording: &Recording, edits: &Edits) -> Result<Self, ReplayError> {
        let built = input(recording, edits, &|_| true, &Rule::default()).map_err(|error| match error {
            InputError::Invalid(error) => error,
            InputError::Unavailable(why) => ReplayError::new("the request cannot be rebuilt").because(why),
            InputError::RouteChanged => ReplayError::new("the request cannot be rebuilt"),
        })?;
        let request = &built.arrival.request;
        Ok(Self {
            method: request.method.clone(),
            target: request.uri.clone(),
            headers: request.headers.clone(),
            body: request.body.to_vec(),
            missing: built.unknown,
        })
    }

    /// Returns the headers to send, without those that belong to a connection or that a client derives.
    pub fn sent_headers(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        self.headers.iter().filter(|(name, _)| !NOT_SENT.contains(&name.as_str()))
    }

    /// Returns the path and the query to send.
    pub fn sent_target(&self) -> &str {
        match self.target.path_and_query().map_or("/", |target| target.as_str()) {
            "/*" if self.method == Method::OPTIONS => "*",
            target => target,
        }
    }

    /// Returns the host and port that the client named, if they are text.
    pub fn host(&self) -> Option<&str> {
        let authority = self.target.authority().map(Authority::as_str);
        self.headers.get("host").and_then(|host| host.to_str().ok()).or(authority)
    }
}

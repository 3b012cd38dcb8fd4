//! Default rendering of a failure, for services that do not render failures themselves: a problem document (RFC 9457).

use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use zerver_trace::FailureKind;

use super::response::Response;
use crate::failure::{Failure, FieldFailure};

/// Media type of problem documents.
const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

impl Failure {
    /// Returns the default response, a problem document (RFC 9457) of type `application/problem+json`:
    /// `{"type", "title", "status", "detail"?, "kind", "what", "key"?, "fields"?: [{"field", "message", "pointer"?}],
    /// "not_undone"?: [..]}`.
    pub fn to_response(&self) -> Response {
        self.to_response_as(StatusCode::from_u16(self.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
    }

    /// Returns the default response with a status that no kind of failure has.
    pub(super) fn to_response_as(&self, status: StatusCode) -> Response {
        let (uri, title) = match self.problem() {
            Some(problem) => (problem.uri, problem.title),
            None => ("about:blank", status.canonical_reason().unwrap_or("Unknown")),
        };
        let problem = ProblemDocument {
            uri,
            title,
            status: status.as_u16(),
            detail: self.message_text(),
            kind: self.kind().as_str(),
            what: self.what(),
            key: self.which(),
            fields: self.fields(),
            not_undone: self.not_undone(),
        };
        let mut response = self.to_response_with(&problem).status(status);
        response.headers.insert(header::CONTENT_TYPE, PROBLEM_JSON);
        response
    }

    /// Returns the status and the headers of the default response, with another value as JSON.
    pub fn to_response_with<T: Serialize + ?Sized>(&self, body: &T) -> Response {
        let status = StatusCode::from_u16(self.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = Response::json(body).status(status);
        if self.kind() == FailureKind::Unauthorized {
            response.headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        for (name, value) in self.headers() {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(*name), HeaderValue::try_from(value)) {
                response.headers.insert(name, value);
            }
        }
        response
    }
}

/// The members of RFC 9457, section 3.1, and then those of zerver. Empty ones are left out.
#[derive(Serialize)]
struct ProblemDocument<'a> {
    #[serde(rename = "type")]
    uri: &'static str,
    title: &'static str,
    status: u16,
    #[serde(skip_serializing_if = "str::is_empty")]
    detail: &'a str,
    kind: &'static str,
    what: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    key: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    fields: &'a [FieldFailure],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    not_undone: &'a [String],
}

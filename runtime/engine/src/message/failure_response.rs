//! Default rendering of a failure, for services that do not render failures themselves.

use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use zerver_trace::FailureKind;

use super::response::Response;
use crate::failure::{Failure, FieldFailure};

impl Failure {
    /// Returns the default response:
    /// `{"error": {"kind", "what", "key"?, "message"?, "fields"?: [{"field", "message"}]}}`.
    pub fn to_response(&self) -> Response {
        let error = ErrorDocument {
            kind: self.kind().as_str(),
            what: self.what(),
            key: self.which(),
            message: self.message_text(),
            fields: self.fields(),
        };
        self.to_response_with(&Document { error })
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

#[derive(Serialize)]
struct Document<'a> {
    error: ErrorDocument<'a>,
}

#[derive(Serialize)]
struct ErrorDocument<'a> {
    kind: &'static str,
    what: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    key: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    message: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    fields: &'a [FieldFailure],
}

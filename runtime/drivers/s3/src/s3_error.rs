//! The answers with which a server refuses a request.

use std::fmt;

use serde::{Deserialize, Serialize};
use zerver::prelude::*;
use zerver_s3_connect::Refusal;

/// The server refused the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct S3Error {
    /// Status of HTTP.
    pub status: u16,
    /// Name of the error: `AccessDenied`, `NoSuchBucket`. It is empty if the server has given none.
    pub code: String,
    /// Message of the server.
    pub message: String,
}

impl S3Error {
    /// Reads the error from the body of an answer.
    pub(crate) fn parse(status: u16, body: &str) -> Self {
        let Refusal { code, message } = Refusal::parse(body);
        Self { status, code, message }
    }

    /// Returns true if another attempt may succeed.
    pub const fn is_temporary(&self) -> bool {
        matches!(self.status, 408 | 429 | 500..=599)
    }
}

impl fmt::Display for S3Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.status, self.code, self.message)
    }
}

impl std::error::Error for S3Error {}

/// `unavailable` if another attempt may succeed, or else `internal`.
impl From<S3Error> for Failure {
    fn from(error: S3Error) -> Self {
        let failure = if error.is_temporary() { Self::unavailable("s3") } else { Self::internal("s3") };
        failure.caused_by(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_a_name_and_a_message() {
        let body = "<?xml version=\"1.0\"?><Error><Code>SlowDown</Code><Message>Wait.</Message></Error>";
        let error = S3Error::parse(503, body);
        assert_eq!(error.to_string(), "503 SlowDown: Wait.");
        assert!(error.is_temporary());
        assert_eq!(
            S3Error::parse(403, "no XML"),
            S3Error { status: 403, code: String::new(), message: String::new() }
        );
    }
}

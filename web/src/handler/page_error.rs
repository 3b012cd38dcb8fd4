//! Reasons why there is no page.

use std::fmt::Display;

use http::StatusCode;

/// Reason why there is no page.
#[derive(Debug)]
pub(crate) struct PageError {
    pub(super) status: StatusCode,
    pub(super) why: String,
}

impl PageError {
    pub(crate) fn not_found(why: impl Display) -> Self {
        Self { status: StatusCode::NOT_FOUND, why: why.to_string() }
    }

    pub(crate) fn bad_request(why: impl Display) -> Self {
        Self { status: StatusCode::BAD_REQUEST, why: why.to_string() }
    }
}

/// An error of the store.
impl From<zerver_trace::SourceError> for PageError {
    fn from(error: zerver_trace::SourceError) -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            why: format!("the store cannot be read: {error}; `zerver doctor` shows more"),
        }
    }
}

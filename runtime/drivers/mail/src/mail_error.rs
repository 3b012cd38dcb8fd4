//! The answers with which a server refuses a mail.

use std::fmt;

use serde::{Deserialize, Serialize};
use zerver::prelude::*;

/// The server refused the mail. No recipient gets it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailError {
    /// Code of the answer: 4xx is temporary, 5xx is permanent.
    pub code: u16,
    /// Text of the answer.
    pub message: String,
    /// Recipient that was refused, if it was one of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient: Option<String>,
}

impl MailError {
    /// Creates an error.
    pub fn new(code: u16, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), recipient: None }
    }

    /// Returns true if another attempt may succeed.
    pub const fn is_temporary(&self) -> bool {
        matches!(self.code, 400..=499)
    }
}

impl fmt::Display for MailError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(recipient) = &self.recipient {
            write!(f, "{recipient}: ")?;
        }
        write!(f, "{} {}", self.code, self.message)
    }
}

impl std::error::Error for MailError {}

/// `unavailable` if another attempt may succeed, or else `internal`.
impl From<MailError> for Failure {
    fn from(error: MailError) -> Self {
        let failure = if error.is_temporary() { Self::unavailable("mail") } else { Self::internal("mail") };
        failure.caused_by(error)
    }
}

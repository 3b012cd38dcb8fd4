//! The effect that signs and verifies cookies, because the keys and the randomness are not part of the request.

use std::fmt;

use serde::{Deserialize, Serialize};
use zerver::prelude::EffectKind;

/// The effect of kind `session`. It performs no I/O.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Op {
    /// Makes the cookie of a new session.
    Issue {
        /// Time of the arrival of the request, in seconds since the Unix epoch.
        now_s: u64,
        /// Time after which the session ends.
        lifetime_s: u64,
    },
    /// Verifies the cookie of a request.
    Verify {
        /// Value of the cookie. The name of this member makes it a secret.
        cookie: String,
        /// Time of the arrival of the request, in seconds since the Unix epoch.
        now_s: u64,
    },
}

/// Answer of [`Op`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// A new session.
    Issued {
        /// Key of its data in the store. It does not reveal the cookie.
        key: String,
        /// Value of the cookie. The name of this member makes it a secret.
        cookie: String,
    },
    /// The cookie is valid.
    Valid {
        /// Key of the data in the store.
        key: String,
    },
    /// The cookie is not valid.
    Invalid(SessionProblem),
}

/// Reason why a session cookie is not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SessionProblem {
    /// The text is not a cookie of this service.
    Malformed,
    /// No key of the service has signed it.
    Signature,
    /// Its time is over.
    Expired,
}

impl SessionProblem {
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Malformed => "the session cookie is malformed",
            Self::Signature => "the signature of the session cookie is not valid",
            Self::Expired => "the session has expired",
        }
    }
}

impl fmt::Display for SessionProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl EffectKind for Op {
    const KIND: &'static str = "session";
    type Output = Answer;

    fn summary(&self) -> String {
        match self {
            Self::Issue { .. } => "issue".to_owned(),
            Self::Verify { .. } => "verify".to_owned(),
        }
    }

    fn output_summary(answer: &Answer) -> String {
        match answer {
            Answer::Issued { .. } => "issued".to_owned(),
            Answer::Valid { .. } => "valid".to_owned(),
            Answer::Invalid(problem) => problem.to_string(),
        }
    }

    fn is_safe(&self) -> bool {
        true
    }

    fn is_idempotent(&self) -> bool {
        true
    }
}

/// Leaves out the cookie.
impl fmt::Debug for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.summary())
    }
}

/// Leaves out the cookie.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Op::output_summary(self))
    }
}

//! The effect that verifies a token, and its answer.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use zerver::prelude::EffectKind;

use super::jwk::Jwk;

/// The effect of kind `auth`: verifies a JSON Web Token. It performs no I/O.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verify {
    /// Name of the verifier.
    pub realm: Cow<'static, str>,
    /// The token. The name of this member makes it a secret.
    pub token: String,
    /// Time of the arrival of the request, in seconds since the Unix epoch.
    pub now_s: u64,
    /// The keys to verify it with.
    pub keys: KeySource,
    /// True if the claims are secret.
    pub is_secret: bool,
}

/// Keys to verify a token with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeySource {
    /// The keys of the service.
    Configured,
    /// A key that the issuer publishes.
    Published(Box<Jwk>),
    /// None: the issuer does not publish the key that the token names.
    Unpublished,
}

/// Answer of [`Verify`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// The token is valid.
    Valid {
        /// Its claims.
        claims: Map<String, Json>,
    },
    /// The token is valid, and its claims are secret, as the name of the member says.
    ValidSecret {
        /// Its claims.
        secret: Map<String, Json>,
    },
    /// The token is not valid.
    Invalid(TokenProblem),
    /// The issuer may publish the key of the token.
    AskIssuer {
        /// Address of the keys of the issuer.
        url: String,
        /// Id of the key, if the token names one.
        kid: Option<String>,
        /// Algorithm of the token.
        algorithm: String,
        /// Time for which the keys are kept, in seconds.
        keep_s: u64,
    },
}

/// Reason why a token is not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TokenProblem {
    /// The text is not a signed JSON Web Token, or a claim has another type than it must have.
    Malformed,
    /// Its algorithm is `none`, unknown, or none for which a key is there.
    Algorithm,
    /// Neither the service nor the issuer has its key.
    UnknownKey,
    /// The signature does not fit, or the key cannot be used.
    Signature,
    /// Another issuer has issued it.
    Issuer,
    /// Another audience is meant.
    Audience,
    /// The token never expires.
    NoExpiry,
    /// Its time is over.
    Expired,
    /// Its time has not begun.
    NotYetValid,
}

impl TokenProblem {
    /// Returns the text for the client.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Malformed => "the token is malformed",
            Self::Algorithm => "the algorithm of the token is not accepted",
            Self::UnknownKey => "the key of the token is not known",
            Self::Signature => "the signature of the token is not valid",
            Self::Issuer => "the token is from another issuer",
            Self::Audience => "the token is for another audience",
            Self::NoExpiry => "the token has no time of expiry",
            Self::Expired => "the token has expired",
            Self::NotYetValid => "the token is not valid yet",
        }
    }
}

impl fmt::Display for TokenProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl std::error::Error for TokenProblem {}

impl EffectKind for Verify {
    const KIND: &'static str = "auth";
    type Output = Verdict;

    fn summary(&self) -> String {
        match &self.keys {
            KeySource::Configured => format!("verify a JWT for {}", self.realm),
            KeySource::Published(key) => match &key.kid {
                Some(kid) => format!("verify a JWT for {} with the published key {kid:?}", self.realm),
                None => format!("verify a JWT for {} with the published key", self.realm),
            },
            KeySource::Unpublished => format!("verify a JWT for {} without a published key", self.realm),
        }
    }

    fn output_summary(verdict: &Verdict) -> String {
        match verdict {
            Verdict::Valid { .. } | Verdict::ValidSecret { .. } => "valid".to_owned(),
            Verdict::Invalid(problem) => problem.to_string(),
            Verdict::AskIssuer { url, .. } => format!("the key may be at {url}"),
        }
    }

    fn is_safe(&self) -> bool {
        true
    }

    fn is_idempotent(&self) -> bool {
        true
    }
}

/// Leaves out the token.
impl fmt::Debug for Verify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verify").field("realm", &self.realm).field("keys", &self.keys).finish_non_exhaustive()
    }
}

/// Leaves out the claims.
impl fmt::Debug for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Verify::output_summary(self))
    }
}

//! The interpreter that verifies tokens.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::time::Duration;

use jsonwebtoken::crypto::{CryptoProvider, rust_crypto};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, Validation};
use serde::Deserialize;
use serde_json::{Map, Value as Json};
use zerver::effects::{EffectContext, EffectResult, Interpreter, Started};
use zerver::prelude::*;

use super::claims_check::{self, ClaimRules};
use super::key::Key;
use super::steps::DEFAULT_REALM;
use super::verification::{KeySource, TokenProblem, Verdict, Verify};

/// Time for which published keys are kept unless the verifier sets another.
const JWKS_LIFETIME: Duration = Duration::from_secs(600);

/// Verifies the tokens of one issuer. An interpreter of the effect [`Verify`].
///
/// A token is valid if a key of the service, or one that the issuer publishes, has signed it with the algorithm of that key;
/// if issuer and audience are the ones given here; and if its time has begun and is not over. A token without a time of
/// expiry is not valid.
///
/// ```
/// use zerver::prelude::*;
/// use zerver_auth::JwtVerifier;
///
/// fn app() -> App {
///     App::new().on_startup(|startup| {
///         let url = "https://idp.example.com/.well-known/jwks.json";
///         startup.interpreter(JwtVerifier::with_jwks("https://idp.example.com", "shop", url)?);
///         Ok(())
///     })
/// }
/// # let _ = app;
/// ```
#[derive(Debug, Clone)]
pub struct JwtVerifier {
    rules: ClaimRules,
    keys: Vec<Key>,
    jwks: Option<String>,
    jwks_lifetime: Duration,
}

/// An address that keys must not be fetched from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{url:?} is not an https:// address; others on the network could replace the keys that it returns")]
pub struct JwksUrlError {
    /// The address.
    pub url: String,
}

impl JwtVerifier {
    /// Creates a verifier with a key that the service has.
    pub fn with_key(issuer: impl Into<String>, audience: impl Into<String>, key: Key) -> Self {
        Self::new(issuer.into(), audience.into()).key(key)
    }

    /// Creates a verifier with the keys that the issuer publishes at this address.
    ///
    /// # Errors
    /// If it is not an `https` address. Plain `http` is accepted for a host of this machine.
    pub fn with_jwks(
        issuer: impl Into<String>,
        audience: impl Into<String>,
        url: impl Into<String>,
    ) -> Result<Self, JwksUrlError> {
        Self::new(issuer.into(), audience.into()).jwks(url)
    }

    fn new(issuer: String, audience: String) -> Self {
        // Another crate may have linked a second one, and then the library takes neither by itself.
        let _ = CryptoProvider::install_default(&rust_crypto::DEFAULT_PROVIDER);
        let rules = ClaimRules { issuer: Some(issuer), audiences: Some(vec![audience]), leeway_s: 60 };
        Self { rules, keys: Vec::new(), jwks: None, jwks_lifetime: JWKS_LIFETIME }
    }

    /// Adds a key, for example the next one before the issuer changes to it.
    #[must_use]
    pub fn key(mut self, key: Key) -> Self {
        self.keys.push(key);
        self
    }

    /// Sets the address of the keys that the issuer publishes.
    ///
    /// # Errors
    /// See [`JwtVerifier::with_jwks`].
    pub fn jwks(mut self, url: impl Into<String>) -> Result<Self, JwksUrlError> {
        let url = url.into();
        if !is_safe_url(&url) {
            return Err(JwksUrlError { url });
        }
        self.jwks = Some(url);
        Ok(self)
    }

    /// Sets the time for which published keys are kept. By default it is ten minutes.
    #[must_use]
    pub const fn jwks_lifetime(mut self, lifetime: Duration) -> Self {
        self.jwks_lifetime = lifetime;
        self
    }

    /// Accepts tokens for this audience, too.
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.rules.audiences.get_or_insert_default().push(audience.into());
        self
    }

    /// Accepts tokens for any audience. This is safe only if the key signs no tokens for other services.
    #[must_use]
    pub fn any_audience(mut self) -> Self {
        self.rules.audiences = None;
        self
    }

    /// Accepts tokens of any issuer, as far as the keys fit.
    #[must_use]
    pub fn any_issuer(mut self) -> Self {
        self.rules.issuer = None;
        self
    }

    /// Sets the largest difference between the clocks of issuer and service. By default it is a minute.
    #[must_use]
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.rules.leeway_s = u32::try_from(leeway.as_secs()).unwrap_or(u32::MAX);
        self
    }

    fn verify(&self, args: &Verify) -> Result<Verdict, TokenProblem> {
        let header = TokenHeader::of(&args.token).ok_or(TokenProblem::Malformed)?;
        let algorithm: Algorithm = header.alg.parse().map_err(|_| TokenProblem::Algorithm)?;
        let payload = match &args.keys {
            KeySource::Configured => {
                match self.verify_with_own(&args.token, algorithm, header.kid.as_deref())? {
                    Some(claims) => claims,
                    None => return Ok(self.ask_issuer(header)),
                }
            }
            KeySource::Published(jwk) if jwk.algorithm() == Some(algorithm) => {
                let key = jwk.decoding_key().map_err(|_| TokenProblem::Signature)?;
                decode(&args.token, algorithm, &key)?
            }
            KeySource::Published(_) => return Err(TokenProblem::Algorithm),
            KeySource::Unpublished => return Err(TokenProblem::UnknownKey),
        };
        claims_check::check(&payload, &self.rules, args.now_s)?;
        Ok(match args.is_secret {
            true => Verdict::ValidSecret { secret: payload },
            false => Verdict::Valid { claims: payload },
        })
    }

    /// Verifies a token with the keys of the service. Returns `None` if the issuer may publish the key.
    fn verify_with_own(
        &self,
        token: &str,
        algorithm: Algorithm,
        kid: Option<&str>,
    ) -> Result<Option<Map<String, Json>>, TokenProblem> {
        let is_named = |key: &&Key| key.id.is_none() || kid.is_none() || key.id.as_deref() == kid;
        let mut problem = None;
        for key in self.keys.iter().filter(is_named) {
            // A key is for one algorithm. So a public key is never taken as the secret of an HMAC.
            if key.algorithm != algorithm {
                problem = problem.or(Some(TokenProblem::Algorithm));
                continue;
            }
            match decode(token, algorithm, &key.decoding) {
                Ok(claims) => return Ok(Some(claims)),
                Err(found) => problem = Some(found),
            }
        }
        let is_publishable = algorithm.family() != AlgorithmFamily::Hmac;
        match problem {
            Some(problem @ TokenProblem::Malformed) => Err(problem),
            _ if self.jwks.is_some() && is_publishable => Ok(None),
            Some(problem) => Err(problem),
            None if self.keys.is_empty() => Err(TokenProblem::Algorithm),
            None => Err(TokenProblem::UnknownKey),
        }
    }

    fn ask_issuer(&self, header: TokenHeader) -> Verdict {
        Verdict::AskIssuer {
            url: self.jwks.clone().unwrap_or_default(),
            kid: header.kid,
            algorithm: header.alg,
            keep_s: self.jwks_lifetime.as_secs().max(1),
        }
    }
}

/// Members of the header of a token that select its key. No other member does: a token cannot bring its own key.
#[derive(Deserialize)]
struct TokenHeader {
    alg: String,
    #[serde(default)]
    kid: Option<String>,
}

impl TokenHeader {
    fn of(token: &str) -> Option<Self> {
        let (header, rest) = token.split_once('.')?;
        if rest.split('.').count() != 2 {
            return None;
        }
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()
    }
}

/// Verifies the signature of a token, and returns its claims.
fn decode(token: &str, algorithm: Algorithm, key: &DecodingKey) -> Result<Map<String, Json>, TokenProblem> {
    // The claims are checked elsewhere, against the time of arrival instead of the clock.
    let mut validation = Validation::new(algorithm);
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    match jsonwebtoken::decode::<Map<String, Json>>(token, key, &validation) {
        Ok(token) => Ok(token.claims),
        Err(error) => Err(match error.kind() {
            jsonwebtoken::errors::ErrorKind::Json(_)
            | jsonwebtoken::errors::ErrorKind::InvalidToken
            | jsonwebtoken::errors::ErrorKind::Base64(_) => TokenProblem::Malformed,
            _ => TokenProblem::Signature,
        }),
    }
}

/// Returns true for an `https` address, and for an `http` one of this machine.
fn is_safe_url(url: &str) -> bool {
    let has_host = |rest: &str| rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[');
    match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(rest), _) => has_host(rest),
        (None, Some(rest)) => {
            let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
            let host = match authority.strip_prefix('[') {
                Some(rest) => rest.split(']').next().unwrap_or_default(),
                None => authority.split(':').next().unwrap_or_default(),
            };
            matches!(host, "localhost" | "127.0.0.1" | "::1")
        }
        (None, None) => false,
    }
}

impl Interpreter<Verify> for JwtVerifier {
    fn start(&self, args: &Verify, _: &EffectContext) -> Started<EffectResult<Verify>> {
        if args.realm != DEFAULT_REALM {
            return Started::Ready(Err(unknown_realm(&args.realm)));
        }
        Started::Ready(Ok(self.verify(args).unwrap_or_else(Verdict::Invalid)))
    }

    fn needs_runtime(&self) -> bool {
        false
    }
}

/// Verifiers of several issuers, by the name in [`JwtClaims::REALM`](crate::JwtClaims::REALM).
#[derive(Debug, Clone, Default)]
pub struct Verifiers(Vec<(String, JwtVerifier)>);

impl Verifiers {
    /// Creates an empty set.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds a verifier under a name. It replaces an earlier one of the same name.
    #[must_use]
    pub fn with(mut self, realm: impl Into<String>, verifier: JwtVerifier) -> Self {
        let realm = realm.into();
        self.0.retain(|(other, _)| *other != realm);
        self.0.push((realm, verifier));
        self
    }
}

impl Interpreter<Verify> for Verifiers {
    fn start(&self, args: &Verify, _: &EffectContext) -> Started<EffectResult<Verify>> {
        Started::Ready(match self.0.iter().find(|(realm, _)| *realm == args.realm) {
            Some((_, verifier)) => Ok(verifier.verify(args).unwrap_or_else(Verdict::Invalid)),
            None => Err(unknown_realm(&args.realm)),
        })
    }

    fn needs_runtime(&self) -> bool {
        false
    }
}

fn unknown_realm(realm: &str) -> EffectError {
    EffectError::new(
        EffectErrorKind::Invalid,
        format!("no verifier is named {realm:?}; pass Verifiers::with({realm:?}, ..) as interpreter"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_from_safe_addresses_only() {
        for safe in [
            "https://idp.example/jwks",
            "http://localhost:1/x",
            "http://127.0.0.1:8080/",
            "http://[::1]:80",
            "http://localhost",
        ] {
            assert!(is_safe_url(safe), "{safe}");
        }
        for unsafe_url in [
            "http://idp.example/jwks",
            "http://localhost.evil.example/",
            "http://localhost@evil.example/",
            "http://127.0.0.1.evil.example/",
            "file:///etc/passwd",
            "https://",
            "https:///x",
            "",
        ] {
            assert!(!is_safe_url(unsafe_url), "{unsafe_url}");
        }
    }
}

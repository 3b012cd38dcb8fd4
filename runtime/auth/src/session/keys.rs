//! The keys that sign cookies, and the interpreter that uses them.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::crypto::{CryptoProvider, rust_crypto, sign, verify};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use zerver::effects::{EffectContext, EffectResult, Interpreter, Started};
use zerver::prelude::*;

use super::operation::{Answer, Op, SessionProblem};
use crate::jwt::KeyError;

/// Length of the random part of a cookie, in bytes.
const ID_BYTES: usize = 24;
/// Minimum length of a key, in bits: that of the hash.
const MIN_KEY_BITS: usize = 256;
/// Separates this use of a key from all others.
const CONTEXT: &str = "zerver session v1\n";

/// Keys that sign the cookies of sessions (HMAC with SHA-256). An interpreter of the effect [`Op`].
///
/// ```
/// use zerver::prelude::*;
/// use zerver_auth::session::SessionKeys;
///
/// # fn secret(_name: &str) -> Result<String, std::env::VarError> { Ok("0123456789abcdef0123456789abcdef".to_owned()) }
/// fn app() -> App {
///     App::new().on_startup(|startup| {
///         startup.interpreter(SessionKeys::new(secret("SESSION_KEY")?)?);
///         Ok(())
///     })
/// }
/// # let _ = app;
/// ```
#[derive(Clone)]
pub struct SessionKeys {
    signing: EncodingKey,
    /// The signing key first.
    verifying: Vec<DecodingKey>,
}

impl fmt::Debug for SessionKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionKeys").field("verifying", &self.verifying.len()).finish_non_exhaustive()
    }
}

impl SessionKeys {
    /// Takes the key that signs new cookies. All processes of a service have the same.
    ///
    /// # Errors
    /// If it has fewer than 32 bytes.
    pub fn new(key: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        let key = key.as_ref();
        // Another crate may have linked a second one, and then the library takes neither by itself.
        let _ = CryptoProvider::install_default(&rust_crypto::DEFAULT_PROVIDER);
        let verifying = vec![verifying(key)?];
        Ok(Self { signing: EncodingKey::from_secret(key).map_err(KeyError::Malformed)?, verifying })
    }

    /// Also accepts cookies that an earlier key has signed, until they expire.
    ///
    /// # Errors
    /// If it has fewer than 32 bytes.
    pub fn earlier(mut self, key: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        self.verifying.push(verifying(key.as_ref())?);
        Ok(self)
    }

    /// Makes a cookie of these random bytes: `ID.EXPIRY.SIGNATURE`.
    fn issue(&self, id: [u8; ID_BYTES], expires_s: u64) -> Option<Answer> {
        let id = URL_SAFE_NO_PAD.encode(id);
        let signature = sign(signed(&id, expires_s).as_bytes(), &self.signing, Algorithm::HS256).ok()?;
        Some(Answer::Issued { key: store_key(&id), cookie: format!("{id}.{expires_s}.{signature}") })
    }

    fn verify(&self, cookie: &str, now_s: u64) -> Result<String, SessionProblem> {
        let mut parts = cookie.split('.');
        let (Some(id), Some(expires), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(SessionProblem::Malformed);
        };
        let expires_s: u64 = expires.parse().map_err(|_| SessionProblem::Malformed)?;
        let is_id = URL_SAFE_NO_PAD.decode(id).is_ok_and(|bytes| bytes.len() == ID_BYTES);
        if !is_id || expires != expires_s.to_string() {
            return Err(SessionProblem::Malformed);
        }
        let text = signed(id, expires_s);
        // The comparison takes the same time wherever the signatures differ.
        let is_signed_by = |key| verify(signature, text.as_bytes(), key, Algorithm::HS256).unwrap_or(false);
        if !self.verifying.iter().any(is_signed_by) {
            return Err(SessionProblem::Signature);
        }
        if now_s >= expires_s {
            return Err(SessionProblem::Expired);
        }
        Ok(store_key(id))
    }
}

fn verifying(key: &[u8]) -> Result<DecodingKey, KeyError> {
    let bits = key.len() * 8;
    if bits < MIN_KEY_BITS {
        return Err(KeyError::Short { bits, min: MIN_KEY_BITS });
    }
    DecodingKey::from_secret(key).map_err(KeyError::Malformed)
}

/// Returns the text that is signed.
fn signed(id: &str, expires_s: u64) -> String {
    format!("{CONTEXT}{id}.{expires_s}")
}

/// Returns the key of the data of a session. It is a hash, so that the store and the recordings of its effects do not contain
/// the id.
fn store_key(id: &str) -> String {
    blake3::hash(id.as_bytes()).to_hex()[..32].to_owned()
}

impl Interpreter<Op> for SessionKeys {
    fn start(&self, op: &Op, _: &EffectContext) -> Started<EffectResult<Op>> {
        let internal = |why: String| EffectError::new(EffectErrorKind::Internal, why);
        Started::Ready(match op {
            Op::Issue { now_s, lifetime_s } => {
                let mut id = [0; ID_BYTES];
                match getrandom::fill(&mut id) {
                    Ok(()) => self
                        .issue(id, now_s.saturating_add(*lifetime_s))
                        .ok_or_else(|| internal("the cookie could not be signed".to_owned())),
                    Err(error) => Err(internal(format!("the system has no randomness: {error}"))),
                }
            }
            Op::Verify { cookie, now_s } => Ok(match self.verify(cookie, *now_s) {
                Ok(key) => Answer::Valid { key },
                Err(problem) => Answer::Invalid(problem),
            }),
        })
    }

    fn needs_runtime(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(key: u8) -> SessionKeys {
        SessionKeys::new([key; 32]).unwrap()
    }

    fn issue(keys: &SessionKeys, expires_s: u64) -> (String, String) {
        match keys.issue([7; ID_BYTES], expires_s).unwrap() {
            Answer::Issued { key, cookie } => (key, cookie),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_cookie_is_valid_until_it_expires() {
        let (key, cookie) = issue(&keys(1), 100);
        assert_eq!(keys(1).verify(&cookie, 99), Ok(key));
        assert_eq!(keys(1).verify(&cookie, 100), Err(SessionProblem::Expired));
        assert_eq!(keys(2).verify(&cookie, 99), Err(SessionProblem::Signature));
    }

    #[test]
    fn keys_rotate() {
        let (key, cookie) = issue(&keys(1), 100);
        let rotated = keys(2).earlier([1; 32]).unwrap();
        assert_eq!(rotated.verify(&cookie, 0), Ok(key.clone()));
        let (_, new) = issue(&rotated, 100);
        assert_eq!(keys(2).verify(&new, 0), Ok(key), "the first key signs");
        assert_eq!(keys(1).verify(&new, 0), Err(SessionProblem::Signature));
        assert_eq!(
            SessionKeys::new("short").unwrap_err().to_string(),
            "has 40 bits; it must have at least 256"
        );
        assert!(keys(1).earlier("short").is_err());
    }

    #[test]
    fn changed_cookies_are_refused() {
        let (_, cookie) = issue(&keys(1), 100);
        let parts: Vec<_> = cookie.split('.').collect();
        let later = format!("{}.200.{}", parts[0], parts[2]);
        assert_eq!(keys(1).verify(&later, 0), Err(SessionProblem::Signature));
        for malformed in [
            "",
            "a.b.c",
            &format!("{}.0100.{}", parts[0], parts[2]),
            &format!("{}.+100.{}", parts[0], parts[2]),
            &format!("{}=.100.{}", parts[0], parts[2]),
            &format!("AAAA.100.{}", parts[2]),
            &format!("{cookie}.x"),
            &format!("{}.99999999999999999999.{}", parts[0], parts[2]),
        ] {
            assert_eq!(keys(1).verify(malformed, 0), Err(SessionProblem::Malformed), "{malformed}");
        }
        for signature in ["", "AAAA", "!"] {
            let forged = format!("{}.100.{signature}", parts[0]);
            assert_eq!(keys(1).verify(&forged, 0), Err(SessionProblem::Signature), "{signature:?}");
        }
    }
}

//! Public keys as issuers publish them (RFC 7517).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::{Deserialize, Serialize};

use super::key::KeyError;

/// Minimum length of the modulus of an RSA key, in bytes (RFC 7518, section 3.3).
const MIN_RSA_BYTES: usize = 256;

/// A public key. Members that are not needed to verify a signature are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jwk {
    /// Type: `RSA`, `EC` or `OKP`.
    pub kty: String,
    /// Id by which tokens name the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
    /// The only algorithm for which the key may be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alg: Option<String>,
    /// Use: `sig`, or `enc` for keys that verify nothing.
    #[serde(rename = "use", default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<String>,
    /// Curve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crv: Option<String>,
    /// Modulus of an RSA key, in base64url like all of the following.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<String>,
    /// Exponent of an RSA key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub e: Option<String>,
    /// First coordinate of a point, or the public key of Ed25519.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x: Option<String>,
    /// Second coordinate of a point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub y: Option<String>,
}

impl Jwk {
    /// Returns the algorithm for which the key may be used: the one that it names, or the usual one of its type. `None` if the
    /// key verifies no signatures that are supported. A symmetric key is never accepted: what an issuer publishes is no
    /// secret.
    pub fn algorithm(&self) -> Option<Algorithm> {
        if self.usage.as_deref().is_some_and(|usage| usage != "sig") {
            return None;
        }
        let fitting: &[Algorithm] = match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => &[
                Algorithm::RS256,
                Algorithm::RS384,
                Algorithm::RS512,
                Algorithm::PS256,
                Algorithm::PS384,
                Algorithm::PS512,
            ],
            ("EC", Some("P-256")) => &[Algorithm::ES256],
            ("EC", Some("P-384")) => &[Algorithm::ES384],
            ("OKP", Some("Ed25519")) => &[Algorithm::EdDSA],
            _ => &[],
        };
        match &self.alg {
            // RFC 9864 names the algorithm after the curve.
            Some(alg) if alg == "Ed25519" => fitting.iter().copied().find(|fits| *fits == Algorithm::EdDSA),
            Some(alg) => {
                fitting.iter().copied().find(|fits| alg.parse().is_ok_and(|named: Algorithm| named == *fits))
            }
            None => fitting.first().copied(),
        }
    }

    /// Returns the key in the form that verifies signatures.
    ///
    /// # Errors
    /// If a member is missing or malformed, or the key is too short.
    pub(super) fn decoding_key(&self) -> Result<DecodingKey, KeyError> {
        let member = |name: &'static str, value: &Option<String>| {
            let text = value.clone().ok_or(KeyError::Member(name))?;
            URL_SAFE_NO_PAD.decode(&text).map(|bytes| (text, bytes)).map_err(|_| KeyError::Member(name))
        };
        let key = match self.kty.as_str() {
            "RSA" => {
                let ((n, modulus), (e, _)) = (member("n", &self.n)?, member("e", &self.e)?);
                let bytes = modulus.iter().skip_while(|byte| **byte == 0).count();
                if bytes < MIN_RSA_BYTES {
                    return Err(KeyError::Short { bits: bytes * 8, min: MIN_RSA_BYTES * 8 });
                }
                DecodingKey::from_rsa_components(&n, &e)
            }
            "EC" => {
                let ((x, _), (y, _)) = (member("x", &self.x)?, member("y", &self.y)?);
                DecodingKey::from_ec_components(&x, &y)
            }
            "OKP" => DecodingKey::from_ed_components(&member("x", &self.x)?.0),
            _ => return Err(KeyError::Unsupported),
        };
        key.map_err(KeyError::Malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn algorithm(json: &str) -> Option<Algorithm> {
        serde_json::from_str::<Jwk>(json).unwrap().algorithm()
    }

    #[test]
    fn a_key_is_for_one_algorithm() {
        assert_eq!(algorithm(r#"{"kty":"RSA"}"#), Some(Algorithm::RS256));
        assert_eq!(algorithm(r#"{"kty":"RSA","alg":"PS512"}"#), Some(Algorithm::PS512));
        assert_eq!(algorithm(r#"{"kty":"EC","crv":"P-384"}"#), Some(Algorithm::ES384));
        assert_eq!(algorithm(r#"{"kty":"OKP","crv":"Ed25519","alg":"Ed25519"}"#), Some(Algorithm::EdDSA));
        for none in [
            r#"{"kty":"oct"}"#,
            r#"{"kty":"oct","alg":"HS256"}"#,
            r#"{"kty":"RSA","alg":"HS256"}"#,
            r#"{"kty":"RSA","alg":"none"}"#,
            r#"{"kty":"RSA","use":"enc"}"#,
            r#"{"kty":"EC","crv":"P-256","alg":"ES384"}"#,
            r#"{"kty":"EC","crv":"P-521"}"#,
            r#"{"kty":"OKP","crv":"X25519"}"#,
        ] {
            assert_eq!(algorithm(none), None, "{none}");
        }
    }

    #[test]
    fn short_and_malformed_keys_are_refused() {
        let error = |json: &str| {
            serde_json::from_str::<Jwk>(json).unwrap().decoding_key().map(|_| ()).unwrap_err().to_string()
        };
        let short = URL_SAFE_NO_PAD.encode([0xff; 128]);
        let json = format!(r#"{{"kty":"RSA","n":"{short}","e":"AQAB"}}"#);
        assert_eq!(error(&json), "has 1024 bits; it must have at least 2048");
        assert_eq!(error(r#"{"kty":"RSA","n":"AQAB"}"#), "has no valid member e");
        assert_eq!(error(r#"{"kty":"RSA","n":"not base64!"}"#), "has no valid member n");
        assert_eq!(error(r#"{"kty":"EC","x":"AQAB"}"#), "has no valid member y");
        assert_eq!(error(r#"{"kty":"oct"}"#), "is not for a supported algorithm");
    }
}

//! Keys that a service is given when it starts.

use std::fmt;

use jsonwebtoken::jwk::Jwk as LibraryJwk;
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey};

use super::jwk::Jwk;

/// A key that verifies the signatures of tokens, for one algorithm.
#[derive(Clone)]
pub struct Key {
    pub(super) id: Option<String>,
    pub(super) algorithm: Algorithm,
    pub(super) decoding: DecodingKey,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("id", &self.id)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

/// A key that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The key is too short to be safe.
    #[error("has {bits} bits; it must have at least {min}")]
    Short {
        /// Its length.
        bits: usize,
        /// The minimum.
        min: usize,
    },
    /// A member of a JSON Web Key is missing or malformed.
    #[error("has no valid member {0}")]
    Member(&'static str),
    /// Its type is not supported, or it does not fit the algorithm.
    #[error("is not for a supported algorithm")]
    Unsupported,
    /// The text is not a public key in PEM.
    #[error("is not a public key of the kind that the algorithm needs: {0}")]
    Malformed(#[source] jsonwebtoken::errors::Error),
}

impl Key {
    /// Takes a secret that the issuer and this service share, for HS256, HS384 or HS512.
    ///
    /// # Errors
    /// If the algorithm is another one, or the secret is shorter than the hash (RFC 7518, section 3.2).
    pub fn shared(algorithm: Algorithm, secret: &[u8]) -> Result<Self, KeyError> {
        let min = match algorithm {
            Algorithm::HS256 => 256,
            Algorithm::HS384 => 384,
            Algorithm::HS512 => 512,
            _ => return Err(KeyError::Unsupported),
        };
        let bits = secret.len() * 8;
        if bits < min {
            return Err(KeyError::Short { bits, min });
        }
        let decoding = DecodingKey::from_secret(secret).map_err(KeyError::Malformed)?;
        Ok(Self { id: None, algorithm, decoding })
    }

    /// Takes a public key in PEM, for RS256, PS256, ES256, EdDSA and their longer forms.
    ///
    /// # Errors
    /// If it is not a public key for this algorithm, or an RSA key of fewer than 2048 bits.
    pub fn from_pem(algorithm: Algorithm, pem: &[u8]) -> Result<Self, KeyError> {
        let decoding = match algorithm.family() {
            AlgorithmFamily::Rsa => DecodingKey::from_rsa_pem(pem),
            AlgorithmFamily::Ec => DecodingKey::from_ec_pem(pem),
            AlgorithmFamily::Ed => DecodingKey::from_ed_pem(pem),
            AlgorithmFamily::Hmac => return Err(KeyError::Unsupported),
        };
        let decoding = decoding.map_err(KeyError::Malformed)?;
        let library =
            LibraryJwk::from_decoding_key(&decoding, Some(algorithm)).map_err(KeyError::Malformed)?;
        // Its members are texts, which can be read back.
        let json = serde_json::to_value(&library).map_err(|_| KeyError::Unsupported)?;
        let jwk = serde_json::from_value::<Jwk>(json).map_err(|_| KeyError::Unsupported)?;
        if jwk.algorithm() != Some(algorithm) {
            return Err(KeyError::Unsupported);
        }
        Self::from_jwk(&jwk)
    }

    /// Takes a public key as JSON Web Key, with its id.
    ///
    /// # Errors
    /// If it is not for a supported algorithm, malformed, or an RSA key of fewer than 2048 bits.
    pub fn from_jwk(jwk: &Jwk) -> Result<Self, KeyError> {
        let algorithm = jwk.algorithm().ok_or(KeyError::Unsupported)?;
        Ok(Self { id: jwk.kid.clone(), algorithm, decoding: jwk.decoding_key()? })
    }

    /// Sets the id by which tokens name the key (`kid`). A key without one is tried for each token of its algorithm.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_and_unfit_keys_are_refused() {
        let error = |key: Result<Key, KeyError>| key.unwrap_err().to_string();
        assert_eq!(error(Key::shared(Algorithm::HS256, b"secret")), "has 48 bits; it must have at least 256");
        assert_eq!(error(Key::shared(Algorithm::HS512, &[1; 63])), "has 504 bits; it must have at least 512");
        assert_eq!(error(Key::shared(Algorithm::RS256, &[1; 64])), "is not for a supported algorithm");
        assert_eq!(error(Key::from_pem(Algorithm::HS256, b"")), "is not for a supported algorithm");
        assert!(error(Key::from_pem(Algorithm::RS256, b"no PEM")).starts_with("is not a public key"));
        let key = Key::shared(Algorithm::HS256, &[1; 32]).unwrap().id("k1");
        assert_eq!(format!("{key:?}"), r#"Key { id: Some("k1"), algorithm: HS256, .. }"#);
    }
}

//! Tokens and keys of the tests.

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value as Json, json};
use zerver::prelude::*;
use zerver_auth::{Jwk, JwtClaims, JwtVerifier, Key, Principal};

pub(crate) const ISSUER: &str = "https://idp.example";
pub(crate) const AUDIENCE: &str = "shop";
/// Time at which test requests arrive, in seconds.
pub(crate) const NOW: u64 = 1_700_000_000;
/// Secret of the issuer.
pub(crate) const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

pub(crate) const RSA: &str = include_str!("keys/rsa.pem");
pub(crate) const RSA_PUBLIC: &str = include_str!("keys/rsa.pub.pem");
pub(crate) const RSA_SHORT_PUBLIC: &str = include_str!("keys/rsa-short.pub.pem");
pub(crate) const P256: &str = include_str!("keys/p256.pem");
pub(crate) const P256_PUBLIC: &str = include_str!("keys/p256.pub.pem");
pub(crate) const P384: &str = include_str!("keys/p384.pem");
pub(crate) const P384_PUBLIC: &str = include_str!("keys/p384.pub.pem");
pub(crate) const ED: &str = include_str!("keys/ed25519.pem");
pub(crate) const ED_PUBLIC: &str = include_str!("keys/ed25519.pub.pem");

/// Claims of a token.
#[slot]
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Viewer {
    pub(crate) sub: String,
    #[serde(default)]
    pub(crate) roles: Vec<String>,
    #[serde(default)]
    pub(crate) scope: String,
    #[serde(default)]
    pub(crate) org: Option<String>,
}

impl JwtClaims for Viewer {}

impl Principal for Viewer {
    fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|own| own == role)
    }

    fn has_capability(&self, capability: &str) -> bool {
        zerver_auth::scope_contains(&self.scope, capability)
    }

    fn tenant(&self) -> Option<&str> {
        self.org.as_deref()
    }
}

#[step]
pub(crate) fn greet(viewer: &Viewer) -> Response {
    Response::text(format!("hello, {}", viewer.sub))
}

/// Returns valid claims, with these changes. A null removes a claim.
pub(crate) fn claims(changes: Json) -> Json {
    let mut claims = json!({"iss": ISSUER, "aud": AUDIENCE, "exp": NOW + 300, "sub": "ann"});
    if let (Json::Object(claims), Json::Object(changes)) = (&mut claims, changes) {
        claims.extend(changes);
        claims.retain(|_, value| !value.is_null());
    }
    claims
}

pub(crate) fn encoding_key(algorithm: Algorithm) -> EncodingKey {
    match algorithm {
        Algorithm::HS256 => EncodingKey::from_secret(SECRET),
        Algorithm::ES256 => EncodingKey::from_ec_pem(P256.as_bytes()),
        Algorithm::ES384 => EncodingKey::from_ec_pem(P384.as_bytes()),
        Algorithm::EdDSA => EncodingKey::from_ed_pem(ED.as_bytes()),
        _ => EncodingKey::from_rsa_pem(RSA.as_bytes()),
    }
    .unwrap()
}

pub(crate) fn token(algorithm: Algorithm, kid: Option<&str>, changes: Json) -> String {
    let header = Header { kid: kid.map(str::to_owned), ..Header::new(algorithm) };
    encode(&header, &claims(changes), &encoding_key(algorithm)).unwrap()
}

/// Returns the public part of the key for an algorithm.
pub(crate) fn key(algorithm: Algorithm) -> Key {
    let pem = match algorithm {
        Algorithm::HS256 => return Key::shared(algorithm, SECRET).unwrap(),
        Algorithm::ES256 => P256_PUBLIC,
        Algorithm::ES384 => P384_PUBLIC,
        Algorithm::EdDSA => ED_PUBLIC,
        _ => RSA_PUBLIC,
    };
    Key::from_pem(algorithm, pem.as_bytes()).unwrap()
}

pub(crate) fn verifier(algorithm: Algorithm) -> JwtVerifier {
    JwtVerifier::with_key(ISSUER, AUDIENCE, key(algorithm))
}

/// Returns the key as an issuer publishes it.
pub(crate) fn published(algorithm: Algorithm, kid: &str) -> Jwk {
    let jwk = jsonwebtoken::jwk::Jwk::from_encoding_key(&encoding_key(algorithm), algorithm).unwrap();
    let jwk: Jwk = serde_json::from_value(serde_json::to_value(&jwk).unwrap()).unwrap();
    Jwk { kid: Some(kid.to_owned()), ..jwk }
}

//! The keys that an issuer publishes (JWKS), fetched by effects, so that a replay knows them.
//!
//! They are kept for the time that the verifier sets. A token that names a key which is not among them has them fetched again,
//! so that the keys of an issuer can change at any time, but not more often than every 30 seconds, whatever clients send. If
//! the issuer does not answer, the keys that it published last stay valid for an hour.

use std::time::Duration;

use jsonwebtoken::Algorithm;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use zerver::effects::cache::{cached, evict};
use zerver::effects::http;
use zerver::prelude::*;

use super::jwk::Jwk;

/// Shortest time between two fetches.
const REFETCH: Duration = Duration::from_secs(30);
/// Time for which keys are used while the issuer does not answer.
const STALE: Duration = Duration::from_secs(3600);
/// Time limit of a fetch.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Maximum size of the document, in bytes.
const MAX_BYTES: u64 = 256 * 1024;
/// Maximum number of keys.
const MAX_KEYS: usize = 100;

/// The keys of an issuer that verify signatures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct KeySet {
    keys: Vec<Jwk>,
}

/// The document as it is published.
#[derive(Deserialize)]
struct Document {
    keys: Vec<Json>,
}

impl KeySet {
    /// Takes the keys that can be used. One that is malformed or unknown does no harm to the others.
    fn new(document: Document) -> Self {
        let keys = document.keys.into_iter().filter_map(|key| serde_json::from_value::<Jwk>(key).ok());
        Self { keys: keys.filter(|key| key.algorithm().is_some()).take(MAX_KEYS).collect() }
    }

    /// Returns the key that the token names, or the only one for its algorithm if the token names none.
    fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Option<Jwk> {
        let mut fitting = self
            .keys
            .iter()
            .filter(|key| key.algorithm() == Some(algorithm) && (kid.is_none() || key.kid.as_deref() == kid));
        let first = fitting.next()?;
        (kid.is_some() || fitting.next().is_none()).then(|| first.clone())
    }
}

/// Finds the key of a token among those that the issuer publishes.
pub(super) fn find(
    url: String,
    kid: Option<String>,
    algorithm: Algorithm,
    keep: Duration,
) -> Effect<Option<Jwk>> {
    let known = cached(("zerver-auth-jwks", url.clone()), keep, fetch(&url));
    known.and_then(move |keys| match keys.find(kid.as_deref(), algorithm) {
        Some(key) => Effect::ready(Some(key)),
        None if kid.is_none() => Effect::ready(None),
        None => fetch(&url).and_then(move |keys| match keys.find(kid.as_deref(), algorithm) {
            // The keys have changed, so the next request is to take the new ones.
            Some(key) => evict(("zerver-auth-jwks", url)).map(|()| Some(key)),
            None => Effect::ready(None),
        }),
    })
}

/// Fetches the keys, unless they were fetched less than [`REFETCH`] ago.
fn fetch(url: &str) -> Effect<KeySet> {
    let stale = ("zerver-auth-jwks-stale", url.to_owned());
    let request = http::get(url).header("accept", "application/json").timeout(TIMEOUT).body_limit(MAX_BYTES);
    let fetched = request.json::<Document>().map(KeySet::new).attempt();
    let fetched = fetched.and_then(move |fetched| match fetched {
        Ok(keys) => evict(stale.clone()).and_then(move |()| cached(stale, STALE, Effect::ready(keys))),
        Err(failure) => cached(stale, STALE, Effect::fail(failure)),
    });
    cached(("zerver-auth-jwks-fetched", url.to_owned()), REFETCH, fetched)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_set(json: &str) -> KeySet {
        KeySet::new(serde_json::from_str(json).unwrap())
    }

    #[test]
    fn unusable_keys_do_no_harm() {
        let set = key_set(
            r#"{"keys": [7, {}, {"kty": "oct", "k": "c2VjcmV0"}, {"kty": "RSA", "use": "enc", "kid": "e"},
                {"kty": "RSA", "kid": "a", "n": "..", "e": "AQAB", "x5c": [1]}], "other": 1}"#,
        );
        assert_eq!(set.keys.iter().map(|key| key.kid.as_deref().unwrap()).collect::<Vec<_>>(), ["a"]);
    }

    #[test]
    fn a_key_is_found_by_id_and_algorithm() {
        let set = key_set(
            r#"{"keys": [{"kty": "RSA", "kid": "a"}, {"kty": "EC", "crv": "P-256", "kid": "b"},
                {"kty": "EC", "crv": "P-256", "kid": "c"}]}"#,
        );
        let find = |kid, algorithm| set.find(kid, algorithm).and_then(|key| key.kid);
        assert_eq!(find(Some("c"), Algorithm::ES256).as_deref(), Some("c"));
        assert_eq!(find(Some("a"), Algorithm::ES256), None, "the algorithm is that of another key");
        assert_eq!(find(None, Algorithm::RS256).as_deref(), Some("a"));
        assert_eq!(find(None, Algorithm::ES256), None, "there are two");
        assert_eq!(find(Some("d"), Algorithm::RS256), None);
    }
}

//! Authentication: the header `Authorization: Token ..`, JSON Web Tokens, and the chains before the flows that need them.

use jsonwebtoken::errors::{Error as TokenError, ErrorKind};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use zerver::prelude::*;

use crate::users::User;

/// For flows that only signed-in users may use.
pub const REQUIRED: Chain = chain![require_token, verify];

/// For flows that anyone may use. A token must still be valid.
pub const OPTIONAL: Chain = chain![read_token, verify_if_any];

const TOKEN_LIFETIME_S: u64 = 60 * 24 * 3600;

/// Token of the request, or the one that is issued.
#[slot(secret)]
#[derive(Debug, Clone, PartialEq)]
pub struct Token(pub String);

/// The user who sent the request. With an index, so that the requests of one user are found at once.
#[slot(index)]
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Viewer {
    pub id: i64,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: String,
    exp: u64,
}

/// Keys that sign and verify tokens.
pub struct Keys {
    signing: EncodingKey,
    verifying: DecodingKey,
}

impl Keys {
    /// Fails if the key is too weak.
    pub fn new(key: &str) -> Result<Self, TokenError> {
        let key = key.as_bytes();
        Ok(Self { signing: EncodingKey::from_secret(key)?, verifying: DecodingKey::from_secret(key)? })
    }
}

/// Signs a token. An effect, because the key is no part of the request.
#[effect(idempotent)]
pub async fn sign_token(#[resource] keys: &Keys, user: i64, expires_at: u64) -> Result<String, TokenError> {
    let claims = Claims { sub: user.to_string(), exp: expires_at };
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &keys.signing)
}

/// Returns the id of the user whose token it is. An effect, because it reads the key and the clock.
#[effect(safe)]
pub async fn decode_token(#[resource] keys: &Keys, token: &str) -> Result<i64, TokenError> {
    let validation = Validation::new(Algorithm::HS256);
    let claims = jsonwebtoken::decode::<Claims>(token, &keys.verifying, &validation)?.claims;
    claims.sub.parse().map_err(|_| ErrorKind::InvalidSubject.into())
}

#[step]
fn require_token(request: &Request) -> Result<Token, Failure> {
    read_token(request).ok_or_else(|| Failure::unauthorized("token").message("is missing"))
}

#[step]
fn read_token(request: &Request) -> Option<Token> {
    request.credentials("Token").map(|token| Token(token.to_owned()))
}

#[step]
fn verify(token: &Token) -> Decision<Viewer> {
    Need(viewer_of(token))
}

#[step]
fn verify_if_any(token: Option<&Token>) -> Decision<Option<Viewer>> {
    match token {
        Some(token) => Need(viewer_of(token).map(Some)),
        None => Continue(None),
    }
}

fn viewer_of(token: &Token) -> Effect<Viewer> {
    let invalid = |failure: Failure| Failure::unauthorized("token").message("is invalid").because(&failure);
    decode_token(&token.0).map(|id| Viewer { id }).map_failure(invalid)
}

#[step]
pub fn issue_token(user: &User, arrival: &ArrivalTime) -> Decision<Token> {
    Need(sign_token(user.id, arrival.unix_s() + TOKEN_LIFETIME_S).map(Token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_read_from_the_header() {
        let request = |value| Request::get("/").with_header("authorization", value);
        assert_eq!(require_token(&request("Token abc")), Ok(Token("abc".to_owned())));
        for request in [Request::get("/"), request("Bearer abc"), request("Token")] {
            assert_eq!(require_token(&request), Err(Failure::unauthorized("token").message("is missing")));
        }
    }
}

//! Extractors for the user who sent a request, and tokens.

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::request::Parts;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use super::TOKEN_KEY;
use super::error::ApiError;

const TOKEN_LIFETIME_S: u64 = 60 * 24 * 3600;

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: String,
    exp: u64,
}

/// The user who sent the request.
pub(super) struct Viewer {
    pub(super) id: i64,
}

fn read(parts: &Parts) -> Result<Option<Viewer>, ApiError> {
    let header = parts.headers.get("authorization").and_then(|value| value.to_str().ok());
    let token = header
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("token"));
    let Some((_, token)) = token else { return Ok(None) };
    let invalid = || ApiError::unauthorized("token", "is invalid");
    let key = DecodingKey::from_secret(TOKEN_KEY.as_bytes()).map_err(|_| ApiError::internal())?;
    let decoded = jsonwebtoken::decode::<Claims>(token.trim(), &key, &Validation::new(Algorithm::HS256));
    let id = decoded.map_err(|_| invalid())?.claims.sub.parse().map_err(|_| invalid())?;
    Ok(Some(Viewer { id }))
}

impl<S: Sync> FromRequestParts<S> for Viewer {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        read(parts)?.ok_or_else(|| ApiError::unauthorized("token", "is missing"))
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Viewer {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, ApiError> {
        read(parts)
    }
}

pub(super) fn sign(user: i64) -> Result<String, ApiError> {
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().map_err(|_| ApiError::internal())?.as_secs();
    let claims = Claims { sub: user.to_string(), exp: now + TOKEN_LIFETIME_S };
    let key = EncodingKey::from_secret(TOKEN_KEY.as_bytes()).map_err(|_| ApiError::internal())?;
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key).map_err(|_| ApiError::internal())
}

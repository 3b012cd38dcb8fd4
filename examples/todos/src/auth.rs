//! Authentication: the chain before every private flow.

use zerver::effects::{http, kv};
use zerver::prelude::*;

/// Reads the token, looks up the user, checks the roles, and limits the requests per minute.
pub const AUTH: Chain = chain![parse_auth, lookup_user, verify_roles, count_request, limit_rate];

/// Maximum number of requests per user and minute.
const PER_MINUTE: u32 = 600;

/// Bearer token of the request.
#[slot(secret)]
#[derive(Debug, Clone, PartialEq)]
pub struct AuthHeader(String);

/// The user, as the identity provider knows them. With an index, so that the requests of one user are found at once.
#[slot(index)]
#[derive(Debug, Clone, PartialEq)]
pub struct Claims {
    pub sub: String,
    pub roles: Vec<String>,
}

/// Requests of this user in the current minute, this one included.
#[slot]
#[derive(Debug, Clone, PartialEq)]
pub struct RateLimit {
    pub used: u32,
    pub window_ends_in_s: u32,
}

/// Reads the bearer token.
#[step]
fn parse_auth(request: &Request) -> Result<AuthHeader, Failure> {
    request.bearer().map(|token| AuthHeader(token.to_owned())).ok_or_else(|| Failure::unauthorized("session"))
}

/// Looks up the user of the token at the identity provider.
#[step]
fn lookup_user(auth: &AuthHeader) -> Decision<Claims> {
    Need(
        http::get("http://identity.internal/verify")
            .bearer(&auth.0)
            .timeout(900.millis())
            .json_or_none::<Claims>()
            .try_map(|claims| claims.ok_or_else(|| Failure::unauthorized("session"))),
    )
}

/// Fails with 403 if the user has no role.
#[step]
fn verify_roles(claims: &Claims) -> Result<(), Failure> {
    if claims.roles.is_empty() { Err(Failure::forbidden("user").key(&claims.sub)) } else { Ok(()) }
}

#[step]
fn count_request(claims: &Claims, now: &ArrivalTime) -> Decision<RateLimit> {
    let minute = now.unix_s() / 60;
    let ends_in_s = (60 - now.unix_s() % 60) as u32;
    let used = kv::expires_in(2.minutes()).add(("requests", claims.sub.as_str(), minute), 1);
    Need(used.map(move |used| RateLimit {
        used: u32::try_from(used).unwrap_or(u32::MAX),
        window_ends_in_s: ends_in_s,
    }))
}

#[step]
fn limit_rate(limit: &RateLimit) -> Result<(), Failure> {
    if limit.used > PER_MINUTE { Err(Failure::limited("user", limit.window_ends_in_s)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_read_from_the_header() {
        let request = Request::get("/").with_header("authorization", "Bearer ann-token");
        assert_eq!(parse_auth(&request), Ok(AuthHeader("ann-token".into())));
        assert_eq!(parse_auth(&Request::get("/")), Err(Failure::unauthorized("session")));
    }

    #[test]
    fn too_many_requests_fail_with_the_time_to_wait() {
        let limit = |used| limit_rate(&RateLimit { used, window_ends_in_s: 7 });
        assert_eq!(limit(PER_MINUTE), Ok(()));
        assert_eq!(limit(PER_MINUTE + 1), Err(Failure::limited("user", 7)));
    }
}

//! Failures that tell a client to authenticate, as RFC 6750 describes them.

use std::fmt::Write as _;

use zerver::prelude::*;

/// Name of the header.
const WWW_AUTHENTICATE: &str = "www-authenticate";

/// 401 without an error code: the request has no credentials (RFC 6750, section 3.1).
pub(crate) fn missing_token() -> Failure {
    Failure::unauthorized("token")
        .message("this request needs a bearer token")
        .header(WWW_AUTHENTICATE, "Bearer")
}

/// 400: the header is not what RFC 6750 defines. `why` is part of the response.
pub(crate) fn invalid_request(why: &'static str) -> Failure {
    let challenge = bearer_challenge("invalid_request", why, None);
    Failure::invalid("authorization").message(why).header(WWW_AUTHENTICATE, challenge)
}

/// 401: the token does not authenticate the client. `why` is part of the response.
pub(crate) fn invalid_token(why: &'static str) -> Failure {
    let challenge = bearer_challenge("invalid_token", why, None);
    Failure::unauthorized("token").message(why).header(WWW_AUTHENTICATE, challenge)
}

/// 403: the client is known, and is not allowed to do this. `scope` is what it lacks.
pub(crate) fn insufficient_scope(what: &'static str, scope: &str, why: impl std::fmt::Display) -> Failure {
    let challenge = bearer_challenge("insufficient_scope", "", Some(scope));
    Failure::forbidden(what).message(why).header(WWW_AUTHENTICATE, challenge)
}

/// Returns the value of the header. The parts are quoted strings of characters that RFC 6750, section 3, allows.
fn bearer_challenge(error: &str, description: &str, scope: Option<&str>) -> String {
    let mut text = format!("Bearer error=\"{error}\"");
    if !description.is_empty() {
        let _ = write!(text, ", error_description=\"{}\"", allowed(description));
    }
    if let Some(scope) = scope {
        let _ = write!(text, ", scope=\"{}\"", allowed(scope));
    }
    text
}

/// Removes what may not occur in a description or a scope: `%x20-21 / %x23-5B / %x5D-7E` stays.
fn allowed(text: &str) -> String {
    text.chars().filter(|c| matches!(c, ' '..='~') && !matches!(c, '"' | '\\')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge(failure: &Failure) -> String {
        failure.to_response().headers[WWW_AUTHENTICATE].to_str().unwrap().to_owned()
    }

    #[test]
    fn challenges_are_those_of_rfc_6750() {
        assert_eq!(challenge(&missing_token()), "Bearer");
        assert_eq!(
            challenge(&invalid_token("the token has expired")),
            "Bearer error=\"invalid_token\", error_description=\"the token has expired\""
        );
        let failure = insufficient_scope("capability", "orders:write", "needs the capability orders:write");
        assert_eq!(challenge(&failure), "Bearer error=\"insufficient_scope\", scope=\"orders:write\"");
        assert_eq!((failure.status(), invalid_request("twice").status()), (403, 400));
    }

    #[test]
    fn a_scope_cannot_end_its_quotes() {
        let failure = insufficient_scope("role", "a\", error=\"x\\\r\né", "");
        assert_eq!(challenge(&failure), "Bearer error=\"insufficient_scope\", scope=\"a, error=x\"");
    }
}

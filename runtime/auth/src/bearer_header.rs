//! The bearer token of a request (RFC 6750, section 2.1).

use zerver::prelude::*;

use crate::challenge::{invalid_request, invalid_token, missing_token};

/// Maximum length of a token, in bytes. Browsers and proxies limit headers to 8 KiB.
pub(crate) const MAX_TOKEN_LEN: usize = 8 * 1024;

/// Returns the token of a request, or `None` if the request has no credentials.
///
/// # Errors
/// If there are several `Authorization` headers, another scheme, or a token with characters that no token has.
pub(crate) fn token(request: &Request) -> Result<Option<&str>, Failure> {
    let mut values = request.headers.get_all("authorization").iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(invalid_request("there is more than one Authorization header"));
    }
    let text = value.to_str().map_err(|_| invalid_request("the Authorization header is not ASCII"))?;
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(missing_token().message("the credentials of this request are not a bearer token"));
    }
    let token = token.trim_ascii();
    if token.is_empty() {
        return Err(invalid_request("the Authorization header has no token"));
    }
    if token.len() > MAX_TOKEN_LEN {
        return Err(invalid_token("the token is too long"));
    }
    if !is_b64token(token) {
        return Err(invalid_request("the token has characters that no bearer token has"));
    }
    Ok(Some(token))
}

/// Returns the token of a request that must have one.
pub(crate) fn required_token(request: &Request) -> Result<&str, Failure> {
    token(request)?.ok_or_else(missing_token)
}

/// Returns true for the characters of the `b64token` of RFC 6750.
fn is_b64token(token: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-._~+/=".contains(c);
    token.chars().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Result<Option<String>, u16> {
        let request = Request::get("/").with_header("authorization", value);
        token(&request).map(|token| token.map(str::to_owned)).map_err(|failure| failure.status())
    }

    #[test]
    fn a_token_follows_the_scheme() {
        for value in ["Bearer abc.d-e_f~+/==", "bearer  abc.d-e_f~+/== ", "BEARER abc.d-e_f~+/=="] {
            assert_eq!(read(value), Ok(Some("abc.d-e_f~+/==".to_owned())), "{value}");
        }
        assert_eq!(token(&Request::get("/")), Ok(None));
        assert_eq!(read("Basic YTpi"), Err(401));
        for value in ["Bearer", "Bearer ", "Bearer a b", "Bearer a,b", "Bearer \"a\"", "Bearer ä"] {
            assert_eq!(read(value), Err(400), "{value}");
        }
        assert_eq!(read(&format!("Bearer {}", "a".repeat(MAX_TOKEN_LEN + 1))), Err(401));
        let twice = Request::get("/")
            .with_header("authorization", "Bearer a")
            .with_header("authorization", "Bearer b");
        assert_eq!(token(&twice).unwrap_err().status(), 400);
    }
}

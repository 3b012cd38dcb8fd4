//! The key of a request, and the fingerprint that tells one request from another.

use zerver_engine::{Failure, Request};

/// Name of the header.
pub(super) const HEADER: &str = "idempotency-key";

/// Maximum length of a key, in bytes.
pub const MAX_KEY_LEN: usize = 255;

/// Returns the key of a request, if it has one.
pub(super) fn key(request: &Request) -> Result<Option<String>, Failure> {
    let invalid = |why: &str| Failure::invalid(HEADER).message(why);
    let mut values = request.headers.get_all(HEADER).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(invalid("there is more than one Idempotency-Key"));
    }
    let text = value.to_str().map_err(|_| invalid("the Idempotency-Key is not ASCII"))?.trim();
    let key = match text.strip_prefix('"') {
        Some(quoted) => {
            unquoted(quoted).ok_or_else(|| invalid("the Idempotency-Key is not a quoted string"))?
        }
        None => text.to_owned(),
    };
    if key.is_empty() || key.len() > MAX_KEY_LEN {
        return Err(invalid("an Idempotency-Key has 1 to 255 characters"));
    }
    Ok(Some(key))
}

/// Returns the content of a string of RFC 8941, section 3.3.3, without its first quote.
fn unquoted(text: &str) -> Option<String> {
    let mut content = String::new();
    let mut chars = text.chars();
    loop {
        match chars.next()? {
            '"' => return chars.as_str().is_empty().then_some(content),
            '\\' => content.push(chars.next().filter(|escaped| matches!(escaped, '"' | '\\'))?),
            char => content.push(char),
        }
    }
}

/// Returns a hash of the method, the target and the body.
pub(super) fn fingerprint(request: &Request) -> String {
    let mut hasher = blake3::Hasher::new();
    let target = request.uri.path_and_query().map_or("/", |target| target.as_str());
    for part in [request.method.as_str().as_bytes(), target.as_bytes(), &request.body[..]] {
        // The lengths keep the parts apart.
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize().to_hex()[..32].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_of(value: &str) -> Result<Option<String>, String> {
        key(&Request::get("/").with_header(HEADER, value))
            .map_err(|failure| failure.message_text().to_owned())
    }

    #[test]
    fn a_key_is_a_quoted_string_or_bare() {
        for (value, key) in [
            (r#""8e03978e-40d5""#, "8e03978e-40d5"),
            ("8e03978e-40d5", "8e03978e-40d5"),
            (r#" "a \"b\" \\ c" "#, r#"a "b" \ c"#),
        ] {
            assert_eq!(key_of(value), Ok(Some(key.to_owned())), "{value}");
        }
        for value in [r#""open"#, r#""a" b"#, r#""a\x""#, r#""""#, "", &"k".repeat(256)] {
            assert!(key_of(value).is_err(), "{value}");
        }
        assert_eq!(key(&Request::get("/")), Ok(None));
    }

    #[test]
    fn requests_that_differ_have_different_fingerprints() {
        let mut request = Request::get("/a?b");
        let first = fingerprint(&request);
        request.body = "c".into();
        let second = fingerprint(&request);
        assert!(first != second && second != fingerprint(&Request::get("/a?bc")) && first.len() == 32);
    }
}

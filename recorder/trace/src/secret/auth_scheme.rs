//! Authentication schemes (RFC 9110, section 11.1).

/// Schemes that precede credentials in a header, in lower case.
const SCHEMES: [&[u8]; 13] = [
    b"bearer",
    b"basic",
    b"digest",
    b"negotiate",
    b"token",
    b"apikey",
    b"api-key",
    b"dpop",
    b"hmac",
    b"signature",
    b"ntlm",
    b"aws4-hmac-sha256",
    b"hawk",
];

/// Returns true if a word is the scheme of an `authorization` header, which is not a secret: `Bearer`, `Basic`.
pub fn is_scheme(word: &[u8]) -> bool {
    SCHEMES.iter().any(|scheme| word.eq_ignore_ascii_case(scheme))
}

//! Secrets that are recognizable without a name.

use super::scanner::Scan;
use crate::secret::{base64_decoded, is_searchable, placeholder};

/// Prefixes by which issuers mark their tokens, with the minimum length of such a token.
const MARKED: [(&str, usize); 20] = [
    ("ghp_", 20),
    ("gho_", 20),
    ("ghu_", 20),
    ("ghs_", 20),
    ("ghr_", 20),
    ("github_pat_", 20),
    ("glpat-", 16),
    ("xoxb-", 16),
    ("xoxa-", 16),
    ("xoxp-", 16),
    ("xoxr-", 16),
    ("xoxs-", 16),
    ("sk_live_", 16),
    ("sk_test_", 16),
    ("rk_live_", 16),
    ("sk-", 20),
    ("AKIA", 20),
    ("ASIA", 20),
    ("AIza", 30),
    ("whsec_", 20),
];
/// Beginnings of JSON Web Tokens (RFC 7519): `{"alg"`, `{"typ"`, `{"kid"`, `{"enc"`.
const JOSE: [&[u8]; 4] = [b"eyJhbGci", b"eyJ0eXAi", b"eyJraWQi", b"eyJlbmMi"];
/// Minimum length of a JSON Web Token. Shorter texts are something else.
const MIN_JWT: usize = 20;
/// Maximum length of a user name and password together.
const MAX_USER: usize = 256;
/// Maximum length of the first line of a private key.
const PEM_LINE: usize = 64;

/// Schemes whose credentials are a single word.
const SCHEMES: [&str; 3] = ["bearer", "basic", "dpop"];

impl Scan<'_, '_> {
    /// Handles a secret that begins at or next to `at`. Returns the index at which to continue.
    pub(super) fn unnamed(&mut self, at: usize) -> Option<usize> {
        let rest = &self.text[at..];
        match rest {
            [b':', b'/', b'/', ..] => self.user_information(at),
            [b'@', ..] => self.before_at(at),
            [b'-', b'-', ..] => self.private_key(at),
            [b'e', b'y', b'J', ..] => self.web_token(at),
            _ => self.marked(at).or_else(|| self.scheme(at)),
        }
    }

    /// Handles `scheme://user:password@host`.
    fn user_information(&mut self, at: usize) -> Option<usize> {
        let start = at + 3;
        let is_end = |b: &u8| b.is_ascii_whitespace() || b"/?#\"'<>\\`".contains(b);
        let len = self.text[start..].iter().position(is_end).unwrap_or(self.text.len() - start);
        let authority = &self.text[start..start + len];
        let user = authority.iter().rposition(|&b| b == b'@')?;
        match authority[..user].iter().position(|&b| b == b':') {
            Some(colon) => self.value(start + colon + 1..start + user),
            // A token in place of a user name.
            None if is_searchable(&authority[..user]) => self.value(start..start + user),
            None => {}
        }
        Some(start + user)
    }

    /// Handles `user:password@tcp(host:3306)/name`.
    fn before_at(&mut self, at: usize) -> Option<usize> {
        let is_end = |b: &u8| b.is_ascii_whitespace() || b"\"'<>=\\`".contains(b);
        let start = at - self.text[..at].iter().rev().take(MAX_USER).take_while(|b| !is_end(b)).count();
        let colon = self.text[start..at].iter().position(|&b| b == b':')?;
        self.value(start + colon + 1..at);
        Some(at + 1)
    }

    /// Handles a private key between its two marker lines (RFC 7468).
    fn private_key(&mut self, at: usize) -> Option<usize> {
        const BEGIN: &[u8] = b"-----BEGIN ";
        if !self.text[at..].starts_with(BEGIN) {
            return None;
        }
        let label = at + BEGIN.len();
        let start = self.find(label, b"-----", PEM_LINE)? + 5;
        self.find(label, b"PRIVATE KEY", start - label)?;
        let end = self.find(start, b"-----END", usize::MAX).unwrap_or(self.text.len());
        self.spans.push(start..end);
        Some(end)
    }

    /// Handles a JSON Web Token.
    fn web_token(&mut self, at: usize) -> Option<usize> {
        if !self.is_start(at) {
            return None;
        }
        let is_part = |b: &u8| b.is_ascii_alphanumeric() || b"_-.".contains(b);
        let len = self.text[at..].iter().take_while(|b| is_part(b)).count();
        let token = &self.text[at..at + len];
        let token = &token[..token.iter().rposition(|&b| b != b'.').map_or(0, |last| last + 1)];
        let dots = token.iter().filter(|&&b| b == b'.').count();
        if token.len() < MIN_JWT || (dots == 0 && !JOSE.iter().any(|start| token.starts_with(start))) {
            return None;
        }
        self.spans.push(at..at + token.len());
        Some(at + token.len())
    }

    /// Handles a token with one of the [`MARKED`] prefixes.
    fn marked(&mut self, at: usize) -> Option<usize> {
        let (_, min) = MARKED.iter().find(|(start, _)| self.text[at..].starts_with(start.as_bytes()))?;
        if !self.is_start(at) {
            return None;
        }
        let is_part = |b: &&u8| b.is_ascii_alphanumeric() || matches!(**b, b'_' | b'-');
        let len = self.text[at..].iter().take_while(is_part).count();
        let token = &self.text[at..at + len];
        if len < *min || !token.iter().any(u8::is_ascii_digit) || !is_searchable(token) {
            return None;
        }
        self.spans.push(at..at + len);
        Some(at + len)
    }

    /// Handles an authentication scheme followed by credentials (RFC 9110, section 11.4).
    fn scheme(&mut self, at: usize) -> Option<usize> {
        let scheme = SCHEMES.iter().find(|scheme| self.is_at(at, scheme.as_bytes()))?;
        if !self.is_start(at) {
            return None;
        }
        let after = at + scheme.len();
        let space = match self.text.get(after)? {
            b' ' | b'+' => self.skip(after, b" +"),
            b'%' if self.is_at(after, b"%20") => after + 3,
            _ => return None,
        };
        let is_part = |b: &u8| b.is_ascii_alphanumeric() || b"-._~+/=".contains(b);
        let len = self.text[space..].iter().take_while(|b| is_part(b)).count();
        let token = &self.text[space..space + len];
        let is_secret = match *scheme {
            "basic" => base64_decoded(token).is_some_and(|plain| plain.contains(&b':')),
            _ => is_searchable(token) && !placeholder::is_visible(token, self.author),
        };
        if !is_secret {
            return None;
        }
        self.spans.push(space..space + len);
        Some(space + len)
    }

    /// Returns true if a word can begin at `at`: no word precedes it directly. An escape such as `%22` is not part of a
    /// word.
    fn is_start(&self, at: usize) -> bool {
        match &self.text[..at] {
            [.., b'%', a, b] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => true,
            [.., b'\\', b'n' | b't' | b'r'] => true,
            before => before.last().is_none_or(|b| !(b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))),
        }
    }
}

//! Stems: the beginnings of secrets and of their names. Searching for them is a fast check that most texts fail.

/// Beginnings of the names of secrets, and of secrets that are recognized by their beginning, in lower case.
#[rustfmt::skip]
const STEMS: [&str; 56] = [
    "auth", "cookie", "token", "pass", "pwd", "secret", "api", "credential", "sig", "sess", "jwt", "otp",
    "cvv", "cvc", "csc", "ssn", "card", "ccn", "cc_", "cc-", "assertion", "dpop", "pin", "key", "code",
    "phrase", "mnemonic", "csrf", "xsrf", "bearer", "basic", "hmac", "saml", "sid", "verifier", "social",
    "private",
    // Secrets that need no name.
    "://", "eyj", "-----begin", "@tcp(", "@unix(", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_",
    "glpat-", "xox", "sk_", "sk-", "rk_live_", "akia", "asia", "aiza",
];

/// A search for stems.
#[derive(Debug, Clone)]
pub(super) struct Stems {
    /// First three bytes of each stem, with the bit set that distinguishes lower from upper case.
    beginnings: Vec<u32>,
    /// Bit set of the first two pairs of letters of each stem. Only the lower five bits of a letter count, which do not
    /// depend on case.
    pairs: [u64; 16],
    /// Stems of the settings.
    more: Vec<String>,
}

/// Packs three bytes, with the bit set that distinguishes lower from upper case.
const fn lower_three([a, b, c]: [u8; 3]) -> u32 {
    ((a as u32) << 16 | (b as u32) << 8 | c as u32) | 0x20_2020
}

const fn pair(a: u8, b: u8) -> usize {
    (a as usize & 31) << 5 | b as usize & 31
}

impl Stems {
    /// Creates a search for the built-in stems and these, which are in lower case. Stems of less than three bytes are
    /// not found.
    pub(super) fn with(more: Vec<String>) -> Self {
        let mut stems = Self { beginnings: Vec::new(), pairs: [0; 16], more };
        let more = std::mem::take(&mut stems.more);
        for stem in STEMS.iter().copied().chain(more.iter().map(String::as_str)) {
            if let Some(&[a, b, c]) = stem.as_bytes().first_chunk() {
                stems.beginnings.push(lower_three([a, b, c]));
                for pair in [pair(a, b), pair(b, c)] {
                    stems.pairs[pair >> 6] |= 1 << (pair & 63);
                }
            }
        }
        stems.beginnings.sort_unstable();
        stems.beginnings.dedup();
        stems.more = more;
        stems
    }

    /// Returns the index of the next stem at or after `from`.
    pub(super) fn next(&self, bytes: &[u8], from: usize) -> Option<usize> {
        let rest = bytes.get(from..)?;
        let mut at = 0;
        // Only every second pair is looked up. One of a stem's first two pairs is among them, wherever the stem begins.
        while at + 1 < rest.len() {
            let pair = pair(rest[at], rest[at + 1]);
            if self.pairs[pair >> 6] >> (pair & 63) & 1 == 1 {
                if at > 0 && self.is_at(&rest[at - 1..]) {
                    return Some(from + at - 1);
                }
                if self.is_at(&rest[at..]) {
                    return Some(from + at);
                }
            }
            at += 2;
        }
        None
    }

    #[inline]
    fn is_at(&self, bytes: &[u8]) -> bool {
        let Some(three) = bytes.first_chunk() else { return false };
        let three = lower_three(*three);
        // Compared with all, not searched: that takes a few instructions for several at a time.
        self.beginnings.iter().fold(false, |is_one, beginning| is_one | (*beginning == three))
            && self.begins_with_stem(bytes)
    }

    fn begins_with_stem(&self, bytes: &[u8]) -> bool {
        let begins = |stem: &str| {
            bytes.get(..stem.len()).is_some_and(|word| word.eq_ignore_ascii_case(stem.as_bytes()))
        };
        STEMS.iter().any(|stem| begins(stem)) || self.more.iter().any(|stem| begins(stem))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stems_are_found_at_any_position() {
        let stems = Stems::with(vec!["invite".to_owned()]);
        for stem in STEMS.into_iter().chain(["invite"]) {
            for stem in [stem.to_owned(), stem.to_uppercase()] {
                for before in 0..5 {
                    let text = format!("{}{stem}{}", "q".repeat(before), "q".repeat(before / 2));
                    assert_eq!(stems.next(text.as_bytes(), 0), Some(before), "{text}");
                    assert_eq!(stems.next(text.as_bytes(), before), Some(before), "{text}");
                }
            }
        }
        assert_eq!(stems.next(b"a cookie with a token", 0), Some(2));
        assert_eq!(stems.next(b"plain text, nothing to see", 0), None);
    }
}

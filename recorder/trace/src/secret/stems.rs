//! Stems: the beginnings of secrets and of their names. Searching for them is a fast check that most texts fail.

use super::TrigramFilter;

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
    beginnings: TrigramFilter,
    /// Bit set of the first two pairs of letters of each stem. Only the lower five bits of a letter count, which do not
    /// depend on case.
    pairs: [u64; 16],
    /// All stems, by the lower five bits of their first byte.
    by_first: Vec<Box<str>>,
    /// Positions in `by_first`: those of `n` begin at the `n`th and end at the next one.
    starts: [u32; 33],
}

/// Sets the bit that distinguishes lower from upper case.
const fn lower([a, b, c]: [u8; 3]) -> [u8; 3] {
    [a | 32, b | 32, c | 32]
}

const fn pair(a: u8, b: u8) -> usize {
    (a as usize & 31) << 5 | b as usize & 31
}

impl Stems {
    /// Creates a search for the built-in stems and these, which are in lower case. Stems of less than three bytes are
    /// not found.
    pub(super) fn with(more: Vec<String>) -> Self {
        let more = more.into_iter().map(String::into_boxed_str);
        let mut all: Vec<Box<str>> = STEMS.into_iter().map(Box::from).chain(more).collect();
        all.retain(|stem| stem.len() >= 3);
        all.sort_by_key(|stem| group(stem.as_bytes()));
        let mut stems =
            Self { beginnings: TrigramFilter::default(), pairs: [0; 16], starts: [0; 33], by_first: all };
        for stem in &stems.by_first {
            stems.starts[group(stem.as_bytes()) + 1] += 1;
            if let Some(&[a, b, c]) = stem.as_bytes().first_chunk() {
                stems.beginnings.insert(lower([a, b, c]));
                for pair in [pair(a, b), pair(b, c)] {
                    stems.pairs[pair >> 6] |= 1 << (pair & 63);
                }
            }
        }
        for at in 1..stems.starts.len() {
            stems.starts[at] += stems.starts[at - 1];
        }
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
        bytes.first_chunk().is_some_and(|three| self.beginnings.has(lower(*three)))
            && self.begins_with_stem(bytes)
    }

    fn begins_with_stem(&self, bytes: &[u8]) -> bool {
        let group = group(bytes);
        let within = self.starts[group] as usize..self.starts[group + 1] as usize;
        let begins = |stem: &str| {
            bytes.get(..stem.len()).is_some_and(|word| word.eq_ignore_ascii_case(stem.as_bytes()))
        };
        self.by_first[within].iter().any(|stem| begins(stem))
    }
}

/// Returns the group of a text that is not empty: the lower five bits of its first byte, which do not depend on case.
const fn group(bytes: &[u8]) -> usize {
    bytes[0] as usize & 31
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

//! Where in a text a name of a secret, or a secret itself, may begin: a quick pass over texts of which most have none.

/// How the names of secrets begin, and secrets that are known by how they begin; in small letters.
#[rustfmt::skip]
const STEMS: [&str; 56] = [
    "auth", "cookie", "token", "pass", "pwd", "secret", "api", "credential", "sig", "sess", "jwt", "otp",
    "cvv", "cvc", "csc", "ssn", "card", "ccn", "cc_", "cc-", "assertion", "dpop", "pin", "key", "code",
    "phrase", "mnemonic", "csrf", "xsrf", "bearer", "basic", "hmac", "saml", "sid", "verifier", "social",
    "private",
    // What needs no name.
    "://", "eyj", "-----begin", "@tcp(", "@unix(", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_",
    "glpat-", "xox", "sk_", "sk-", "rk_live_", "akia", "asia", "aiza",
];

/// A set of runs of three bytes, which says yes to others now and then.
#[derive(Debug, Clone, Copy, Default)]
pub struct TrigramFilter([u64; 16]);

impl TrigramFilter {
    /// Adds a run.
    pub const fn insert(&mut self, [a, b, c]: [u8; 3]) {
        let hash = Self::hash((a as u32) << 16 | (b as u32) << 8 | c as u32);
        self.0[hash >> 6] |= 1 << (hash & 63);
    }

    /// Adds all that are in some bytes.
    pub fn insert_all(&mut self, bytes: &[u8]) {
        bytes.windows(3).for_each(|three| self.insert([three[0], three[1], three[2]]));
    }

    /// Whether the bytes of which these are the triples may have `run` in them, by how it begins.
    pub fn may_have(&self, run: &[u8]) -> bool {
        run.windows(3).take(6).all(|three| self.has([three[0], three[1], three[2]]))
    }

    const fn hash(three: u32) -> usize {
        (three.wrapping_mul(0x9e37_79b1) >> 22) as usize
    }

    /// Whether this may be one of them.
    pub fn has(&self, [a, b, c]: [u8; 3]) -> bool {
        let hash = Self::hash(u32::from(a) << 16 | u32::from(b) << 8 | u32::from(c));
        self.0[hash >> 6] >> (hash & 63) & 1 == 1
    }

    /// Where in some bytes one of them may begin.
    #[inline]
    pub fn positions(&self, bytes: &[u8]) -> impl Iterator<Item = usize> {
        let mut three = 0;
        bytes.iter().enumerate().filter_map(move |(at, &byte)| {
            three = (three << 8 | u32::from(byte)) & 0xff_ffff;
            let hash = Self::hash(three);
            (self.0[hash >> 6] >> (hash & 63) & 1 == 1 && at >= 2).then(|| at - 2)
        })
    }
}

/// Finds stems.
#[derive(Debug, Clone)]
pub(super) struct Stems {
    /// How the stems begin, with the bit set that small letters have and capital ones have not.
    beginnings: TrigramFilter,
    /// The first and the second letter of each stem, and its second and third: of each pair of letters, whether it is one
    /// of those. Of a letter, only five bits count, which are the same for small and capital ones.
    pairs: [u64; 16],
    /// Those of the settings.
    more: Vec<String>,
}

const fn pair(a: u8, b: u8) -> usize {
    (a as usize & 31) << 5 | b as usize & 31
}

impl Stems {
    /// Those above and these, in small letters; what has no three bytes is not found.
    pub(super) fn with(more: Vec<String>) -> Self {
        let mut stems = Self { beginnings: TrigramFilter::default(), pairs: [0; 16], more };
        let more = std::mem::take(&mut stems.more);
        for stem in STEMS.iter().copied().chain(more.iter().map(String::as_str)) {
            if let Some(&[a, b, c]) = stem.as_bytes().first_chunk() {
                stems.beginnings.insert([a | 32, b | 32, c | 32]);
                for pair in [pair(a, b), pair(b, c)] {
                    stems.pairs[pair >> 6] |= 1 << (pair & 63);
                }
            }
        }
        stems.more = more;
        stems
    }

    /// Where the next one begins.
    pub(super) fn next(&self, bytes: &[u8], from: usize) -> Option<usize> {
        let rest = bytes.get(from..)?;
        let mut at = 0;
        // Every stem has one of its pairs where this looks, whether it begins at an even place or at an odd one.
        while at + 1 < rest.len() {
            let pair = pair(rest[at], rest[at + 1]);
            if self.pairs[pair >> 6] >> (pair & 63) & 1 == 1 {
                let found = (at.saturating_sub(1)..=at).find(|&at| self.is_at(&rest[at..]));
                if let Some(at) = found {
                    return Some(from + at);
                }
            }
            at += 2;
        }
        None
    }

    fn is_at(&self, bytes: &[u8]) -> bool {
        let begins = |stem: &str| {
            bytes.get(..stem.len()).is_some_and(|word| word.eq_ignore_ascii_case(stem.as_bytes()))
        };
        bytes.first_chunk().is_some_and(|three: &[u8; 3]| self.beginnings.has(three.map(|byte| byte | 32)))
            && (STEMS.iter().any(|stem| begins(stem)) || self.more.iter().any(|stem| begins(stem)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stems_are_found_wherever_they_stand() {
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

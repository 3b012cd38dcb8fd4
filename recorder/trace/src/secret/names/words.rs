//! Splitting of names into words.

/// Maximum length of a name that is examined, in bytes.
pub(crate) const MAX_NAME: usize = 128;
/// Maximum number of words that count. If a name has more, the last ones count.
const MAX_WORDS: usize = 12;

/// Words of a name. Words begin at capital letters and digits, and are separated by all other characters.
pub(crate) struct NameWords<'n> {
    words: [&'n [u8]; MAX_WORDS],
    len: usize,
    /// Index of the first word of the last part, as in `user[max_tokens]` and `user.max_tokens`.
    pub(super) last_part: usize,
}

impl<'n> NameWords<'n> {
    /// Splits a name into words.
    pub(crate) fn split(name: &'n [u8]) -> Self {
        let mut words = Self { words: [&[]; MAX_WORDS], len: 0, last_part: 0 };
        let mut start = 0;
        for at in 0..=name.len() {
            let is_end = name.get(at).is_none_or(|byte| !byte.is_ascii_alphanumeric());
            if is_end {
                words.push(&name[start..at]);
                start = at + 1;
                let is_part = matches!(name.get(at), Some(b'[' | b'.'));
                if is_part && name.get(start).is_some_and(u8::is_ascii_alphanumeric) {
                    words.last_part = words.len;
                }
            } else if at > start && is_boundary(name, at) {
                words.push(&name[start..at]);
                start = at;
            }
        }
        words
    }

    fn push(&mut self, word: &'n [u8]) {
        if word.is_empty() {
            return;
        }
        if self.len == MAX_WORDS {
            self.words.rotate_left(1);
            self.len -= 1;
            self.last_part = self.last_part.saturating_sub(1);
        }
        self.words[self.len] = word;
        self.len += 1;
    }

    /// Returns the words that count.
    pub(crate) fn all(&self) -> &[&'n [u8]] {
        &self.words[..self.len]
    }
}

/// Returns true if a word begins at index `at`, which is within letters and digits.
fn is_boundary(name: &[u8], at: usize) -> bool {
    let (before, here) = (name[at - 1], name[at]);
    // The `s` of a plural does not begin a word: `JWTs`.
    let next_is_small = match &name[at + 1..] {
        [b's'] => false,
        rest => rest.first().is_some_and(u8::is_ascii_lowercase),
    };
    match (before.is_ascii_digit(), here.is_ascii_digit()) {
        // `2fa` is one word.
        (true, false) => !here.is_ascii_lowercase() || (at > 1 && name[at - 2].is_ascii_digit()),
        (false, true) => true,
        (true, true) => false,
        (false, false) => {
            here.is_ascii_uppercase()
                && (before.is_ascii_lowercase() || (before.is_ascii_uppercase() && next_is_small))
        }
    }
}

//! Classification of names by their words.

use std::iter::zip;

use super::NameWords;
use super::lists::{
    ABOUT, ABOUT_FIRST, ANYWHERE, BY_CHANCE, ITSELF, LAST, OTHER_KEY, OTHER_SIGNATURE, PAGE, PAIRS,
    PARAMETERS, WHOLE, WORDS,
};

/// Sensitivity of a value, as far as its name determines it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sensitivity {
    /// The name does not mark a secret.
    #[default]
    NotSecret,
    /// The value is a secret. Nested values are too, unless their own names describe a property of a secret.
    Secret,
    /// The value is a secret if it is text. For nested values, their own names decide.
    SecretText,
}

/// Classifies a name. Digits at its end are ignored: `password1`.
pub(crate) fn classify(name: &NameWords<'_>) -> Sensitivity {
    let words = without_number(name.all());
    let (Some(first), Some(last)) = (words.first(), words.last()) else { return Sensitivity::NotSecret };
    let part = words.get(name.last_part..).unwrap_or_default();
    let sensitivity = candidate(words, part);
    if sensitivity == Sensitivity::NotSecret || is_about(words) || first_is_about(part) {
        return Sensitivity::NotSecret;
    }
    // Headers of CORS, such as `access-control-allow-credentials`.
    if words.len() > 2 && is(first, "access") && is(words[1], "control") {
        return Sensitivity::NotSecret;
    }
    let before = words.len().checked_sub(2).map(|at| words[at]);
    let is_page_token =
        has(last, "token") && before.is_some_and(|word| PAGE.iter().any(|page| is(word, page)));
    let is_joined_page_token = PAGE.iter().any(|page| is_joined(last, page, "token"));
    let is_other_signature = is_one_of(last, "signature")
        && before.is_some_and(|word| OTHER_SIGNATURE.iter().any(|other| is(word, other)));
    if is_page_token || is_joined_page_token || is_other_signature {
        return Sensitivity::NotSecret;
    }
    sensitivity
}

/// Returns the sensitivity of an entry with the given name, whose own sensitivity is `own`, within a parent.
pub(crate) fn child(own: Sensitivity, name: &[u8], parent: Sensitivity) -> Sensitivity {
    match (own, parent) {
        (_, Sensitivity::Secret) if is_about(NameWords::split(name).all()) => Sensitivity::NotSecret,
        (_, Sensitivity::Secret) => Sensitivity::Secret,
        (Sensitivity::NotSecret, Sensitivity::SecretText)
            if ITSELF.iter().any(|wanted| name.eq_ignore_ascii_case(wanted.as_bytes())) =>
        {
            Sensitivity::Secret
        }
        (own, _) => own,
    }
}

/// Returns true if the name describes a property of a secret.
pub(crate) fn is_about(words: &[&[u8]]) -> bool {
    let words = without_number(words);
    let Some(last) = words.last() else { return false };
    // The link in a password reset mail contains a token in its path.
    let is_link = (is(last, "url") || is(last, "uri")) && words.iter().any(|word| is(word, "reset"));
    !is_link && ABOUT.iter().any(|about| is(last, about))
}

/// Returns true if a header of this name is a secret, beyond the names that [`classify`] recognizes.
pub(crate) fn is_header(name: &NameWords<'_>) -> bool {
    match name.all() {
        [.., before, last] if is(last, "key") => !OTHER_KEY.iter().any(|other| is(before, other)),
        _ => false,
    }
}

/// Returns true if a URL parameter of this name is a secret, beyond the names that [`classify`] recognizes.
pub(crate) fn is_parameter(name: &NameWords<'_>) -> bool {
    matches!(name.all(), [word] if PARAMETERS.iter().any(|wanted| is(word, wanted)))
}

/// Returns true if the value of a header or pair of this name has the syntax of credentials: a scheme or names before
/// the secret.
pub(crate) fn is_credentials_header(name: &[u8]) -> bool {
    has(name, "authorization") || has(name, "cookie")
}

/// Returns true if the name is plural, so that a number under it is a count.
pub(crate) fn is_plural(name: &[u8]) -> bool {
    name.last().is_some_and(|last| last | 32 == b's')
}

/// Returns true if the name contains these words in sequence, or their plurals.
pub(crate) fn contains(name: &NameWords<'_>, wanted: &[String]) -> bool {
    !wanted.is_empty()
        && name
            .all()
            .windows(wanted.len())
            .any(|window| zip(window, wanted).all(|(word, wanted)| is_one_of(word, wanted)))
}

/// Classifies a name by the words that mark a secret, without regard to those that describe a property of one.
fn candidate(words: &[&[u8]], part: &[&[u8]]) -> Sensitivity {
    let anywhere = |word: &[u8]| {
        ANYWHERE.iter().any(|part| has(word, part)) && !BY_CHANCE.iter().any(|part| begins(word, part))
    };
    // `pins` are usually those of a map.
    let is_word = |word: &[u8]| WORDS.iter().any(|wanted| is_one_of(word, wanted)) && !is(word, "pins");
    if words.iter().any(|word| anywhere(word) || is_word(word)) {
        return Sensitivity::Secret;
    }
    if WHOLE.iter().any(|whole| whole.len() == part.len() && zip(*whole, part).all(|(a, b)| is(b, a))) {
        return Sensitivity::Secret;
    }
    let is_pair = |pair: &[&[u8]]| {
        PAIRS.iter().any(|(second, firsts)| {
            is_one_of(pair[1], second) && firsts.iter().any(|first| is(pair[0], first))
        })
    };
    if words.windows(2).any(is_pair) {
        return Sensitivity::Secret;
    }
    match words.last() {
        Some(last) if LAST.iter().any(|wanted| is(last, wanted)) => Sensitivity::SecretText,
        _ => Sensitivity::NotSecret,
    }
}

fn first_is_about(part: &[&[u8]]) -> bool {
    let [first, _, ..] = part else { return false };
    ABOUT_FIRST.iter().any(|about| is(first, about))
}

/// Returns the words without numbers at the end.
fn without_number<'w, 'n>(words: &'w [&'n [u8]]) -> &'w [&'n [u8]] {
    let end = words.iter().rposition(|word| !word.iter().all(u8::is_ascii_digit)).map_or(0, |at| at + 1);
    &words[..end]
}

fn is(word: &[u8], wanted: &str) -> bool {
    word.eq_ignore_ascii_case(wanted.as_bytes())
}

/// Returns true if a word is the wanted one, or its plural.
fn is_one_of(word: &[u8], wanted: &str) -> bool {
    is(word, wanted) || word.split_last().is_some_and(|(last, word)| last | 32 == b's' && is(word, wanted))
}

fn has(word: &[u8], part: &str) -> bool {
    word.windows(part.len()).any(|window| is(window, part))
}

fn begins(word: &[u8], part: &str) -> bool {
    word.get(..part.len()).is_some_and(|start| is(start, part))
}

/// Returns true if a word ends with these two words joined, as in `pagetoken`.
fn is_joined(word: &[u8], first: &str, second: &str) -> bool {
    word.split_at_checked(word.len().saturating_sub(second.len())).is_some_and(|(start, end)| {
        is(end, second) && start.len() >= first.len() && is(&start[start.len() - first.len()..], first)
    })
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;

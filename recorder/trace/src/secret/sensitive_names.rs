//! Names of secrets: a name is split into words, and the words decide. `docs/secrets.md` has the same lists.

/// The longest name that is looked at, in bytes.
pub(super) const MAX_NAME: usize = 128;
/// The most words of a name that count, the last ones.
const MAX_WORDS: usize = 12;

/// Words that name a secret wherever they stand in a name, also joined to others: `dbpassword`, `accesstoken`.
#[rustfmt::skip]
const ANYWHERE: [&str; 16] = [
    "password", "passwd", "passwort", "passphrase", "passcode", "passkey", "secret", "token", "credential",
    "assertion", "cookie", "apikey", "privatekey", "sessionid", "sessid", "authorization",
];
/// Words in which one of those stands by chance.
const BY_CHANCE: [&str; 5] = ["secretar", "secreti", "tokeni", "tokenless", "passwordless"];

/// Words that name a secret when they stand by themselves in a name.
#[rustfmt::skip]
const WORDS: [&str; 26] = [
    "pwd", "jwt", "otp", "totp", "hotp", "pin", "cvv", "cvc", "csc", "ssn", "dpop", "csrf", "xsrf",
    "bearer", "hmac", "sig", "mnemonic", "userpwd", "dbpwd", "userpass", "dbpass", "cardnumber", "ccnumber",
    "authkey", "accesskey", "signature",
];

/// Words that name a secret as the last one of a name: `x-auth`, `user_session`.
const LAST: [&str; 4] = ["auth", "oauth", "session", "authentication"];

/// Names that are a secret as a whole.
const WHOLE: [&[&str]; 6] = [
    &["pass"],
    &["sid"],
    &["connect", "sid"],
    &["one", "time", "code"],
    &["d", "po", "p"],
    &["oauth", "verifier"],
];

/// Two words one after another; the second may be in the plural.
#[rustfmt::skip]
const PAIRS: [(&str, &[&str]); 15] = [
    (
        "key",
        &[
            "api", "access", "secret", "private", "auth", "authorization", "session", "encryption",
            "encrypt", "decryption", "signing", "sign", "master", "subscription", "function", "functions",
            "shared", "account", "storage", "service", "client", "consumer", "app", "admin", "deploy",
            "webhook", "ssh", "gpg", "pgp", "aes", "rsa", "license", "recovery",
        ],
    ),
    (
        "code",
        &[
            "verification", "auth", "authorization", "authentication", "security", "access", "recovery",
            "backup", "mfa", "2fa", "factor", "sms", "login", "device", "user", "reset", "magic", "pass",
            "pin",
        ],
    ),
    ("number", &["card", "pin", "cc"]),
    ("num", &["card", "cc"]),
    ("no", &["card"]),
    ("card", &["credit", "debit"]),
    ("phrase", &["seed", "recovery", "pass", "secret"]),
    ("id", &["session", "sess"]),
    ("verifier", &["code"]),
    ("response", &["saml"]),
    ("word", &["pass"]),
    ("security", &["social"]),
    ("hash", &["session", "auth"]),
    ("value", &["session", "auth"]),
    (
        "pass",
        &[
            "db", "database", "user", "smtp", "ftp", "ldap", "mail", "email", "root", "admin", "proxy",
            "login",
        ],
    ),
];

/// Last words which say that a name is about a secret and not one: `token_count`, `password_policy`.
#[rustfmt::skip]
const ABOUT: [&str; 62] = [
    "count", "counts", "type", "types", "length", "len", "size", "limit", "limits", "max", "min", "minimum",
    "maximum", "total", "used", "usage", "remaining", "budget", "policy", "strength", "score", "expiry",
    "expires", "expired", "expiration", "exp", "ttl", "age", "lifetime", "at", "on", "in", "url", "uri",
    "endpoint", "name", "field", "label", "title", "placeholder", "required", "enabled", "disabled",
    "valid", "invalid", "verified", "changed", "status", "state", "error", "errors", "message", "messages",
    "description", "algorithm", "alg", "method", "format", "scope", "scopes", "consent", "input",
];
/// First words which say the same: `max_tokens`, `has_password`.
#[rustfmt::skip]
const ABOUT_FIRST: [&str; 13] =
    ["max", "min", "num", "total", "has", "is", "use", "uses", "with", "prompt", "completion", "forgot", "n"];

/// What comes before `token` where that is a place in a list and no secret.
#[rustfmt::skip]
const PAGE: [&str; 10] = [
    "page", "next", "previous", "prev", "continuation", "sync", "cursor", "pagination", "resume",
    "continue",
];

/// What comes before `signature` where that is no secret.
const OTHER_SIGNATURE: [&str; 4] = ["email", "method", "function", "type"];

/// What comes before `key` in headers that hold no secret; any other header whose name ends so does.
#[rustfmt::skip]
const OTHER_KEY: [&str; 29] = [
    "cache", "surrogate", "idempotency", "idempotence", "websocket", "socket", "public", "partition", "routing",
    "shard", "sort", "primary", "foreign", "correlation", "dedup", "deduplication", "object", "row",
    "group", "order", "lookup", "event", "message", "index", "map", "translation", "hash", "trace", "range",
];

/// Short names that are secret as parameters of a URL, where they are common.
const PARAMETERS: [&str; 3] = ["key", "code", "pass"];

/// What a name says of what stands under it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sensitivity {
    /// Nothing.
    #[default]
    NotSecret,
    /// It is a secret; what is nested in it as well, unless its own name is about a secret.
    Secret,
    /// A text is a secret; of what is nested in it, what the names there say.
    SecretText,
}

/// The words of a name, as they stand there: at capital letters, at digits, and at whatever is neither.
pub(super) struct Words<'n> {
    words: [&'n [u8]; MAX_WORDS],
    len: usize,
    /// Where the words of its last part begin: `user[max_tokens]`, `user.max_tokens`.
    last_part: usize,
}

impl<'n> Words<'n> {
    pub(super) fn of(name: &'n [u8]) -> Self {
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

    pub(super) fn all(&self) -> &[&'n [u8]] {
        &self.words[..self.len]
    }
}

/// Whether a word begins at a place within letters and digits.
fn is_boundary(name: &[u8], at: usize) -> bool {
    let (before, here) = (name[at - 1], name[at]);
    // The letter of a plural is none: `JWTs`.
    let next_is_small = match &name[at + 1..] {
        [b's'] => false,
        rest => rest.first().is_some_and(u8::is_ascii_lowercase),
    };
    match (before.is_ascii_digit(), here.is_ascii_digit()) {
        // `2fa` is a word.
        (true, false) => !here.is_ascii_lowercase() || (at > 1 && name[at - 2].is_ascii_digit()),
        (false, true) => true,
        (true, true) => false,
        (false, false) => {
            here.is_ascii_uppercase()
                && (before.is_ascii_lowercase() || (before.is_ascii_uppercase() && next_is_small))
        }
    }
}

fn is(word: &[u8], wanted: &str) -> bool {
    word.eq_ignore_ascii_case(wanted.as_bytes())
}

/// The same, or its plural.
fn is_one_of(word: &[u8], wanted: &str) -> bool {
    is(word, wanted) || word.split_last().is_some_and(|(last, word)| last | 32 == b's' && is(word, wanted))
}

fn has(word: &[u8], part: &str) -> bool {
    word.windows(part.len()).any(|window| is(window, part))
}

fn begins(word: &[u8], part: &str) -> bool {
    word.get(..part.len()).is_some_and(|start| is(start, part))
}

/// What the words of a name say. Digits at its end are left aside: `password1`.
pub(super) fn said(words: &Words<'_>) -> Sensitivity {
    let last_part = words.last_part;
    let words = words.all();
    let end = words.iter().rposition(|word| !word.iter().all(u8::is_ascii_digit)).map_or(0, |at| at + 1);
    let words = &words[..end];
    let (Some(first), Some(last)) = (words.first(), words.last()) else { return Sensitivity::NotSecret };
    let part = words.get(last_part..).unwrap_or_default();
    let said = candidate(words, part);
    if said == Sensitivity::NotSecret || is_about(words) || first_is_about(part) {
        return Sensitivity::NotSecret;
    }
    // Headers of CORS, such as `access-control-allow-credentials`.
    if words.len() > 2 && is(first, "access") && is(words[1], "control") {
        return Sensitivity::NotSecret;
    }
    let before = words.len().checked_sub(2).map(|at| words[at]);
    let is_token = has(last, "token") && before.is_some_and(|word| PAGE.iter().any(|page| is(word, page)));
    let is_joined_page = PAGE.iter().any(|page| is_joined(last, page, "token"));
    let is_other_signature = is_one_of(last, "signature")
        && before.is_some_and(|word| OTHER_SIGNATURE.iter().any(|other| is(word, other)));
    if is_token || is_joined_page || is_other_signature {
        return Sensitivity::NotSecret;
    }
    said
}

/// Whether a word is these two, as in `pagetoken`.
fn is_joined(word: &[u8], first: &str, second: &str) -> bool {
    word.split_at_checked(word.len().saturating_sub(second.len())).is_some_and(|(start, end)| {
        is(end, second) && start.len() >= first.len() && is(&start[start.len() - first.len()..], first)
    })
}

fn first_is_about(part: &[&[u8]]) -> bool {
    let [first, _, ..] = part else { return false };
    ABOUT_FIRST.iter().any(|about| is(first, about))
}

/// Whether the last word says that what stands there is about a secret.
pub(super) fn is_about(words: &[&[u8]]) -> bool {
    let end = words.iter().rposition(|word| !word.iter().all(u8::is_ascii_digit)).map_or(0, |at| at + 1);
    let words = &words[..end];
    let Some(last) = words.last() else { return false };
    // The link of a mail to whom a password is reset by has a token in its path.
    let is_link = (is(last, "url") || is(last, "uri")) && words.iter().any(|word| is(word, "reset"));
    !is_link && ABOUT.iter().any(|about| is(last, about))
}

fn candidate(words: &[&[u8]], part: &[&[u8]]) -> Sensitivity {
    let anywhere = |word: &[u8]| {
        ANYWHERE.iter().any(|part| has(word, part)) && !BY_CHANCE.iter().any(|part| begins(word, part))
    };
    // Pins are on maps.
    let is_word = |word: &[u8]| WORDS.iter().any(|wanted| is_one_of(word, wanted)) && !is(word, "pins");
    if words.iter().any(|word| anywhere(word) || is_word(word)) {
        return Sensitivity::Secret;
    }
    if WHOLE
        .iter()
        .any(|whole| whole.len() == part.len() && std::iter::zip(*whole, part).all(|(a, b)| is(b, a)))
    {
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

/// What the words of a header's name say, beyond what [`said`] does.
pub(super) fn is_header(words: &Words<'_>) -> bool {
    match words.all() {
        [.., before, last] if is(last, "key") => !OTHER_KEY.iter().any(|other| is(before, other)),
        _ => false,
    }
}

/// The same for the parameter of a URL.
pub(super) fn is_parameter(words: &Words<'_>) -> bool {
    matches!(words.all(), [word] if PARAMETERS.iter().any(|wanted| is(word, wanted)))
}

/// Whether the value of a header or pair of this name is written as in a header: words and names before the secret.
pub(super) fn is_credentials_header(name: &[u8]) -> bool {
    has(name, "authorization") || has(name, "cookie")
}

/// Whether it is in the plural, so that a number under it is how many there are.
pub(super) fn is_plural(name: &[u8]) -> bool {
    name.last().is_some_and(|last| last | 32 == b's')
}

/// Whether the words of a name have these words in them, or their plurals, one after another.
pub(super) fn contains(words: &Words<'_>, wanted: &[String]) -> bool {
    !wanted.is_empty()
        && words
            .all()
            .windows(wanted.len())
            .any(|window| std::iter::zip(window, wanted).all(|(word, wanted)| is_one_of(word, wanted)))
}

#[cfg(test)]
mod tests;

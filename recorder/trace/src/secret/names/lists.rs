//! Word lists for the names of secrets. `docs/reference/secrets.md` contains the same lists.

/// Words that mark a secret anywhere in a name, also when joined to other words: `dbpassword`, `accesstoken`.
#[rustfmt::skip]
pub(super) const ANYWHERE: [&str; 16] = [
    "password", "passwd", "passwort", "passphrase", "passcode", "passkey", "secret", "token", "credential",
    "assertion", "cookie", "apikey", "privatekey", "sessionid", "sessid", "authorization",
];
/// Words that contain one of [`ANYWHERE`] by chance.
pub(super) const BY_CHANCE: [&str; 5] = ["secretar", "secreti", "tokeni", "tokenless", "passwordless"];

/// Words that mark a secret when they are a separate word of a name.
#[rustfmt::skip]
pub(super) const WORDS: [&str; 26] = [
    "pwd", "jwt", "otp", "totp", "hotp", "pin", "cvv", "cvc", "csc", "ssn", "dpop", "csrf", "xsrf",
    "bearer", "hmac", "sig", "mnemonic", "userpwd", "dbpwd", "userpass", "dbpass", "cardnumber", "ccnumber",
    "authkey", "accesskey", "signature",
];

/// Words that mark a secret as the last word of a name: `x-auth`, `user_session`.
pub(super) const LAST: [&str; 4] = ["auth", "oauth", "session", "authentication"];

/// Complete names that mark a secret.
pub(super) const WHOLE: [&[&str]; 6] = [
    &["pass"],
    &["sid"],
    &["connect", "sid"],
    &["one", "time", "code"],
    &["d", "po", "p"],
    &["oauth", "verifier"],
];

/// Pairs of adjacent words that mark a secret, as the second word and the possible first words. The second word may be
/// plural.
#[rustfmt::skip]
pub(super) const PAIRS: [(&str, &[&str]); 15] = [
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

/// Last words of names that describe a property of a secret: `token_count`, `password_policy`.
#[rustfmt::skip]
pub(super) const ABOUT: [&str; 62] = [
    "count", "counts", "type", "types", "length", "len", "size", "limit", "limits", "max", "min", "minimum",
    "maximum", "total", "used", "usage", "remaining", "budget", "policy", "strength", "score", "expiry",
    "expires", "expired", "expiration", "exp", "ttl", "age", "lifetime", "at", "on", "in", "url", "uri",
    "endpoint", "name", "field", "label", "title", "placeholder", "required", "enabled", "disabled",
    "valid", "invalid", "verified", "changed", "status", "state", "error", "errors", "message", "messages",
    "description", "algorithm", "alg", "method", "format", "scope", "scopes", "consent", "input",
];
/// First words of names that describe a property of a secret: `max_tokens`, `has_password`.
#[rustfmt::skip]
pub(super) const ABOUT_FIRST: [&str; 13] =
    ["max", "min", "num", "total", "has", "is", "use", "uses", "with", "prompt", "completion", "forgot", "n"];

/// Words before `token` in the name of a position in a list, which is not a secret.
#[rustfmt::skip]
pub(super) const PAGE: [&str; 10] = [
    "page", "next", "previous", "prev", "continuation", "sync", "cursor", "pagination", "resume",
    "continue",
];

/// Words before `signature` in names that do not mark a secret.
pub(super) const OTHER_SIGNATURE: [&str; 4] = ["email", "method", "function", "type"];

/// Words before `key` in headers that do not contain a secret. Every other header whose name ends with `key` does.
#[rustfmt::skip]
pub(super) const OTHER_KEY: [&str; 29] = [
    "cache", "surrogate", "idempotency", "idempotence", "websocket", "socket", "public", "partition", "routing",
    "shard", "sort", "primary", "foreign", "correlation", "dedup", "deduplication", "object", "row",
    "group", "order", "lookup", "event", "message", "index", "map", "translation", "hash", "trace", "range",
];

/// Short names that mark a secret only as parameters of a URL.
pub(super) const PARAMETERS: [&str; 3] = ["key", "code", "pass"];

/// Names of entries that contain the very thing that their parent is named after.
pub(super) const ITSELF: [&str; 6] = ["id", "key", "value", "hash", "data", "raw"];

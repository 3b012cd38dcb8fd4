//! The URL of a fleet: a database, and a namespace in it.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use tokio_postgres::Config;
use zerver_postgres_connect::{SettingsError, TlsConnector, parse, without_setting};
use zerver_recorder::regular_file;

/// Namespace of a URL without one.
const DEFAULT_NAMESPACE: &str = "zerver";
/// Maximum length of a name in PostgreSQL, in bytes.
const MAX_NAME: usize = 63;
/// Maximum length of a file with a password, in bytes.
const MAX_PASSWORD: u64 = 4096;

/// The reason why a text is no URL of a fleet. It contains no part of the text, which may contain a password.
#[derive(Debug, thiserror::Error)]
pub enum UrlError {
    /// Another scheme than that of PostgreSQL.
    #[error("not the URL of a fleet; write one like postgres://user@host/database?ns=shop_prod")]
    Scheme,
    /// A namespace that is no plain name.
    #[error(
        "{0:?} is not a namespace: use up to 63 of a-z, 0-9 and _, beginning with a letter and not with pg_"
    )]
    Namespace(String),
    /// A file with a password that cannot be read.
    #[error("cannot read the password in {path}: {reason}")]
    Password {
        /// Path of the file.
        path: String,
        /// The cause.
        reason: String,
    },
    /// A setting that PostgreSQL does not know.
    #[error(transparent)]
    Settings(#[from] SettingsError),
}

/// The URL of a fleet: `postgres://user@host/database?ns=shop_prod`. Displayed without its password.
#[derive(Clone)]
pub struct FleetUrl {
    shown: String,
    namespace: String,
    pub(crate) config: Config,
    pub(crate) tls: TlsConnector,
}

impl FleetUrl {
    /// Returns true if a text is meant as the URL of a fleet.
    pub fn is_url(text: &str) -> bool {
        text.starts_with("postgres://") || text.starts_with("postgresql://")
    }

    /// Returns the namespace: the name of a schema of PostgreSQL.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Returns a statement for this namespace, from one with `{ns}` in its place.
    pub(crate) fn sql(&self, text: &str) -> String {
        text.replace("{ns}", &self.namespace)
    }
}

impl FromStr for FleetUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        if !Self::is_url(text) {
            return Err(UrlError::Scheme);
        }
        let (rest, namespace) = without_setting(text, "ns");
        let (rest, password_file) = without_setting(&rest, "passfile");
        let namespace = namespace.unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned());
        if !is_name(&namespace) {
            return Err(UrlError::Namespace(namespace));
        }
        let (mut config, tls) = parse(&rest)?;
        if let Some(path) = password_file {
            let password = regular_file::read_text(Path::new(&path), MAX_PASSWORD);
            let password =
                password.map_err(|error| UrlError::Password { path, reason: error.to_string() })?;
            config.password(password.trim_end_matches(['\n', '\r']));
        }
        Ok(Self { shown: without_password(text), namespace, config, tls })
    }
}

/// Returns true if a name needs no quotes in a statement, so that it cannot end one.
fn is_name(text: &str) -> bool {
    text.len() <= MAX_NAME
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        && !text.starts_with("pg_")
}

fn without_password(url: &str) -> String {
    let (url, _) = without_setting(url, "password");
    let Some((scheme, rest)) = url.split_once("://") else { return String::new() };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    // A password may contain an @ or a slash that should have been escaped.
    let (user, host) = match rest.rfind('@') {
        Some(at) if at > end => return format!("{scheme}://..."),
        _ => authority.rsplit_once('@').map_or(("", authority), |(user, host)| (user, host)),
    };
    match user.split_once(':').map_or(user, |(name, _)| name) {
        "" => format!("{scheme}://{host}{path}"),
        user => format!("{scheme}://{user}@{host}{path}"),
    }
}

impl fmt::Display for FleetUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for FleetUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_namespace_and_is_shown_without_its_password() {
        for (text, namespace, shown) in [
            ("postgres://h/d", "zerver", "postgres://h/d"),
            (
                "postgres://ann:p%40w@h:5433/d?ns=shop_prod",
                "shop_prod",
                "postgres://ann@h:5433/d?ns=shop_prod",
            ),
            (
                "postgresql://ann@h/d?sslmode=require&ns=a1",
                "a1",
                "postgresql://ann@h/d?sslmode=require&ns=a1",
            ),
            ("postgres:///d?host=/tmp&password=pw&ns=x", "x", "postgres:///d?host=/tmp&ns=x"),
        ] {
            let url: FleetUrl = text.parse().unwrap();
            assert_eq!((url.namespace(), url.to_string().as_str()), (namespace, shown), "{text}");
            assert!(!format!("{url:?}").contains("pw"));
        }
        for wrong in ["postgres://h/d?ns=a;drop", "postgres://h/d?ns=pg_x", "postgres://h/d?ns=", "./store"] {
            assert!(wrong.parse::<FleetUrl>().is_err(), "{wrong}");
        }
        let error = "postgres://u:hunter2@h:x/d".parse::<FleetUrl>().unwrap_err();
        assert!(!format!("{error:?} {error}").contains("hunter2"));
        assert!(!without_password("postgres://u:hun/ter@h/d").contains("hun"));
    }

    #[test]
    fn a_password_may_lie_in_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("password");
        std::fs::write(&file, "hunter2\n").unwrap();
        let url: FleetUrl = format!("postgres://u@h/d?passfile={}", file.display()).parse().unwrap();
        assert_eq!(url.config.get_password(), Some(&b"hunter2"[..]));
        assert!("postgres://u@h/d?passfile=/nowhere".parse::<FleetUrl>().is_err());
    }
}

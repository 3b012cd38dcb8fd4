//! The URL of a fleet on PostgreSQL: a database, and a namespace in it, which is a schema.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use tokio_postgres::Config;
use zerver_postgres_connect::{TlsConnector, parse, without_setting};
use zerver_recorder::regular_file;

use crate::bucket::bucket_url::BucketUrl;
use crate::fleet_url::{UrlError, namespace_of};

/// Maximum length of a file with a password, in bytes.
const MAX_PASSWORD: u64 = 4096;

/// A database, and a namespace in it. Displayed without its password.
#[derive(Clone)]
pub(crate) struct PostgresUrl {
    shown: String,
    namespace: String,
    pub(crate) config: Config,
    pub(crate) tls: TlsConnector,
    /// False if the archive of the namespace is not to be read.
    pub(crate) is_archive_read: bool,
    /// Variables of the environment with the key of the archive.
    pub(crate) variables: BTreeMap<&'static str, String>,
}

impl PostgresUrl {
    pub(crate) fn is_url(text: &str) -> bool {
        text.starts_with("postgres://") || text.starts_with("postgresql://")
    }

    pub(crate) fn parse(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, UrlError> {
        let (rest, namespace) = namespace_of(text)?;
        let (rest, archive) = without_setting(&rest, "archive");
        let is_archive_read = match archive.as_deref() {
            None | Some("on") => true,
            Some("off") => false,
            Some(_) => return Err(UrlError::Archive),
        };
        let variables = BucketUrl::variables().filter_map(|name| Some((name, variable(name)?))).collect();
        let (rest, password_file) = without_setting(&rest, "passfile");
        let (mut config, tls) = parse(&rest)?;
        if let Some(path) = password_file {
            let password = regular_file::read_text(Path::new(&path), MAX_PASSWORD);
            let password =
                password.map_err(|error| UrlError::Password { path, reason: error.to_string() })?;
            config.password(password.trim_end_matches(['\n', '\r']));
        }
        Ok(Self { shown: without_password(text), namespace, config, tls, is_archive_read, variables })
    }

    /// Returns the namespace: the name of a schema.
    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Returns a statement for this namespace, from one with `{ns}` in its place, and `{name}` where it is part of a text.
    pub(crate) fn sql(&self, text: &str) -> String {
        // Quoted, because a namespace may be called like a word of SQL.
        text.replace("{ns}", &format!("\"{}\"", self.namespace)).replace("{name}", &self.namespace)
    }
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

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::{PostgresUrl, UrlError, without_password};

    fn parse(text: &str) -> Result<PostgresUrl, UrlError> {
        PostgresUrl::parse(text, &|_| None)
    }

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
            let url = parse(text).unwrap();
            assert_eq!((url.namespace(), url.to_string().as_str()), (namespace, shown), "{text}");
        }
        for wrong in [
            "postgres://h/d?ns=a;drop",
            "postgres://h/d?ns=pg_x",
            "postgres://h/d?ns=",
            "postgres://h/d?archive=no",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        let url = parse("postgres://h/d?ns=all").unwrap();
        assert_eq!(url.sql("select '{name}' from {ns}.fleet"), r#"select 'all' from "all".fleet"#);
        let error = parse("postgres://u:hunter2@h:x/d").map(|_| ()).unwrap_err();
        assert!(!format!("{error:?} {error}").contains("hunter2"));
        assert!(!without_password("postgres://u:hun/ter@h/d").contains("hun"));
    }

    #[test]
    fn a_password_may_lie_in_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("password");
        std::fs::write(&file, "hunter2\n").unwrap();
        let url = parse(&format!("postgres://u@h/d?passfile={}", file.display())).unwrap();
        assert_eq!(url.config.get_password(), Some(&b"hunter2"[..]));
        assert!(parse("postgres://u@h/d?passfile=/nowhere").is_err());
    }
}

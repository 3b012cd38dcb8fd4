//! The URL of a fleet: a database or a bucket, and a namespace in it.

use std::fmt;
use std::str::FromStr;

use zerver_postgres_connect::{SettingsError, without_setting};

use crate::bucket::bucket_url::BucketUrl;
use crate::keys::key_ring::KeySource;
use crate::postgres::postgres_url::PostgresUrl;

/// Namespace of a URL without one.
const DEFAULT_NAMESPACE: &str = "zerver";
/// Maximum length of a name in PostgreSQL, in bytes.
const MAX_NAME: usize = 63;

/// The reason why a text is no URL of a fleet. It contains no part of the text, which may contain a password.
#[derive(Debug, thiserror::Error)]
pub enum UrlError {
    /// Another scheme than those of PostgreSQL and S3.
    #[error(
        "not the URL of a fleet; write one like postgres://user@host/database?ns=shop_prod or \
         s3://bucket/prefix?ns=shop_prod"
    )]
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
    /// Another word for whether the archive is read.
    #[error("archive is on or off")]
    Archive,
    /// A bucket, an endpoint or a setting that cannot be used.
    #[error("{0}")]
    Bucket(String),
}

/// The URL of a fleet: `postgres://user@host/database?ns=shop_prod` or `s3://bucket/prefix?ns=shop_prod`. Displayed without
/// its password.
#[derive(Clone)]
pub struct FleetUrl {
    pub(crate) location: Location,
    /// The keys with which secrets can be read.
    pub(crate) keys: KeySource,
}

/// Where a fleet is.
#[derive(Clone)]
pub(crate) enum Location {
    /// A database.
    Postgres(Box<PostgresUrl>),
    /// A bucket.
    Bucket(Box<BucketUrl>),
}

impl FleetUrl {
    /// Returns true if a text is meant as the URL of a fleet.
    pub fn is_url(text: &str) -> bool {
        PostgresUrl::is_url(text) || BucketUrl::is_url(text)
    }

    /// Parses a URL. `variable` returns the variables of the environment, which may have the key, the region and the
    /// endpoint of a bucket or an archive, and name the keys with which secrets can be read.
    ///
    /// # Errors
    /// If it is no URL of a fleet.
    pub fn parse_with(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, UrlError> {
        let (text, key_file) = without_setting(text, "keyfile");
        let location = if PostgresUrl::is_url(&text) {
            Location::Postgres(Box::new(PostgresUrl::parse(&text, variable)?))
        } else if BucketUrl::is_url(&text) {
            Location::Bucket(Box::new(BucketUrl::parse(&text, variable)?))
        } else {
            return Err(UrlError::Scheme);
        };
        Ok(Self { location, keys: KeySource::new(key_file, variable) })
    }

    /// Returns the namespace: a schema of PostgreSQL, or a folder of the bucket.
    pub fn namespace(&self) -> &str {
        match &self.location {
            Location::Postgres(url) => url.namespace(),
            Location::Bucket(url) => url.namespace(),
        }
    }

    /// Returns true if the fleet is in a bucket.
    pub const fn is_bucket(&self) -> bool {
        matches!(self.location, Location::Bucket(_))
    }
}

impl FromStr for FleetUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        Self::parse_with(text, &|name| std::env::var(name).ok())
    }
}

/// Returns a URL without its namespace, and the namespace.
pub(crate) fn namespace_of(url: &str) -> Result<(String, String), UrlError> {
    let (rest, namespace) = without_setting(url, "ns");
    let namespace = namespace.unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned());
    if is_name(&namespace) { Ok((rest, namespace)) } else { Err(UrlError::Namespace(namespace)) }
}

/// Returns true if a name needs no quotes in a statement, so that it cannot end one.
fn is_name(text: &str) -> bool {
    text.len() <= MAX_NAME
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        && !text.starts_with("pg_")
}

impl fmt::Display for FleetUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.location {
            Location::Postgres(url) => url.fmt(f),
            Location::Bucket(url) => url.fmt(f),
        }
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
    fn schemes_tell_databases_from_buckets_and_both_from_folders() {
        assert!(!"postgres://h/d".parse::<FleetUrl>().unwrap().is_bucket());
        let url: FleetUrl = "s3://traces/prod?ns=shop".parse().unwrap();
        assert!(url.is_bucket() && url.namespace() == "shop");
        for wrong in ["./store", "mysql://h/d", "s3:bucket"] {
            assert!(!FleetUrl::is_url(wrong) && wrong.parse::<FleetUrl>().is_err(), "{wrong}");
        }
        let with_key: FleetUrl = "postgres://h/d?keyfile=/run/key&ns=shop".parse().unwrap();
        assert_eq!(with_key.to_string(), "postgres://h/d?ns=shop");
        assert_eq!(with_key.keys, KeySource::new(Some("/run/key".to_owned()), &|_| None));
        let secret: FleetUrl = "postgres://u:hunter2@h/d".parse().unwrap();
        assert!(!format!("{secret} {secret:?}").contains("hunter2"));
    }
}

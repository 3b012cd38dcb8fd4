//! The URL of a fleet in a bucket. The key that signs requests comes from where programs of Amazon find theirs, and never from
//! the URL.

use std::fmt;
use std::path::Path;

use zerver_postgres_connect::without_setting;
use zerver_s3_connect::{S3Connection, SettingsError, VARIABLES};

use crate::fleet_url::{UrlError, namespace_of};

const SCHEME: &str = "s3://";
const DEFAULT_REGION: &str = "us-east-1";
/// Variables of the environment that name what a URL leaves open.
const PLACE_VARIABLES: [&str; 4] =
    ["AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"];
/// Maximum length of the prefix of all keys, in bytes. A key may have 1024.
const MAX_PREFIX: usize = 512;

/// A bucket, and a namespace in it, which is the start of its keys.
#[derive(Clone)]
pub(crate) struct BucketUrl {
    shown: String,
    namespace: String,
    /// Start of all keys of the namespace. Ends with a slash.
    pub(crate) prefix: String,
    pub(crate) connection: S3Connection,
}

impl BucketUrl {
    /// Returns the variables of the environment that a URL of a bucket leaves things to.
    pub(crate) fn variables() -> impl Iterator<Item = &'static str> {
        PLACE_VARIABLES.into_iter().chain(VARIABLES)
    }

    pub(crate) fn is_url(text: &str) -> bool {
        text.starts_with(SCHEME)
    }

    pub(crate) fn parse(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, UrlError> {
        let wrong = |reason: &str| UrlError::Bucket(reason.to_owned());
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let (rest, namespace) = namespace_of(text)?;
        let (rest, endpoint) = without_setting(&rest, "endpoint");
        let (rest, region) = without_setting(&rest, "region");
        let (rest, certificates) = without_setting(&rest, "ca");
        let path = rest.strip_prefix(SCHEME).ok_or(UrlError::Scheme)?;
        if path.contains('@') {
            return Err(wrong(
                "a URL has no key: name it with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment",
            ));
        }
        if let Some((_, unknown)) = path.split_once('?') {
            let name: String = unknown.split('=').next().unwrap_or_default().chars().take(40).collect();
            return Err(UrlError::Bucket(format!(
                "the setting {name:?} of the URL is not known: use ns, endpoint, region, ca and keyfile"
            )));
        }
        let (bucket, folder) = path.split_once('/').unwrap_or((path, ""));
        if bucket.len() < 3
            || !bucket.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
        {
            return Err(wrong("the URL names no bucket: write s3://bucket/prefix?ns=shop_prod"));
        }
        let folder = folder.trim_end_matches('/');
        let is_part = |part: &str| !part.is_empty() && part != "." && part != "..";
        if folder.len() > MAX_PREFIX
            || folder.chars().any(char::is_control)
            || !(folder.is_empty() || folder.split('/').all(is_part))
        {
            return Err(wrong("the prefix of the keys has empty parts, or is longer than 512 bytes"));
        }
        let region = region.or_else(|| variable("AWS_REGION")).or_else(|| variable("AWS_DEFAULT_REGION"));
        let region = region.unwrap_or_else(|| DEFAULT_REGION.to_owned());
        let endpoint = endpoint
            .or_else(|| variable("AWS_ENDPOINT_URL_S3"))
            .or_else(|| variable("AWS_ENDPOINT_URL"))
            .unwrap_or_else(|| format!("https://s3.{region}.amazonaws.com"));
        if endpoint.contains('@') || !(endpoint.starts_with("https://") || endpoint.starts_with("http://")) {
            return Err(wrong("the endpoint has to be like https://s3.eu-central-1.amazonaws.com"));
        }
        let unusable = |error: SettingsError| UrlError::Bucket(error.to_string());
        let mut connection = S3Connection::new(&endpoint, &region, bucket)
            .and_then(|open| open.with_environment(&variable))
            .map_err(unusable)?;
        if let Some(file) = certificates.or_else(|| variable("AWS_CA_BUNDLE")) {
            connection = connection.with_certificates(Path::new(&file)).map_err(unusable)?;
        }
        let prefix =
            if folder.is_empty() { format!("{namespace}/") } else { format!("{folder}/{namespace}/") };
        Ok(Self { shown: text.to_owned(), namespace, prefix, connection })
    }

    /// Returns the namespace.
    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }
}

impl fmt::Display for BucketUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<BucketUrl, UrlError> {
        let variable = |name: &str| match name {
            "AWS_ACCESS_KEY_ID" => Some("key".to_owned()),
            "AWS_SECRET_ACCESS_KEY" => Some("hunter2".to_owned()),
            "AWS_REGION" => Some("eu-central-1".to_owned()),
            _ => None,
        };
        BucketUrl::parse(text, &variable)
    }

    #[test]
    fn a_url_names_a_bucket_a_prefix_and_a_namespace() {
        for (text, prefix, object) in [
            ("s3://traces", "zerver/", "https://s3.eu-central-1.amazonaws.com/traces/a"),
            ("s3://traces/?ns=shop", "shop/", "https://s3.eu-central-1.amazonaws.com/traces/a"),
            (
                "s3://traces/a/b/?ns=shop&endpoint=http://127.0.0.1:9000&region=x",
                "a/b/shop/",
                "http://127.0.0.1:9000/traces/a",
            ),
            ("s3://traces/a?endpoint=http:%2F%2Fhost", "a/zerver/", "http://host/traces/a"),
        ] {
            let url = parsed(text).unwrap();
            assert_eq!(url.prefix, prefix, "{text}");
            assert_eq!(url.connection.bucket().object_url("a").as_str(), object, "{text}");
            assert!(url.connection.has_credentials());
            assert_eq!(url.to_string(), text);
        }
    }

    #[test]
    fn what_cannot_be_used_is_refused_without_repeating_it() {
        for (text, reason) in [
            ("s3://key:hunter2@traces/a", "AWS_ACCESS_KEY_ID"),
            ("s3://traces/a?secret=hunter2", "\"secret\" of the URL is not known"),
            ("s3:///a", "names no bucket"),
            ("s3://tra ces/a", "names no bucket"),
            ("s3://traces/a//b", "empty parts"),
            ("s3://traces/../b", "empty parts"),
            ("s3://traces?endpoint=ftp://h", "the endpoint"),
            ("s3://traces?endpoint=https://u:hunter2@h", "the endpoint"),
            ("s3://traces?ns=a;b", "not a namespace"),
            ("s3://traces?ca=/nowhere", "certificates in /nowhere"),
        ] {
            let error = parsed(text).map(|_| ()).unwrap_err().to_string();
            assert!(error.contains(reason) && !error.contains("hunter2"), "{text}: {error}");
        }
    }
}

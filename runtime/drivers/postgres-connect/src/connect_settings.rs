//! Connection settings from a URL.

use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use crate::tls::{self, TlsConnector, Verification};

/// Limit of the time to open a connection, unless the URL has another (`connect_timeout`).
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Error in the settings of a connection. It contains no part of the URL, which may contain a password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The URL cannot be parsed.
    #[error("not a URL of PostgreSQL")]
    Url(#[source] tokio_postgres::Error),
    /// The certificates of `sslrootcert` cannot be used.
    #[error("cannot use the certificates of sslrootcert: {0}")]
    Certificates(String),
}

/// Parses a URL (`postgresql://user@host/database`), or pairs (`host=.. user=..`). `sslmode` and `sslrootcert` are taken
/// out, because the client does not know all of their values.
///
/// # Errors
/// If it is no URL, or the certificates cannot be read.
pub fn parse(url: &str) -> Result<(Config, TlsConnector), SettingsError> {
    let (rest, mode) = without_setting(url, "sslmode");
    let (rest, root_file) = without_setting(&rest, "sslrootcert");
    let verification = match mode.as_deref() {
        Some("verify-ca" | "verify-full") => Verification::Full { root_file },
        _ => Verification::None,
    };
    let mut config: Config = rest.parse().map_err(SettingsError::Url)?;
    match mode.as_deref() {
        None | Some("prefer" | "allow") => config.ssl_mode(SslMode::Prefer),
        Some("disable") => config.ssl_mode(SslMode::Disable),
        // An unknown mode must not mean less than the strictest known one.
        Some(_) => config.ssl_mode(SslMode::Require),
    };
    // There is no TLS on a Unix socket, as in libpq.
    if config.get_hosts().iter().all(|host| matches!(host, Host::Unix(_))) {
        config.ssl_mode(SslMode::Disable);
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT_TIMEOUT);
    }
    if config.get_application_name().is_none() {
        config.application_name("zerver");
    }
    Ok((config, tls::connector(&verification)?))
}

/// Returns the text without a setting, and the value of that setting.
pub fn without_setting(url: &str, name: &str) -> (String, Option<String>) {
    let is_url = url.contains("://");
    let (start, separators): (usize, &[char]) =
        if is_url { (url.find('?').map_or(url.len(), |at| at + 1), &['&']) } else { (0, &[' ', '\n', '\t']) };
    let (head, settings) = url.split_at(start);
    let mut value = None;
    let kept = settings.split(separators).filter(|pair| match pair.split_once('=') {
        Some((key, found)) if key == name => {
            value = Some(found.trim_matches('\'').replace("%2F", "/"));
            false
        }
        _ => true,
    });
    let kept = kept.collect::<Vec<_>>().join(if is_url { "&" } else { " " });
    ((head.to_owned() + &kept).trim_end_matches('?').to_owned(), value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mode_of_tls_is_taken_from_a_url_and_from_pairs() {
        for (url, mode) in [
            ("postgresql://u:p@h/d", SslMode::Prefer),
            ("postgresql://u:p@h/d?sslmode=verify-full&connect_timeout=3", SslMode::Require),
            ("postgresql://u:p@h/d?sslmode=disable", SslMode::Disable),
            ("host=h user=u sslmode=require dbname=d", SslMode::Require),
            ("host=h user=u sslmode='verify-ca'", SslMode::Require),
        ] {
            let (config, _) = parse(url).unwrap();
            assert_eq!(config.get_ssl_mode(), mode, "{url}");
            assert_eq!(config.get_user(), Some("u"), "{url}");
        }
        let (config, _) = parse("postgresql://u@h/d?sslmode=verify-full&connect_timeout=3").unwrap();
        assert_eq!(config.get_connect_timeout(), Some(&Duration::from_secs(3)));
        let error = parse("postgresql://u:hunter2@h:x/d").err().unwrap();
        assert!(!format!("{error:?} {error}").contains("hunter2"));
        assert!(parse("host=h sslmode=verify-full sslrootcert=/nowhere").is_err());
    }
}

//! The key that signs requests, from where programs of Amazon find theirs: the environment, the file of shared credentials, and
//! what a container or a virtual machine is given.

mod metadata;
mod profile_file;
mod temporary_key;

use std::path::PathBuf;
use std::sync::Arc;

use rusty_s3::Credentials;

use self::metadata::{Container, Metadata};
use self::profile_file::Profile;
use self::temporary_key::TemporaryKey;
use crate::connection::{HttpClient, SettingsError};

/// The reason why there is no key to sign with. It contains no part of a key.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct CredentialError(String);

/// Returns the value of a variable of the environment.
type Variable<'v> = &'v dyn Fn(&str) -> Option<String>;

/// Variables of the environment from which keys and certificates come.
pub const VARIABLES: [&str; 13] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "HOME",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    "AWS_CA_BUNDLE",
];

/// Where the key comes from.
#[derive(Clone, Default)]
pub(crate) enum KeySource {
    /// Requests are not signed.
    #[default]
    None,
    /// A key that stays.
    Fixed(Arc<Credentials>),
    /// A key that is replaced before it expires.
    Temporary(Arc<TemporaryKey>),
}

impl KeySource {
    /// Finds the first source that there is. `is_amazon` if the server may be one of Amazon, for which a virtual machine may have
    /// a key.
    pub(crate) fn find(variable: Variable<'_>, is_amazon: bool) -> Result<Self, SettingsError> {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        if let (Some(key), Some(secret)) = (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY"))
        {
            return Ok(Self::fixed(credentials(key, secret, variable("AWS_SESSION_TOKEN"))));
        }
        let named_file = variable("AWS_SHARED_CREDENTIALS_FILE").map(PathBuf::from);
        let usual_file = || variable("HOME").map(|home| PathBuf::from(home).join(".aws/credentials"));
        let profile = variable("AWS_PROFILE");
        if let Some(path) = named_file.clone().or_else(usual_file) {
            // A file or a profile that is named has to be there.
            let is_named = named_file.is_some() || profile.is_some();
            let found = Profile::read(&path, profile.as_deref().unwrap_or("default"), is_named);
            if let Some(Profile { key, secret, token }) = found.map_err(SettingsError::Credentials)? {
                return Ok(Self::fixed(credentials(key, secret, token)));
            }
        }
        if let Some(container) = Container::find(&variable).map_err(SettingsError::Credentials)? {
            return Ok(Self::temporary(Metadata::Container(container)));
        }
        let endpoint = variable("AWS_EC2_METADATA_SERVICE_ENDPOINT");
        let is_disabled =
            variable("AWS_EC2_METADATA_DISABLED").is_some_and(|text| text.eq_ignore_ascii_case("true"));
        if !is_disabled && (is_amazon || endpoint.is_some()) {
            return Ok(Self::temporary(Metadata::machine(endpoint)));
        }
        Ok(Self::None)
    }

    pub(crate) fn fixed(credentials: Credentials) -> Self {
        Self::Fixed(Arc::new(credentials))
    }

    fn temporary(source: Metadata) -> Self {
        Self::Temporary(Arc::new(TemporaryKey::new(source)))
    }

    /// Returns the key as it is now, fetched again if it is about to expire.
    pub(crate) async fn get(&self, client: &HttpClient) -> Result<Option<Arc<Credentials>>, CredentialError> {
        match self {
            Self::None => Ok(None),
            Self::Fixed(key) => Ok(Some(Arc::clone(key))),
            Self::Temporary(key) => key.get(client).await.map(Some),
        }
    }
}

fn credentials(key: String, secret: String, token: Option<String>) -> Credentials {
    match token {
        Some(token) => Credentials::new_with_token(key, secret, token),
        None => Credentials::new(key, secret),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(pairs: &[(&str, &str)], is_amazon: bool) -> Result<KeySource, SettingsError> {
        let variable =
            |name: &str| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        KeySource::find(&variable, is_amazon)
    }

    fn key(source: &KeySource) -> (&str, Option<&str>) {
        match source {
            KeySource::Fixed(key) => (key.key(), key.token()),
            _ => panic!("no fixed key"),
        }
    }

    #[test]
    fn the_environment_comes_before_the_file_and_the_file_before_the_machine() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("credentials");
        std::fs::write(
            &file,
            "[default]\naws_access_key_id = one\naws_secret_access_key=s1\n\n[shop]\naws_access_key_id=two\n\
             aws_secret_access_key = s2\naws_session_token = t2\n",
        )
        .unwrap();
        let file = ("AWS_SHARED_CREDENTIALS_FILE", file.to_str().unwrap());
        let both =
            [("AWS_ACCESS_KEY_ID", "env"), ("AWS_SECRET_ACCESS_KEY", "s"), ("AWS_SESSION_TOKEN", "t"), file];
        assert_eq!(key(&find(&both, true).unwrap()), ("env", Some("t")));
        assert_eq!(key(&find(&[file], true).unwrap()), ("one", None));
        assert_eq!(key(&find(&[file, ("AWS_PROFILE", "shop")], true).unwrap()), ("two", Some("t2")));
        assert!(
            find(&[file, ("AWS_PROFILE", "other")], true).is_err(),
            "a profile that is named must be there"
        );
        let nowhere = [("HOME", dir.path().to_str().unwrap())];
        assert!(matches!(find(&nowhere, true).unwrap(), KeySource::Temporary(_)));
        assert!(
            matches!(find(&nowhere, false).unwrap(), KeySource::None),
            "another server than one of Amazon"
        );
        let disabled = [nowhere[0], ("AWS_EC2_METADATA_DISABLED", "true")];
        assert!(matches!(find(&disabled, true).unwrap(), KeySource::None));
        let container = [nowhere[0], ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials/1")];
        assert!(matches!(find(&container, false).unwrap(), KeySource::Temporary(_)));
    }
}

//! A key that is fetched when it is needed, and again before it expires.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rusty_s3::Credentials;
use tokio::sync::Mutex;

use super::CredentialError;
use super::metadata::{GivenKey, Metadata};
use crate::connection::HttpClient;

/// Time before the end of a key when it is replaced.
const AHEAD: SignedDuration = SignedDuration::from_mins(5);

/// A key of a container or of a virtual machine.
pub(crate) struct TemporaryKey {
    source: Metadata,
    held: Mutex<Option<HeldKey>>,
}

struct HeldKey {
    credentials: Arc<Credentials>,
    expires: Option<Timestamp>,
}

impl TemporaryKey {
    pub(super) fn new(source: Metadata) -> Self {
        Self { source, held: Mutex::new(None) }
    }

    /// Returns the key. While it is fetched, others wait for it. If that fails, one that is still valid is used on.
    pub(super) async fn get(&self, client: &HttpClient) -> Result<Arc<Credentials>, CredentialError> {
        let mut held = self.held.lock().await;
        let now = Timestamp::now();
        let ends_within =
            |key: &HeldKey, time| key.expires.is_some_and(|end| end.duration_since(now) <= time);
        if let Some(key) = held.as_ref().filter(|key| !ends_within(key, AHEAD)) {
            return Ok(Arc::clone(&key.credentials));
        }
        match self.source.fetch(client).await {
            Ok(GivenKey { credentials, expires }) => {
                let credentials = Arc::new(credentials);
                *held = Some(HeldKey { credentials: Arc::clone(&credentials), expires });
                Ok(credentials)
            }
            Err(error) => match held.as_ref().filter(|key| !ends_within(key, SignedDuration::ZERO)) {
                Some(key) => Ok(Arc::clone(&key.credentials)),
                None => Err(CredentialError(error)),
            },
        }
    }
}

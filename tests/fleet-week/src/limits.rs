//! The result and the limits of everything that waits for servers.

use std::time::Duration;

/// Result of something that needs servers, files and threads.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Time limit of every wait.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);
/// Time between two looks at what is waited for.
pub(crate) const POLL: Duration = Duration::from_millis(5);

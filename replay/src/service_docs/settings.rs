//! What a service tells of itself when it is asked: its settings.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// A setting of a service, as `zerver config --json` shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SettingDoc {
    /// Its key in `zerver.toml`, such as `interactive.quantum`.
    pub key: String,
    /// Its value, as it can be written there; secrets are masked.
    pub value: Json,
    /// Where it comes from.
    pub source: SettingSource,
    /// The file and the line, or the name of the variable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// Whether it can change while the service runs.
    #[serde(rename = "reloadable")]
    pub is_reloadable: bool,
}

/// Where the value of a setting comes from; each wins over those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SettingSource {
    /// Nobody has said anything.
    Default,
    /// The program.
    Program,
    /// `zerver.toml`.
    File,
    /// An environment variable.
    Environment,
}

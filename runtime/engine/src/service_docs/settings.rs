//! Settings of a service, as it reports them.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// A setting of a service, as `zerver config --json` prints it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SettingDoc {
    /// Key in `zerver.toml`, such as `interactive.quantum`.
    pub key: String,
    /// Value as it can be written in `zerver.toml`; secrets are masked.
    pub value: Json,
    /// Source of the value.
    pub source: SettingSource,
    /// File and line, or name of the environment variable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// True if the setting can change while the service runs.
    #[serde(rename = "reloadable")]
    pub is_reloadable: bool,
}

/// Source of a setting's value; each takes precedence over those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SettingSource {
    /// The built-in default.
    Default,
    /// The program.
    Program,
    /// The file `zerver.toml`.
    File,
    /// An environment variable.
    Environment,
}

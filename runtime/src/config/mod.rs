//! Settings of a service. They come from the program (the methods of `App`), from `zerver.toml` (`file`) and from the
//! environment; each overrides the one before. `key` contains the names, `field` parses and formats the values.

mod browser;
mod chaos_settings;
mod compression;
mod egress;
mod field;
mod file;
mod fleet;
mod idempotency;
mod key;
mod layers;
mod limits;
mod list_syntax;
mod mask;
mod proxies;
mod recording;
mod settings;
mod target_keys;

pub use browser::{Cors, Csrf, SecurityHeaders};
pub(crate) use chaos_settings::ChaosSettings;
pub use compression::Compression;
pub use egress::Egress;
pub(crate) use egress::EgressRules;
pub(crate) use field::STORE;
pub use idempotency::{Idempotency, KeyStore};
pub(crate) use key::variables;
pub(crate) use layers::{Layers, LoadedSettings};
pub use limits::Limits;
pub(crate) use mask::MASK;
pub use proxies::Proxies;
pub use recording::{Keep, Recording};
#[cfg(feature = "metrics")]
pub(crate) use settings::MetricsEndpoint;
pub(crate) use settings::{Config, TlsFiles, cores};

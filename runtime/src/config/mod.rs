//! What of a service can be set, and where that is said: by the program (the methods of `App`), above that by
//! `zerver.toml` (`file`), above that by the environment. `key` has the names, `field` reads and shows their values.

mod field;
mod file;
mod key;
mod layers;
mod limits;
mod mask;
mod recording;
mod settings;

pub(crate) use field::STORE;
pub(crate) use key::variables;
pub(crate) use layers::{Layers, LoadedSettings};
pub use limits::Limits;
pub(crate) use mask::MASK;
pub use recording::{Keep, Recording};
pub(crate) use settings::{Config, MetricsEndpoint, cores};

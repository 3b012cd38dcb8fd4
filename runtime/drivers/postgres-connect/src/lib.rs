//! Connection settings and TLS of PostgreSQL. The driver and the fleet of zerver share this crate, so that a URL means the
//! same to both. Services have no use for it.

#![warn(missing_debug_implementations)]

mod connect_settings;
mod tls;

pub use self::connect_settings::{SettingsError, parse, without_setting};
pub use self::tls::TlsConnector;

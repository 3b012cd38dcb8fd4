//! Access: steps that check roles, capabilities and tenants of the slot that authentication has written.

mod names;
mod principal;
mod require;
mod tenant;

pub use names::{AnyOf, Named};
pub use principal::{Principal, scope_contains};
pub use require::{RequireCapability, RequireRole};
pub use tenant::{RequireTenant, Tenant};

//! Functions of the operating system that not every system has. `linux` and `portable` have the same items; the portable
//! ones do less, as their comments state. No other module of this crate may depend on the system.
//!
//! On Linux, `--cfg zerver_portable` selects the portable items, so that they can be tested there.

#[cfg(all(target_os = "linux", not(zerver_portable)))]
mod linux;
#[cfg(not(all(target_os = "linux", not(zerver_portable))))]
mod portable;

#[cfg(all(target_os = "linux", not(zerver_portable)))]
use linux as system;
#[cfg(not(all(target_os = "linux", not(zerver_portable))))]
use portable as system;

#[cfg(feature = "kv-disk")]
pub(crate) use system::lock_holder;
pub(crate) use system::{
    CLOSE_INTEREST, abstract_address, lower_thread_priority, run_delay_ns, wake_without_preemption,
};

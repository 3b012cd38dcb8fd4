//! A week of fifty nodes that ship to one fleet: to a real PostgreSQL and to a real object store at the same time, with faults
//! that follow from a seed.
//!
//! Requests follow from their ids, so that everything that is found afterwards is compared with what must have been recorded,
//! request by request (`oracle`). Clocks are virtual: the week ends now, and each of its hours takes a fraction of a second.

mod follower;
mod measurements;
mod oracle;
mod pod;
mod proxy;
mod schedule;
mod seen;
mod servers;
mod traffic;
mod week;

use std::time::Duration;

pub use self::measurements::{Measurements, Questions, measure};
pub use self::oracle::Counts;
pub use self::week::{PlaceOutcome, WeekOptions, WeekOutcome, run};

/// Result of something that needs servers, files and threads.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Time limit of every wait.
const PATIENCE: Duration = Duration::from_secs(180);
/// Time between two looks at what is waited for.
const POLL: Duration = Duration::from_millis(5);

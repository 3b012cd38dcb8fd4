//! A week of fifty nodes that ship to one fleet: to a real PostgreSQL and to a real object store at the same time, with faults
//! that follow from a seed.
//!
//! Requests follow from their ids, so that everything that is found afterwards is compared with what must have been recorded,
//! request by request (`oracle`). Clocks are virtual: the week ends now, and each of its hours takes a fraction of a second.

mod follower;
mod limits;
mod measurements;
mod oracle;
mod pod;
mod proxy;
mod schedule;
mod seen;
mod servers;
mod traffic;
mod week;

pub use self::limits::Result;
pub use self::measurements::{Measurements, Questions, measure};
pub use self::oracle::Counts;
pub use self::week::{PlaceOutcome, WeekOptions, WeekOutcome, run};

//! State that the workers of one service share besides the service itself.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use super::exit_barrier::Leave;
use crate::scheduler::{Low, Peers, Watched};
use crate::time::Zero;

/// What the workers of one service have in common besides the service.
#[derive(Clone)]
pub(crate) struct Crew {
    pub(crate) zero: Arc<Zero>,
    /// Open connections of all of them.
    pub(crate) open: Arc<AtomicUsize>,
    /// Where batch requests go, if there are batch workers.
    pub(crate) low: Option<Arc<Low>>,
    /// They leave together: what one of them has given away, another may still run.
    pub(crate) leave: Arc<Leave>,
    /// Those that can run each other's requests.
    pub(crate) peers: Arc<Peers>,
    /// Those that take connections.
    pub(crate) watched: Arc<Watched>,
}

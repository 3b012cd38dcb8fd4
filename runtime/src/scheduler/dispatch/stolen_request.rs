//! A request that another worker than that of its connection can run.

use tokio::sync::oneshot;

use super::placement::{Drove, Way};
use crate::effects::interpreter::Context;
use crate::execution::active_request::Live;

/// A request that another worker can run.
pub(crate) struct Guest {
    pub(crate) live: Live,
    pub(crate) context: Context,
    pub(crate) way: Way,
    /// Closed when nobody wants it any more.
    pub(crate) back: oneshot::Sender<(Live, Drove)>,
}

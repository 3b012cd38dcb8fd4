//! What a service uses in nearly every file.

pub use serde::{Deserialize, Serialize};
pub use zerver_engine::Decision::{self, Continue, Done, Fail, Need, Yield};
pub use zerver_engine::{
    Chain, Class, Effect, EffectError, EffectErrorKind, EffectKind, Ends, Failure, FlowDef, Now, Random,
    Request, RequestId, Response, Retry, Shared, Slot, all, chain, effect, flow, join_all, step,
};

pub use crate::App;
pub use crate::effects::Durations;
pub use crate::effects::{clock, http, kv, sleep};

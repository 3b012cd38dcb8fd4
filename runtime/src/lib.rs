//! zerver: a step runtime for HTTP services that records why each request went the way it went.

/// The part that performs no I/O. What users need of it is in the [`prelude`].
#[doc(hidden)]
pub use zerver_engine as engine;

/// Kinds of effect that come with zerver: how a step asks for them, and what performs them.
pub mod effects;
/// Interpreters: what performs one kind of effect.
pub mod interpreter;

pub use effects::{clock, http, kv, sleep};

/// What a service uses in nearly every file.
pub mod prelude {
    pub use serde::{Deserialize, Serialize};
    pub use zerver_engine::Decision::{self, Continue, Done, Fail, Need, Yield};
    pub use zerver_engine::{
        Chain, Class, Effect, EffectError, EffectErrorKind, EffectKind, Failure, FlowDef, Now, Random,
        Request, RequestId, Response, Shared, Slot, all, chain, effect, flow, join_all, step,
    };

    pub use crate::effects::Durations;
    pub use crate::{clock, http, kv, sleep};
}

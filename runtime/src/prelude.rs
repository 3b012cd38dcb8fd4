//! The names that nearly every file of a service uses: `use zerver::prelude::*;`.
//!
//! The modules of [`effects`](crate::effects) are not part of it, so that the import does not hide the `http` crate. A file
//! that performs effects imports them by name:
//!
//! ```
//! use zerver::effects::{http, kv};
//! use zerver::prelude::*;
//!
//! # #[derive(Debug, Slot, Serialize, Deserialize)]
//! # struct Profile(String);
//! #[step]
//! fn load(request: &Request) -> Decision<Profile> {
//!     let name = request.param_str("name").unwrap_or("you");
//!     Need(http::get(format!("http://profiles.internal/{name}")).text().map(Profile))
//! }
//! ```

pub use serde::{Deserialize, Serialize};
pub use zerver_engine::Decision::{self, Continue, Done, Fail, Need, Yield};
pub use zerver_engine::input::{
    Cookies, Form, FromRequest, Headers, InvalidFields, Json, Path, Query, Valid, Validate,
};
#[cfg(feature = "websocket")]
pub use zerver_engine::websocket;
pub use zerver_engine::{
    Alias, ArrivalTime, Chain, Class, Cookie, Effect, EffectError, EffectErrorKind, EffectKind, Failure,
    Final, FlowDef, Hedge, JsonLine, JsonObject, Page, Random, Request, RequestId, Response, ResponseDoc,
    Retry, SameSite, ServerEvent, Shared, Slo, Slot, all, chain, effect, flow, input, join_all, settle,
    settle_each, slot, step, stream,
};

pub use crate::effects::Durations;
pub use crate::effects::stream::StreamSender;
#[cfg(feature = "websocket")]
pub use crate::effects::websocket::{WebSocket, WebSocketMessage};
pub use crate::{App, HeaderMap, Method, StatusCode};

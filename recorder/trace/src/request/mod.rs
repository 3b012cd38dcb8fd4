//! Identity, messages and failures of a request.

mod failure;
mod message;
mod request_id;

pub use failure::{FailureInfo, FailureKind};
pub use message::{Body, Header, Message, MessageInfo, MessagePart, RequestInfo, ResponseInfo};
pub use request_id::{IdPrefix, ParseIdError, RequestId};

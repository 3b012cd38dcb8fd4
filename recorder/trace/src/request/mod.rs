//! Identity, class, messages and outcome of a request.

mod class;
mod failure;
mod message;
mod outcome;
mod request_id;
mod status;

pub use class::Class;
pub use failure::{FailureInfo, FailureKind};
pub use message::{Body, Header, Message, MessageInfo, MessagePart, RequestInfo, ResponseInfo};
pub use outcome::{Kept, Outcome};
pub use request_id::{IdPrefix, ParseIdError, RequestId};
pub use status::{implies_outcome, is_client_error};

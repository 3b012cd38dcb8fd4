//! HTTP requests and responses as steps see them. The shell of the runtime reads and sends them.

mod byte_ranges;
mod conditional;
mod cookie;
mod cross_origin;
mod failure_response;
mod handshake;
mod json_object;
mod page;
mod parts;
mod received_body;
mod request;
mod response;

pub(crate) use conditional::evaluate as evaluate_conditions;
pub use cookie::{Cookie, SameSite};
pub use json_object::JsonObject;
pub use page::Page;
pub use parts::visit_request_line;
pub use received_body::ReceivedBody;
pub use request::{Params, Request};
pub use response::Response;

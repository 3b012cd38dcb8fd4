//! Descriptions of the responses of a flow, for its OpenAPI document.

use serde::de::DeserializeOwned;

use crate::shape::Shape;

/// Description of a response of a flow, for [`FlowDef::responses`](crate::FlowDef::responses). Nothing checks that the flow
/// gives such responses.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use zerver_engine::{Response, ResponseDoc, flow, step};
///
/// #[derive(Serialize, Deserialize)]
/// struct Todo { title: String }
///
/// #[step]
/// fn show() -> Response {
///     Response::json(&Todo { title: "milk".to_owned() })
/// }
///
/// let flow = flow!("todo-show", GET "/todo", steps: [show], responses: [ResponseDoc::json::<Todo>(200, "The todo")]);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct ResponseDoc {
    /// HTTP status.
    pub status: u16,
    /// Meaning, for a person.
    pub description: &'static str,
    /// Media type of the body; `None` for a response without a body.
    pub media_type: Option<&'static str>,
    /// Returns the shape of a JSON body.
    pub shape: Option<fn() -> Shape>,
}

impl ResponseDoc {
    /// Describes a response with a body of JSON.
    pub const fn json<T: DeserializeOwned>(status: u16, description: &'static str) -> Self {
        Self { status, description, media_type: Some("application/json"), shape: Some(Shape::of::<T>) }
    }

    /// Describes a response with a body of this media type.
    pub const fn of_type(status: u16, description: &'static str, media_type: &'static str) -> Self {
        Self { status, description, media_type: Some(media_type), shape: None }
    }

    /// Describes a response without a body.
    pub const fn empty(status: u16, description: &'static str) -> Self {
        Self { status, description, media_type: None, shape: None }
    }

    /// Describes the response that begins a WebSocket session: status 101. The refusals of a handshake follow from it.
    pub const fn websocket(description: &'static str) -> Self {
        Self::empty(Self::SWITCHING, description)
    }

    const SWITCHING: u16 = 101;

    /// Returns true if this response begins a WebSocket session.
    pub const fn is_websocket(&self) -> bool {
        self.status == Self::SWITCHING
    }
}

//! Shows an order.

use zerver::effects::kv;
use zerver::prelude::*;

use crate::checkout::Placed;

/// Shows an order. In the next version the last step has another name.
#[cfg(not(feature = "next"))]
pub const FLOW: FlowDef =
    flow!("order-show", GET "/orders/{id}", steps: [parse_id, load_order, render_order]);

/// Shows an order.
#[cfg(feature = "next")]
pub const FLOW: FlowDef =
    flow!("order-show", GET "/orders/{id}", steps: [parse_id, load_order, render_receipt]);

/// Id of the requested order.
#[slot]
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OrderId(u64);

#[step]
fn parse_id(request: &Request) -> Result<OrderId, Failure> {
    let text = request.param_str("id").unwrap_or_default();
    text.parse().map(OrderId).map_err(|_| Failure::not_found("order", text))
}

#[step]
fn load_order(id: &OrderId) -> Decision<Placed> {
    Need(kv::get(("order", id.0)).or_not_found("order", id.0))
}

#[cfg(not(feature = "next"))]
#[step]
fn render_order(placed: &Placed) -> Response {
    Response::json(placed)
}

#[cfg(feature = "next")]
#[step]
fn render_receipt(placed: &Placed) -> Response {
    Response::json(placed)
}

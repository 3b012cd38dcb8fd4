use zerver_engine::{Alias, Response, flow, step};

#[step]
fn show() -> Response {
    Response::no_content()
}

fn main() {
    flow!("order" v2, GET "/v2/order", aliases: [Alias::redirect("/order").deprecated("2026-11-31")], steps: [show]);
    flow!("order", GET "/v2/order", aliases: [Alias::redirect("/order").until("2027-03-01")], steps: [show]);
    flow!("order" v0, GET "/v2/order", steps: [show]);
}

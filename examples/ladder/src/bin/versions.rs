//! Versions: a flow that has moved, with its owner, its objectives and its old path.
//!
//! `curl -iL localhost:3000/orders/7` follows the redirect; `zerver catalog` and `zerver openapi` show what the flow says.

use std::time::Duration;

use zerver::prelude::*;

zerver::main!(app);

#[slot]
struct Order {
    id: u64,
    note: Option<String>,
}

fn app() -> App {
    let show = flow!("order-show" v2, GET "/v2/orders/{id}",
        owner: "checkout",
        summary: "Shows an order",
        aliases: [Alias::redirect("/orders/{id}").deprecated("2026-12-01").until("2027-06-01")],
        slo: Slo::new().p95(Duration::from_millis(50)).p99(Duration::from_millis(200)).errors(0.001),
        responses: [ResponseDoc::json::<Order>(200, "The order")],
        steps: [load, render]);
    App::new().api("Orders", env!("CARGO_PKG_VERSION")).openapi(Some("/openapi.json")).flow(show)
}

#[step]
fn load(Path(id): Path<u64>) -> Order {
    Order { id, note: None }
}

#[step]
fn render(order: &Order) -> Response {
    Response::json(order)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_old_path_is_deprecated_in_the_document() {
        let document = app().openapi_document();
        assert!(document.contains("Alias of /v2/orders/{id}, until 2027-06-01"), "{document}");
        assert_eq!(app().test("order-show").get("/v2/orders/7").run().text(), r#"{"id":7,"note":null}"#);
    }
}

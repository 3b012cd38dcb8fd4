//! Effects: a step describes the I/O that it needs, and zerver performs it.
//!
//! `curl -X PUT localhost:3000/pages/home -d 'Welcome'`, then `curl localhost:3000/pages/home`.

use zerver::effects::kv;
use zerver::prelude::*;

zerver::main!(app);

fn app() -> App {
    App::new()
        .flow(flow!("page-write", PUT "/pages/{name}", steps: [write_page, confirm]))
        .flow(flow!("page-show", GET "/pages/{name}", steps: [read_page, render]))
}

#[slot]
struct Text(String);

#[slot]
struct Views(i64);

#[step]
fn write_page(request: &Request) -> Decision<()> {
    let name = request.param_str("name").unwrap_or_default();
    Need(kv::put(("page", name), String::from_utf8_lossy(&request.body).into_owned()))
}

#[step]
fn confirm() -> Response {
    Response::no_content()
}

/// Reads the page and counts the view at the same time. `a.and_then(|x| ..)` would do one after the other.
#[step]
fn read_page(request: &Request) -> Decision<(Text, Views)> {
    let name = request.param_str("name").unwrap_or_default();
    let text = kv::get::<String>(("page", name)).or_not_found("page", name).map(Text);
    Need(all((text, kv::add(("views", name), 1).map(Views))))
}

#[step]
fn render(text: &Text, views: &Views) -> Response {
    Response::text(format!("{}\n\nviewed {} times\n", text.0, views.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_supplies_the_store() {
        let store =
            || kv::Memory::new().entry(("page", "home"), "Welcome".to_owned()).entry(("views", "home"), 6);
        let response = app().test("page-show").get("/pages/home").kv(store()).run();
        assert_eq!(response.text(), "Welcome\n\nviewed 7 times\n");
        assert_eq!(app().test("page-show").get("/pages/other").kv(store()).run().status(), 404);
    }
}

//! A step, a flow, a service.
//!
//! Run it with `zerver dev examples/ladder --bin hello`, then `curl localhost:3000/hello/you`.

use zerver::prelude::*;

zerver::main!(app);

fn app() -> App {
    App::new().flow(flow!("hello", GET "/hello/{name}", steps: [greet]))
}

/// A step is a plain function. It takes what it needs as parameters; every flow starts with the request.
#[step]
fn greet(request: &Request) -> Response {
    let name = request.param_str("name").unwrap_or("you");
    Response::text(format!("hello, {name}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_in_the_path_is_greeted() {
        let response = app().test("hello").get("/hello/ann").run();
        assert_eq!((response.status(), response.text().as_str()), (200, "hello, ann\n"));
    }
}

//! A service of zerver. Run it with `zerver dev`, and then:
//!
//! ```sh
//! curl 'localhost:3000/hello/ann?polite=true'
//! ```

use zerver::effects::kv;
use zerver::prelude::*;

zerver::main!(app);

fn app() -> App {
    App::new().flow(flow!("hello", GET "/hello/{name}", steps: [count_visit, greet]))
}

/// Number of visits of this person, this one included.
#[slot]
struct Visits(i64);

#[input]
struct Style {
    #[serde(default)]
    polite: bool,
}

/// A step describes the I/O that it needs, and zerver performs it.
#[step]
fn count_visit(Path(name): Path<String>) -> Decision<Visits> {
    Need(kv::add(("visits", name), 1).map(Visits))
}

#[step]
fn greet(Path(name): Path<String>, Query(style): Query<Style>, visits: &Visits) -> Response {
    let greeting = if style.polite { "good day" } else { "hi" };
    Response::text(format!("{greeting}, {name}; visit {}\n", visits.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_visit_is_counted() {
        let store = kv::Memory::new().entry(("visits", "ann"), 6);
        let response = app().test("hello").get("/hello/ann?polite=true").kv(store).run();
        assert_eq!(response.text(), "good day, ann; visit 7\n");
    }
}

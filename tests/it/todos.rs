//! The example service does what its clients expect.

use serde_json::json;

use crate::harness::{Asking, Place};

#[test]
fn the_public_part_is_a_todo_backend() {
    let place = Place::new();
    let dev = place.dev();
    let host = format!("http://{}", dev.addr);

    assert_eq!(dev.get("/todos").json(), json!([]));
    let made = dev.ask("POST", "/todos").json(json!({ "title": "walk the dog", "order": 95 })).send();
    assert_eq!(made.status, 201);
    let todo = made.json();
    let url = todo["url"].as_str().unwrap().to_owned();
    assert!(url.starts_with(&host), "{url}");
    assert_eq!(
        (&todo["title"], &todo["completed"], &todo["order"]),
        (&json!("walk the dog"), &json!(false), &json!(95))
    );
    let path = &url[host.len()..];
    assert_eq!(dev.get(path).json(), todo);
    assert_eq!(dev.get("/todos").json(), json!([todo]));

    let changed = dev.ask("PATCH", path).json(json!({ "completed": true, "title": "feed the dog" })).send();
    assert_eq!(changed.status, 200);
    assert_eq!(dev.get(path).json()["title"], "feed the dog");
    assert_eq!(dev.get(path).json()["completed"], true);
    assert_eq!(dev.get(path).json()["order"], 95);

    assert_eq!(dev.ask("DELETE", path).send().status, 204);
    assert_eq!(dev.get(path).status, 404);
    dev.ask("POST", "/todos").json(json!({ "title": "one" })).send();
    dev.ask("POST", "/todos").json(json!({ "title": "two" })).send();
    assert_eq!(dev.get("/todos").json().as_array().unwrap().len(), 2);
    assert_eq!(dev.ask("DELETE", "/todos").send().status, 204);
    assert_eq!(dev.get("/todos").json(), json!([]));
}

#[test]
fn any_origin_is_allowed_and_errors_are_json() {
    let place = Place::new();
    let dev = place.dev();
    for (method, target) in
        [("OPTIONS", "/todos"), ("OPTIONS", "/todos/1"), ("GET", "/todos"), ("GET", "/todos/9")]
    {
        let answer = dev.ask(method, target).header("origin", "https://todobackend.com").send();
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{method} {target}: {answer:?}");
    }
    let preflight = dev.ask("OPTIONS", "/todos/1").header("access-control-request-method", "PATCH").send();
    assert!(preflight.header("access-control-allow-methods").unwrap().contains("PATCH"));

    let missing = dev.get("/todos/456");
    assert_eq!(missing.status, 404);
    assert_eq!(
        missing.json(),
        json!({
            "type": "about:blank", "title": "Not Found", "status": 404,
            "kind": "not_found", "what": "todo", "key": "456"
        })
    );
    let wrong = dev.ask("POST", "/todos").json(json!({ "titel": "x" })).send();
    assert_eq!((wrong.status, wrong.json()["kind"].clone()), (400, json!("invalid")));
    let method = dev.ask("PUT", "/todos").send();
    assert_eq!(method.status, 405);
    assert!(method.header("allow").unwrap().contains("POST"), "{method:?}");
    assert_eq!(dev.get("/nowhere").status, 404);
}

#[test]
fn the_private_part_authenticates_its_callers() {
    let place = Place::new();
    let dev = place.dev();
    let add = |token: &str, key: &str| {
        let asking = dev.ask("POST", "/v1/todos").bearer(token).json(json!({ "title": "buy milk" }));
        asking.header("idempotency-key", key).send()
    };
    let made = add("ann-token", "k1");
    assert_eq!(made.status, 201, "{made:?}");
    let again = add("ann-token", "k1");
    assert_eq!((again.status, again.header("idempotent-replayed")), (201, Some("true")));
    assert_eq!(again.json(), made.json());
    assert_ne!(add("ann-token", "k2").json()["id"], made.json()["id"]);

    let path = format!("/v1/todos/{}", made.json()["id"]);
    let status = |token: &str| dev.ask("GET", &path).bearer(token).send().status;
    assert_eq!((status("ann-token"), status("bob-token")), (200, 200));
    assert_eq!((status("eve-token"), status("nobody")), (403, 401));
    let anonymous = dev.get(&path);
    assert_eq!((anonymous.status, anonymous.header("www-authenticate")), (401, Some("Bearer")));
    assert_eq!(add("bob-token", "k3").status, 403);
}

#[test]
fn a_user_over_the_rate_limit_gets_a_retry_after() {
    let place = Place::new();
    let dev = place.dev();
    // A minute may end in between, but the number of requests exceeds the limit of two minutes. A few run concurrently,
    // so that a busy machine manages enough of them within one.
    let addr = &dev.addr;
    let asks = || {
        let ask = || Asking::new(addr, "GET", "/v1/todos/1").bearer("bob-token").send();
        let mut answers = std::iter::repeat_with(ask).take(1300);
        answers.find(|answer| answer.status == 429).expect("the limit was never reached")
    };
    let limited = std::thread::scope(|scope| {
        let asking = [(); 4].map(|()| scope.spawn(asks));
        asking.map(|asks| asks.join().unwrap()).into_iter().next().unwrap()
    });
    let seconds: u32 = limited.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds));
    assert_eq!(
        dev.ask("GET", "/v1/todos/1").bearer("ann-token").send().status,
        404,
        "another user is not limited"
    );
}

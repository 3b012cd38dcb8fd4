//! Opaque tokens, which the service looks up.

use zerver::effects::kv;
use zerver::prelude::*;
use zerver_auth::{BearerIfAny, BearerToken, RequireBearer};

#[slot]
#[derive(Debug, Clone, PartialEq)]
struct Machine(String);

impl BearerToken for Machine {
    fn look_up(token: &str) -> Effect<Option<Self>> {
        kv::get::<String>(("machines", token)).map(|name| name.map(Machine))
    }
}

#[step]
fn show(machine: &Machine) -> Response {
    Response::text(&machine.0)
}

#[step]
fn show_any(machine: Option<&Machine>) -> Response {
    Response::text(machine.map_or("nobody", |machine| &machine.0))
}

#[test]
fn a_token_is_looked_up() {
    let app = || {
        App::new()
            .flow(flow!("one", GET "/", before: chain![RequireBearer<Machine>], steps: [show]))
            .flow(flow!("any", GET "/", before: chain![BearerIfAny<Machine>], steps: [show_any]))
    };
    let ask = |flow: &str, header: Option<&str>| {
        let mut request = app().test(flow).get("/");
        if let Some(value) = header {
            request = request.header("authorization", value);
        }
        let found = kv::get::<String>(("machines", "t-1"));
        let response = match header {
            Some("Bearer t-1") => {
                request.answer(found, kv::Answer::Found(kv::Stored::new("press".to_owned()))).run()
            }
            Some("Bearer t-2") => {
                let found = kv::get::<String>(("machines", "t-2"));
                request.answer(found, kv::Answer::Absent).run()
            }
            _ => request.run(),
        };
        let challenge = response.response.headers.get("www-authenticate").cloned();
        (response.status(), response.text(), challenge.map(|value| value.to_str().unwrap().to_owned()))
    };
    assert_eq!(ask("one", Some("Bearer t-1")).1, "press");
    assert_eq!(ask("any", Some("Bearer t-1")).1, "press");
    assert_eq!(ask("any", None).1, "nobody");
    assert_eq!((ask("one", None).0, ask("one", None).2.as_deref()), (401, Some("Bearer")));
    let invalid = "Bearer error=\"invalid_token\", error_description=\"the token is not valid\"";
    assert_eq!(
        (ask("one", Some("Bearer t-2")).0, ask("any", Some("Bearer t-2")).2.as_deref()),
        (401, Some(invalid))
    );
    assert_eq!(ask("one", Some("Bearer a b")).0, 400);
}

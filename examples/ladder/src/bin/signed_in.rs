//! Tokens: a chain verifies them, and their claims are a slot. A step that takes the slot needs the chain.
//!
//! `curl localhost:3000/account -H "authorization: Bearer $TOKEN"`, with a token that the secret below has signed.

use zerver::prelude::*;
use zerver_auth::{Algorithm, JwtClaims, JwtVerifier, Key, KeyError, Principal, RequireJwt, RequireRole};

zerver::main!(app);

fn app() -> App {
    App::new()
        .require_protection()
        .flow(flow!("account", GET "/account", before: chain![RequireJwt<Viewer>], steps: [greet]))
        .flow(flow!("admin", GET "/admin", before: ADMIN, steps: [greet]))
        .on_startup(|startup| {
            startup.interpreter(verifier()?);
            Ok(())
        })
}

const ADMIN: Chain = chain![RequireJwt<Viewer>, RequireRole<Viewer, Admin>];

zerver_auth::names! { Admin = "admin"; }

#[slot]
struct Viewer {
    sub: String,
    #[serde(default)]
    roles: Vec<String>,
}

impl JwtClaims for Viewer {}

impl Principal for Viewer {
    fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|own| own == role)
    }
}

#[step]
fn greet(viewer: &Viewer) -> Response {
    Response::text(format!("hello, {}\n", viewer.sub))
}

fn verifier() -> Result<JwtVerifier, KeyError> {
    let key = Key::shared(Algorithm::HS256, b"a secret of at least thirty-two bytes")?;
    Ok(JwtVerifier::with_key("https://idp.example", "ladder", key))
}

#[test]
fn a_token_is_needed_and_a_role_for_more() {
    let ask = |flow: &str, token: &str| {
        let request = app().test(flow).get(&format!("/{flow}")).interpreter(verifier().unwrap());
        request.header("authorization", &format!("Bearer {token}")).run()
    };
    let token_of_ann = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIiwiYXVkIjoibGFkZGVyIiwiZXhwIjo0MDAwMDAwMDAwLCJzdWIiOiJhbm4ifQ.giEzAp0o3xzywJC5aEQlJke1cJySZ6QwhXFG5Qyj4O8";
    assert_eq!(ask("account", token_of_ann).text(), "hello, ann\n");
    assert_eq!((ask("admin", token_of_ann).status(), ask("account", "abc").status()), (403, 401));
}

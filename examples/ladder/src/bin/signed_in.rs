//! Tokens: a chain verifies them, and their claims are a slot. A step that takes the slot needs the chain.
//!
//! `curl localhost:3000/account -H "authorization: Bearer $TOKEN"`, with a token that the secret below has signed.

use zerver::prelude::*;
use zerver_auth::{Algorithm, JwtClaims, JwtVerifier, Key, KeyError, Principal, RequireJwt, RequireRole};

zerver::main!(app);

#[slot]
#[derive(Debug, Clone)]
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

zerver_auth::names! { Admin = "admin"; }

const SIGNED_IN: Chain = chain![RequireJwt<Viewer>];
const ADMIN: Chain = chain![RequireJwt<Viewer>, RequireRole<Viewer, Admin>];

#[step]
fn greet(viewer: &Viewer) -> Response {
    Response::text(format!("hello, {}\n", viewer.sub))
}

fn verifier() -> Result<JwtVerifier, KeyError> {
    let key = Key::shared(Algorithm::HS256, b"a secret of at least thirty-two bytes")?;
    Ok(JwtVerifier::with_key("https://idp.example", "ladder", key))
}

fn app() -> App {
    App::new()
        .require_protection()
        .flow(flow!("account", GET "/account", before: SIGNED_IN, steps: [greet]))
        .flow(flow!("admin", GET "/admin", before: ADMIN, steps: [greet]))
        .on_startup(|startup| {
            startup.interpreter(verifier()?);
            Ok(())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of Ann, until 2096, and without roles.
    const TOKEN: &str = concat!(
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.",
        "eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIiwiYXVkIjoibGFkZGVyIiwiZXhwIjo0MD",
        "AwMDAwMDAwLCJzdWIiOiJhbm4ifQ.",
        "giEzAp0o3xzywJC5aEQlJke1cJySZ6QwhXFG5Qyj4O8"
    );

    #[test]
    fn a_token_is_needed_and_a_role_for_more() {
        let ask = |flow: &str, token: &str| {
            let request = app().test(flow).get("/").interpreter(verifier().unwrap());
            request.header("authorization", &format!("Bearer {token}")).run()
        };
        assert_eq!(ask("account", TOKEN).text(), "hello, ann\n");
        assert_eq!(ask("account", "abc").status(), 401);
        assert_eq!(ask("admin", TOKEN).status(), 403);
    }
}

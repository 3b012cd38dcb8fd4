//! Roles, capabilities and tenants.

use jsonwebtoken::Algorithm;
use serde_json::{Value as Json, json};
use zerver::prelude::*;
use zerver_auth::{RequireCapability, RequireJwt, RequireRole, RequireTenant, Tenant};

use crate::tokens::{Viewer, greet, token, verifier};

zerver_auth::names! {
    Admin = "admin";
    Support = "support";
    WriteOrders = "orders:write";
    Org = "org";
}

#[step]
fn show_tenant(tenant: &Tenant) -> Response {
    Response::text(&tenant.0)
}

const ADMIN: Chain = chain![RequireJwt<Viewer>, RequireRole<Viewer, Admin>];
const STAFF: Chain = chain![RequireJwt<Viewer>, RequireRole<Viewer, (Admin, Support)>];
const WRITER: Chain = chain![RequireJwt<Viewer>, RequireCapability<Viewer, WriteOrders>];
const TENANT: Chain = chain![RequireJwt<Viewer>, RequireTenant<Viewer, Org>];

fn app() -> App {
    App::new()
        .flow(flow!("admin", GET "/admin", before: ADMIN, steps: [greet]))
        .flow(flow!("staff", GET "/staff", before: STAFF, steps: [greet]))
        .flow(flow!("write", GET "/write", before: WRITER, steps: [greet]))
        .flow(flow!("tenant", GET "/orgs/{org}", before: TENANT, steps: [show_tenant]))
        .flow(flow!("mistake", GET "/mistake", before: TENANT, steps: [show_tenant]))
}

fn ask(flow: &str, path: &str, claims: Json) -> (u16, String, String) {
    let request = app().test(flow).get(path).interpreter(verifier(Algorithm::HS256));
    let token = token(Algorithm::HS256, None, claims);
    let response = request.header("authorization", &format!("Bearer {token}")).run().response;
    let challenge = response.headers.get("www-authenticate");
    let challenge = challenge.map_or("", |value| value.to_str().unwrap()).to_owned();
    (response.status.as_u16(), challenge, String::from_utf8(response.body.to_vec()).unwrap())
}

#[test]
fn roles_and_capabilities_decide() {
    let status = |flow: &str, claims| ask(flow, &format!("/{flow}"), claims).0;
    assert_eq!(status("admin", json!({"roles": ["user", "admin"]})), 200);
    assert_eq!(status("staff", json!({"roles": ["support"]})), 200);
    assert_eq!(status("write", json!({"scope": "orders:read orders:write"})), 200);
    assert_eq!(status("admin", json!({"roles": ["administrator"]})), 403);
    assert_eq!(status("write", json!({"scope": "orders:writer"})), 403);
    let (status, challenge, body) = ask("staff", "/staff", json!({"roles": []}));
    assert_eq!((status, challenge.as_str()), (403, "Bearer error=\"insufficient_scope\", scope=\"admin\""));
    assert!(body.contains("this request needs the role admin or support"), "{body}");
}

#[test]
fn a_client_sees_its_own_tenant_only() {
    let ask = |path: &str, org: Json| ask("tenant", path, json!({"org": org}));
    assert_eq!(ask("/orgs/acme", json!("acme")).2, "acme");
    for other in [json!("acme2"), json!(null), json!("ACME"), json!("")] {
        assert_eq!(ask("/orgs/acme", other).0, 403);
    }
}

#[test]
fn a_route_without_the_parameter_is_a_mistake() {
    assert_eq!(ask("mistake", "/mistake", json!({"org": "acme"})).0, 500);
}

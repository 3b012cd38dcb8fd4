//! Tokens that are valid, and those that are not.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use zerver::prelude::*;
use zerver::testing::TestResponse;
use zerver_auth::{JwtIfAny, JwtVerifier, Key, RequireJwt, Verifiers};

use crate::tokens::{
    AUDIENCE, ISSUER, NOW, RSA_PUBLIC, RSA_SHORT_PUBLIC, SECRET, Viewer, claims, greet, key, token, verifier,
};

#[step]
fn greet_anyone(viewer: Option<&Viewer>) -> Response {
    Response::text(viewer.map_or("hello", |viewer| &viewer.sub))
}

fn app() -> App {
    App::new()
        .flow(flow!("account", GET "/", before: chain![RequireJwt<Viewer>], steps: [greet]))
        .flow(flow!("home", GET "/home", before: chain![JwtIfAny<Viewer>], steps: [greet_anyone]))
}

fn ask(verifier: JwtVerifier, token: &str) -> TestResponse {
    let request = app().test("account").get("/").interpreter(verifier);
    request.header("authorization", &format!("Bearer {token}")).run()
}

/// Returns the status and the description in the challenge.
fn refusal(verifier: JwtVerifier, token: &str) -> (u16, String) {
    let response = ask(verifier, token).response;
    let challenge = response.headers["www-authenticate"].to_str().unwrap();
    let description = challenge.split("error_description=\"").nth(1).unwrap_or_default();
    assert!(challenge.starts_with("Bearer error=\"invalid_token\""), "{challenge}");
    (response.status.as_u16(), description.trim_end_matches('"').to_owned())
}

#[test]
fn a_signed_token_is_accepted() {
    for algorithm in [
        Algorithm::HS256,
        Algorithm::RS256,
        Algorithm::PS384,
        Algorithm::ES256,
        Algorithm::ES384,
        Algorithm::EdDSA,
    ] {
        let response = ask(verifier(algorithm), &token(algorithm, None, json!({})));
        assert_eq!((response.status(), response.text()), (200, "hello, ann".to_owned()), "{algorithm:?}");
        assert_eq!(response.slot::<Viewer>().unwrap().sub, "ann");
    }
}

#[test]
fn a_token_may_be_missing_where_it_is_optional() {
    let home = |header: Option<&str>| {
        let request = app().test("home").get("/home").interpreter(verifier(Algorithm::HS256));
        let request = match header {
            Some(value) => request.header("authorization", value),
            None => request,
        };
        let response = request.run();
        (response.status(), response.text())
    };
    assert_eq!(home(None), (200, "hello".to_owned()));
    let valid = format!("Bearer {}", token(Algorithm::HS256, None, json!({})));
    assert_eq!(home(Some(&valid)), (200, "ann".to_owned()));
    assert_eq!(home(Some("Bearer abc")).0, 401, "a token that is there must be valid");
    let missing = app().test("account").get("/").run().response;
    assert_eq!(
        (missing.status.as_u16(), &missing.headers["www-authenticate"]),
        (401, &"Bearer".parse().unwrap())
    );
}

#[test]
fn claims_decide() {
    let reason = |changes: Json| {
        let (status, why) = refusal(verifier(Algorithm::HS256), &token(Algorithm::HS256, None, changes));
        assert_eq!(status, 401);
        why
    };
    assert_eq!(reason(json!({"aud": "bank"})), "the token is for another audience");
    assert_eq!(reason(json!({"iss": "https://evil.example"})), "the token is from another issuer");
    assert_eq!(reason(json!({"exp": NOW - 61})), "the token has expired");
    assert_eq!(reason(json!({"exp": null})), "the token has no time of expiry");
    assert_eq!(reason(json!({"nbf": NOW + 61})), "the token is not valid yet");
    assert_eq!(reason(json!({"exp": "soon"})), "the token is malformed");
    assert_eq!(reason(json!({"sub": null})), "the token lacks claims that this service needs");
    let skewed = token(Algorithm::HS256, None, json!({"exp": NOW - 30, "nbf": NOW + 30}));
    assert_eq!(ask(verifier(Algorithm::HS256), &skewed).status(), 200, "clocks may differ");
    let strict = verifier(Algorithm::HS256).leeway(0.seconds());
    assert_eq!(refusal(strict, &skewed).1, "the token has expired");
    let other = token(Algorithm::HS256, None, json!({"aud": null, "iss": null}));
    assert_eq!(ask(verifier(Algorithm::HS256).any_audience().any_issuer(), &other).status(), 200);
    let second = token(Algorithm::HS256, None, json!({"aud": ["bank"]}));
    assert_eq!(ask(verifier(Algorithm::HS256).audience("bank"), &second).status(), 200);
}

/// Returns a token with this header and no valid signature.
fn unsigned(header: Json, signature: &str) -> String {
    let encoded = |json: &Json| URL_SAFE_NO_PAD.encode(json.to_string());
    format!("{}.{}.{signature}", encoded(&header), encoded(&claims(json!({}))))
}

#[test]
fn a_token_does_not_choose_how_it_is_verified() {
    let reason = |algorithm, token: &str| refusal(verifier(algorithm), token).1;
    for none in ["none", "None", "NONE", ""] {
        for signature in ["", "AAAA"] {
            assert_eq!(
                reason(Algorithm::RS256, &unsigned(json!({"alg": none}), signature)),
                "the algorithm of the token is not accepted"
            );
        }
    }
    // The public key, which everyone knows, as the secret of an HMAC.
    let forged = encode(
        &Header::new(Algorithm::HS256),
        &claims(json!({})),
        &EncodingKey::from_secret(RSA_PUBLIC.as_bytes()).unwrap(),
    );
    assert_eq!(reason(Algorithm::RS256, &forged.unwrap()), "the algorithm of the token is not accepted");
    // Another algorithm of the same family.
    let other = token(Algorithm::PS256, None, json!({}));
    assert_eq!(reason(Algorithm::RS256, &other), "the algorithm of the token is not accepted");
    // A key that the token brings along.
    let secret = URL_SAFE_NO_PAD.encode([7; 32]);
    let mut header = Header::new(Algorithm::HS256);
    header.jwk = serde_json::from_value(json!({"kty": "oct", "k": secret})).ok();
    header.jku = Some("https://evil.example/jwks".to_owned());
    let own = encode(&header, &claims(json!({})), &EncodingKey::from_secret(&[7; 32]).unwrap()).unwrap();
    assert!(header.jwk.is_some());
    assert_eq!(reason(Algorithm::HS256, &own), "the signature of the token is not valid");
    // A header that this service does not understand, although it must.
    let critical = Header { crit: Some(vec!["exp2".to_owned()]), ..Header::new(Algorithm::HS256) };
    let critical = encode(&critical, &claims(json!({})), &EncodingKey::from_secret(SECRET).unwrap()).unwrap();
    assert_eq!(reason(Algorithm::HS256, &critical), "the token is malformed");
}

#[test]
fn changed_and_broken_tokens_are_refused() {
    let valid = token(Algorithm::ES256, None, json!({}));
    let parts: Vec<_> = valid.split('.').collect();
    let other = URL_SAFE_NO_PAD.encode(claims(json!({"sub": "eve"})).to_string());
    let reason = |token: &str| refusal(verifier(Algorithm::ES256), token).1;
    let invalid = "the signature of the token is not valid";
    assert_eq!(reason(&format!("{}.{other}.{}", parts[0], parts[2])), invalid);
    assert_eq!(reason(&format!("{}.{}.", parts[0], parts[1])), invalid);
    assert_eq!(reason(&format!("{}.{}.{}", parts[0], parts[1], URL_SAFE_NO_PAD.encode([0; 64]))), invalid);
    for malformed in [
        "a",
        "a.b.c",
        "..",
        &parts[..2].join("."),
        &format!("{valid}.x"),
        &format!("{}.{}.A", parts[0], parts[1]),
        &format!("{}.{}.{}", URL_SAFE_NO_PAD.encode("[]"), parts[1], parts[2]),
        &format!("{}.{}.{}", URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256","alg":"none"}"#), parts[1], parts[2]),
    ] {
        assert_eq!(reason(malformed), "the token is malformed", "{malformed}");
    }
    // JSON that nests deeper than a parser may follow.
    let deep = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":{}"#, "[".repeat(2000)));
    assert_eq!(reason(&format!("{deep}.e30.AAAA")), "the token is malformed");
}

proptest! {
    #[test]
    fn no_text_is_a_valid_token(
        parts in prop::collection::vec("[A-Za-z0-9_-]{0,40}", 1..5),
        header in r#"[{"alg:,kidHSEDRP0-9none}\[\]]{0,40}"#,
    ) {
        let shaped = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), parts.join("."));
        for token in [parts.join("."), shaped] {
            let response = ask(verifier(Algorithm::ES256), &token);
            prop_assert!(matches!(response.status(), 400 | 401), "{token}");
        }
    }

    #[test]
    fn a_token_with_another_byte_is_not_valid(at in any::<prop::sample::Index>(), byte in "[A-Za-z0-9_.-]") {
        let valid = token(Algorithm::HS256, None, json!({}));
        let at = at.index(valid.len());
        let changed = format!("{}{byte}{}", &valid[..at], &valid[at + 1..]);
        let is_valid = ask(verifier(Algorithm::HS256), &changed).status() == 200;
        prop_assert_eq!(is_valid, changed == valid);
    }
}

#[test]
fn a_key_is_named_by_its_id() {
    let rotating = || {
        JwtVerifier::with_key(ISSUER, AUDIENCE, key(Algorithm::HS256).id("old"))
            .key(key(Algorithm::ES256).id("new"))
    };
    for (algorithm, kid) in
        [(Algorithm::HS256, Some("old")), (Algorithm::ES256, Some("new")), (Algorithm::ES256, None)]
    {
        assert_eq!(ask(rotating(), &token(algorithm, kid, json!({}))).status(), 200, "{kid:?}");
    }
    let refused = |algorithm, kid| refusal(rotating(), &token(algorithm, Some(kid), json!({}))).1;
    assert_eq!(refused(Algorithm::ES256, "other"), "the key of the token is not known");
    assert_eq!(refused(Algorithm::ES256, "old"), "the algorithm of the token is not accepted");
    let odd = unsigned(json!({"alg": "ES256", "kid": ["new"]}), "AAAA");
    assert_eq!(refusal(rotating(), &odd).1, "the token is malformed");
}

#[test]
fn weak_keys_are_refused_at_the_start() {
    let error = Key::from_pem(Algorithm::RS256, RSA_SHORT_PUBLIC.as_bytes()).unwrap_err();
    assert_eq!(error.to_string(), "has 1024 bits; it must have at least 2048");
    assert!(Key::from_pem(Algorithm::ES384, crate::tokens::P256_PUBLIC.as_bytes()).is_err(), "another curve");
    assert!(Key::from_pem(Algorithm::ES256, RSA_PUBLIC.as_bytes()).is_err());
}

#[slot(secret)]
#[derive(Debug, Clone, PartialEq)]
struct Partner {
    sub: String,
}

impl zerver_auth::JwtClaims for Partner {
    const REALM: &'static str = "partners";
}

#[step]
fn show_partner(partner: &Partner) -> Response {
    Response::text(&partner.sub)
}

#[test]
fn a_service_can_have_several_verifiers() {
    let app = || {
        app().flow(
            flow!("partner", GET "/partner", before: chain![RequireJwt<Partner>], steps: [show_partner]),
        )
    };
    let both = || {
        Verifiers::new()
            .with("default", verifier(Algorithm::HS256))
            .with("partners", JwtVerifier::with_key("https://partner.example", "shop", key(Algorithm::ES256)))
    };
    let partner = token(Algorithm::ES256, None, json!({"iss": "https://partner.example"}));
    let bearer = format!("Bearer {partner}");
    let ask = |name: &str, path: &str| {
        app().test(name).get(path).interpreter(both()).header("authorization", &bearer).run().status()
    };
    assert_eq!(ask("partner", "/partner"), 200);
    assert_eq!(ask("account", "/"), 401, "a partner is no user");
    let single = app().test("partner").get("/partner").interpreter(verifier(Algorithm::HS256));
    assert_eq!(single.header("authorization", &bearer).run().status(), 500, "no such verifier");
}

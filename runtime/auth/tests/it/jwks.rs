//! Keys that an issuer publishes: they are fetched, kept, and fetched again when they change.

use jsonwebtoken::Algorithm;
use serde_json::json;
use zerver::StartOptions;
use zerver::effects::{cache, http};
use zerver::prelude::*;
use zerver_auth::{Jwk, JwtVerifier, RequireJwt};

use crate::service::{Issuer, get, start};
use crate::tokens::{AUDIENCE, ISSUER, Viewer, greet, key, published, token};

/// In the future of any clock.
const LATER: u64 = 4_000_000_000;

fn app(url: &str) -> App {
    App::new()
        .flow(flow!("account", GET "/", before: chain![RequireJwt<Viewer>], steps: [greet]))
        .interpreter(JwtVerifier::with_jwks(ISSUER, AUDIENCE, url).unwrap())
}

fn fresh(algorithm: Algorithm, kid: &str) -> String {
    token(algorithm, Some(kid), json!({"exp": LATER}))
}

#[test]
fn keys_are_fetched_once_whatever_clients_send() {
    let issuer = Issuer::start(vec![published(Algorithm::RS256, "a"), published(Algorithm::ES256, "b")]);
    let service = start(app(&issuer.url()), StartOptions::default());
    for (algorithm, kid) in [(Algorithm::RS256, "a"), (Algorithm::ES256, "b"), (Algorithm::RS256, "a")] {
        assert_eq!(get(service.addr(), "/", &fresh(algorithm, kid)), (200, "hello, ann".to_owned()));
    }
    assert_eq!(issuer.fetches(), 1);
    for number in 0..50 {
        let (status, body) = get(service.addr(), "/", &fresh(Algorithm::RS256, &format!("unknown-{number}")));
        assert!(status == 401 && body.contains("the key of the token is not known"), "{status} {body}");
    }
    assert_eq!(issuer.fetches(), 1, "unknown keys do not make the service ask");
    let unnamed = token(Algorithm::RS256, None, json!({"exp": LATER}));
    assert_eq!(get(service.addr(), "/", &unnamed).0, 200, "there is one key for the algorithm");
    // The key of another algorithm, and a shared secret although keys are published.
    assert_eq!(get(service.addr(), "/", &fresh(Algorithm::PS256, "a")).0, 401);
    assert_eq!(get(service.addr(), "/", &fresh(Algorithm::HS256, "a")).0, 401);
    assert_eq!(issuer.fetches(), 1);
    service.stop();
}

#[test]
fn an_issuer_that_does_not_answer_is_reported() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let service = start(app(&format!("http://{closed}/jwks")), StartOptions::default());
    assert_eq!(get(service.addr(), "/", &fresh(Algorithm::RS256, "a")).0, 503);
    service.stop();
    let issuer = Issuer::start(Vec::new());
    let service = start(app(&issuer.url()), StartOptions::default());
    assert_eq!(get(service.addr(), "/", &fresh(Algorithm::RS256, "a")).0, 401);
    service.stop();
}

/// Asks with a cache that has nothing, as if the time of all entries were over.
fn ask_with(replies: Vec<http::Reply>, token: &str) -> u16 {
    let replies = std::sync::Mutex::new(replies.into_iter());
    let no_cache = |operation: &cache::Op| {
        std::future::ready(Ok(match operation {
            cache::Op::Get { .. } => cache::Answer::Miss { lease: cache::Lease::none(), error: None },
            cache::Op::Put { .. } => cache::Answer::Stored,
            cache::Op::Evict { .. } => cache::Answer::Evicted,
        }))
    };
    let fetch = move |_: &http::Request| {
        let reply = replies.lock().unwrap().next();
        std::future::ready(
            reply.ok_or_else(|| EffectError::new(EffectErrorKind::Unreachable, "the issuer is down")),
        )
    };
    let url = "https://idp.example/jwks";
    let request = app(url)
        .test("account")
        .get("/")
        .interpreter(no_cache)
        .interpreter(fetch)
        .interpreter(JwtVerifier::with_jwks(ISSUER, AUDIENCE, url).unwrap());
    request.header("authorization", &format!("Bearer {token}")).run().status()
}

fn reply(keys: &[Jwk]) -> http::Reply {
    http::Reply::from_json(&json!({ "keys": keys })).unwrap()
}

#[test]
fn a_new_key_is_found_by_fetching_again() {
    let (old, new) = (published(Algorithm::ES256, "old"), published(Algorithm::EdDSA, "new"));
    let token = fresh(Algorithm::EdDSA, "new");
    assert_eq!(ask_with(vec![reply(std::slice::from_ref(&old)), reply(&[old.clone(), new])], &token), 200);
    assert_eq!(ask_with(vec![reply(std::slice::from_ref(&old)), reply(&[old])], &token), 401);
}

#[test]
fn what_is_no_key_set_is_the_fault_of_the_issuer() {
    let token = fresh(Algorithm::ES256, "a");
    let html = http::Reply { body: "<html>".into(), ..http::Reply::new(200) };
    assert_eq!(ask_with(vec![html], &token), 502);
    assert_eq!(ask_with(vec![http::Reply::new(500)], &token), 502);
    assert_eq!(ask_with(Vec::new(), &token), 503);
    let broken = Jwk { n: Some("!".to_owned()), ..published(Algorithm::RS256, "a") };
    assert_eq!(ask_with(vec![reply(&[broken])], &fresh(Algorithm::RS256, "a")), 401);
}

#[test]
fn keys_of_the_service_come_first() {
    let issuer = Issuer::start(vec![published(Algorithm::RS256, "a")]);
    let both = JwtVerifier::with_key(ISSUER, AUDIENCE, key(Algorithm::ES256)).jwks(issuer.url()).unwrap();
    let service = start(app(&issuer.url()).interpreter(both), StartOptions::default());
    let own = token(Algorithm::ES256, None, json!({"exp": LATER}));
    assert_eq!((get(service.addr(), "/", &own).0, issuer.fetches()), (200, 0));
    issuer.publish(vec![published(Algorithm::RS256, "b")]);
    assert_eq!((get(service.addr(), "/", &fresh(Algorithm::RS256, "b")).0, issuer.fetches()), (200, 1));
    service.stop();
}

//! Recorded requests with tokens: the token is sealed, and a replay needs neither keys nor issuer.

use std::sync::Arc;

use jsonwebtoken::Algorithm;
use serde_json::json;
use zerver::StartOptions;
use zerver::engine::Flow;
use zerver::prelude::*;
use zerver_auth::{JwtClaims, JwtVerifier, RequireJwt};
use zerver_recorder::{Reader, Recorder, RecorderOptions, portable};
use zerver_replay::{Edits, Recording, Replay, ReplayContext, Secrets};
use zerver_trace::Trace;

use crate::service::{Issuer, get, start};
use crate::tokens::{AUDIENCE, ISSUER, Viewer, greet, key, published, token};

#[slot(secret)]
#[derive(Debug, Clone, PartialEq)]
struct Patient {
    sub: String,
}

impl JwtClaims for Patient {}

#[step]
fn show(_patient: &Patient) -> Response {
    Response::no_content()
}

fn open() -> FlowDef {
    flow!("open", GET "/open", before: chain![RequireJwt<Viewer>], steps: [greet])
}

fn sealed() -> FlowDef {
    flow!("sealed", GET "/sealed", before: chain![RequireJwt<Patient>], steps: [show])
}

/// Replays a request without its service, and returns the verdict and the report.
pub(crate) fn verdict(flow: &FlowDef, trace: Trace, secrets: Secrets) -> (&'static str, String) {
    let flow = Arc::new(Flow::new(flow, |failure, _| failure.to_response()).unwrap());
    let replay = Replay {
        recording: &Recording { trace, secrets },
        flow: &flow,
        route: &|_| true,
        edits: &Edits::default(),
        context: ReplayContext::default(),
    };
    let report = replay.run(&mut |_| {}).unwrap();
    (report.verdict(), format!("{report:?}"))
}

#[test]
fn a_recorded_request_replays_without_keys() {
    let issuer = Issuer::start(vec![published(Algorithm::ES256, "a")]);
    let verifier = JwtVerifier::with_key(ISSUER, AUDIENCE, key(Algorithm::HS256)).jwks(issuer.url()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let recorder = Recorder::open(RecorderOptions::new(dir.path())).unwrap();
    let app = App::new().flow(open()).flow(sealed()).interpreter(verifier);
    let service = start(app, StartOptions { sink: Some(recorder.sink()), ..StartOptions::default() });
    const LATER: u64 = 4_000_000_000;
    let own = token(Algorithm::HS256, None, json!({"exp": LATER, "sub": "c4n4ry-0f-ann"}));
    let issued = token(Algorithm::ES256, Some("a"), json!({"exp": LATER, "sub": "c4n4ry-0f-bob"}));
    let expired = token(Algorithm::HS256, None, json!({"exp": 1}));
    for (path, token, status) in [
        ("/open", own.as_str(), 200),
        ("/open", &issued, 200),
        ("/open", &expired, 401),
        ("/sealed", &own, 204),
        ("/sealed", &issued, 204),
    ] {
        assert_eq!(get(service.addr(), path, token).0, status);
    }
    service.stop();
    recorder.close();
    let stored = std::fs::read(dir.path().join("traces.redb")).unwrap();
    for token in [&own, &issued, &expired] {
        for part in token.split('.').skip(1) {
            assert!(
                !stored.windows(part.len()).any(|window| window == part.as_bytes()),
                "the token is sealed"
            );
        }
    }
    let reader = Reader::open(dir.path()).unwrap();
    let summaries: Vec<_> = reader.list(&zerver_trace::Query::default()).unwrap();
    assert_eq!(summaries.len(), 5);
    for summary in summaries {
        let trace = reader.load(summary.id).unwrap().unwrap();
        let shown = format!("{trace:?}");
        assert!(!shown.contains(own.split('.').nth(2).unwrap()), "{shown}");
        let is_sealed = trace.flow.name == "sealed";
        assert_eq!(shown.contains("c4n4ry-0f-"), !is_sealed && !shown.contains("expired"), "{shown}");
        let flow = if is_sealed { sealed() } else { open() };
        let secrets = reader.open_secrets(&trace).map(Secrets).unwrap();
        let (same, report) = verdict(&flow, trace.clone(), secrets);
        assert_eq!(same, "same", "{report}");
        // An exported file has a hash in place of the token, and a replay of it says so.
        let exported = portable::write(&trace).unwrap();
        assert!(!exported.windows(30).any(|window| own.as_bytes().windows(30).any(|part| part == window)));
        let (same, report) = verdict(&flow, portable::read(&exported).unwrap(), Secrets::default());
        assert!(same == "incomplete" && report.contains("only a hash is available"), "{report}");
    }
}

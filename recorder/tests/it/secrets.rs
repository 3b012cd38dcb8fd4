//! Canaries: secrets that must not occur in a store or in an exported file, in any encoding, and that the key reveals.

use std::sync::Arc;

use serde::Serialize;
use zerver_recorder::{Reader, Recorder, SealError, portable};
use zerver_trace::{
    Answer, Body, Capture, Class, EffectError, EffectErrorKind, Event, FailureInfo, FailureKind, LogLevel,
    MessageInfo, Name, Outcome, Recordable, Recorded, RedactedText, Redaction, RequestInfo, ResponseInfo,
    TextPlace, Trace, TraceSelector, ValueError,
};

use crate::options;
use crate::sample_traces::{self, FixedMessage, datum, headers};

/// Text that every secret contains, so that one search finds all.
const CANARY: &str = "c4n4ry";

fn canary(name: &str) -> String {
    format!("{name}-{CANARY}-{name}")
}

#[derive(Serialize)]
struct Call {
    url: String,
    headers: Vec<(String, String)>,
    raw_headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

struct Summed(Call);

impl Recordable for Summed {
    fn encode(&self, out: &mut zerver_trace::value::Encoder) -> Result<(), ValueError> {
        out.put(&self.0)
    }

    fn summary(&self) -> Option<String> {
        Some(format!("POST {}", self.0.url))
    }
}

#[derive(Serialize)]
struct Login {
    user: String,
    password: String,
    api_key: Option<String>,
}

fn capture_with_canaries() -> Capture {
    let bearer = canary("bearer");
    let basic = "dXNlcjpiYXNpYy1jNG40cnktYmFzaWM="; // user:basic-c4n4ry-basic
    let body = format!(
        r#"{{"user":"ann","password":"{}","nested":{{"access_token":"{}"}},"quoted":"{{\"secret\":\"{}\"}}"}}"#,
        canary("body"),
        canary("nested"),
        canary("quoted")
    );
    let request = RequestInfo {
        method: "POST".to_owned(),
        target: format!(
            "/v1/{}/todos?token={}&page=2&key={}",
            canary("query"),
            canary("query"),
            canary("key")
        ),
        version: "HTTP/1.1".to_owned(),
        peer: "127.0.0.1:1".to_owned(),
        headers: headers(&[
            ("host", "localhost"),
            ("authorization", &format!("Bearer {bearer}")),
            ("proxy-authorization", &format!("Basic {basic}")),
            ("cookie", &format!("theme=dark; sid={}", canary("cookie"))),
            ("x-api-key", &canary("apikey")),
            ("x-note", &format!("copied {}", canary("cookie"))),
        ]),
        body: Body { full_len: body.len() as u64, bytes: body.into_bytes() },
        origin: format!("http://{}:{}@h.example", canary("user"), canary("userpass")),
    };
    let echo = format!("hello {}, your form was password={}", bearer, canary("form"));
    let response = ResponseInfo {
        status: 500,
        headers: headers(&[("set-cookie", &format!("sid={}; Path=/; HttpOnly", canary("setcookie")))]),
        body: Body { full_len: echo.len() as u64, bytes: echo.into_bytes() },
    };
    let call = Call {
        url: format!("https://api.example.com/{}?signature={}", canary("slot"), canary("signature")),
        headers: vec![("Authorization".to_owned(), format!("Bearer {}", canary("upstream")))],
        raw_headers: vec![("X-Auth-Token".to_owned(), canary("raw").into_bytes())],
        body: format!("grant=1&refresh_token={}&x=2", canary("refresh")).into_bytes(),
    };
    let asked = |call, args: zerver_trace::SharedValue| Event::EffectRequested {
        call,
        step: 1,
        at_ns: 5,
        kind: Name::from("http"),
        args,
        attempt: 1,
        timeout_ns: None,
    };
    let wrote = |slot, value| Event::SlotWritten { step: 0, slot, at_ns: 3, value };
    let login = Login { user: "ann".to_owned(), password: canary("login"), api_key: Some(canary("field")) };
    Capture {
        request: Arc::new(FixedMessage(MessageInfo::Request(request))),
        response: Some(Arc::new(FixedMessage(MessageInfo::Response(response)))),
        status: 500,
        outcome: Outcome::Failed(FailureInfo {
            kind: FailureKind::Internal,
            what: Name::from("session"),
            key: canary("slot"),
            message: format!("no session for {bearer}"),
            step: None,
            call: None,
            causes: vec![format!("refused: password={}", canary("cause")), canary("basic")],
        }),
        events: vec![
            wrote(0, datum(canary("slot"))),
            wrote(1, datum(login)),
            wrote(2, datum(vec![canary("slot"), canary("nested")])),
            // The same bytes in two more forms.
            wrote(3, datum(canary("slot").into_bytes())),
            asked(0, Arc::new(Summed(call))),
            Event::EffectCompleted {
                call: 0,
                at_ns: 9,
                answer: Answer::Ok(datum(format!("token={}", canary("answer")))),
            },
            asked(1, datum(("get", canary("upstream")))),
            Event::EffectCompleted {
                call: 1,
                at_ns: 9,
                answer: Answer::Err(EffectError::new(
                    EffectErrorKind::Internal,
                    format!("bad {}", canary("raw")),
                )),
            },
            Event::StepYielded { step: 1, progress: datum(canary("refresh")) },
            Event::Reclassified {
                at_ns: 9,
                from: Class::Default,
                to: Class::Batch,
                reason: Name::from(format!("header x-api-key: {}", canary("apikey"))),
            },
            Event::Logged {
                call: 0,
                at_ns: 4,
                level: LogLevel::Info,
                target: Name::from("client"),
                line: datum(format!("signs in with password={}", canary("logged"))),
            },
        ],
        ..sample_traces::capture(1)
    }
}

fn has_canary(bytes: &[u8]) -> bool {
    let spelled: Vec<u8> = CANARY.bytes().flat_map(|byte| [5, byte]).collect();
    bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes())
        || bytes.windows(spelled.len()).any(|window| window == spelled)
        || bytes.windows(8).any(|window| window == b"YzRuNHJ5" || window == b"jNG40cnk")
}

fn recorded(dir: &std::path::Path) -> (Reader, Trace) {
    let recorder = Recorder::open(options(dir)).unwrap();
    recorder.sink().accept(Box::new(capture_with_canaries()));
    recorder.close();
    let reader = Reader::open(dir).unwrap();
    let trace = reader.find(&TraceSelector::Last(None)).unwrap();
    (reader, trace)
}

#[test]
fn no_secret_is_in_the_store_or_in_an_exported_file() {
    let dir = tempfile::tempdir().unwrap();
    let (_, trace) = recorded(dir.path());
    // Blocks are compressed, so the decoded trace is searched as well.
    assert!(!has_canary(&std::fs::read(dir.path().join("traces.redb")).unwrap()));
    assert!(!has_canary(format!("{trace:?}").as_bytes()), "{trace:#?}");
    for event in &trace.events {
        if let Event::SlotWritten { value, .. } | Event::EffectRequested { args: value, .. } = event {
            assert!(!value.value().is_some_and(|shown| has_canary(shown.tokens())), "{value:?}");
        }
    }
    let file = portable::write(&trace).unwrap();
    assert!(!has_canary(&file));
    assert!(!has_canary(format!("{:?}", portable::read(&file).unwrap()).as_bytes()));
}

#[test]
fn the_text_around_a_secret_stays_visible() {
    let dir = tempfile::tempdir().unwrap();
    let (_, trace) = recorded(dir.path());
    let shown = |recorded: &Recorded| recorded.value().map(ToString::to_string).unwrap_or_default();
    assert!(trace.path.starts_with("/v1/<secret:") && trace.path.ends_with(">/todos"), "{}", trace.path);
    assert!(shown(&trace.target).contains("&page=2&key=<secret:"), "{:?}", trace.target);
    assert!(shown(&trace.request_body.bytes).contains(r#""user":"ann","password":"<secret:"#));
    assert!(matches!(trace.request_headers[0].value, Recorded::Plain { .. }));
    assert!(trace.request_headers[1..5].iter().all(|header| header.value.value().is_none()));
    assert!(shown(&trace.request_headers[5].value).contains("copied <secret:"));
    let Event::EffectRequested { args, .. } = &trace.events[4] else { panic!() };
    let summary = args.summary().unwrap();
    assert!(summary.starts_with("POST https://api.example.com/<secret:"), "{summary}");
    assert!(shown(args).contains(r#"headers: [["Authorization", "Bearer <secret:"#), "{}", shown(args));
    assert!(shown(args).contains("grant=1&refresh_token=<secret:"), "{}", shown(args));
    let Event::SlotWritten { value: login, .. } = &trace.events[1] else { panic!() };
    assert!(shown(login).starts_with(r#"{user: "ann", password: "<secret:"#), "{}", shown(login));
    let Outcome::Failed(failure) = &trace.outcome else { panic!() };
    assert!(failure.message.starts_with("no session for <secret:"), "{}", failure.message);
    assert!(failure.causes[0].starts_with("refused: password=<secret:"), "{:?}", failure.causes);
}

#[test]
fn the_key_opens_secrets_and_equal_ones_have_equal_hashes() {
    let dir = tempfile::tempdir().unwrap();
    let (reader, trace) = recorded(dir.path());
    let Recorded::Plain { value, .. } = reader.unseal(&trace, &trace.request_headers[1].value).unwrap()
    else {
        panic!()
    };
    assert_eq!(value.to_typed::<String>().unwrap(), format!("Bearer {}", canary("bearer")));
    let Event::EffectRequested { args, .. } = &trace.events[4] else { panic!() };
    let Recorded::Plain { value, summary } = reader.unseal(&trace, args).unwrap() else { panic!() };
    assert!(
        value.to_string().contains(&canary("upstream")) && summary.unwrap().contains(&canary("signature"))
    );

    let (Event::SlotWritten { value: slot, .. }, Recorded::Plain { .. }) =
        (&trace.events[0], &trace.request_headers[0].value)
    else {
        panic!()
    };
    let again = tempfile::tempdir().unwrap();
    std::fs::copy(dir.path().join("key"), again.path().join("key")).unwrap();
    let (_, other) = recorded(again.path());
    let hash = |recorded: &Recorded| match recorded {
        Recorded::Sealed { hash, .. } => *hash,
        other => panic!("{other:?}"),
    };
    let Event::SlotWritten { value: same, .. } = &other.events[0] else { panic!() };
    assert_eq!(hash(slot), hash(same));
    assert_eq!(trace.target.value(), other.target.value());

    let exported = portable::read(&portable::write(&trace).unwrap()).unwrap();
    assert!(matches!(reader.unseal(&exported, &exported.target), Err(SealError::Exported)));
    std::fs::remove_file(dir.path().join("key")).unwrap();
    assert!(matches!(reader.unseal(&trace, slot), Err(SealError::NoKey { .. })));
}

#[test]
fn values_with_short_or_too_many_secrets_are_sealed_as_a_whole() {
    let dir = tempfile::tempdir().unwrap();
    let recorder = Recorder::open(options(dir.path())).unwrap();
    let mut short = sample_traces::capture(1);
    short.events = vec![Event::SlotWritten {
        step: 0,
        slot: 1,
        at_ns: 1,
        value: datum(Login { user: "ann".to_owned(), password: "abc".to_owned(), api_key: None }),
    }];
    let mut countless = sample_traces::capture(2);
    let many: Vec<String> = (0..500).map(|n| format!("secret number {n}")).collect();
    countless.events = vec![
        Event::SlotWritten { step: 0, slot: 0, at_ns: 1, value: datum(many) },
        Event::SlotWritten { step: 0, slot: 1, at_ns: 1, value: datum("secret number 499") },
    ];
    recorder.sink().accept(Box::new(short));
    recorder.sink().accept(Box::new(countless));
    recorder.close();
    let reader = Reader::open(dir.path()).unwrap();
    for (n, event) in [(1, 0), (2, 0), (2, 1)] {
        let trace = reader.load(sample_traces::id(n)).unwrap().unwrap();
        let Event::SlotWritten { value, .. } = &trace.events[event] else { panic!() };
        assert!(matches!(value, Recorded::Sealed { masked: None, .. }), "{value:?}");
        assert!(matches!(reader.unseal(&trace, value).unwrap(), Recorded::Plain { .. }));
    }
}

/// Cut and masked texts are recorded as such, because a client can send a text that looks like either.
#[test]
fn a_changed_text_is_marked() {
    let redaction_of = |message: &str, causes: usize| {
        let dir = tempfile::tempdir().unwrap();
        let failure = FailureInfo {
            kind: FailureKind::NotFound,
            what: Name::from("todo"),
            key: "7".to_owned(),
            message: message.to_owned(),
            step: None,
            call: None,
            causes: vec!["a cause".to_owned(); causes],
        };
        let recorder = Recorder::open(options(dir.path())).unwrap();
        let capture = Capture { outcome: Outcome::Failed(failure), ..sample_traces::capture(1) };
        recorder.sink().accept(Box::new(capture));
        recorder.close();
        let trace = Reader::open(dir.path()).unwrap().load(sample_traces::id(1)).unwrap().unwrap();
        // The exported file contains the same marks.
        assert_eq!(portable::read(&portable::write(&trace).unwrap()).unwrap().redaction, trace.redaction);
        trace.redaction
    };
    let texts = |redaction: &Redaction| redaction.texts.clone();
    for plain in ["it is gone…", "it holds <secret", ""] {
        assert_eq!(texts(&redaction_of(plain, 1)), [], "{plain}");
    }
    let text = |place, is_cut, is_masked| RedactedText { place, is_cut, is_masked };
    assert_eq!(texts(&redaction_of(&"x".repeat(20_000), 1)), [text(TextPlace::Message, true, false)]);
    let secret = format!("refused: password={}", canary("flag"));
    assert_eq!(texts(&redaction_of(&secret, 1)), [text(TextPlace::Message, false, true)]);
    assert_eq!(texts(&redaction_of("", 65)), [text(TextPlace::Causes, true, false)]);
    // The id of the key is the same for one key and different for another, and is not the key.
    let (one, other) = (redaction_of("", 0), redaction_of("", 0));
    assert!(one.has_same_key(&one) && !one.has_same_key(&other) && one.key.is_some());
}

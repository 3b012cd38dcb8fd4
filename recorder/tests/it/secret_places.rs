//! Every sensitive name in every place that can contain one, and similar names that are not sensitive. The secrets are
//! weak, so each is found by its place alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use zerver_recorder::{Reader, Recorder, portable};
use zerver_trace::secret::Rule;
use zerver_trace::{
    Answer, Body, Capture, EffectError, EffectErrorKind, Event, FailureInfo, FailureKind, FlowInfo,
    MessageInfo, Name, Outcome, RequestInfo, ResponseInfo, Trace,
};

use crate::options;
use crate::sample_traces::{self, FixedMessage, datum, headers};

/// A place that has a name and a value.
type Place = (&'static str, fn(&mut Capture, &str, &str));

/// Turns the sample into a case.
type Make = Box<dyn Fn(&mut Capture)>;

const PLACES: [Place; 22] = [
    ("header", |capture, name, value| request(capture, "/", &[(&name.to_lowercase(), value)], "")),
    ("response header", |capture, name, value| response(capture, &[(&name.to_lowercase(), value)], "")),
    ("query", |capture, name, value| request(capture, &format!("/a?x=1&{name}={value}&y=2"), &[], "")),
    ("query with brackets", |capture, name, value| {
        request(capture, &format!("/a?user%5B{name}%5D={value}&y=2"), &[], "");
    }),
    ("referer", |capture, name, value| {
        request(capture, "/", &[("referer", &format!("https://h/?{name}={value}"))], "");
    }),
    ("form", |capture, name, value| body(capture, &format!("x=1&{name}={value}&y=2"))),
    ("form with brackets", |capture, name, value| body(capture, &format!("x=1&user[{name}]={value}&y=2"))),
    ("encoded form", |capture, name, value| body(capture, &format!("x=1&user%5B{name}%5D={value}&y=2"))),
    ("multipart", |capture, name, value| {
        let part = |name, value| {
            format!("--B\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        body(capture, &(part("x", "1") + &part(name, value) + "--B--\r\n"));
    }),
    ("json", |capture, name, value| body(capture, &format!(r#"{{"x":1,"{name}":"{value}","y":2}}"#))),
    ("json array", |capture, name, value| body(capture, &format!(r#"{{"{name}":["{value}"],"y":2}}"#))),
    ("deep json", |capture, name, value| {
        body(capture, &format!(r#"[{{"a":{{"b":[{{"{name}" : "{value}"}}]}}}}]"#))
    }),
    ("json in json", |capture, name, value| {
        body(capture, &format!(r#"{{"x":"{{\"{name}\":\"{value}\"}}"}}"#));
    }),
    ("json in a form", |capture, name, value| {
        body(capture, &format!("x=%7B%22{name}%22%3A%22{value}%22%7D&y=2"));
    }),
    ("response json", |capture, name, value| {
        response(capture, &[], &format!(r#"{{"x":1,"{name}":"{value}"}}"#));
    }),
    ("xml element", |capture, name, value| {
        body(capture, &format!("<a><x>1</x><{name}>{value}</{name}></a>"))
    }),
    ("xml attribute", |capture, name, value| body(capture, &format!("<a x=\"1\" {name}=\"{value}\"/>"))),
    ("slot", |capture, name, value| {
        let map = BTreeMap::from([("x".to_owned(), "1".to_owned()), (name.to_owned(), value.to_owned())]);
        capture.events = vec![Event::SlotWritten { step: 0, slot: 1, at_ns: 1, value: datum(map) }];
    }),
    ("arguments", |capture, name, value| {
        capture.events = vec![Event::EffectRequested {
            call: 0,
            step: 0,
            at_ns: 1,
            kind: Name::from("http"),
            args: datum(vec![("x".to_owned(), "1".to_owned()), (name.to_owned(), value.to_owned())]),
            attempt: 1,
            timeout_ns: None,
        }];
    }),
    ("answer", |capture, name, value| {
        let answer = Answer::Ok(datum(format!(r#"{{"{name}":"{value}"}}"#)));
        capture.events = vec![Event::EffectCompleted { call: 0, at_ns: 1, answer }];
    }),
    ("effect error", |capture, name, value| {
        let error = EffectError::new(EffectErrorKind::Internal, format!("refused {name}={value}"));
        capture.events = vec![Event::EffectCompleted { call: 0, at_ns: 1, answer: Answer::Err(error) }];
    }),
    ("failure", |capture, name, value| {
        capture.outcome = Outcome::Failed(FailureInfo {
            kind: FailureKind::Internal,
            what: Name::from("login"),
            key: String::new(),
            message: format!("no such {name}: {value}"),
            step: None,
            call: None,
            causes: vec![],
        });
    }),
];

fn request(capture: &mut Capture, target: &str, pairs: &[(&str, &str)], body: &str) {
    capture.request = Arc::new(FixedMessage(MessageInfo::Request(RequestInfo {
        method: "POST".to_owned(),
        target: target.to_owned(),
        headers: headers(pairs),
        body: Body { full_len: body.len() as u64, bytes: body.as_bytes().to_vec() },
        ..RequestInfo::default()
    })));
}

fn body(capture: &mut Capture, body: &str) {
    request(capture, "/", &[], body);
}

fn response(capture: &mut Capture, pairs: &[(&str, &str)], body: &str) {
    capture.response = Some(Arc::new(FixedMessage(MessageInfo::Response(ResponseInfo {
        status: 200,
        headers: headers(pairs),
        body: Body { full_len: body.len() as u64, bytes: body.as_bytes().to_vec() },
    }))));
}

/// Records the sample as each of `make` changes it, and returns the traces and their text.
fn recorded(rule: Rule, make: &[&dyn Fn(&mut Capture)]) -> Vec<(Trace, String)> {
    let dir = tempfile::tempdir().unwrap();
    let recorder = Recorder::open(zerver_recorder::RecorderOptions { rule, ..options(dir.path()) }).unwrap();
    for (n, make) in (0..).zip(make) {
        let mut capture = sample_traces::capture(n);
        capture.events.clear();
        make(&mut capture);
        recorder.sink().accept(Box::new(capture));
    }
    recorder.close();
    let reader = Reader::open(dir.path()).unwrap();
    let all = (0..make.len() as u64).map(|n| {
        let trace = reader.load(sample_traces::id(n)).unwrap().unwrap();
        let exported = portable::read(&portable::write(&trace).unwrap()).unwrap();
        let text = format!("{trace:?} {exported:?}");
        (trace, text)
    });
    all.collect()
}

fn in_each_place(names: &[&'static str], is_secret: bool) {
    let cases: Vec<(&'static str, &'static Place)> =
        names.iter().flat_map(|name| PLACES.iter().map(|place| (*name, place))).collect();
    let makes: Vec<Make> = cases
        .iter()
        .enumerate()
        .map(|(n, &(name, (_, make)))| {
            let make: Make = Box::new(move |capture| make(capture, name, &format!("wombat{n:04}")));
            make
        })
        .collect();
    let makes: Vec<&dyn Fn(&mut Capture)> = makes.iter().map(|make| &**make).collect();
    let mut wrong = Vec::new();
    for (n, ((name, (place, _)), (_, text))) in
        cases.iter().zip(recorded(Rule::default(), &makes)).enumerate()
    {
        if text.contains(&format!("wombat{n:04}")) == is_secret {
            wrong.push(format!("{name} in {place}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_value_with_a_sensitive_name_is_masked_in_every_place() {
    in_each_place(
        &[
            "password",
            "password1",
            "password_confirmation",
            "passwordConfirm",
            "passcode",
            "passwd",
            "secret",
            "clientSecret",
            "token",
            "access_token",
            "refreshToken",
            "tokens",
            "jwt",
            "session",
            "sessionId",
            "client_assertion",
            "otp",
            "totp",
            "pin",
            "cvv",
            "cvc",
            "ssn",
            "dpop",
            "credentials",
            "api_key",
            "apiKey",
            "X-Api-Key",
            "access-key",
            "private_key",
            "auth_key",
            "signature",
            "authorization",
            "cookie",
            "csrf_token",
            "verification_code",
            "card_number",
        ],
        true,
    );
}

#[test]
fn a_value_with_a_similar_name_is_not_masked_in_any_place() {
    in_each_place(
        &[
            "author",
            "passenger",
            "compass",
            "tokenizer",
            "secretary",
            "sessions_count",
            "keyboard",
            "monkey",
            "primary_key",
            "foreign_key",
            "keys",
            "cache-key",
            "idempotency-key",
            "pinned",
            "spin",
            "opinion",
            "page_token",
            "nextPageToken",
            "max_tokens",
            "token_count",
            "token_type",
            "password_policy",
            "title",
        ],
        false,
    );
}

#[test]
fn messages_and_constants_of_the_program_are_not_masked() {
    const SQL: &str = "select id, password from users where token = $1 and role = 'admin'";
    let errors = r#"{"errors":{"token":["is missing"],"password":["is too short"]}}"#;
    let make = |capture: &mut Capture| {
        request(capture, "/", &[], r#"{"user":"ann","password":"password","token":"admin"}"#);
        response(capture, &[], errors);
        capture.events = vec![
            Event::EffectRequested {
                call: 0,
                step: 0,
                at_ns: 1,
                kind: Name::from("password"),
                args: datum((SQL, ["x"])),
                attempt: 1,
                timeout_ns: None,
            },
            Event::SlotWritten { step: 0, slot: 1, at_ns: 1, value: datum("the admin's password") },
        ];
    };
    let all = recorded(Rule::default(), &[&make]);
    let shown = |recorded: &zerver_trace::Recorded| recorded.value().unwrap().to_string();
    let trace = &all[0].0;
    let body = shown(&trace.request_body.bytes);
    assert!(body.contains(r#""user":"ann","password":"<secret:"#) && !body.contains("admin"), "{body}");
    assert!(shown(&trace.response_body.bytes).contains(errors), "{:?}", trace.response_body);
    let Event::EffectRequested { kind, args, .. } = &trace.events[0] else { panic!() };
    assert_eq!((&**kind, shown(args)), ("password", format!("[\"{SQL}\", [\"x\"]]")));
    let Event::SlotWritten { value, .. } = &trace.events[1] else { panic!() };
    assert_eq!(shown(value), "\"the admin's password\"");
}

#[test]
fn a_strong_secret_is_masked_wherever_it_was_copied() {
    let secret = "correct horse battery staple";
    let make = |capture: &mut Capture| {
        body(capture, &format!(r#"{{"password":"{secret}"}}"#));
        response(capture, &[], &format!("you said {secret}"));
        let value = datum(vec![secret.to_owned()]);
        capture.events = vec![Event::SlotWritten { step: 0, slot: 1, at_ns: 1, value }];
    };
    let (_, text) = &recorded(Rule::default(), &[&make])[0];
    assert!(!text.contains(secret) && text.contains("you said <secret:"), "{text}");
}

#[test]
fn configured_names_and_parameters_are_sensitive() {
    let flow = Arc::new(FlowInfo {
        name: "invites".to_owned(),
        pattern: "/invites/{invite}/of/{token}".to_owned(),
        ..FlowInfo::default()
    });
    let make = |capture: &mut Capture| {
        capture.flow = Arc::clone(&flow);
        request(
            capture,
            "/invites/wombat/of/koala?invite=quokka&ref=dingo",
            &[("x-plate", "numbat")],
            r#"{"customerTaxId":"bilby","tax":7}"#,
        );
    };
    let rule = Rule::new(&["tax id", "plate"], &[(Some("invites"), "invite")]);
    let (trace, text) = &recorded(rule, &[&make])[0];
    for secret in ["wombat", "koala", "quokka", "numbat", "bilby"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    assert!(
        trace.path.starts_with("/invites/<secret:") && trace.path.contains(">/of/<secret:"),
        "{}",
        trace.path
    );
    assert!(text.contains("&ref=dingo") && text.contains(r#""tax":7"#), "{text}");
}

#[test]
fn headers_are_secret_unless_they_are_listed() {
    let make = |capture: &mut Capture| {
        request(
            capture,
            "/koala",
            &[
                ("accept", "wombat/*"),
                ("x-zone", "quokka, bilby"),
                ("user-agent", "koala"),
                ("authorization", "Bearer numbat"),
            ],
            "bilby and quokka, bilby",
        );
        response(capture, &[("content-type", "dingo/plain"), ("x-served-by", "emu-17")], "");
    };
    let rule = Rule::default().with_clear_headers(&["User-Agent", "content-type"]);
    let (_, text) = &recorded(rule, &[&make])[0];
    for secret in ["wombat", "numbat", "emu-17"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    assert!(text.contains("dingo/plain") && text.contains("/koala"), "{text}");
    assert!(
        text.contains("bilby and quokka, bilby"),
        "copies of what is only not listed stay readable: {text}"
    );
    let (_, text) = &recorded(Rule::default(), &[&make])[0];
    assert!(text.contains("wombat") && text.contains("emu-17") && !text.contains("numbat"), "{text}");
}

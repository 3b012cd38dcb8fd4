//! For arbitrary requests: with the key, everything is read back exactly. Without it, no secret is visible.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use zerver_recorder::{Reader, Recorder, portable};
use zerver_trace::{
    Body, Capture, Event, FailureInfo, FailureKind, MessageInfo, Name, Outcome, Recorded, RequestInfo, Trace,
    Value,
};

use crate::options;
use crate::sample_traces::{self, FixedMessage, datum, headers};

#[derive(Debug, Clone)]
struct Case {
    secret: String,
    around: (String, String),
    header: String,
    body: Vec<u8>,
    slots: Vec<(u16, String)>,
}

fn case() -> impl Strategy<Value = Case> {
    let text = || "[ -~äß漢]{0,24}";
    (
        "Zq[ -~é]{6,30}Zq",
        (text(), text()),
        prop_oneof![Just("authorization"), Just("cookie"), Just("x-api-key"), Just("x-plain")],
        vec(any::<u8>(), 0..300),
        vec((0u16..4, text().prop_map(String::from)), 0..6),
    )
        .prop_map(|(secret, around, header, body, slots)| Case {
            secret,
            around,
            header: header.to_owned(),
            body,
            slots,
        })
}

impl Case {
    /// Returns the secret within other text, like a copy of it.
    fn copy(&self) -> String {
        format!("{}{}{}", self.around.0, self.secret, self.around.1)
    }

    fn values(&self) -> Vec<(u16, Value)> {
        let own = self.slots.iter().map(|(slot, text)| (*slot, Value::from_serialize(text).unwrap()));
        let secret = [(0, Value::from_serialize(&self.secret).unwrap())];
        let copies = [
            (1, Value::from_serialize(&self.copy()).unwrap()),
            (2, Value::from_serialize(&(7, Some(self.copy()), self.copy().into_bytes())).unwrap()),
        ];
        secret.into_iter().chain(own).chain(copies).collect()
    }

    fn capture(&self, n: u64) -> Capture {
        let wrote = |(slot, text): &(u16, String)| Event::SlotWritten {
            step: 0,
            slot: *slot,
            at_ns: 1,
            value: datum(text.clone()),
        };
        let mut events =
            vec![Event::SlotWritten { step: 0, slot: 0, at_ns: 0, value: datum(self.secret.clone()) }];
        events.extend(self.slots.iter().map(wrote));
        events.push(Event::SlotWritten { step: 0, slot: 1, at_ns: 2, value: datum(self.copy()) });
        let nested = (7, Some(self.copy()), self.copy().into_bytes());
        events.push(Event::SlotWritten { step: 0, slot: 2, at_ns: 2, value: datum(nested) });
        let request = RequestInfo {
            method: "POST".to_owned(),
            target: format!("/a/{}", self.copy()),
            headers: headers(&[(&self.header, &self.copy())]),
            body: Body { full_len: self.body.len() as u64, bytes: self.body.clone() },
            origin: format!("http://{}", self.copy()),
            ..RequestInfo::default()
        };
        let outcome = Outcome::Failed(FailureInfo {
            kind: FailureKind::Invalid,
            what: Name::from(self.copy()),
            key: self.copy(),
            message: self.copy(),
            step: None,
            call: None,
            causes: vec![self.copy()],
        });
        let request = Arc::new(FixedMessage(MessageInfo::Request(request)));
        Capture { request, events, outcome, ..sample_traces::capture(n) }
    }
}

fn plain(reader: &Reader, trace: &Trace, recorded: &Recorded) -> Value {
    match reader.unseal(trace, recorded).unwrap() {
        Recorded::Plain { value, .. } => value,
        other => panic!("{other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn everything_is_read_back_with_the_key_and_no_secret_without(cases in vec(case(), 1..24)) {
        let dir = tempfile::tempdir().unwrap();
        let recorder = Recorder::open(options(dir.path())).unwrap();
        for (n, case) in cases.iter().enumerate() {
            recorder.sink().accept(Box::new(case.capture(n as u64)));
        }
        recorder.close();
        let reader = Reader::open(dir.path()).unwrap();
        for (n, case) in cases.iter().enumerate() {
            let trace = reader.load(sample_traces::id(n as u64)).unwrap().unwrap();
            let secret = case.secret.trim_ascii();
            let seen = format!("{trace:?}{:?}", portable::read(&portable::write(&trace).unwrap()));
            // Plain, and escaped within another text.
            prop_assert!(!seen.contains(secret), "{secret}: {seen}");
            prop_assert!(!seen.contains(&secret.escape_debug().to_string()), "{secret}: {seen}");
            let bytes = secret.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(", ");
            prop_assert!(!seen.contains(&bytes), "{secret}: {seen}");

            prop_assert_eq!(plain(&reader, &trace, &trace.target), Value::from_serialize(&format!("/a/{}", case.copy())).unwrap());
            prop_assert_eq!(plain(&reader, &trace, &trace.request_headers[0].value), Value::from_serialize(&case.copy()).unwrap());
            prop_assert_eq!(plain(&reader, &trace, &trace.request_body.bytes), Value::from_bytes(&case.body).unwrap());
            let wrote = trace.events.iter().map(|event| match event {
                Event::SlotWritten { slot, value, .. } => (*slot, plain(&reader, &trace, value)),
                other => panic!("{other:?}"),
            });
            prop_assert_eq!(wrote.collect::<Vec<_>>(), case.values());
        }
    }
}

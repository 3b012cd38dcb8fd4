//! Requests that follow from their ids: what is found in a fleet is compared with what must have been recorded.

use std::sync::Arc;

use serde::Serialize;
use zerver_trace::{
    Answer, Body, Capture, Class, Decision, Event, FlowInfo, Header, MessageInfo, Name, Outcome, RecordedBy,
    RequestId, RequestInfo, ResponseInfo, SharedValue, SlotInfo, StepInfo, Summary, TypedValue,
};

/// A text that occurs in secret values alone.
pub(crate) const NEEDLE: &str = "needle-7f3c91";
/// A text that occurs in other values.
pub(crate) const MARKER: &str = "marker-20ac55";

/// Names and patterns of the flows. Only the second build has the last.
const FLOWS: [(&str, &str, &str); 5] = [
    ("item", "GET", "/v1/items/{id}"),
    ("search", "GET", "/v1/search"),
    ("login", "POST", "/v1/login"),
    ("checkout", "POST", "/v1/orders"),
    ("refund", "POST", "/v1/refunds"),
];
/// Number of flows of the first build.
const OLD_FLOWS: u64 = 4;

/// The kind of time in which a request was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Era {
    /// An ordinary hour, and the first build.
    Old,
    /// An ordinary hour, and the second build.
    New,
    /// An outage, in which most requests fail.
    Outage,
}

/// A request: the pod that served it, and its number there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) pod: u16,
    pub(crate) n: u32,
    pub(crate) era: Era,
    /// Time of its start by the clock of the pod, in milliseconds since the Unix epoch.
    pub(crate) ms: u64,
}

/// The facts of a request that are known without its trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) flow: &'static str,
    pub(crate) status: u16,
    pub(crate) duration_ns: u64,
}

/// Returns a number that looks random and follows from another.
pub(crate) const fn mix(seed: u64) -> u64 {
    let mut bits = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

impl Request {
    pub(crate) fn id(self) -> RequestId {
        let era = match self.era {
            Era::Old => 0,
            Era::New => 1,
            Era::Outage => 2,
        };
        let rest = u128::from(self.pod & 0x3fff) << 48 | u128::from(self.n) << 16 | era << 14;
        RequestId::from_u128(u128::from(self.ms) << 80 | 0x7 << 76 | 0x2 << 62 | rest)
    }

    /// Returns the request that has an id, if any has.
    pub(crate) fn of(id: RequestId) -> Option<Self> {
        let bits = id.as_u128();
        let era = match bits >> 14 & 0b11 {
            0 => Era::Old,
            1 => Era::New,
            2 => Era::Outage,
            _ => return None,
        };
        let request =
            Self { pod: (bits >> 48 & 0x3fff) as u16, n: (bits >> 16) as u32, era, ms: (bits >> 80) as u64 };
        (request.id() == id).then_some(request)
    }

    fn bits(self) -> u64 {
        mix(u64::from(self.pod) << 32 | u64::from(self.n))
    }

    fn flow_number(self) -> usize {
        let flows = if self.era == Era::New { FLOWS.len() as u64 } else { OLD_FLOWS };
        (self.bits() % flows) as usize
    }

    pub(crate) fn facts(self) -> Facts {
        let bits = self.bits() >> 8;
        let share = bits % 100;
        let status = match self.era {
            Era::Outage if share < 90 => 503,
            _ if share < 90 => 200,
            _ if share < 96 => 404,
            _ if share < 98 => 500,
            _ => 503,
        };
        let duration_ns =
            200_000 + bits % 5_000_000 + if bits.is_multiple_of(1000) { 900_000_000 } else { 0 };
        Facts { flow: FLOWS[self.flow_number()].0, status, duration_ns }
    }

    /// Returns true if a summary says what was recorded.
    pub(crate) fn is_described_by(self, summary: &Summary) -> bool {
        let facts = self.facts();
        summary.flow == facts.flow
            && summary.status == facts.status
            && summary.duration_ns == facts.duration_ns
            && summary.started_unix_ns == self.started_unix_ns()
    }

    pub(crate) const fn started_unix_ns(self) -> u64 {
        self.ms * 1_000_000
    }
}

/// Returns the flows of a build.
pub(crate) fn flows(era: Era) -> Vec<Arc<FlowInfo>> {
    let count = if era == Era::New { FLOWS.len() } else { OLD_FLOWS as usize };
    FLOWS[..count].iter().map(|&(name, method, pattern)| Arc::new(flow(name, method, pattern))).collect()
}

fn flow(name: &str, method: &str, pattern: &str) -> FlowInfo {
    let slot = |name: &str, is_secret| SlotInfo {
        name: name.to_owned(),
        path: format!("shop::{name}"),
        is_secret,
        is_indexed: !is_secret,
    };
    let step = |name: &str, line| StepInfo {
        name: name.to_owned(),
        doc: String::new(),
        file: "src/main.rs".to_owned(),
        line,
        reads: Vec::new(),
        writes: Vec::new(),
    };
    FlowInfo {
        name: name.to_owned(),
        method: method.to_owned(),
        pattern: pattern.to_owned(),
        class: Class::Interactive,
        slots: vec![slot("ApiKey", true), slot("User", false), slot("Order", false)],
        steps: vec![step("authorize", 10), step("load", 20), step("respond", 30)],
    }
}

fn datum<T: Serialize + Send + Sync + 'static>(value: T) -> SharedValue {
    Arc::new(TypedValue(value))
}

fn header(name: &str, value: &str) -> Header {
    Header { name: name.to_owned(), value: value.as_bytes().to_vec() }
}

/// Returns what a runtime hands to its recorder when it has served a request.
pub(crate) fn capture(request: Request, flows: &[Arc<FlowInfo>]) -> Capture {
    let (facts, bits) = (request.facts(), request.bits());
    let flow = Arc::clone(&flows[request.flow_number()]);
    let (item, user) = (bits % 5_000, bits / 7 % 2_000);
    let body = format!(r#"{{"id":{item},"title":"{MARKER} {item}","done":{}}}"#, bits.is_multiple_of(3))
        .into_bytes();
    let target = flow.pattern.replace("{id}", &item.to_string());
    let asked = RequestInfo {
        method: flow.method.clone(),
        target: format!("{target}?page={}", bits % 9),
        version: "HTTP/1.1".to_owned(),
        peer: "10.2.0.7:4000".to_owned(),
        headers: vec![
            header("host", "shop.example"),
            header("accept", "application/json"),
            header("authorization", &format!("Bearer {NEEDLE}-{user}")),
        ],
        body: Body::default(),
        origin: String::new(),
    };
    let answered = ResponseInfo {
        status: facts.status,
        headers: vec![header("content-type", "application/json")],
        body: Body { full_len: body.len() as u64, bytes: body },
    };
    let ran = |step, at_ns, decision| Event::StepRan {
        step,
        ready_ns: at_ns,
        at_ns: at_ns + 10,
        cpu_ns: 9,
        decision,
    };
    let events = vec![
        Event::BodyReceived { at_ns: 10 },
        Event::SlotWritten { step: 0, slot: 0, at_ns: 12, value: datum(format!("{NEEDLE} of {user}")) },
        Event::SlotWritten { step: 0, slot: 1, at_ns: 13, value: datum(format!("user-{user}")) },
        ran(0, 20, Decision::Need),
        Event::EffectRequested {
            call: 0,
            step: 0,
            at_ns: 31,
            kind: Name::from("kv"),
            args: datum(("item", item)),
            attempt: 1,
            timeout_ns: None,
        },
        Event::EffectCompleted {
            call: 0,
            at_ns: 90_000,
            answer: Answer::Ok(datum(format!("{MARKER} {item}"))),
        },
        Event::SlotWritten { step: 1, slot: 2, at_ns: 90_010, value: datum(item) },
        ran(2, 90_020, Decision::Done),
    ];
    Capture {
        id: request.id(),
        flow,
        class: Class::Interactive,
        started_unix_ns: request.started_unix_ns(),
        duration_ns: facts.duration_ns,
        seed: bits,
        request: Arc::new(MessageInfo::Request(asked)),
        response: Some(Arc::new(MessageInfo::Response(answered))),
        status: facts.status,
        outcome: Outcome::Done,
        events,
        events_dropped: 0,
        is_recording_requested: false,
        worker: Some((request.n % 2) as u16),
        is_undelivered: false,
        recorded_by: RecordedBy::Runtime,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_follows_from_its_id() {
        for (n, era) in [(0, Era::Old), (u32::MAX, Era::New), (7, Era::Outage)] {
            let request = Request { pod: 12_345, n, era, ms: 1_790_000_000_123 };
            assert_eq!(Request::of(request.id()), Some(request));
            let capture = capture(request, &flows(era));
            assert_eq!(
                (capture.flow.name.as_str(), capture.status),
                (request.facts().flow, request.facts().status)
            );
        }
        assert_eq!(Request::of(RequestId::from_u128(7)), None);
    }
}

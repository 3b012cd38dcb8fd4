//! Varied traffic: many flows, users and todos, requests that overlap, and some that fail.
#![allow(dead_code, reason = "each benchmark uses a part")]

use std::sync::Arc;

use zerver_trace::{Capture, Event, FlowInfo, Header, MessageInfo, RequestId, RequestInfo};

use crate::sample::{Claims, FixedMessage, capture, datum, flow};

/// Number of users, each with a session cookie.
pub(crate) const USERS: u64 = 1_000;
/// Number of different todos.
const TODOS: u64 = 10_000;
/// Number of flows.
const FLOWS: u64 = 12;

/// A service under load.
pub(crate) struct Traffic {
    flows: Vec<Arc<FlowInfo>>,
    has_unique_cookies: bool,
}

impl Traffic {
    pub(crate) fn new() -> Self {
        let numbered =
            |number| Arc::new(FlowInfo { name: format!("todos-{number}"), ..FlowInfo::clone(&flow(false)) });
        Self { flows: (0..FLOWS).map(numbered).collect(), has_unique_cookies: false }
    }

    /// Returns the same traffic with cookies that never repeat.
    pub(crate) fn with_unique_cookies(self) -> Self {
        Self { has_unique_cookies: true, ..self }
    }

    /// Returns the same traffic with an index of the slot `TodoId`.
    pub(crate) fn with_index(mut self) -> Self {
        for flow in &mut self.flows {
            let mut indexed = FlowInfo::clone(flow);
            indexed.slots.iter_mut().for_each(|slot| slot.is_indexed = slot.name == "TodoId");
            *flow = Arc::new(indexed);
        }
        self
    }

    pub(crate) fn flows(&self) -> &[Arc<FlowInfo>] {
        &self.flows
    }

    /// Returns the id of a request.
    pub(crate) fn id(&self, n: u64) -> RequestId {
        self.request(n).id
    }

    /// Returns the requests with these numbers in the order in which they end.
    pub(crate) fn requests(&self, numbers: std::ops::Range<u64>) -> Vec<Capture> {
        let mut requests: Vec<_> = numbers.map(|n| self.request(n)).collect();
        requests.sort_by_key(|request| request.started_unix_ns + request.duration_ns);
        requests
    }

    fn request(&self, n: u64) -> Capture {
        let noise = n.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29).wrapping_mul(0xd6e8_feb8_6659_fd93);
        let (user, todo) = (noise % USERS, (noise >> 20) % TODOS);
        // Most requests belong to a few flows.
        let flow = (noise >> 40).trailing_zeros().min(FLOWS as u32 - 1);
        let mut capture = *capture(n, &self.flows[flow as usize], false);
        let session = if self.has_unique_cookies { noise } else { user };
        let header = |name: &str, value: String| Header { name: name.to_owned(), value: value.into_bytes() };
        capture.request = Arc::new(FixedMessage(MessageInfo::Request(RequestInfo {
            method: "GET".to_owned(),
            target: format!("/v1/todos/{todo}?page={}&trace={n:x}", noise % 7),
            version: "HTTP/1.1".to_owned(),
            peer: format!("127.0.0.1:{}", 40_000 + noise % 400),
            headers: vec![
                header("host", "localhost:8080".to_owned()),
                header("user-agent", format!("client/{}", noise % 30)),
                header(
                    "cookie",
                    format!("session={:016x}{user:08x}", session.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
                ),
                header("traceparent", format!("00-{noise:016x}{n:016x}-{noise:016x}-01")),
            ],
            body: Default::default(),
            origin: String::new(),
        })));
        for event in &mut capture.events {
            if let Event::SlotWritten { slot, value, .. } = event {
                match slot {
                    1 => {
                        *value = datum(Claims {
                            sub: format!("user-{user}"),
                            roles: vec!["admin".into()],
                            expires: 1_800_000_000 + n / 50_000,
                        })
                    }
                    3 => *value = datum(todo),
                    _ => {}
                }
            }
        }
        capture.duration_ns = 200_000 + noise % 4_800_000 + if n.is_multiple_of(97) { 45_000_000 } else { 0 };
        capture.worker = Some((noise % 2) as u16);
        if noise.is_multiple_of(211) {
            capture.status = 503;
        }
        capture
    }
}

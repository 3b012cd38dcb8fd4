//! The requests of a benchmark, and the answers to them.
//!
//! Identical requests are the best case of a recorder, which keeps equal values once. Requests of many users, each with a
//! cookie, a trace context and a query, are what a service meets.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use crate::servers::memory::{FIRST_PAGE, FIRST_TODO, PAGES, Page, TODOS, USERS};

/// Requests of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Traffic {
    /// Always the same request, without a cookie.
    Identical,
    /// Requests of 1,000 users for 10,000 todos, with the session cookie of the user, a trace context and a query.
    Sessions,
    /// The same with cookies that never repeat.
    Unique,
    /// Requests of the same users for answers of 7 KB.
    Page,
}

impl Traffic {
    /// Returns what is added to the name of a server.
    pub(crate) const fn suffix(self) -> &'static str {
        match self {
            Self::Identical => "",
            Self::Sessions => ", sessions",
            Self::Unique => ", unique",
            Self::Page => ", 7 KB",
        }
    }

    /// Returns the number of requests per second. `None` if each connection sends the next request as soon as it has the
    /// answer. A recorder whose writer shares one core with the server would fall behind then, and what it reads would have
    /// left the cache.
    const fn per_second(self) -> Option<u32> {
        match self {
            Self::Identical => None,
            Self::Sessions | Self::Unique => Some(8_000),
            Self::Page => Some(2_000),
        }
    }
}

/// A stream of requests. Each client has its own.
#[derive(Clone)]
pub(crate) struct Requests {
    request: Vec<u8>,
    body: Vec<u8>,
    per_second: Option<u32>,
    varied: Option<Varied>,
}

/// Places in the text of a request and of its answer where numbers are written over the last ones.
#[derive(Clone)]
struct Varied {
    random: u64,
    is_unique: bool,
    item: usize,
    query: usize,
    token: usize,
    cookie: usize,
    context: usize,
    answer: Answer,
}

#[derive(Clone)]
enum Answer {
    /// Places of the id of the todo.
    Todo([usize; 3]),
    /// The body of each page.
    Pages(Arc<[Vec<u8>]>),
}

impl Requests {
    /// Returns requests that are all the same.
    pub(crate) const fn identical(request: Vec<u8>, body: Vec<u8>) -> Self {
        Self { request, body, per_second: None, varied: None }
    }

    pub(crate) fn new(traffic: Traffic) -> Self {
        if traffic == Traffic::Identical {
            return Self::identical(
                b"GET /v1/todos/7 HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer ann-token\r\naccept: */*\r\n\r\n"
                    .to_vec(),
                br#"{"id":7,"title":"Buy milk","completed":false,"order":7}"#.to_vec(),
            );
        }
        let (path, body, answer) = match traffic {
            Traffic::Page => {
                let page = |id| serde_json::to_vec(&Page::new(id)).unwrap_or_default();
                ("/v1/pages/##", Vec::new(), Answer::Pages((0..PAGES).map(page).collect()))
            }
            _ => {
                let body = br#"{"id":#####,"title":"Todo #####","completed":false,"order":#####}"#;
                let mut places = places(body, b"#####");
                let places = std::array::from_fn(|_| places.next().unwrap_or_default());
                ("/v1/todos/#####", body.to_vec(), Answer::Todo(places))
            }
        };
        let request = format!(
            "GET {path}?list=#### HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer token-####\r\naccept: */*\r\n\
             cookie: theme=dark; session={:#<32}\r\ntraceparent: 00-{:#<32}-{:#<16}-01\r\n\r\n",
            "", "", ""
        )
        .into_bytes();
        let after = |text: &[u8]| places(&request, text).next().unwrap_or_default() + text.len();
        let varied = Varied {
            random: 0,
            is_unique: traffic == Traffic::Unique,
            item: after(&path.as_bytes()[..10]),
            query: after(b"?list="),
            token: after(b"token-"),
            cookie: after(b"session="),
            context: after(b"traceparent: 00-"),
            answer,
        };
        Self { request, body, per_second: traffic.per_second(), varied: Some(varied) }
    }

    /// Returns the requests of another client.
    pub(crate) fn of_client(&self, client: usize) -> Self {
        let mut requests = self.clone();
        if let Some(varied) = &mut requests.varied {
            varied.random = splitmix(client as u64 + 1);
        }
        requests
    }

    /// Returns the time between two requests of each of the clients.
    pub(crate) fn interval(&self, clients: usize) -> Option<Duration> {
        Some(Duration::from_secs(1) * clients as u32 / self.per_second?)
    }

    /// Writes the next request.
    pub(crate) fn advance(&mut self) {
        let Some(varied) = &mut self.varied else { return };
        let (request, body) = (&mut self.request, &mut self.body);
        let random = varied.next();
        let user = random % USERS;
        decimal(request, varied.token, 4, user);
        decimal(request, varied.query, 4, (random >> 16) % 10_000);
        match &varied.answer {
            Answer::Todo(places) => {
                let todo = FIRST_TODO + (random >> 32) % TODOS;
                decimal(request, varied.item, 5, todo);
                for place in places {
                    decimal(body, *place, 5, todo);
                }
            }
            Answer::Pages(pages) => {
                let page = (random >> 32) % PAGES;
                decimal(request, varied.item, 2, FIRST_PAGE + page);
                if let Some(page) = pages.get(page as usize) {
                    body.clone_from(page);
                }
            }
        }
        let session = if varied.is_unique { varied.next() } else { splitmix(!user) };
        hex(request, varied.cookie, session);
        hex(request, varied.cookie + 16, splitmix(session));
        let trace = varied.next();
        hex(request, varied.context, trace);
        hex(request, varied.context + 16, splitmix(trace));
        hex(request, varied.context + 33, random | 1);
    }

    /// Returns the bytes of the request.
    pub(crate) fn request(&self) -> &[u8] {
        &self.request
    }

    /// Returns the body of the answer. Any other answer is an error, so that no server wins by failing.
    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }
}

impl Varied {
    fn next(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        splitmix(self.random)
    }
}

/// The output function of `SplitMix64` (Steele, Lea and Flood, 2014).
const fn splitmix(mut n: u64) -> u64 {
    n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

fn decimal(text: &mut [u8], at: usize, digits: usize, mut n: u64) {
    for digit in text[at..at + digits].iter_mut().rev() {
        *digit = b'0' + (n % 10) as u8;
        n /= 10;
    }
}

fn hex(text: &mut [u8], at: usize, n: u64) {
    // A slice of 16 bytes has room for 16 digits.
    let _ = write!(&mut text[at..at + 16], "{n:016x}");
}

/// Returns the places of a text within a text.
fn places<'a>(text: &'a [u8], sought: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    (0..text.len()).filter(move |at| text[*at..].starts_with(sought))
}
